"""The list of alarms, beside the failover log."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from sysmanager.api import Alarm
from sysmanager.ui.models.table import Column, LineTableModel
from sysmanager.ui.state.look import HEALTH_TONES
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.texts import when_text
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import table


class AlarmList(QWidget):
    """What a person should know now, the newest first."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        columns: tuple[Column[Alarm], ...] = (
            Column(title="Since", text=lambda alarm: when_text(alarm.since_wall_ms, context.now_wall_ms(), context.zone)),
            Column(title="Alarm", text=lambda alarm: alarm.sentence, tone=lambda alarm: HEALTH_TONES[alarm.health], dot=True),
        )
        self._model = LineTableModel(columns, key=lambda alarm: alarm.key, parent=self)
        none = "No alarms. What needs a person is listed here until it is over."
        self.view = table(context, self._model, "Alarms", stretch=1, empty=none)
        self.view.setColumnWidth(0, 150)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)

    def render_state(self, state: UiState) -> None:
        alarms = state.system.alarms if state.system is not None else ()
        self._model.show(tuple(sorted(alarms, key=lambda alarm: (-alarm.since_wall_ms, alarm.key))))
