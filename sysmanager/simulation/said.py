"""What a simulated server says of itself: its Watchdog, and its disks."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sysmanager.domain.ids import RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.protocol.jobs import CopyReport, DrillReport
from sysmanager.protocol.practice import Fault
from sysmanager.protocol.preroll import PrerollBeat
from sysmanager.protocol.recorders import Beat, CameraBeat, DiskBeat, ServiceState, WatchdogBeat
from sysmanager.protocol.selftest import SelfTestReport
from sysmanager.recorder.machine import MachineState, Observations, Persisted, Situation, beat, beat_again

SELF_TEST_MS = 60_000

QUIET_AFTER_MS = 10_000
QUIET_BEAT_MS = 1_900
"""When nothing has moved on a server for so long, and its surroundings say that nothing is lost on its way, it says that nothing is new
in fewer words: so often, which is less than two heartbeats and counts as no silence."""


FIRST_PORT, PORTS = 20_000, 10_000
"""Of what serves footage."""


def watchdog_beat(persisted: Persisted, now: Instant, service: ServiceState, failed_starts: int) -> WatchdogBeat:
    """The Watchdog's heartbeat; failed starts are forgotten once the service runs."""
    failed = 0 if service is ServiceState.RUNNING else failed_starts
    return WatchdogBeat(
        recorder=persisted.recorder,
        instance=persisted.instance,
        wall_ms=now.wall_ms,
        service=service,
        failed_starts=failed,
        sentence="The recording service cannot be initialised." if failed else "",
        mono_ms=now.mono_ms,
    )


def self_test(faults: Collection[Fault], now: Instant) -> SelfTestReport:
    """Of a server that waits, made within the last minute."""
    problems = ("The material disk D: gives back other bytes than were written. Replace it.",) if Fault.SELF_TEST in faults else ()
    return SelfTestReport(wall_ms=now.wall_ms // SELF_TEST_MS * SELF_TEST_MS, problems=problems)


def disk_beats(labels: Iterable[str], lost: Collection[str], disk_mb: int) -> tuple[DiskBeat, ...]:
    """All disks, a quarter full; what is lost cannot be written."""
    free_mb = disk_mb * 3 // 4
    return tuple(DiskBeat(label, label not in lost, free_mb, disk_mb, "cannot be written" if label in lost else "") for label in labels)


_NO_JOBS = (None, None)


def material_address(recorder: RecorderId, boot: int) -> str:
    """Where a recording service serves its footage: on another port after each start."""
    return f"https://{recorder.lower()}.example:{FIRST_PORT + boot % PORTS}"


class Words:
    """What a recording service says once a second: mostly what it said before, at another time."""

    def __init__(self, recorder: RecorderId, version: str) -> None:
        self._version = version
        self._recorder = recorder
        self._state: MachineState | None = None
        self._last: Beat | None = None

    def beat(
        self,
        state: MachineState,
        sequence: int,
        now: Instant,
        cameras: tuple[CameraBeat, ...],
        kept: tuple[PrerollBeat, ...],
        jobs: tuple[CopyReport | None, DrillReport | None],
        faults: Collection[Fault],
    ) -> Beat:
        """Its next heartbeat. jobs: what it reports of copy and drill."""
        tested = self_test(faults, now) if state.situation is Situation.STANDBY else None
        if self._last is not None and self._state is state and jobs == _NO_JOBS:
            said = beat_again(self._last, sequence, now, cameras, kept, tested)
        else:
            seen = Observations(
                sequence=sequence,
                version=self._version,
                cameras=cameras,
                preroll=kept,
                material=material_address(self._recorder, state.persisted.boot),
                copy=jobs[0],
                drill=jobs[1],
                self_test=tested,
            )
            said = beat(state, seen, now)
        self._state, self._last = state, said if jobs == _NO_JOBS else None
        return said
