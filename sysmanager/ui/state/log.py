"""The failover log as lines for a table (SPEC 11)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo

import msgspec

from sysmanager.api import RecorderRow
from sysmanager.domain.failover import FAILBACK_STEPS, FAILOVER_STEPS, Failover, LogState, Phase, Severity
from sysmanager.domain.ids import CameraId, FailoverId, RecorderId
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.state.texts import NOTHING, cameras_text, counted, gap_text, trigger_text, when_text

QUARTER_MS = 900_000
"""“Today” turns into “Yesterday” at a local midnight, which lies on a quarter of an hour in every time zone."""

_TONES = {Severity.INFORMATION: Tone.GOOD, Severity.WARNING: Tone.WARNING, Severity.ERROR: Tone.BAD}


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as the table shows it. progress: share of the steps done, from 0 to 1, None when nothing runs."""

    id: FailoverId
    number: int
    started_ms: int
    started: str
    server: str
    failover_server: str
    trigger: str
    state: str
    tone: Tone
    progress: float | None
    gap: str
    gap_ms: int
    cameras: str
    started_by: str
    reason: str
    reason_sentence: str
    searched: str


class LogBuilder:
    """Makes the lines of a state. Lines of entries that did not change are kept; thousands of them cost next to nothing."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone
        self._lines: dict[FailoverId, tuple[Failover, str, str, int, LogLine]] = {}
        self._shown: Mapping[FailoverId, Failover] | None = None
        self._basis: tuple[object, ...] = ()
        self._built: tuple[LogLine, ...] = ()

    def build(self, state: UiState, now_wall_ms: int) -> tuple[LogLine, ...]:
        """Lines that match the filter, newest first; the same tuple as before while nothing of it changed."""
        names = {row.id: row.name for row in state.recorders.values()}
        basis = (state.log, names, now_wall_ms // QUARTER_MS)
        if self._shown is not state.failovers or basis != self._basis:
            self._shown, self._basis = state.failovers, basis
            self._built = self._lines_of(state, now_wall_ms)
        return self._built

    def _lines_of(self, state: UiState, now_wall_ms: int) -> tuple[LogLine, ...]:
        """Entries told live that match, and all that came in pages: what these hold was found by the coordinator."""
        query, paged = state.log.query, state.log.entries
        entries = {**paged, **state.failovers}
        made = [(entry, self._line(entry, state, now_wall_ms)) for entry in entries.values()]
        lines = [line for entry, line in made if entry.id in paged or query.holds(entry, line.searched, now_wall_ms)]
        lines.sort(key=lambda line: line.number, reverse=True)
        if len(self._lines) > 2 * len(entries):
            self._lines = {key: line for key, line in self._lines.items() if key in entries}
        return tuple(lines)

    def _line(self, failover: Failover, state: UiState, now_wall_ms: int) -> LogLine:
        server = name_of(failover.recorder, state)
        failover_server = name_of(failover.server, state) if failover.server is not None else NOTHING
        quarter = now_wall_ms // QUARTER_MS
        known = self._lines.get(failover.id)
        if known is not None and known[0] is failover and known[1:4] == (server, failover_server, quarter):
            return known[4]
        line = _line(failover, server, failover_server, when_text(failover.started_ms, now_wall_ms, self._zone))
        self._lines[failover.id] = (failover, server, failover_server, quarter, line)
        return line


def name_of(recorder: RecorderId, state: UiState) -> str:
    """The name people gave the server, its id where it is no longer in system data."""
    row: RecorderRow | None = state.recorders.get(recorder)
    return row.name if row is not None else str(recorder)


def leave_dark_text(dark: tuple[CameraId, ...], home: str, state: UiState) -> str:
    """The choice that a failback offers after one that was undone because of these cameras."""
    names = {camera.id: camera.name for row in state.recorders.values() for camera in row.cameras}
    named = ", ".join(names.get(camera, camera) for camera in dark[:3]) + (" and others" if len(dark) > 3 else "")
    return f"Go on even if cameras stay dark on {home}, one in ten at most (last time: {named})"


def _line(failover: Failover, server: str, failover_server: str, started: str) -> LogLine:
    text = state_text(failover)
    failed = failover.failback.reason if failover.failback is not None and failover.failback.reason is not None else failover.reason
    gap_ms = failover.worst_gap_ms
    line = LogLine(
        id=failover.id,
        number=failover.number,
        started_ms=failover.started_ms,
        started=started,
        server=server,
        failover_server=failover_server,
        trigger=trigger_text(failover.trigger),
        state=text,
        tone=state_tone(failover),
        progress=progress(failover),
        gap=gap_text(gap_ms),
        gap_ms=gap_ms if gap_ms is not None else -1,
        cameras=cameras_text(failover),
        started_by=failover.actor.name,
        reason=capitalised(failed.value) if failed is not None else NOTHING,
        reason_sentence=failed.sentence if failed is not None else "",
        searched="",
    )
    words = (line.started, server, failover_server, line.trigger, text, line.started_by, line.reason, str(failover.id))
    return msgspec.structs.replace(line, searched=" ".join(words).casefold())


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def steps_done(failover: Failover) -> tuple[int, tuple[str, ...]]:
    """Number of the last step done, and the steps it counts among; those of the failback once that has begun."""
    if failover.phase.failing_back and failover.failback is not None:
        return max((step.number for step in failover.failback.steps), default=0), FAILBACK_STEPS
    last = failover.attempt
    return max((step.number for step in failover.steps if step.attempt >= last or step.number <= 2), default=0), FAILOVER_STEPS


def is_running(failover: Failover) -> bool:
    return failover.log_state in (LogState.FAILOVER_RUNNING, LogState.FAILBACK_RUNNING)


def progress(failover: Failover) -> float | None:
    """Share of the steps that are done; None unless a failover or failback runs."""
    if not is_running(failover):
        return None
    done, steps = steps_done(failover)
    return done / len(steps)


def state_text(failover: Failover) -> str:
    """``Failover in progress · step 4 of 8: …``, ``Failover ready · to do: 1 item``, ``Cancelled: the recorder is back``."""
    state = failover.log_state
    if failover.phase is Phase.FAILBACK_UNDOING and failover.failback is not None:
        left = len(failover.failback.kept)
        return f"{state.value} · being undone: " + (f"{counted(left, 'camera')} left to give back" if left else "the last camera goes back")
    if is_running(failover):
        done, steps = steps_done(failover)
        step = min(done + 1, len(steps))
        return f"{state.value} · step {step} of {len(steps)}: {steps[step - 1]}"
    if state in (LogState.CANCELLED, LogState.FAILOVER_FAILED) and failover.note:
        return f"{state.value}: {failover.note}"
    if state is LogState.FAILBACK_FAILED and failover.failback is not None and failover.failback.note:
        return f"{state.value}: {failover.failback.note}"
    if failover.phase is Phase.READY and failover.to_do_left:
        return f"{state.value} · to do: {counted(len(failover.to_do_left), 'item')}"
    return state.value


def state_tone(failover: Failover) -> Tone:
    return Tone.ACCENT if is_running(failover) else _TONES[failover.log_state.severity]
