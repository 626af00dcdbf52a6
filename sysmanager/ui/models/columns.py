"""The columns of each table, and the small lines that need no place of their own in `ui.state`."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sysmanager.api import CameraRow, DiskRow
from sysmanager.domain.camera import FailoverPriority
from sysmanager.domain.failover import CameraGap, Failover, Phase, StepRecord, Verdict
from sysmanager.domain.ids import CameraId
from sysmanager.ui.models.table import Column
from sysmanager.ui.state.log import LogLine, capitalised, name_of
from sysmanager.ui.state.look import camera_look, disk_look
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.state.texts import (
    NOTHING,
    camera_gap_text,
    clock_text,
    duration_text,
    ended_early,
    gap_parts_texts,
    natural_key,
    rate_text,
    size_text,
)

LOG_COLUMNS: tuple[Column[LogLine], ...] = (
    Column(title="Started", text=lambda line: line.started, sort=lambda line: line.started_ms),
    Column(title="Server", text=lambda line: line.server, sort=lambda line: natural_key(line.server)),
    Column(title="Failover server", text=lambda line: line.failover_server, sort=lambda line: natural_key(line.failover_server)),
    Column(title="Trigger", text=lambda line: line.trigger),
    Column(title="State", text=lambda line: line.state, tone=lambda line: line.tone, progress=lambda line: line.progress, dot=True),
    Column(title="Gap (worst)", text=lambda line: line.gap, sort=lambda line: line.gap_ms, right=True),
    Column(title="Cameras", text=lambda line: line.cameras, sort=lambda line: natural_key(line.cameras), right=True),
    Column(title="Started by", text=lambda line: line.started_by),
    Column(title="Reason", text=lambda line: line.reason, tip=lambda line: line.reason_sentence or line.reason),
)
LOG_STATE_COLUMN = 4

CAMERA_COLUMNS: tuple[Column[CameraRow], ...] = (
    Column(title="Camera", text=lambda camera: camera.name, sort=lambda camera: natural_key(camera.name)),
    Column(
        title="State",
        text=lambda camera: camera_look(camera)[0],
        tone=lambda camera: camera_look(camera)[1],
        tip=lambda camera: camera.sentence or camera_look(camera)[0],
        dot=True,
    ),
    Column(title="Kind", text=lambda camera: "IP" if camera.kind == "ip" else camera.kind),
    Column(
        title="Failover priority",
        text=lambda camera: camera.priority,
        sort=lambda camera: FailoverPriority(camera.priority).rank,
        tone=lambda camera: Tone.MUTED if camera.priority == FailoverPriority.NEVER else None,
    ),
    Column(title="Recording", text=lambda camera: camera.mode),
    Column(title="Bit rate", text=lambda camera: rate_text(camera.bitrate_kbps), sort=lambda camera: camera.bitrate_kbps, right=True),
    Column(title="Sessions", text=lambda camera: str(camera.sessions), sort=lambda camera: camera.sessions, right=True),
    Column(title="VCA", text=lambda camera: "on" if camera.vca else NOTHING),
)


class DiskLine(msgspec.Struct, frozen=True, kw_only=True):
    disk: DiskRow

    @property
    def used(self) -> float | None:
        """Share of the disk that is used; None where its size is unknown."""
        return 1 - self.disk.free_mb / self.disk.total_mb if self.disk.total_mb > 0 else None


DISK_COLUMNS: tuple[Column[DiskLine], ...] = (
    Column(title="Material disk", text=lambda line: line.disk.path, sort=lambda line: natural_key(line.disk.path)),
    Column(title="State", text=lambda line: disk_look(line.disk)[0], tone=lambda line: disk_look(line.disk)[1], dot=True),
    Column(title="Free", text=lambda line: size_text(line.disk.free_mb), sort=lambda line: line.disk.free_mb, right=True),
    Column(title="Size", text=lambda line: size_text(line.disk.total_mb), sort=lambda line: line.disk.total_mb, right=True),
    Column(
        title="Used",
        text=lambda line: f"{line.used:.0%}" if line.used is not None else NOTHING,
        progress=lambda line: line.used,
        tone=lambda line: Tone.MUTED,
        sort=lambda line: line.used or 0,
    ),
)


class StepsPhase(StrEnum):
    """Whether the steps that are not done are still to come."""

    WAITING = "to come"
    RUNNING = "running"
    ENDED = "not done"


class StepLine(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a failover or failback: done (`record`), running, still to come, or never reached."""

    key: str
    number: int
    name: str
    record: StepRecord | None
    phase: StepsPhase
    running: bool = False


