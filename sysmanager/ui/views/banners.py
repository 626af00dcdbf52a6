"""Bars above the pages: what went wrong, a lost link, findings to confirm."""

from __future__ import annotations

from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sysmanager.api import CoordinatorState
from sysmanager.ui.icons import LEVEL_GLYPHS, Glyph
from sysmanager.ui.state.caution import brake_text
from sysmanager.ui.state.conditions import Action, crash_loop_alarm
from sysmanager.ui.state.events import NoticeDismissed
from sysmanager.ui.state.log import name_of
from sysmanager.ui.state.model import Link, Notice, Tone, UiState
from sysmanager.ui.views.actions import Actions
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import ActionButton, IconLabel, icon_button, wrapped


class Bar(QWidget):
    """One sentence on a tinted ground with a coloured edge, and room for buttons at the right."""

    def __init__(self, context: Context, tone: Tone, sentence: str = "") -> None:
        super().__init__()
        self._context = context
        self._tone = tone
        self.label = wrapped(sentence)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(16, 7, 10, 7)
        self.row.setSpacing(8)
        self.row.addWidget(IconLabel(context, LEVEL_GLYPHS.get(tone, Glyph.WARNING), tone))
        self.row.addWidget(self.label, 1)
        context.theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        ground = QColor(self._context.theme.colour(self._tone))
        edge = QColor(ground)
        ground.setAlphaF(0.13)
        painter.fillRect(self.rect(), ground)
        painter.fillRect(0, 0, 3, self.height(), edge)
        painter.end()


def _finding_lines(state: UiState) -> list[str]:
    """What differs from system data, what that holds up, and who was not heard yet (SPEC 7)."""
    system = state.system
    if system is None:
        return []
    differs = "What the servers say differs from system data. Look at each difference, then confirm." if system.findings else ""
    held = "Automatic failover is held until this is confirmed." if system.state is CoordinatorState.RECONCILE else ""
    lines = [" ".join(part for part in (held, differs) if part)] if held or differs else []
    lines += [f"•  {finding.sentence}" for finding in system.findings]
    if system.waiting_for:
        names = ", ".join(name_of(recorder, state) for recorder in system.waiting_for)
        lines.append(f"Not heard yet, and reconciled when they are: {names}.")
    return lines


class Banners(QWidget):
    """The link, the findings of a reconcile, and notices that are not good news, the newest last."""

    def __init__(self, context: Context, actions: Actions) -> None:
        super().__init__()
        self._context = context
        self._notices: dict[int, Bar] = {}
        self._link = Bar(context, Tone.BAD)
        self._findings = Bar(context, Tone.WARNING)
        self._findings.row.addWidget(ActionButton(actions[Action.CONFIRM_RECONCILE]))
        self._brake = Bar(context, Tone.BAD)
        self._crashes = Bar(context, Tone.BAD)
        self._crashes.row.addWidget(ActionButton(actions[Action.ACKNOWLEDGE_ALARM]))
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(1)
        self._layout.addWidget(self._link)
        self._layout.addWidget(self._findings)
        self._layout.addWidget(self._brake)
        self._layout.addWidget(self._crashes)

    def render_state(self, state: UiState) -> None:
        lost = state.link is Link.LOST
        self._link.label.setText(
            f"No connection to the coordinator: {state.link_sentence} What is shown may be out of date." if lost else ""
        )
        self._link.setVisible(lost)
        self._show_findings(state)
        brake = brake_text(state)
        self._brake.label.setText(brake)
        self._brake.setVisible(bool(brake))
        crashes = crash_loop_alarm(state)
        self._crashes.label.setText(crashes.sentence if crashes is not None else "")
        self._crashes.setVisible(crashes is not None)
        wanted = {notice.number: notice for notice in state.notices if notice.tone is not Tone.GOOD}
        for number in [number for number in self._notices if number not in wanted]:
            bar = self._notices.pop(number)
            self._layout.removeWidget(bar)
            bar.deleteLater()
        for number, notice in wanted.items():
            if number not in self._notices:
                self._notices[number] = self._bar(notice)
                self._layout.addWidget(self._notices[number])
        self.setVisible(lost or not self._findings.isHidden() or bool(brake) or crashes is not None or bool(self._notices))

    def _show_findings(self, state: UiState) -> None:
        system = state.system
        findings = system.findings if system is not None else ()
        waiting = system.waiting_for if system is not None else ()
        shown = bool(findings or waiting)
        self._findings.setVisible(shown)
        if not shown:
            return
        self._findings.label.setText("\n".join(_finding_lines(state)))

    def _bar(self, notice: Notice) -> Bar:
        bar = Bar(self._context, notice.tone, notice.sentence)
        close = icon_button(self._context, Glyph.CLOSE, "Close this message")
        close.clicked.connect(lambda: self._context.store.dispatch(NoticeDismissed(notice.number)))
        bar.row.addWidget(close)
        return bar
