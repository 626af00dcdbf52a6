"""The failover log below: a table that follows live, its filter, and what can be done with the selected entry."""

from __future__ import annotations

from PySide6.QtCore import QItemSelection, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from sysmanager.domain.ids import FailoverId
from sysmanager.ui.icons import Glyph
from sysmanager.ui.models.columns import LOG_COLUMNS, LOG_STATE_COLUMN
from sysmanager.ui.models.table import KEY_ROLE, LineTableModel
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.events import FailoverSelected, LogFiltered
from sysmanager.ui.state.log import LogBuilder
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.state.texts import counted
from sysmanager.ui.views.actions import Actions
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import ActionButton, IconFollower, muted, sortable, table

NARROW_PX = 1180
"""Below this width who started it and the reason give their room to the state; both are in the details."""

_EXTRA_COLUMNS = (7, 8)
_WIDTHS = (140, 96, 118, 132, 0, 100, 86, 98, 160)


class FailoverLog(QWidget):
    """Entries of the failover log (SPEC 11).

    opened: an entry was double-clicked or Return was pressed on it.
    """

    opened = Signal()

    def __init__(self, context: Context, actions: Actions) -> None:
        super().__init__()
        self._context = context
        self._builder = LogBuilder(context.zone)
        self._model = LineTableModel(LOG_COLUMNS, key=lambda line: line.id, parent=self)
        self._following = False
        self.view = table(context, self._model, "Failover log", stretch=LOG_STATE_COLUMN, row_height=34)
        for column, width in enumerate(_WIDTHS):
            if width:
                self.view.setColumnWidth(column, width)
        sortable(self.view)
        self.view.activated.connect(lambda _: self.opened.emit())
        self.view.selectionModel().selectionChanged.connect(self._selected)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter by server, trigger, state, person…")
        self.filter.setAccessibleName("Filter the failover log")
        self.filter.setClearButtonEnabled(True)
        self.filter.setMaximumWidth(320)
        self.filter.setMinimumWidth(140)
        search = self.filter.addAction(context.icons.icon(Glyph.SEARCH, Tone.MUTED), QLineEdit.ActionPosition.LeadingPosition)
        IconFollower(context, search, lambda: context.icons.icon(Glyph.SEARCH, Tone.MUTED))
        self.filter.textChanged.connect(lambda text: context.store.dispatch(LogFiltered(text)))
        self._count = muted()
        self._count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._count.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        bar = QHBoxLayout()
        bar.setContentsMargins(10, 6, 12, 6)
        bar.setSpacing(6)
        bar.addWidget(self.filter, 2)
        for action in (Action.FAILBACK_ENTRY, Action.ABORT_ENTRY, Action.DETAILS):
            bar.addWidget(ActionButton(actions[action]))
        bar.addWidget(self._count, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(bar)
        layout.addWidget(self.view, 1)

    def render_state(self, state: UiState) -> None:
        lines = self._builder.build(state, self._context.now_wall_ms())
        self._following = True
        self._model.show(lines)
        if self.filter.text() != state.log_filter:
            self.filter.setText(state.log_filter)
        self._follow_selection(state.selected_failover)
        self._following = False
        total = len(state.failovers)
        self.view.say_if_empty(
            "No entry matches the filter."
            if state.log_filter and total
            else "No failover yet. Each one will be listed here, with its steps."
        )
        shown = f"{len(lines)} of {counted(total, 'entry', 'entries')}" if state.log_filter else counted(total, "entry", "entries")
        self._count.setText(shown)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for place in _EXTRA_COLUMNS:
            self.view.setColumnHidden(place, event.size().width() < NARROW_PX)

    def _follow_selection(self, wanted: FailoverId | None) -> None:
        current = self.view.currentIndex()
        if current.isValid() and current.data(KEY_ROLE) == wanted and self.view.selectionModel().isRowSelected(current.row()):
            return
        row = self._model.row_of(wanted) if wanted is not None else -1
        if row < 0:
            self.view.clearSelection()
            return
        self.view.selectRow(row)
        self.view.scrollTo(self._model.index(row, 0))

    def _selected(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        indexes = selected.indexes()
        if not self._following and indexes:
            self._context.store.dispatch(FailoverSelected(indexes[0].data(KEY_ROLE)))