def step_lines(names: tuple[str, ...], records: tuple[StepRecord, ...], phase: StepsPhase) -> tuple[StepLine, ...]:
    """The steps that were done, in time, those of several attempts too; then those that the last attempt has not reached."""
    lines = [
        StepLine(key=f"{record.attempt}.{record.number}", number=record.number, name=names[record.number - 1], record=record, phase=phase)
        for record in records
        if 1 <= record.number <= len(names)
    ]
    reached = lines[-1].number if lines else 0
    last = records[-1].attempt if records else 1
    lines += [
        StepLine(
            key=f"{last}.{number}",
            number=number,
            name=names[number - 1],
            record=None,
            phase=phase,
            running=phase is StepsPhase.RUNNING and number == reached + 1,
        )
        for number in range(reached + 1, len(names) + 1)
    ]
    return tuple(lines)


def _step_state(line: StepLine) -> str:
    if line.record is not None:
        return line.record.note or "done"
    if line.running:
        return "running"
    return "to come" if line.phase is StepsPhase.RUNNING else line.phase.value


def _step_tone(line: StepLine) -> Tone:
    if line.record is not None:
        return Tone.GOOD
    return Tone.ACCENT if line.running else Tone.MUTED


def _step_duration(line: StepLine) -> str:
    if line.record is None:
        return ""
    return duration_text(line.record.duration_ms) if line.record.duration_ms >= 0 else "restart"


def _step_tip(line: StepLine) -> str:
    if line.record is not None and line.record.duration_ms < 0:
        return "The coordinator was started again between this step and the one before."
    return line.name


STEP_COLUMNS: tuple[Column[StepLine], ...] = (
    Column(title="", text=lambda line: str(line.number), right=True),
    Column(title="Step", text=lambda line: line.name, tone=lambda line: None if line.record or line.running else Tone.MUTED, tip=_step_tip),
    Column(title="State", text=_step_state, tone=_step_tone, dot=True),
    Column(title="Attempt", text=lambda line: str(line.record.attempt) if line.record is not None else "", right=True),
    Column(title="Took", text=_step_duration, right=True, tip=_step_tip),
    Column(title="Done at", text=lambda line: clock_text(line.record.done_wall_ms) if line.record is not None else "", right=True),
)


class CandidateLine(msgspec.Struct, frozen=True, kw_only=True):
    """A failover server that was looked at, with the reason, and how its attempt ended if it was tried."""

    verdict: Verdict
    name: str
    outcome: str
    tone: Tone


def candidate_lines(verdicts: tuple[Verdict, ...], failover: Failover | None, state: UiState) -> tuple[CandidateLine, ...]:
    """Those that can be taken first, by rank."""
    ends = {attempt.server: attempt for attempt in failover.attempts} if failover is not None else {}
    lines = []
    for verdict in sorted(verdicts, key=lambda verdict: (verdict.rank == 0, verdict.rank, verdict.server)):
        attempt = ends.get(verdict.server)
        if attempt is not None and attempt.end is not None:
            outcome, tone = (f"{attempt.end.value}: {attempt.sentence}" if attempt.sentence else attempt.end.value), Tone.BAD
        elif attempt is not None and failover is not None:
            outcome, tone = ("being tried", Tone.ACCENT) if failover.phase.before_commit else ("taken", Tone.GOOD)
        elif verdict.rank == 0:
            outcome, tone = "cannot be taken", Tone.MUTED
        else:
            outcome, tone = ("would be taken" if verdict.rank == 1 and failover is None else "could be taken"), Tone.GOOD
        lines.append(CandidateLine(verdict=verdict, name=name_of(verdict.server, state), outcome=outcome, tone=tone))
    return tuple(lines)


