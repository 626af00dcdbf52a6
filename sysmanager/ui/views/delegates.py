"""How cells of tables and lines of the tree are painted."""

from __future__ import annotations

import re
from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QIcon, QPainter, QPalette
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from sysmanager.ui.icons import Icons
from sysmanager.ui.models.table import DOT_ROLE, PROGRESS_ROLE, TONE_ROLE
from sysmanager.ui.models.tree import NODE_ROLE
from sysmanager.ui.state.model import Tone
from sysmanager.ui.state.tree import TreeNode
from sysmanager.ui.theme import Theme, scaled, tabular

Index = QModelIndex | QPersistentModelIndex

_PADDING = 8
_APART = 10
"""Between a name in the tree and its note."""
_SPARE = 3
_NAME_AT_LEAST = 48
CLOCK = re.compile(r"\d:\d")
"""A time of day or a countdown in a text."""
_DOT = 9


class CellDelegate(QStyledItemDelegate):
    """A cell: a dot in its tone, the words, and a thin bar below them while something is in progress."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        text, dot = str(index.data(Qt.ItemDataRole.DisplayRole) or ""), bool(index.data(DOT_ROLE))
        tone, share = index.data(TONE_ROLE), index.data(PROGRESS_ROLE)
        _paint_background(painter, option, index, self)
        # Qt hands an enumeration of texts back as plain text.
        colour = self._theme.colour(Tone(tone) if tone is not None else Tone.INK)
        box = option.rect.adjusted(_PADDING, 0, -_PADDING, 0)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if dot and text:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawEllipse(QRectF(box.left(), box.center().y() - _DOT / 2 + 0.5, _DOT, _DOT))
            box.setLeft(box.left() + _DOT + 9)
        words = box.adjusted(0, 0, 0, -6) if share is not None else box
        alignment = index.data(Qt.ItemDataRole.TextAlignmentRole)
        painter.setFont(_font(option.font, text))
        painter.setPen(self._theme.colour(Tone.INK) if dot else colour)
        if _wraps(option):
            painter.drawText(words, _flags(alignment) | int(Qt.TextFlag.TextWordWrap.value), text)
        else:
            _draw(painter, words, text, alignment)
        if share is not None:
            self._paint_bar(painter, box, float(share), colour)
        painter.restore()

    def _paint_bar(self, painter: QPainter, box: QRect, share: float, colour: QColor) -> None:
        bar = QRectF(box.left(), box.bottom() - 7, box.width(), 4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.colours.line))
        painter.drawRoundedRect(bar, 2, 2)
        bar.setWidth(bar.width() * min(1.0, max(0.0, share)))
        painter.setBrush(colour)
        painter.drawRoundedRect(bar, 2, 2)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        text = str(index.data(Qt.ItemDataRole.DisplayRole) or "")
        metrics = QFontMetrics(_font(option.font, text))
        dot = _DOT + 9 if index.data(DOT_ROLE) else 0
        room = option.rect.width() - 2 * _PADDING - dot
        if _wraps(option) and room > 0:
            lines = metrics.boundingRect(QRect(0, 0, room, 2000), int(Qt.TextFlag.TextWordWrap.value), text)
            return QSize(room, max(metrics.height(), lines.height()) + 12)
        return QSize(metrics.horizontalAdvance(text) + 2 * _PADDING + 4 + dot, metrics.height() + 10)


class TreeDelegate(QStyledItemDelegate):
    """A line of the tree: picture, name, and at the right what is to be known of it, in as many words as there is room for.

    The name gives way last, but for the shortest form of the note: a countdown is never cut.
    """

    def __init__(self, theme: Theme, icons: Icons, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icons = icons

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        _paint_background(painter, option, index, self)
        node = index.data(NODE_ROLE)
        if not isinstance(node, TreeNode):
            return
        painter.save()
        box = option.rect.adjusted(2, 0, -10, 0)
        size = 16
        icon: QIcon = self._icons.symbol(node.symbol, node.tone)
        icon.paint(painter, QRect(box.left(), box.center().y() - size // 2, size, size))
        box.setLeft(box.left() + size + 8)
        name_font = QFont(option.font)
        if node.strong:
            name_font.setWeight(QFont.Weight.DemiBold)
        note_font = _font(scaled(option.font, 0.92), node.note)
        name_metrics, note_metrics = QFontMetrics(name_font), QFontMetrics(note_font)
        name_width, note = note_that_fits(box.width(), node, name_metrics.horizontalAdvance, note_metrics.horizontalAdvance)
        painter.setFont(name_font)
        painter.setPen(self._theme.colour(Tone.INK))
        # Fonts measure in fractions of a pixel; without a little room to spare a name that fits would be cut.
        name_box = QRect(box.left(), box.top(), name_width + _SPARE, box.height())
        _draw(painter, name_box, node.text, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        if note:
            painter.setFont(note_font)
            painter.setPen(self._theme.colour(node.note_tone))
            note_box = box.adjusted(name_width + _APART - _SPARE, 0, 0, 0)
            _draw(painter, note_box, note, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, max(25, option.fontMetrics.height() + 9))


def note_that_fits(room: int, node: TreeNode, name_width: Callable[[str], int], note_width: Callable[[str], int]) -> tuple[int, str]:
    """Width for the name, and the longest form of the note that fits beside it, in pixels; the shortest form gets its room first."""
    name = name_width(node.text)
    if not node.note:
        return min(name, room), ""
    shortest = note_width((node.note, *node.shorter)[-1])
    name = min(name, max(_NAME_AT_LEAST, room - _APART - shortest))
    left = room - name - _APART
    fitting = (form for form in (node.note, *node.shorter) if note_width(form) <= left)
    return name, next(fitting, (node.note, *node.shorter)[-1])


def _wraps(option: QStyleOptionViewItem) -> bool:
    return bool(option.features & QStyleOptionViewItem.ViewItemFeature.WrapText)


def _font(font: QFont, text: str) -> QFont:
    """Digits of one width where they count time; names keep their own, as hyphens would grow with the digits."""
    return tabular(font) if CLOCK.search(text) else font


def _paint_background(painter: QPainter, option: QStyleOptionViewItem, index: Index, delegate: QStyledItemDelegate) -> None:
    """The background, selection and focus of the style, without its text and picture."""
    plain = QStyleOptionViewItem(option)
    delegate.initStyleOption(plain, index)
    plain.text = ""
    plain.icon = QIcon()
    plain.features &= ~QStyleOptionViewItem.ViewItemFeature.HasDecoration
    # A focus frame around one cell of a whole selected row only disturbs.
    plain.state &= ~QStyle.StateFlag.State_HasFocus
    if not plain.state & QStyle.StateFlag.State_Active:
        plain.palette.setCurrentColorGroup(QPalette.ColorGroup.Active)
    style = plain.widget.style()
    style.drawControl(QStyle.ControlElement.CE_ItemViewItem, plain, painter, plain.widget)
    if plain.state & QStyle.StateFlag.State_Selected and index.column() == 0 and plain.widget.hasFocus():
        # Shows where the keyboard is.
        painter.fillRect(QRect(0, plain.rect.top(), 3, plain.rect.height()), plain.palette.accent())


def _draw(painter: QPainter, box: QRect, text: str, alignment: object, elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight) -> None:
    shown = painter.fontMetrics().elidedText(text, elide, max(0, box.width()))
    painter.drawText(box, _flags(alignment) | int(Qt.TextFlag.TextSingleLine.value), shown)


def _flags(alignment: object) -> int:
    flags = alignment if isinstance(alignment, Qt.AlignmentFlag) else Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
    return int(flags.value)
