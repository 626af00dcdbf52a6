"""Small widgets that several views use."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from PySide6.QtCore import QObject, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QColor, QFont, QIcon, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLayout,
    QListWidget,
    QPushButton,
    QSizePolicy,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from sysmanager.ui.icons import Glyph
from sysmanager.ui.models.table import LineTableModel
from sysmanager.ui.state.model import Tone
from sysmanager.ui.theme import Theme, scaled
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.delegates import CLOCK, CellDelegate


class ActionButton(QPushButton):
    """A button that is what its action is: text, picture, tool tip, enabled, shown."""

    def __init__(self, action: QAction, parent: QWidget | None = None, *, primary: bool = False) -> None:
        super().__init__(parent)
        self._action = action
        self._primary = primary
        if primary:
            self.setProperty("primary", True)
        self.setAutoDefault(False)
        self.clicked.connect(action.trigger)
        action.changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        action = self._action
        self.setText(action.text())
        if not self._primary:
            self.setIcon(action.icon())
        self.setToolTip(action.toolTip())
        self.setAccessibleName(action.text().replace("&", ""))
        self.setAccessibleDescription(action.toolTip())
        self.setEnabled(action.isEnabled())
        # Shown without a parent yet, it would be a window of its own.
        if not action.isVisible() or self.parentWidget() is not None:
            self.setVisible(action.isVisible())


class IconFollower(QObject):
    """Keeps the picture of a button in the colours of the theme for as long as the button lives."""

    def __init__(self, context: Context, button: QAbstractButton | QAction, make: Callable[[], QIcon]) -> None:
        super().__init__(button)
        self._button = button
        self._make = make
        context.theme.changed.connect(self._repaint)
        self._repaint()

    def _repaint(self) -> None:
        self._button.setIcon(self._make())


def keep_icon(context: Context, button: QAbstractButton | QAction, glyph: Glyph, tone: Tone = Tone.INK) -> None:
    """Give the button a picture that follows the theme."""
    IconFollower(context, button, lambda: context.icons.icon(glyph, tone))


def keep_primary_icon(context: Context, button: QAbstractButton, glyph: Glyph) -> None:
    """The same for a button in the accent colour."""
    IconFollower(context, button, lambda: context.icons.coloured(glyph, QColor(context.theme.colours.on_accent)))


def icon_button(context: Context, glyph: Glyph, name: str, parent: QWidget | None = None) -> QPushButton:
    """A small button with a picture only; `name` is its tool tip and its name for screen readers."""
    button = QPushButton(parent)
    button.setProperty("flat", True)
    button.setAutoDefault(False)
    button.setToolTip(name)
    button.setAccessibleName(name)
    keep_icon(context, button, glyph)
    return button


class IconLabel(QLabel):
    """A picture of text height, in a tone that may change with the theme."""

    def __init__(self, context: Context, glyph: Glyph, tone: Tone, parent: QWidget | None = None, size: int = 18) -> None:
        super().__init__(parent)
        self._context = context
        self._size = size
        self._glyph = glyph
        self._tone = tone
        self.setFixedWidth(size + 4)
        self.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignHCenter)
        context.theme.changed.connect(self._repaint)
        self._repaint()

    def show_glyph(self, glyph: Glyph, tone: Tone) -> None:
        if (glyph, tone) != (self._glyph, self._tone):
            self._glyph, self._tone = glyph, tone
            self._repaint()

    def _repaint(self) -> None:
        self.setPixmap(self._context.icons.icon(self._glyph, self._tone).pixmap(QSize(self._size, self._size)))


class Chip(QLabel):
    """A state in white words on its colour, with round ends."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._tone = Tone.MUTED
        self.setContentsMargins(10, 3, 10, 3)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setFont(scaled(self.font(), 0.95))
        theme.changed.connect(self.update)

    def show_state(self, text: str, tone: Tone) -> None:
        self.setText(text)
        self.setToolTip(text)
        self.setAccessibleName(text)
        self.setVisible(bool(text))
        if tone is not self._tone:
            self._tone = tone
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.chip_colour(self._tone))
        box = QRectF(self.rect())
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        painter.setPen(QColor("#ffffff"))
        inner = self.contentsRect()
        text = painter.fontMetrics().elidedText(self._what_fits(inner.width()), Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(inner, Qt.AlignmentFlag.AlignCenter, text)
        painter.end()

    def _what_fits(self, width: int) -> str:
        """A countdown stands at the end and is what matters most: the parts before it give way to it."""
        text = self.text()
        while CLOCK.search(text) and " · " in text and self.fontMetrics().horizontalAdvance(text) > width:
            text = text.split(" · ", 1)[1]
        return text

    def minimumSizeHint(self) -> QSize:
        margins = self.contentsMargins()
        last = self.text().rsplit(" · ", 1)[-1]
        needed = self.fontMetrics().horizontalAdvance(last) + margins.left() + margins.right() + 4 if CLOCK.search(last) else 60
        return QSize(needed, super().minimumSizeHint().height())


def work_with(context: Context, dialog: QDialog, work: Coroutine[Any, Any, None]) -> None:
    """Run what only serves the dialog: it ends with it. A command that must go on is started by itself and shielded."""
    task = context.tasks.start(work)
    dialog.finished.connect(lambda _: task.cancel())


def fit(dialog: QDialog, width: int, height: int) -> None:
    """Give the dialog this size, or what the screen or its window has room for."""
    room = dialog.screen().availableSize()
    parent = dialog.parentWidget()
    if parent is not None:
        room = room.expandedTo(parent.size())
    dialog.resize(min(width, room.width() - 40), min(height, room.height() - 40))


def rule() -> QFrame:
    """A thin line between two parts of a page."""
    line = QFrame()
    line.setProperty("rule", True)
    line.setFixedHeight(1)
    return line


def muted(text: str = "", parent: QWidget | None = None) -> QLabel:
    """A label that steps back; wraps."""
    label = QLabel(text, parent)
    label.setProperty("muted", True)
    return label


def wrapped(text: str = "", *, rich: bool = False) -> QLabel:
    """A label that wraps. Only with `rich` is its text markup; what people or servers named stays what it is."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.RichText if rich else Qt.TextFormat.PlainText)
    label.setText(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def heading(text: str, factor: float = 1.15) -> QLabel:
    label = QLabel(text)
    label.setFont(scaled(label.font(), factor, weight=QFont.Weight.DemiBold))
    return label


class LineTable(QTableView):
    """A table that says why it is empty."""

    def __init__(self, empty: str) -> None:
        super().__init__()
        self._empty = empty

    def say_if_empty(self, text: str) -> None:
        if text != self._empty:
            self._empty = text
            self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._empty and self.model() is not None and self.model().rowCount() == 0:
            painter = QPainter(self.viewport())
            painter.setPen(self.palette().placeholderText().color())
            box = self.viewport().rect().adjusted(16, 14, -16, -8)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignTop.value) | int(Qt.TextFlag.TextWordWrap.value), self._empty)
            painter.end()


class ShortList(QListWidget):
    """A list of a few lines that says why it is empty."""

    def __init__(self, empty: str) -> None:
        super().__init__()
        self.empty = empty
        self.setAccessibleDescription(empty)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.count() == 0:
            painter = QPainter(self.viewport())
            painter.setPen(self.palette().placeholderText().color())
            box = self.viewport().rect().adjusted(6, 4, -6, -4)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignTop.value) | int(Qt.TextFlag.TextWordWrap.value), self.empty)
            painter.end()


def table(
    context: Context,
    model: LineTableModel,  # type: ignore[type-arg]  # of any line
    name: str,
    *,
    stretch: int,
    row_height: int = 28,
    wrap: bool = False,
    empty: str = "",
) -> LineTable:
    """A table view as all of them look: rows selected as a whole, one column takes the room that is left.

    wrap: long texts take several lines; only for short tables. empty: what to say while there is no row.
    """
    view = LineTable(empty)
    view.setModel(model)
    view.setAccessibleName(name)
    view.setItemDelegate(CellDelegate(context.theme, view))
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setShowGrid(False)
    view.setAlternatingRowColors(True)
    view.setWordWrap(wrap)
    view.setTabKeyNavigation(False)
    view.setCornerButtonEnabled(False)
    view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.verticalHeader().hide()
    view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents if wrap else QHeaderView.ResizeMode.Fixed)
    view.verticalHeader().setDefaultSectionSize(max(row_height, view.fontMetrics().height() + 10))
    header = view.horizontalHeader()
    header.setHighlightSections(False)
    header.setMinimumSectionSize(36)
    header.setResizeContentsPrecision(60)
    header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
    header.setSectionResizeMode(stretch, QHeaderView.ResizeMode.Stretch)
    return view


def sortable(view: QTableView) -> None:
    """Sorts by the column whose head is pressed; as given until then."""
    header = view.horizontalHeader()
    header.setSortIndicatorClearable(True)
    header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
    view.setSortingEnabled(True)


def column(*widgets: QWidget, spacing: int = 8, margins: tuple[int, int, int, int] = (0, 0, 0, 0)) -> QWidget:
    """Widgets below one another."""
    box = QWidget()
    layout = QVBoxLayout(box)
    layout.setContentsMargins(*margins)
    layout.setSpacing(spacing)
    for widget in widgets:
        layout.addWidget(widget)
    return box


def widths(view: QTableView, wanted: Sequence[int]) -> None:
    """The widths of the columns from the first on; 0: as it is."""
    for place, width in enumerate(wanted):
        if width:
            view.setColumnWidth(place, width)


def with_bar(place: QWidget, bar: QHBoxLayout, view: QWidget) -> None:
    """Fill `place` with a bar of filters and buttons, and the view under it."""
    layout = QVBoxLayout(place)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    layout.addLayout(bar)
    layout.addWidget(view, 1)


def form_rows(form: QFormLayout, rows: Iterable[tuple[str, QWidget | QLayout, QWidget]]) -> None:
    """Rows of a form: text with its mnemonic, what stands beside it, and which widget the mnemonic and the screen reader mean."""
    for text, field, buddy in rows:
        label = muted(text)
        label.setMinimumHeight(28)
        label.setBuddy(buddy)
        buddy.setAccessibleName(text.replace("&", ""))
        form.addRow(label, field)
