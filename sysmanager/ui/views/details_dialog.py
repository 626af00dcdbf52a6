"""One entry of the failover log with everything in it; follows the entry while it is open (SPEC 11)."""

from __future__ import annotations

from datetime import tzinfo

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QDialog, QHBoxLayout, QHeaderView, QLabel, QSplitter, QTableView, QTabWidget, QVBoxLayout, QWidget

from sysmanager.api import JobRow
from sysmanager.domain.failover import FAILBACK_STEPS, FAILOVER_STEPS, Failover
from sysmanager.domain.ids import FailoverId
from sysmanager.ui.models.columns import (
    CANDIDATE_COLUMNS,
    MOVED_COLUMNS,
    STEP_COLUMNS,
    StepsPhase,
    camera_names,
    candidate_lines,
    moved_lines,
    step_lines,
)
from sysmanager.ui.models.table import LineTableModel
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.log import is_running, name_of, state_text, state_tone
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.state.texts import counted, duration_text, gap_parts_texts, gap_text, trigger_text, when_inside
from sysmanager.ui.theme import scaled
from sysmanager.ui.views.actions import Actions
from sysmanager.ui.views.banners import Bar
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import ActionButton, Chip, column, fit, heading, muted, sortable, table, wrapped
from sysmanager.ui.views.remarks import Remarks

_ATTEMPT_COLUMN = 3
UNCOVERED_SHOWN = 3


def copy_text(job: JobRow, state: UiState, now_wall_ms: int, zone: tzinfo | None) -> str:
    """How the material copy of an entry stands; once it has ended, what remains uncovered (SPEC 14.4)."""
    text = f"Material copy {job.id}: {job.sentence}"
    if not job.phase.ended:
        return f"{text} ({job.percent} %)"
    missing = sorted((span for camera in job.coverage for span in camera.uncovered), key=lambda span: (span.from_ms, span.camera))
    if not missing:
        return text
    names = camera_names(state)
    shown = [
        f"{names.get(span.camera, span.camera)} {duration_text(span.until_ms - span.from_ms)} from "
        f"{when_inside(span.from_ms, now_wall_ms, zone)} ({span.why})"
        for span in missing[:UNCOVERED_SHOWN]
    ]
    more = f" and {len(missing) - UNCOVERED_SHOWN} more" if len(missing) > UNCOVERED_SHOWN else ""
    return f"{text} Uncovered: {'; '.join(shown)}{more}."


