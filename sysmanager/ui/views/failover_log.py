"""The failover log below: a table that follows live, its filter, and what can be done with the selected entry."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from PySide6.QtCore import QByteArray, QEvent, QItemSelection, QObject, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QHeaderView, QLineEdit, QSizePolicy, QWidget

from sysmanager.api import LogColumn
from sysmanager.domain.failover import Severity
from sysmanager.domain.ids import FailoverId
from sysmanager.ui.icons import Glyph
from sysmanager.ui.models.columns import LOG_COLUMNS, LOG_STATE_COLUMN
from sysmanager.ui.models.paged import PagedTableModel
from sysmanager.ui.models.table import KEY_ROLE
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.events import FailoverSelected, LogAsked, LogFiltered
from sysmanager.ui.state.log import LogBuilder
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.state.texts import counted
from sysmanager.ui.views.actions import Actions
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import ActionButton, IconFollower, muted, sortable, table, widths, with_bar

STATE_ROOM_PX = 420
"""The state of a failover in progress, with its step, reads well in this much."""
STATE_LEAST_PX = 260
"""With less the table scrolls sideways instead."""

SEVERITIES: tuple[tuple[str, Severity | None], ...] = (
    ("All", None),
    ("Errors", Severity.ERROR),
    ("Warnings", Severity.WARNING),
    ("Information", Severity.INFORMATION),
)
SPANS: tuple[tuple[str, int], ...] = (("Any time", 0), ("Last day", 1), ("Last 7 days", 7), ("Last 30 days", 30), ("Last year", 365))

GIVING_WAY = (8, 7, 6)
"""Reason, started by and cameras give their room to the state, in this order; all of them are in the details."""
_WIDTHS = (140, 96, 118, 132, 0, 100, 86, 98, 160)


class FailoverLog(QWidget):
    """Entries of the failover log (SPEC 11): those that are told live, and older ones, page by page.

    opened: an entry was double-clicked or Return was pressed on it. wanted: the end of the table is in sight, and there is more.
    """

    opened = Signal()
    wanted = Signal()

    def __init__(self, context: Context, actions: Actions) -> None:
        super().__init__()
        self._context = context
        self._builder = LogBuilder(context.zone)
        self._model = PagedTableModel(LOG_COLUMNS, key=lambda line: line.id, parent=self)
        self._model.wanted.connect(self.wanted.emit)
        self._model.sorted_by.connect(self._sorted)
        self._following = False
        self.view = table(context, self._model, "Failover log", stretch=LOG_STATE_COLUMN, row_height=34)
        widths(self.view, _WIDTHS)
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
        self.severity = _choice("Severity of the entries", SEVERITIES)
        self.severity.setToolTip("Shows entries of this severity only.")
        self.span = _choice("Time of the entries", SPANS)
        self.span.setToolTip("Shows entries that started within this time only.")
        for choice in (self.severity, self.span):
            choice.activated.connect(self._narrowed)
        self._count = muted()
        self._count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._count.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        bar = QHBoxLayout()
        bar.setContentsMargins(10, 6, 12, 6)
        bar.setSpacing(6)
        bar.addWidget(self.filter, 2)
        bar.addWidget(self.severity)
        bar.addWidget(self.span)
        for action in (Action.FAILBACK_ENTRY, Action.ABORT_ENTRY, Action.COPY_ENTRY, Action.DETAILS):
            bar.addWidget(ActionButton(actions[action]))
        bar.addWidget(self._count, 1)
        with_bar(self, bar, self.view)

    def render_state(self, state: UiState) -> None:
        lines = self._builder.build(state, self._context.now_wall_ms())
        log = state.log
        self._following = True
        self._model.show_page(lines, more=log.more and state.loaded, asked=(state.loaded, log.query, log.next, log.trouble))
        if self.filter.text() != log.query.search:
            self.filter.setText(log.query.search)
        self.severity.setCurrentIndex(max(0, self.severity.findData(log.query.severity)))
        self.span.setCurrentIndex(max(0, self.span.findData(log.query.days)))
        self._follow_selection(state.selected_failover)
        self._following = False
        self.view.say_if_empty(_why_empty(state))
        self._count.setText(_count_text(len(lines), state))
        self._count.setToolTip(log.trouble)
        self._look_for_more()

    def _look_for_more(self) -> None:
        """Qt asks for more when one scrolls. A table that is not filled cannot be scrolled, and the first page tells how many there are."""
        bar = self.view.verticalScrollBar()
        at_end = bar.value() + bar.pageStep() >= bar.maximum()
        if self.isVisible() and (at_end or self._context.store.state.log.next is None) and self._model.canFetchMore():
            self._model.fetchMore()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._look_for_more()

    def _narrowed(self) -> None:
        query = self._context.store.state.log.query
        wanted = msgspec.structs.replace(query, severity=self.severity.currentData(), days=self.span.currentData())
        self._context.store.dispatch(LogAsked(wanted))

    def _sorted(self, column: int, descending: bool) -> None:
        query = self._context.store.state.log.query
        wanted = msgspec.structs.replace(query, sort=tuple(LogColumn)[column], descending=descending)
        self._context.store.dispatch(LogAsked(wanted))

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


def _choice(name: str, choices: Sequence[tuple[str, object]]) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setMinimumContentsLength(6)
    for text, data in choices:
        box.addItem(text, data)
    return box


def _why_empty(state: UiState) -> str:
    if state.log.trouble:
        return state.log.trouble
    if state.log.query.narrow:
        return "No entry matches the filter." if not state.log.more else "Looking for entries that match…"
    return "No failover yet. Each one will be listed here, with its steps."


def _count_text(shown: int, state: UiState) -> str:
    log = state.log
    if log.trouble:
        return "older entries cannot be had"
    if log.total is not None and log.total > shown:
        return f"{shown} of {counted(log.total, 'entry', 'entries')}"
    if log.query.narrow and not log.more:
        return f"{counted(shown, 'entry', 'entries')} found"
    return f"{counted(shown, 'entry', 'entries')}{', and more' if log.next else ''}"
