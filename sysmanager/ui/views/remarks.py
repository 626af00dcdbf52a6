"""What people write on an entry of the failover log: its to-do list, ticked off line by line, and comments (SPEC 11)."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit, QPlainTextEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from sysmanager.api import RIGHT_FOR, CommentEntry, Failover
from sysmanager.domain.remarks import COMMENT_LIMIT
from sysmanager.domain.rights import missing_right
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.texts import when_inside
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import heading, muted, wrapped

COMMENTS_PX = 110
"""More comments than fit are scrolled."""


class Remarks(QWidget):
    """Follows one entry. What is ticked or written goes to the coordinator; what is shown is what came back."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._entry: Failover | None = None
        self.boxes: list[QCheckBox] = []
        self._lines: tuple[str, ...] = ()
        self._nothing = muted("Nothing.")
        self._list = QVBoxLayout()
        self._list.setSpacing(4)
        self.comments = QPlainTextEdit()
        self.comments.setReadOnly(True)
        self.comments.setTabChangesFocus(True)
        self.comments.setAccessibleName("Comments on this entry")
        self.comments.setMaximumHeight(COMMENTS_PX)
        self.comments.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.edit = QLineEdit()
        self.edit.setPlaceholderText("Write a comment…")
        self.edit.setAccessibleName("Comment on this entry")
        self.edit.setMaxLength(COMMENT_LIMIT)
        self.button = QPushButton("Add")
        self.button.setAutoDefault(False)
        self.button.setAccessibleName("Add the comment")
        self.button.clicked.connect(self._comment)
        self.edit.returnPressed.connect(self._comment)
        self.edit.textChanged.connect(lambda _: self._enable())
        row = QHBoxLayout()
        row.addWidget(self.edit, 1)
        row.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.setSpacing(6)
        layout.addWidget(heading("To do by hand"))
        layout.addWidget(self._nothing)
        layout.addLayout(self._list)
        layout.addWidget(heading("Comments"))
        layout.addWidget(self.comments)
        layout.addLayout(row)

    def render_entry(self, entry: Failover, state: UiState) -> None:
        self._entry = entry
        missing = missing_right(state.actor.role, RIGHT_FOR[CommentEntry]) or ""
        if entry.to_do != self._lines:
            self._make_boxes(entry.to_do)
        ticks = {tick.item: tick for tick in entry.ticks}
        now, zone = self._context.now_wall_ms(), self._context.zone
        for item, box in enumerate(self.boxes):
            tick = ticks.get(item)
            box.setChecked(tick is not None and tick.done)
            box.setEnabled(not missing)
            said = f"{'Done' if tick.done else 'Taken back'} by {tick.actor.name}, {when_inside(tick.at_ms, now, zone)}." if tick else ""
            box.setToolTip(missing or said)
        self._nothing.setVisible(not self.boxes)
        told = "\n".join(f"{one.actor.name}, {when_inside(one.at_ms, now, zone)}: {one.text}" for one in entry.comments)
        if self.comments.toPlainText() != told:
            self.comments.setPlainText(told)
            self.comments.verticalScrollBar().setValue(self.comments.verticalScrollBar().maximum())
        self.comments.setVisible(bool(entry.comments))
        self.edit.setEnabled(not missing)
        self.edit.setToolTip(missing)
        self._enable()

    def _make_boxes(self, lines: tuple[str, ...]) -> None:
        self._lines = lines
        while (gone := self._list.takeAt(0)) is not None:
            widget = gone.widget()
            if widget is not None:
                widget.deleteLater()
        self.boxes = []
        for item, line in enumerate(lines):
            # A box cannot wrap its text: the words stand beside it, and are its name for screen readers.
            box = QCheckBox()
            box.setAccessibleName(line)
            box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            box.clicked.connect(lambda done, item=item: self._tick(item, done))
            row = QWidget()
            beside = QHBoxLayout(row)
            beside.setContentsMargins(0, 0, 0, 0)
            beside.addWidget(box, 0, Qt.AlignmentFlag.AlignTop)
            beside.addWidget(wrapped(line), 1)
            self._list.addWidget(row)
            self.boxes.append(box)

    def _enable(self) -> None:
        self.button.setEnabled(self.edit.isEnabled() and bool(self.edit.text().strip()))

    def _tick(self, item: int, done: bool) -> None:
        entry = self._entry
        if entry is not None:
            # Until the coordinator has said so it is not done.
            self.boxes[item].setChecked(not done)
            self._context.tasks.start(self._context.operations.tick(entry.id, item, done=done))

    def _comment(self) -> None:
        entry, text = self._entry, self.edit.text().strip()
        if entry is not None and text and self.button.isEnabled():
            self.button.setEnabled(False)
            self._context.tasks.start(self._send(entry, text))

    async def _send(self, entry: Failover, text: str) -> None:
        outcome = await self._context.operations.comment(entry.id, text)
        if outcome.done and self.edit.text().strip() == text:
            self.edit.clear()
        self._enable()
