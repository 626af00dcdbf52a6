"""Putting a server, its group or the whole system into maintenance, with a reason and an end (SPEC 13.6)."""

from __future__ import annotations

from PySide6.QtCore import QDateTime, Qt, Signal
from PySide6.QtWidgets import QComboBox, QDateTimeEdit, QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from sysmanager.api import RecorderRow, Scope, Target
from sysmanager.domain.maintenance import REASON_LIMIT
from sysmanager.ui.icons import Glyph
from sysmanager.ui.state.model import UiState
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import fit, heading, keep_primary_icon, muted, wrapped

DEFAULT_S = 3600
MINUTE_MS = 60_000
SPANS: tuple[tuple[str, int], ...] = (("1 hour", 3600), ("4 hours", 14_400), ("8 hours", 28_800), ("1 day", 86_400))


class MaintenanceDialog(QDialog):
    """wanted: target, reason and end (milliseconds since 1970) when the person is done; after that the dialog is closed."""

    wanted = Signal(object, str, object)

    def __init__(self, context: Context, row: RecorderRow, state: UiState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Maintenance")
        fit(self, 520, 360)
        self._context = context
        self.target = QComboBox()
        self.target.setAccessibleName("What is in maintenance")
        self.target.addItem(f"This server: {row.name}", Target(scope=Scope.RECORDER, id=row.id))
        if row.group is not None and row.group in state.groups:
            self.target.addItem(f"Its group: {state.groups[row.group].name}", Target(scope=Scope.GROUP, id=row.group))
        self.target.addItem("The whole system", Target(scope=Scope.SYSTEM))
        self.reason = QLineEdit()
        self.reason.setAccessibleName("Reason")
        self.reason.setMaxLength(REASON_LIMIT)
        self.reason.setPlaceholderText("For those who see it, such as: new disks")
        self.span = QComboBox()
        self.span.setAccessibleName("How long")
        for text, seconds in SPANS:
            self.span.addItem(text, seconds)
        self.span.addItem("Until the time below", None)
        self.until = QDateTimeEdit(self._in(DEFAULT_S))
        self.until.setAccessibleName("End")
        self.until.setCalendarPopup(True)
        self.until.setDisplayFormat("yyyy-MM-dd HH:mm")
        self.span.currentIndexChanged.connect(lambda _: self._chosen(self.span.currentData()))
        known = row.maintenance
        if known is not None:
            self.reason.setText(known.reason)
            self.until.setDateTime(QDateTime.fromMSecsSinceEpoch(known.until_wall_ms))
            self.target.setCurrentIndex(max(0, self.target.findText(self._text_of(known.target))))
        self._why_not = muted("")
        self._why_not.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(10)
        layout.addWidget(heading(f"Maintenance of {row.name}", 1.4))
        layout.addWidget(
            wrapped("Nothing fails over by itself there until it ends. It is still watched, and the log says what would have happened.")
        )
        form = QFormLayout()
        form.setHorizontalSpacing(18)
        form.setVerticalSpacing(9)
        for text, field in (("&For", self.target), ("&Reason", self.reason), ("&How long", self.span), ("&Until", self.until)):
            label = muted(text)
            label.setBuddy(field)
            form.addRow(label, field)
        layout.addLayout(form)
        layout.addWidget(self._why_not)
        layout.addStretch(1)
        buttons = QDialogButtonBox()
        words = "Start maintenance" if known is None else "Change maintenance"
        self.go: QPushButton = buttons.addButton(words, QDialogButtonBox.ButtonRole.AcceptRole)
        self.go.setProperty("primary", True)
        keep_primary_icon(context, self.go, Glyph.MAINTENANCE)
        buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self._accept)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        self.reason.textChanged.connect(lambda _: self._check())
        self.until.dateTimeChanged.connect(lambda _: self._end_changed())
        self._end_changed()
        self.reason.setFocus()

    def _in(self, seconds: int) -> QDateTime:
        return QDateTime.fromMSecsSinceEpoch(self._context.now_wall_ms() + seconds * 1000)

    def _chosen(self, seconds: int | None) -> None:
        if seconds is None:
            self.until.setFocus()
        else:
            self.until.setDateTime(self._in(seconds))

    def _end_changed(self) -> None:
        """How long follows an end that was typed, so that the two never contradict each other."""
        seconds = self.span.currentData()
        if seconds is not None and abs(self.until.dateTime().msecsTo(self._in(seconds))) >= MINUTE_MS:
            self.span.setCurrentIndex(self.span.count() - 1)
        self._check()

    def _text_of(self, target: Target) -> str:
        return next((self.target.itemText(place) for place in range(self.target.count()) if self.target.itemData(place) == target), "")

    def _check(self) -> None:
        if not self.reason.text().strip():
            why = "Say why, so that others know."
        elif self.until.dateTime().toMSecsSinceEpoch() <= self._context.now_wall_ms():
            why = "The end lies in the past; choose a later one."
        else:
            why = ""
        self._why_not.setText(why)
        self.go.setEnabled(not why)

    def _accept(self) -> None:
        self.wanted.emit(self.target.currentData(), self.reason.text().strip(), self.until.dateTime().toMSecsSinceEpoch())
        self.accept()
