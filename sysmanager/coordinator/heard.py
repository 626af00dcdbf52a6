"""What was heard of one recorder, and what that says of it."""

from __future__ import annotations

from sysmanager.coordinator.frames import nothing_due, records_by_right
from sysmanager.coordinator.listening import Listening
from sysmanager.domain.ids import CameraId, InstanceId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol.recorders import BEAT_INTERVAL_MS, Beat, FromRecorder, Leaving, Mode, ServiceState, WatchdogBeat

RIVAL_MS = 5000
"""A second instance of one id is refused while the first was heard within this time, in which the coordinator listened (SPEC 2)."""

OFFSET_WINDOW_MS = 30_000
"""Wall clocks are compared over one to two such spans."""

FRESH_MS = 3 * BEAT_INTERVAL_MS
"""A report older than this, by what was heard of the same server since, says nothing about the present."""


class Heard:
    """What was heard of one recorder since the coordinator's start.

    ever: whether anything was. steady: the service speaks, and what follows from what it says is worked out.
    disks_lost: stamp and generation since when it reports no writable disk, or None.
    well_ms: since when (monotonic) it reports frames. connected_since_ms: since when it has been heard without a pause.
    expected: cameras that it is to record, as system data says.
    sound: stamp and generation since when it has been heard with its service running and a disk writable, without a restart and without
    losing a disk; None while it is not.
    beat_wall_ms: the coordinator's wall clock when the last beat came. clock_off_wall_ms, rival_since_wall_ms: since when its clock is off
    by more than `CLOCK_OFF_MS`, or a second instance announces itself; 0 if not. beside: the first instance was heard after the second.
    timeout_ms: its detection timeout. told_ms, frames_told_ms: its own monotonic clock in the newest message, and in the last that
    brought frames; 0 where it does not tell.
    offsets: lowest and highest difference of its wall clock to the coordinator's, in the present and in the last `OFFSET_WINDOW_MS`.
    """

    __slots__ = (
        "beat",
        "beat_ms",
        "beat_wall_ms",
        "beside",
        "clock_off_wall_ms",
        "connected_since_ms",
        "disks_lost",
        "ever",
        "expected",
        "frames",
        "frames_ms",
        "frames_told_ms",
        "generation",
        "heard_ms",
        "heard_wall_ms",
        "instance",
        "leaving",
        "leaving_boot",
        "leaving_ms",
        "offset_since_ms",
        "offsets",
        "rival",
        "rival_ms",
        "rival_since_wall_ms",
        "row",
        "sound",
        "stamp_ms",
        "steady",
        "timeout_ms",
        "told_ms",
        "watchdog",
        "watchdog_ms",
        "well_ms",
    )

    def __init__(self, stamp_ms: int, generation: int) -> None:
        self.stamp_ms = stamp_ms
        self.generation = generation
        self.ever = False
        self.steady = False
        self.heard_ms = 0
        self.heard_wall_ms = 0
        self.frames = (stamp_ms, generation)
        self.expected: tuple[CameraId, ...] = ()
        self.row: Recorder | None = None
        self.frames_ms = 0
        self.frames_told_ms = 0
        self.told_ms = 0
        self.timeout_ms = 0
        self.beside = False
        self.leaving: Leaving | None = None
        self.leaving_boot = 0
        self.leaving_ms = 0
        self.instance: InstanceId | None = None
        self.rival: InstanceId | None = None
        self.rival_ms = 0
        self.rival_since_wall_ms = 0
        self.beat: Beat | None = None
        self.beat_ms = 0
        self.beat_wall_ms = 0
        self.clock_off_wall_ms = 0
        self.offset_since_ms = 0
        self.offsets: tuple[int, int, int, int] | None = None
        self.connected_since_ms = 0
        self.watchdog: WatchdogBeat | None = None
        self.watchdog_ms = 0
        self.disks_lost: tuple[int, int] | None = None
        self.well_ms: int | None = None
        self.sound: tuple[int, int] | None = None

    def silence_ms(self, listening: Listening) -> int:
        """Proven silence."""
        if self.generation != listening.generation:
            return listening.since_ms(self.stamp_ms, self.generation)
        silence_ms = listening.proven_ms - self.stamp_ms
        return silence_ms if silence_ms > 0 else 0

    @property
    def clock_offset_ms(self) -> int:
        """Its wall clock minus the coordinator's, by the beat that was fastest on its way: a slow way is no slow clock."""
        return max(self.offsets[1], self.offsets[3]) if self.offsets is not None else 0

    def clock_offset_by(self, now: Instant) -> int:
        """The same by the coordinator's clock as it is set now: it may have been set since the last beat, which was compared with it."""
        set_ms = (now.wall_ms - self.beat_wall_ms) - (now.mono_ms - self.beat_ms) if self.beat is not None else 0
        return self.clock_offset_ms - set_ms

    @property
    def clock_error_ms(self) -> int:
        """How far the differences of the last minute lie apart: beats that took longer, or a clock that was set. No moment is surer."""
        return max(self.offsets[1], self.offsets[3]) - min(self.offsets[0], self.offsets[2]) if self.offsets is not None else 0

    def compare_clocks(self, offset_ms: int, now_ms: int) -> None:
        """One beat more. Two windows, so that what was long ago is forgotten without keeping every beat."""
        age_ms = now_ms - self.offset_since_ms
        if self.offsets is None or age_ms >= 2 * OFFSET_WINDOW_MS:
            self.offsets, self.offset_since_ms = (offset_ms, offset_ms, offset_ms, offset_ms), now_ms
            return
        low, high, low_before, high_before = self.offsets
        if age_ms >= OFFSET_WINDOW_MS:
            self.offsets, self.offset_since_ms = (offset_ms, offset_ms, low, high), now_ms
        elif offset_ms < low or offset_ms > high:
            self.offsets = (min(low, offset_ms), max(high, offset_ms), low_before, high_before)

    def tell(self, told_ms: int) -> None:
        """Its own clock in a message. Its Watchdog and its service may overtake one another a little; back by more: it began anew."""
        if told_ms > self.told_ms or self.told_ms - told_ms >= FRESH_MS:
            if told_ms < self.told_ms or not self.told_ms:
                self.frames_told_ms = told_ms
            self.told_ms = told_ms

    def is_second(self, message: FromRecorder, silence_ms: int) -> bool:
        """Whether it comes from a second instance of the id, which is not heard while the first is alive (SPEC 2).

        One that system data knows is the first. One that spoke beside the first is a copy of it, and not its successor: it must not hide
        that the first falls silent, so that it waits until that has been noticed.
        """
        if self.instance is None or self.instance == message.instance or (self.row is not None and self.row.instance == message.instance):
            return False
        if self._alone_obeys(message):
            return False
        return silence_ms < RIVAL_MS + (self.timeout_ms if self.beside else 0)

    def _alone_obeys(self, message: FromRecorder) -> bool:
        """Whether it has the epoch of its assignment and the one that was heard has an older one, where system data knows no instance.

        After a restart a copy may be heard before the server that was given the cameras: it must not hide that this one records them.
        """
        row, beat = self.row, self.beat
        if row is None or row.instance is not None or beat is None or not isinstance(message, Beat):
            return False
        return beat.epoch < message.epoch == row.assignment.epoch

    def reports_all_disks_lost(self) -> bool:
        beat = self.beat
        if beat is None or not beat.disks:
            return False
        for disk in beat.disks:  # noqa: SIM110 - ten thousand times a second, a loop costs half of what any() does
            if disk.writable:
                return False
        return True

    def reports_service_failed(self) -> bool:
        """Whether the Watchdog says so."""
        return self.service_state() is ServiceState.FAILED

    def service_state(self) -> ServiceState | None:
        """What is known of the recording service; None: neither it nor its Watchdog was heard.

        A Watchdog speaks while its service cannot. So an old word says nothing: the service, which was heard since, speaks for itself.
        """
        if self.watchdog is not None and self.beat_ms - self.watchdog_ms < FRESH_MS:
            return self.watchdog.service
        return ServiceState.RUNNING if self.beat is not None else None

    @property
    def frames_due(self) -> bool:
        """Whether the recorder is to record cameras that another server could take."""
        return bool(self.expected)

    def nothing_due(self, beat: Beat) -> bool:
        """Whether it says that all cameras it is to record are off by their schedule now."""
        return beat.mode is Mode.RECORDING and nothing_due(beat, self.expected)

    def service_heard(self) -> bool:
        """Whether the recording service itself speaks, and not its Watchdog alone: a last beat from before a crash is no report."""
        return self.beat is not None and self.heard_ms - self.beat_ms < FRESH_MS and self.beat_ms >= self.connected_since_ms

    def reports_frames(self) -> bool:
        """Whether the recorder says that it writes frames: it records, and a camera gives it some, or none is to be recorded now."""
        beat = self.beat
        if beat is None or not self.service_heard() or beat.mode is not Mode.RECORDING:
            return False
        if self.reports_service_failed() or self.reports_all_disks_lost():
            return False
        if self.frames_due and self.beat_ms - self.frames_ms >= FRESH_MS:
            return False  # whatever it says of its cameras, no frame came after the last one
        return records_by_right(beat)
