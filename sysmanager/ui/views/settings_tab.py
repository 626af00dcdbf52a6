"""The first tab: state, general settings, what happens if the server fails now, and the buttons for it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from sysmanager.api import RecorderRow
from sysmanager.ui.icons import Glyph
from sysmanager.ui.state.caution import maintenance_text
from sysmanager.ui.state.conditions import Action, condition
from sysmanager.ui.state.look import chip_text, chip_tone
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.state.situation import Situation, situation
from sysmanager.ui.theme import scaled
from sysmanager.ui.views.actions import Actions
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.flow import FlowLayout
from sysmanager.ui.views.general_form import GeneralForm
from sysmanager.ui.views.parts import ActionButton, Chip, keep_primary_icon, muted, rule, wrapped
from sysmanager.ui.views.readiness_panel import ReadinessPanel

MARGIN_PX = 20
BUTTONS_PX = 10
"""Between the large button and the lesser ones, which stand below it where there is no room."""

_EXPLAINED = (Action.START_FAILOVER, Action.FAILBACK, Action.SWITCH, Action.DRILL)
"""Whose reason, where they are disabled, stands below the buttons: each reason once."""


class SettingsTab(QScrollArea):
    """Recorder settings of the selected server."""

    def __init__(
        self, context: Context, actions: Actions, accept_machine: Callable[[RecorderRow], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._context = context
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._title = QLabel()
        self._title.setFont(scaled(self._title.font(), 1.75, weight=QFont.Weight.DemiBold))
        self._title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._title.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._chip = Chip(context.theme)
        self._form = GeneralForm(context)
        self._form.setMaximumWidth(1200)
        self._draft_note = muted()
        self._draft_note.setWordWrap(True)
        self._situation = wrapped(rich=True)
        self._maintenance = wrapped()
        self._reason = muted()
        self._reason.setWordWrap(True)
        self.readiness = ReadinessPanel(context, accept_machine)
        self._shown: Situation | None = None
        self._wide: bool | None = None
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(MARGIN_PX, 14, MARGIN_PX, 14)
        layout.setSpacing(12)
        layout.addLayout(self._heading(actions))
        layout.addWidget(self._form)
        layout.addLayout(self._saving(actions))
        layout.addWidget(rule())
        layout.addWidget(self._maintenance)
        layout.addWidget(self._situation)
        layout.addLayout(self._buttons(context, actions))
        layout.addWidget(self._reason)
        layout.addWidget(rule())
        layout.addWidget(self.readiness)
        layout.addStretch(1)
        self.setWidget(page)
        context.theme.changed.connect(self._repaint)

    def _heading(self, actions: Actions) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(14)
        row.addWidget(self._title)
        row.addWidget(self._chip, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        row.addWidget(ActionButton(actions[Action.HOLD]))
        row.addWidget(ActionButton(actions[Action.RELEASE]))
        row.addWidget(ActionButton(actions[Action.HOLD_FAILBACK]))
        row.addWidget(ActionButton(actions[Action.ACKNOWLEDGE]))
        return row

    def _saving(self, actions: Actions) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(ActionButton(actions[Action.SAVE]))
        row.addWidget(ActionButton(actions[Action.REVERT]))
        row.addWidget(self._draft_note, 1)
        return row

    def _buttons(self, context: Context, actions: Actions) -> QGridLayout:
        self._button_grid = QGridLayout()
        self._button_grid.setHorizontalSpacing(BUTTONS_PX)
        self._button_grid.setVerticalSpacing(8)
        self.start = ActionButton(actions[Action.START_FAILOVER], primary=True)
        keep_primary_icon(context, self.start, Glyph.START_FAILOVER)
        self._others = QWidget()
        row = FlowLayout(self._others, spacing=BUTTONS_PX)
        for action in (
            Action.PREVIEW,
            Action.DRILL,
            Action.SWITCH,
            Action.FAILBACK,
            Action.ABORT,
            Action.MAINTENANCE,
            Action.END_MAINTENANCE,
        ):
            row.addWidget(ActionButton(actions[action]))
        self._button_grid.setColumnStretch(1, 1)
        self._place_buttons(True)
        return self._button_grid

    def _place_buttons(self, wide: bool) -> None:
        if wide is self._wide:
            return
        self._wide = wide
        grid = self._button_grid
        grid.removeWidget(self.start)
        grid.removeWidget(self._others)
        grid.addWidget(self.start, 0, 0)
        grid.addWidget(self._others, 0 if wide else 1, 1 if wide else 0, 1, 1 if wide else 2, Qt.AlignmentFlag.AlignVCenter)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_width()

    def _fit_width(self) -> None:
        """Side by side what fits beside one another: nothing is cut off at the right."""
        width = self.viewport().width() - 2 * MARGIN_PX
        self._form.arrange(width)
        needed = self.start.minimumSizeHint().width() + BUTTONS_PX + self._others.sizeHint().width()
        self._place_buttons(width >= needed)

    def render_state(self, state: UiState) -> None:
        row = state.row
        if row is None:
            return
        self._title.setText(row.name)
        self._chip.show_state(chip_text(row), chip_tone(row))
        self._form.render_state(state)
        self.readiness.render_state(state)
        self._show_draft(state)
        maintenance = maintenance_text(row, state, self._context.now_wall_ms(), self._context.zone)
        self._maintenance.setText(maintenance)
        self._maintenance.setVisible(bool(maintenance))
        self._shown = situation(state, self._context.now_wall_ms(), self._context.zone)
        self._repaint()
        reasons = [condition(action, state) for action in _EXPLAINED]
        text = " ".join(dict.fromkeys(one.reason for one in reasons if one.visible and one.reason))
        self._reason.setText(text)
        self._reason.setVisible(bool(text))
        self._fit_width()

    def focus_first(self) -> None:
        """Put the cursor into the first field."""
        self._form.editors.name.setFocus()

    def _show_draft(self, state: UiState) -> None:
        saving = condition(Action.SAVE, state)
        editing = condition(Action.EDIT, state)
        dirty = state.draft is not None
        bad = dirty and not saving.enabled
        if not editing.enabled:
            text = editing.reason
        elif dirty:
            text = saving.reason or "Not saved yet."
        else:
            text = ""
        self._draft_note.setText(text)
        if self._draft_note.property("bad") != bad:
            self._draft_note.setProperty("bad", bad)
            self._draft_note.setProperty("muted", not bad)
            self._draft_note.style().unpolish(self._draft_note)
            self._draft_note.style().polish(self._draft_note)

    def _repaint(self) -> None:
        self._situation.setText(_rich(self._shown, self._context) if self._shown is not None else "")


def _rich(shown: Situation, context: Context) -> str:
    dot, faint = context.theme.colour(shown.tone).name(), context.theme.colour(Tone.MUTED).name()
    text = f"<b>{escape(shown.heading)}</b>&nbsp;&nbsp; <span style='color:{dot}'>●</span> {escape(shown.text)}"
    return f"{text} <span style='color:{faint}'>{escape(shown.detail)}</span>" if shown.detail else text