CANDIDATE_COLUMNS: tuple[Column[CandidateLine], ...] = (
    Column(title="", text=lambda line: str(line.verdict.rank) if line.verdict.rank else NOTHING, right=True),
    Column(title="Failover server", text=lambda line: line.name),
    Column(title="Outcome", text=lambda line: line.outcome, tone=lambda line: line.tone, dot=True),
    Column(title="Reason", text=lambda line: capitalised(line.verdict.sentence)),
)


class CameraLine(msgspec.Struct, frozen=True, kw_only=True):
    """A camera in a failover: whether it moves, and the hole in its footage."""

    camera: CameraId
    name: str
    moved: bool
    sentence: str
    gap: CameraGap | None = None
    parts: tuple[str, ...] = ()


def camera_names(state: UiState) -> dict[CameraId, str]:
    return {camera.id: camera.name for row in state.recorders.values() for camera in row.cameras}


def dark_words(failover: Failover) -> str:
    """Of a camera that gave the recorder no frame."""
    if failover.phase is Phase.READY:
        return "moved; gave no frame when it was to go back"
    return "gave no frames after the failback"


def moved_lines(failover: Failover, state: UiState) -> tuple[CameraLine, ...]:
    """Cameras that stayed behind first, then the moved ones by name."""
    names = camera_names(state)
    gaps = {gap.camera: gap for gap in failover.gaps}
    dark = failover.failback.dark if failover.failback is not None else ()
    stayed = [
        CameraLine(camera=one.camera, name=one.name or one.camera, moved=False, sentence=one.sentence, gap=gaps.get(one.camera))
        for one in failover.not_moved
    ]
    moved = [
        CameraLine(
            camera=camera,
            name=names.get(camera, camera),
            moved=not ended_early(failover),
            sentence="the failover ended before it moved"
            if ended_early(failover)
            else dark_words(failover)
            if camera in dark
            else "will move"
            if failover.phase.before_commit
            else "moved",
            gap=gaps.get(camera),
            parts=gap_parts_texts(gaps[camera], failover.timeline) if camera in gaps else (),
        )
        for camera in failover.moved
    ]
    return (*stayed, *sorted(moved, key=lambda line: natural_key(line.name)))


def _gap_words(line: CameraLine) -> str:
    if line.gap is None:
        return NOTHING
    text = camera_gap_text(line.gap)
    return text if line.gap.final or line.gap.gap_ms is None else f"{text} (provisional)"


def _gap_tip(line: CameraLine) -> str:
    """Where the time went, how sure it is, and what is still to come."""
    if line.gap is None:
        return ""
    lines = [f"{', '.join(line.parts)}."[:1].upper() + f"{', '.join(line.parts)}."[1:]] if line.parts else []
    if line.gap.error_ms >= 10:
        lines.append(f"By the clocks of the servers, which are known to {line.gap.error_ms / 1000:.2f} s.")
    if not line.gap.final:
        lines.append("Provisional until the material of the broken server was read.")
    return "\n".join(lines)


MOVED_COLUMNS: tuple[Column[CameraLine], ...] = (
    Column(title="Camera", text=lambda line: line.name, sort=lambda line: natural_key(line.name)),
    Column(
        title="Outcome",
        text=lambda line: line.sentence if line.moved else f"stays: {line.sentence}",
        tone=lambda line: Tone.GOOD if line.moved else Tone.WARNING,
        dot=True,
    ),
    Column(
        title="Gap",
        text=_gap_words,
        sort=lambda line: -1 if line.gap is None or line.gap.gap_ms is None else line.gap.gap_ms,
        tip=_gap_tip,
        right=True,
    ),
    Column(title="Last frame before", text=lambda line: clock_text(line.gap.last_before_ms) if line.gap else NOTHING, right=True),
    Column(title="First frame after", text=lambda line: clock_text(line.gap.first_after_ms) if line.gap else NOTHING, right=True),
)
