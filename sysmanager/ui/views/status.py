"""The status bar: the coordinator in plain words, how many servers are ready, what just happened."""

from __future__ import annotations

import asyncio
from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QProgressBar, QStatusBar

from sysmanager.ui.state.events import NoticeDismissed
from sysmanager.ui.state.look import HEALTH_TONES
from sysmanager.ui.state.model import Link, Tone, UiState
from sysmanager.ui.state.readiness import ready_tip
from sysmanager.ui.state.tree import attention_note, ready_text
from sysmanager.ui.views.context import Context

GOOD_NEWS_S = 8.0
"""So long the sentence about something that went well is shown."""


class StatusLine(QStatusBar):
    """Left: state of the coordinator, readiness, practice. Right: the newest good news, and a bar while something takes long."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._state: UiState | None = None
        self._counting: int = 0
        self.setSizeGripEnabled(True)
        self._coordinator, self._ready, self._practice, self._news = QLabel(), QLabel(), QLabel(), QLabel()
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(120)
        self._bar.setAccessibleName("A command waits for its answer")
        for label in (self._coordinator, self._ready, self._practice):
            label.setContentsMargins(8, 3, 8, 3)
            label.setTextFormat(Qt.TextFormat.RichText)
            self.addWidget(label)
        self._news.setContentsMargins(8, 0, 8, 0)
        self.addPermanentWidget(self._news)
        self.addPermanentWidget(self._bar)
        context.theme.changed.connect(self._repaint)

    def render_state(self, state: UiState) -> None:
        self._state = state
        slow = [running for running in state.running if running.slow]
        self._bar.setVisible(bool(slow))
        good = [notice for notice in state.notices if notice.tone is Tone.GOOD]
        self._news.setText(slow[-1].sentence if slow else good[-1].sentence if good else "")
        if good and good[-1].number > self._counting:
            self._counting = good[-1].number
            self._context.tasks.start(self._forget(good[-1].number))
        self._repaint()

    async def _forget(self, number: int) -> None:
        await asyncio.sleep(GOOD_NEWS_S)
        self._context.store.dispatch(NoticeDismissed(number))

    def _repaint(self) -> None:
        state = self._state
        if state is None:
            return
        system = state.system
        if state.link is not Link.CONNECTED or system is None:
            waiting = "Connecting to the coordinator" if state.link is Link.CONNECTING else "No connection to the coordinator"
            self._show(self._coordinator, Tone.MUTED if state.link is Link.CONNECTING else Tone.BAD, waiting)
        else:
            self._show(self._coordinator, HEALTH_TONES[system.health], system.sentence)
        if system is not None and system.watched:
            tone = attention_note(state.recorders.values())[1]
            # Without a link nobody knows.
            tone = tone if state.link is Link.CONNECTED else Tone.MUTED
            self._show(self._ready, tone, ready_text(state.recorders.values()))
            self._ready.setToolTip(ready_tip(system))
        self._ready.setVisible(system is not None and system.watched > 0)
        self._practice.setVisible(system is not None and system.practice)
        self._show(self._practice, Tone.ACCENT, "Practice site")

    def _show(self, label: QLabel, tone: Tone, text: str) -> None:
        colour = self._context.theme.colour(tone).name()
        label.setText(f"<span style='color:{colour}'>● {escape(text)}</span>")
        label.setAccessibleName(text)
