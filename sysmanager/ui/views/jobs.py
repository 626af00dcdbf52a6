"""The list of jobs, beside the failover log: material copies and drills, with what can be done with the selected one (SPEC 17)."""

from __future__ import annotations

from PySide6.QtCore import QItemSelection
from PySide6.QtWidgets import QHBoxLayout, QWidget

from sysmanager.ui.models.table import KEY_ROLE, Column, LineTableModel
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.events import JobSelected
from sysmanager.ui.state.jobs import JobLine, job_lines
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.texts import when_text
from sysmanager.ui.views.actions import Actions
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import ActionButton, table, widths, with_bar

_WIDTHS = (150, 110, 210, 0, 90, 90)


class JobList(QWidget):
    """Open jobs first, then those that ended last."""

    def __init__(self, context: Context, actions: Actions) -> None:
        super().__init__()
        self._context = context
        self._following = False
        columns: tuple[Column[JobLine], ...] = (
            Column(title="Started", text=lambda line: when_text(line.started_ms, context.now_wall_ms(), context.zone)),
            Column(title="Job", text=lambda line: line.kind),
            Column(title="Servers", text=lambda line: line.servers),
            Column(title="State", text=lambda line: line.state, tone=lambda line: line.tone, progress=lambda line: line.progress, dot=True),
            Column(title="Rate", text=lambda line: line.rate, right=True),
            Column(title="Time left", text=lambda line: line.left, right=True),
        )
        self._model = LineTableModel(columns, key=lambda line: line.id, parent=self)
        none = "No jobs. Material copies and drills are listed here, with how far they are."
        self.view = table(context, self._model, "Jobs", stretch=3, row_height=34, empty=none)
        widths(self.view, _WIDTHS)
        self.view.selectionModel().selectionChanged.connect(self._selected)
        bar = QHBoxLayout()
        bar.setContentsMargins(10, 6, 12, 6)
        bar.setSpacing(6)
        for action in (Action.PAUSE_JOB, Action.RESUME_JOB, Action.CANCEL_JOB):
            bar.addWidget(ActionButton(actions[action]))
        bar.addStretch(1)
        with_bar(self, bar, self.view)

    def render_state(self, state: UiState) -> None:
        self._following = True
        self._model.show(job_lines(state))
        row = self._model.row_of(state.selected_job) if state.selected_job is not None else -1
        current = self.view.currentIndex()
        if row < 0:
            self.view.clearSelection()
        elif not current.isValid() or current.data(KEY_ROLE) != state.selected_job:
            self.view.selectRow(row)
        self._following = False

    def _selected(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        indexes = selected.indexes()
        if not self._following and indexes:
            self._context.store.dispatch(JobSelected(indexes[0].data(KEY_ROLE)))
