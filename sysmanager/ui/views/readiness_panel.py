"""The Readiness section of a server: every reason with its colour, and what a person may accept (SPEC 14.1)."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from sysmanager.api import RecorderRow
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.state.readiness import READY_TONES, readiness_lines, readiness_words, shared_machine, why_not_accept
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import wrapped


class ReadinessPanel(QWidget):
    """accept: asks the person, then accepts that the server shares its machine."""

    def __init__(self, context: Context, accept: Callable[[RecorderRow], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._row: RecorderRow | None = None
        self._text = wrapped(rich=True)
        self._text.setAccessibleName("Readiness")
        self.accept = QPushButton("Accept the shared machine…")
        self.accept.setAutoDefault(False)
        self.accept.clicked.connect(lambda: self._accept(accept))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._text)
        row = QHBoxLayout()
        row.addWidget(self.accept, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addLayout(row)
        context.theme.changed.connect(self._repaint)

    def _accept(self, accept: Callable[[RecorderRow], None]) -> None:
        if self._row is not None:
            accept(self._row)

    def render_state(self, state: UiState) -> None:
        row = state.row
        if row is None:
            return
        question, obstacle = shared_machine(row), why_not_accept(state)
        self.accept.setVisible(bool(question))
        self.accept.setEnabled(not obstacle)
        self.accept.setToolTip(obstacle or question)
        if self._row is None or row.readiness is not self._row.readiness or row.id != self._row.id:
            self._row = row
            self._repaint()
        self._row = row

    def _repaint(self) -> None:
        row = self._row
        if row is None:
            return
        tone = READY_TONES[row.readiness.level] if row.readiness is not None else Tone.MUTED
        lines = [f"<b>Readiness</b>&nbsp;&nbsp; {self._dot(tone)} {escape(readiness_words(row.readiness))}"]
        lines += [f"&nbsp;&nbsp;{self._dot(shade)} {escape(sentence)}" for shade, sentence in readiness_lines(row.readiness)]
        self._text.setText("<br>".join(lines))

    def _dot(self, tone: Tone) -> str:
        return f"<span style='color:{self._context.theme.colour(tone).name()}'>●</span>"
