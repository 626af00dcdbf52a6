"""The failover log below: a table that follows live, its filter, and what can be done with the selected entry."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QEvent, QItemSelection, QObject, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QHeaderView, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

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

STATE_ROOM_PX = 420
"""The state of a failover in progress, with its step, reads well in this much."""
STATE_LEAST_PX = 260
"""With less the table scrolls sideways instead."""

GIVING_WAY = (8, 7, 6)
"""Reason, started by and cameras give their room to the state, in this order; all of them are in the details."""
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
        header = self.view.horizontalHeader()
        header.setSectionResizeMode(LOG_STATE_COLUMN, QHeaderView.ResizeMode.Fixed)
        header.sectionResized.connect(self._column_resized)
        self.view.viewport().installEventFilter(self)
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

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The room for columns changes with the table, and when its scroll bar comes or goes."""
        if event.type() == QEvent.Type.Resize:
            self.fit_columns()
        return super().eventFilter(watched, event)

    def keep_columns(self) -> QByteArray:
        """The widths and the sorting that a person chose."""
        return self.view.horizontalHeader().saveState()

    def restore_columns(self, kept: QByteArray) -> None:
        """Columns as they were kept, for the width that the table has now."""
        header = self.view.horizontalHeader()
        header.restoreState(kept)
        header.setSectionResizeMode(LOG_STATE_COLUMN, QHeaderView.ResizeMode.Fixed)
        self.fit_columns()

    def fit_columns(self) -> None:
        """Hide what gives way until the state has room, and give it what is left."""
        for place in GIVING_WAY:
            self.view.setColumnHidden(place, False)
        for place in GIVING_WAY:
            if self._left_for_state() >= STATE_ROOM_PX:
                break
            self.view.setColumnHidden(place, True)
        self._stretch_state()

    def _left_for_state(self) -> int:
        header = self.view.horizontalHeader()
        others = sum(header.sectionSize(place) for place in range(header.count()) if place != LOG_STATE_COLUMN)
        return self.view.viewport().width() - others

    def _stretch_state(self) -> None:
        self.view.setColumnWidth(LOG_STATE_COLUMN, max(STATE_LEAST_PX, self._left_for_state()))

    def _column_resized(self, place: int, old: int, new: int) -> None:
        if place != LOG_STATE_COLUMN and old and new:
            self._stretch_state()

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
