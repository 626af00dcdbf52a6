"""What a simulated server says of itself: its Watchdog, and its disks."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sysmanager.domain.instant import Instant
from sysmanager.protocol.practice import Fault
from sysmanager.protocol.recorders import DiskBeat, ServiceState, WatchdogBeat
from sysmanager.protocol.selftest import SelfTestReport
from sysmanager.recorder.machine import Persisted

SELF_TEST_MS = 60_000

QUIET_AFTER_MS = 10_000
QUIET_BEAT_MS = 1_800
QUIET_WATCHDOG_EVERY = 8
"""When nothing has moved on a server for so long, and its surroundings say that nothing is lost on its way, it says that nothing is new
in fewer words: so often, which is less than two heartbeats and counts as no silence; its Watchdog once in so many of them."""


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
