"""The audit log, beside the failover log: every request and refusal, newest first, to read only (SPEC 12)."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from sysmanager.api import AuditLine, AuditOutcome
from sysmanager.ui.icons import Glyph
from sysmanager.ui.models.paged import PagedTableModel
from sysmanager.ui.models.table import Column
from sysmanager.ui.state.events import AuditAsked
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.state.texts import NOTHING, when_text
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import IconFollower, table, widths, with_bar

SEARCH_LIMIT = 200

_WIDTHS = (140, 120, 110, 172, 110, 136)
_ROLE = 2

SAID_PX = 340
"""What was said has so much room at least, as long as the role can give way."""


class AuditList(QWidget):
    """wanted: the list, or its end, is looked at."""

    wanted = Signal()

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        columns: tuple[Column[AuditLine], ...] = (
            Column(title="Time", text=lambda line: when_text(line.at_ms, context.now_wall_ms(), context.zone)),
            Column(title="Who", text=lambda line: line.actor, tip=_who),
            Column(title="Role", text=lambda line: line.role.value if line.role is not None else NOTHING),
            Column(title="Request", text=lambda line: line.request.replace("-", " ") or NOTHING),
            Column(title="About", text=lambda line: line.about or NOTHING),
            Column(title="Outcome", text=_outcome, tone=_tone, dot=True),
            Column(title="What was said", text=lambda line: line.sentence),
        )
        self._model = PagedTableModel(columns, key=lambda line: line.number, parent=self)
        self._model.wanted.connect(self.wanted.emit)
        self.view = table(context, self._model, "Audit log", stretch=6)
        widths(self.view, _WIDTHS)
        self.view.viewport().installEventFilter(self)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Search by person, request, server, words…")
        self.filter.setAccessibleName("Search the audit log")
        self.filter.setClearButtonEnabled(True)
        self.filter.setMaxLength(SEARCH_LIMIT)
        self.filter.setMaximumWidth(320)
        glyph = self.filter.addAction(context.icons.icon(Glyph.SEARCH, Tone.MUTED), QLineEdit.ActionPosition.LeadingPosition)
        IconFollower(context, glyph, lambda: context.icons.icon(Glyph.SEARCH, Tone.MUTED))
        self.filter.textChanged.connect(lambda text: context.store.dispatch(AuditAsked(text)))
        bar = QHBoxLayout()
        bar.setContentsMargins(10, 6, 12, 6)
        bar.addWidget(self.filter, 2)
        bar.addStretch(1)
        with_bar(self, bar, self.view)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.wanted.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The role gives way where what was said would have no room; the tool tip of the person has it."""
        if event.type() is QEvent.Type.Resize and watched is self.view.viewport():
            self.view.setColumnHidden(_ROLE, self.view.viewport().width() - sum(_WIDTHS) < SAID_PX)
        return super().eventFilter(watched, event)

    def render_state(self, state: UiState) -> None:
        audit = state.audit
        self._model.show_page(audit.lines, more=audit.more and state.loaded, asked=(state.loaded, audit.search, audit.next, audit.trouble))
        if self.filter.text() != audit.search:
            self.filter.setText(audit.search)
        if audit.trouble:
            self.view.say_if_empty(audit.trouble)
        elif audit.next is None:
            self.view.say_if_empty("")
        else:
            self.view.say_if_empty("No request matches the search." if audit.search else "Nobody has asked for anything yet.")
        if audit.next is None and self.isVisible() and not audit.trouble:
            self.wanted.emit()


def _who(line: AuditLine) -> str:
    return f"{line.actor}, {line.role.value}" if line.role is not None else line.actor


def _outcome(line: AuditLine) -> str:
    return line.outcome.value if line.times == 1 else f"{line.outcome.value} {line.times} times"


def _tone(line: AuditLine) -> Tone:
    return Tone.GOOD if line.outcome is AuditOutcome.DONE else Tone.WARNING