class DetailsDialog(QDialog):
    """Shows the entry `failover` of the state until it is closed. Not modal: one may work beside it."""

    def __init__(self, context: Context, actions: Actions, failover: FailoverId, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        fit(self, 1240, 780)
        self._context = context
        self._failover = failover
        self._title = heading("", 1.5)
        self._chip = Chip(context.theme)
        self._facts, self._gap = muted(), wrapped(rich=True)
        self._facts.setWordWrap(True)
        self._reason = Bar(context, Tone.BAD)
        self._steps = LineTableModel(STEP_COLUMNS, key=lambda line: line.key, parent=self)
        self._back_steps = LineTableModel(STEP_COLUMNS, key=lambda line: line.key, parent=self)
        self._candidates = LineTableModel(CANDIDATE_COLUMNS, key=lambda line: line.verdict.server, parent=self)
        self._cameras = LineTableModel(MOVED_COLUMNS, key=lambda line: line.camera, parent=self)
        self.remarks = Remarks(context)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(10)
        layout.addLayout(self._head(actions))
        layout.addWidget(self._facts)
        layout.addWidget(self._reason)
        layout.addWidget(self._gap)
        layout.addWidget(self._middle(), 1)
        self._tabs.setFocus()

    def _head(self, actions: Actions) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self._title)
        row.addWidget(self._chip, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        row.addWidget(ActionButton(actions[Action.FAILBACK_ENTRY]))
        row.addWidget(ActionButton(actions[Action.ABORT_ENTRY]))
        row.addWidget(ActionButton(actions[Action.COPY_ENTRY]))
        return row

    def _middle(self) -> QWidget:
        self._tabs = QTabWidget()
        self._tabs.setDocumentMode(True)
        self._steps_view = _steps_view(self._context, self._steps, "Steps of the failover")
        self._tabs.addTab(self._steps_view, "Failover steps")
        self._back_view = _steps_view(self._context, self._back_steps, "Steps of the failback")
        self._back_view.setColumnHidden(_ATTEMPT_COLUMN, True)
        candidates = table(self._context, self._candidates, "Candidates", stretch=3, wrap=True, empty="No failover server was looked at.")
        for place, width in ((0, 34), (1, 108), (2, 124)):
            candidates.setColumnWidth(place, width)
        right = column(_section("Candidates", candidates), self.remarks, spacing=0)
        above = QSplitter(Qt.Orientation.Horizontal)
        above.addWidget(self._tabs)
        above.addWidget(right)
        above.setStretchFactor(0, 11)
        above.setStretchFactor(1, 9)
        above.setSizes([720, 480])
        cameras = table(self._context, self._cameras, "Cameras and gaps", stretch=1, empty="No camera is part of it.")
        sortable(cameras)
        for place, width in ((0, 200), (2, 160), (3, 150), (4, 150)):
            cameras.setColumnWidth(place, width)
        whole = QSplitter(Qt.Orientation.Vertical)
        whole.addWidget(above)
        whole.addWidget(_section("Cameras and gaps", cameras))
        whole.setSizes([360, 260])
        for splitter in (above, whole):
            splitter.setChildrenCollapsible(False)
        return whole

    def render_state(self, state: UiState) -> None:
        """Show the entry as it is now."""
        failover = state.entry_of(self._failover)
        if failover is None:
            return
        target = f" → {name_of(failover.server, state)}" if failover.server is not None else ""
        title = f"{name_of(failover.recorder, state)}{target}"
        self.setWindowTitle(f"Failover {failover.number}: {title}")
        self._title.setText(title)
        self._chip.show_state(failover.log_state.value, state_tone(failover))
        self._facts.setText(self._facts_text(failover, state))
        self._show_reason(failover)
        self._gap.setText(gap_parts(failover))
        self._gap.setVisible(bool(self._gap.text()))
        self._steps.show(step_lines(FAILOVER_STEPS, failover.steps, _steps_phase(failover)))
        # Most failovers need one attempt; its number would only take room.
        self._steps_view.setColumnHidden(_ATTEMPT_COLUMN, all(step.attempt == 1 for step in failover.steps))
        self._show_failback(failover)
        self._candidates.show(candidate_lines(failover.verdicts, failover, state))
        self._cameras.show(moved_lines(failover, state))
        self.remarks.render_entry(failover, state)

    def _show_failback(self, failover: Failover) -> None:
        shown = self._tabs.indexOf(self._back_view) >= 0
        if failover.failback is None:
            if shown:
                self._tabs.removeTab(self._tabs.indexOf(self._back_view))
            return
        back = StepsPhase.RUNNING if failover.phase.failing_back else StepsPhase.ENDED
        self._back_steps.show(step_lines(FAILBACK_STEPS, failover.failback.steps, back))
        if not shown:
            self._tabs.addTab(self._back_view, "Failback steps")
            if failover.phase.failing_back:
                self._tabs.setCurrentWidget(self._back_view)

    def _facts_text(self, failover: Failover, state: UiState) -> str:
        now, zone = self._context.now_wall_ms(), self._context.zone
        group = state.groups.get(failover.group)
        facts = [
            f"Entry {failover.number}",
            f"trigger: {trigger_text(failover.trigger).lower()}",
            f"started by {failover.actor.name}",
            f"started {when_inside(failover.started_ms, now, zone)}",
        ]
        if failover.steps and not failover.phase.before_commit:
            facts.append(f"took {duration_text(failover.steps[-1].done_wall_ms - failover.started_ms)}")
        if group is not None:
            facts.append(f"group {group.name}")
        if failover.epoch:
            facts.append(f"epoch {failover.epoch}")
        if failover.documents is not None:
            facts.append(f"settings of revision {failover.documents.revision}")
        if failover.failback is not None:
            facts.append(f"failback by {failover.failback.actor.name} {when_inside(failover.failback.started_ms, now, zone)}")
        text = "  ·  ".join(facts)
        job = state.jobs.get(failover.copy.job) if failover.copy is not None else None
        return text if job is None else f"{text}\n{copy_text(job, state, now, zone)}"

    def _show_reason(self, failover: Failover) -> None:
        back = failover.failback
        reason = back.reason if back is not None and back.reason is not None else failover.reason
        note = back.note if back is not None and back.reason is not None else failover.note
        sentences = [note[:1].upper() + note[1:].rstrip(".") + "." if note else "", reason.sentence if reason is not None else ""]
        text = " ".join(sentence for sentence in sentences if sentence)
        self._reason.label.setText(text or state_text(failover))
        self._reason.setVisible(bool(text))


def _steps_phase(failover: Failover) -> StepsPhase:
    if is_running(failover) and not failover.phase.failing_back:
        return StepsPhase.RUNNING
    return StepsPhase.WAITING if failover.phase.before_commit else StepsPhase.ENDED


def gap_parts(failover: Failover) -> str:
    """``Worst gap 61.2 s: detection 60.0 s · decision 13 ms · saving settings 417 ms · first frame 0.8 s``."""
    line = failover.timeline
    widest = max((gap for gap in failover.gaps if gap.gap_ms is not None), key=lambda gap: gap.gap_ms or 0, default=None)
    parts = list(gap_parts_texts(widest, line)) if widest is not None else []
    for name, start, end in (
        ("detection", line.last_heard_ms, line.detected_ms),
        ("decision", line.detected_ms, line.decided_ms),
        ("saving settings", line.decided_ms, line.saved_ms),
    ):
        if widest is None and start and end and end >= start:
            parts.append(f"{name} {duration_text(end - start)}")
    worst = failover.worst_gap_ms
    if worst is None and not parts:
        return ""
    head = f"<b>Worst gap {gap_text(worst)}</b>" if worst is not None else "<b>Gap not known yet</b>"
    dark = sum(1 for gap in failover.gaps if not gap.first_after_ms)
    unknown = sum(1 for gap in failover.gaps if gap.first_after_ms and gap.gap_ms is None)
    unclear = [f"{counted(dark, 'camera')} still without a frame"] if dark else []
    if unknown:
        unclear.append(f"{counted(unknown, 'camera')} whose last frame before is unknown")
    tail = f" &nbsp;({', '.join(unclear)})" if unclear else ""
    return f"{head}&nbsp;&nbsp; {' · '.join(parts)}{tail}"


def _steps_view(context: Context, model: LineTableModel, name: str) -> QTableView:  # type: ignore[type-arg]  # of either flow
    view = table(context, model, name, stretch=1)
    for place, width in ((0, 34), (2, 98), (_ATTEMPT_COLUMN, 72), (4, 76), (5, 108)):
        view.setColumnWidth(place, width)
    # A step's note can be longer than "done".
    view.horizontalHeader().setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
    return view


def _section(title: str, widget: QWidget) -> QWidget:
    label = QLabel(title)
    label.setFont(scaled(label.font(), 1.0, weight=QFont.Weight.DemiBold))
    label.setContentsMargins(8, 7, 8, 7)
    return column(label, widget, spacing=0)
