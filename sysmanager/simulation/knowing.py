"""Rules about what is known or promised before it happens: pre-roll within its limits and written, the measured gap, the preview.

Of the checkers of one world; each rule has its name in `NAMES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sysmanager.coordinator.readiness import readiness_of
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.selection import Needs, needs_of
from sysmanager.coordinator.state import State, tasks_of
from sysmanager.domain.documents import SettingsSummary
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder, Role, Standby
from sysmanager.engine.core import Core
from sysmanager.protocol.clients import Readiness, Topic
from sysmanager.protocol.preroll import KeepPreroll
from sysmanager.protocol.recorders import BEACON_INTERVAL_MS, BEAT_INTERVAL_MS
from sysmanager.recorder import machine as m
from sysmanager.simulation.recorder import SimulatedRecorder

if TYPE_CHECKING:
    from sysmanager.simulation.world import World

PREROLL_LIMITS = "pre-roll within limits"
PREROLL_WRITTEN = "pre-roll is written"
READINESS_CURRENT = "readiness is current"
NAMES = (PREROLL_LIMITS, PREROLL_WRITTEN, READINESS_CURRENT)

READINESS_MS = 24_000
"""The readiness of all servers is computed anew so often, if anything moved meanwhile: it is what costs most of all rules."""

Check = Callable[[str, str | None], None]
"""Counts that a rule was checked; with a sentence it is broken."""


GOING_QUIET_MS = (2 * BEAT_INTERVAL_MS - 100, 3 * BEAT_INTERVAL_MS + BEACON_INTERVAL_MS + 200)
"""Proven silence in which a server goes from heard to silent. It grows from beacon to beacon, and is looked at every 100 ms."""

_PASSING = (Topic.CLOCK, Topic.PREROLL, Topic.CAMERAS)


def _passing(seen: Seen, recorder: RecorderId) -> object:
    """What candidates rank by and time alone changes, no news: how far a clock looks off, how many seconds of pre-roll are held."""
    heard = seen.of(recorder)
    held = [one.held_ms // 1000 for one in heard.beat.preroll.cameras] if heard.beat is not None else []
    return heard.clock_offset_ms // 1000, held


def _lasting(readiness: Readiness) -> object:
    return readiness.target, [reason for reason in readiness.reasons if reason.topic not in _PASSING]


def unnoticed(state: State, seen: Seen) -> str | None:
    """A server that reports a newer epoch than system data has, and that nobody would look at: all of them are in `Seen.ahead`."""
    for recorder, heard in seen.recorders.items():
        row, beat = state.recorders.get(recorder), heard.beat
        if row is not None and beat is not None and beat.epoch > row.assignment.epoch and recorder not in seen.ahead:
            return f"{recorder} reports epoch {beat.epoch}, which nobody notices."
    return None


class Knowing:
    """The rules over one world."""

    def __init__(self, world: World, check: Check) -> None:
        self._world = world
        self._check = check
        self._looked_ms = self._looked_at = 0
        self._needed: dict[RecorderId, tuple[SettingsSummary, Needs]] = {}
        self._passed: dict[RecorderId, object] = {}
        self._kept: dict[RecorderId, dict[CameraId, int]] = {}

    # ------------------------------------------------------------ readiness

    def readiness(self) -> None:
        """What is kept, computing only what changes touch, is what computing everything anew gives.

        What time alone changes is left to the rounds: clocks, how much pre-roll is held, who is late with a heartbeat. Where it changed
        whom candidates rank before, it is not compared, and looked at as in a round.
        """
        coordinator, world = self._world.coordinator, self._world
        core = coordinator.core
        if core is None or not coordinator.listening or coordinator.appending or world.wall_steps or coordinator.wall_step_ms:
            return
        now = coordinator.now()
        core.look_at_readiness(now)
        passed = self._passed_on(core)
        if now.mono_ms - self._looked_ms >= READINESS_MS and world.moves != self._looked_at:
            self._compare(core, now, passed)
        core.look_at_readiness(now, also=sorted(passed))

    def _compare(self, core: Core, now: Instant, passed: set[RecorderId]) -> None:
        world, rows = self._world, core.state.recorders.values()
        if not all(world.network.open(link) for link in world.links.values()) or world.hearing.hearing_for_ms(now.mono_ms) < 10_000:
            return  # who is heard late, or was just not heard by anybody, changes by time alone
        if core.readiness.pending or any(GOING_QUIET_MS[0] <= core.seen.silence_ms(row.id) < GOING_QUIET_MS[1] for row in rows):
            return
        self._looked_ms, self._looked_at = now.mono_ms, world.moves
        for row in rows:
            if row.id in passed:
                continue
            kept, fresh = core.readiness.known.get(row.id), readiness_of(core.state, core.seen, row, now, self._needs(core.state, row))
            differs = kept is None or _lasting(kept) != _lasting(fresh)
            self._check(READINESS_CURRENT, f"The readiness of {row.id} is kept as {kept} and is {fresh}." if differs else None)

    def _passed_on(self, core: Core) -> set[RecorderId]:
        """The group of every failover server of which time alone changed how it ranks."""
        found: set[RecorderId] = set()
        for row in core.state.recorders.values():
            if row.role is Role.FAILOVER and row.group is not None:
                now = _passing(core.seen, row.id)
                if self._passed.get(row.id) != now:
                    self._passed[row.id] = now
                    found |= core.state.members[row.group]
        return found

    def _needs(self, state: State, row: Recorder) -> Needs | None:
        """Of its tasks: they follow from the settings alone, which seldom change."""
        if row.home is None or row.home not in state.recorders:
            return None
        settings = tasks_of(row, state.recorders[row.home]).settings
        known = self._needed.get(row.id)
        if known is None or known[0] is not settings:
            known = self._needed[row.id] = (settings, needs_of(settings))
        return known[1]

    # ------------------------------------------------------------ pre-roll

    def preroll_order(self, recorder: RecorderId, order: KeepPreroll) -> None:
        self._check(PREROLL_LIMITS, self._beyond(recorder, order))

    def _beyond(self, recorder: RecorderId, order: KeepPreroll) -> str | None:
        state, identity = self._world.shadow, self._world.recorders[recorder].identity
        row = state.recorders.get(recorder)
        if row is None or not isinstance(row.assignment, Standby):
            return f"{recorder} is to keep pre-roll, and is not on standby."
        kbit = count = 0
        for part in order.parts:
            holders = [other for other in state.recorders.values() if other.home == part.home]
            cameras = {camera.id: camera for other in holders for camera in other.settings.cameras}
            for name in part.cameras:
                camera = cameras.get(name)
                if camera is None or camera.sessions < 2 or not camera.moves:
                    return f"{recorder} is to keep {name}, which allows no second session or does not move."
                kbit += camera.bitrate_kbps * part.seconds
                count += 1
            if part.seconds > identity.preroll_limit_s:
                return f"{recorder} is to keep {part.seconds} s, and keeps {identity.preroll_limit_s} s at most."
        if kbit > identity.preroll_memory_mb * 8000 or count > identity.camera_limit:
            return f"{recorder} is to keep {kbit // 8000} MB of {count} cameras, and has room for {identity.preroll_memory_mb} MB."
        return None

    def _time_began_ms(self, camera: CameraId, now_ms: int) -> int:
        """Since when the camera's schedule says that it is recorded."""
        hours = self._world.hours.get(camera)
        return hours.spell(now_ms).from_ms if hours is not None else 0

    def effect(self, recorder: SimulatedRecorder, effect: m.Effect) -> None:
        """Before it is carried out."""
        match effect:
            case m.StartCapture(plan=plan):
                now_ms = self._world.now(recorder.id).wall_ms
                wanted = {camera.id for camera in plan.cameras}
                reaches = self._world.cameras.reaches
                held = recorder.preroll.held() if recorder.writable() else ()
                self._kept[recorder.id] = {
                    one.camera: max(now_ms - one.held_ms, self._time_began_ms(one.camera, now_ms))
                    for one in held
                    if one.held_ms and one.camera in wanted and reaches(recorder.id, one.camera)
                    if self._world.is_kept(one.camera, recorder.id)
                }
            case m.Answer():
                for camera, since_ms in self._kept.pop(recorder.id, {}).items():
                    (span,) = recorder.material.spans(recorder.capture.epoch, (camera,)) or (None,)
                    lost = span is None or span.first_frame_ms > since_ms
                    self._check(PREROLL_WRITTEN, f"{recorder.id} held pre-roll of {camera} and did not write it." if lost else None)
            case _:
                pass
