"""What a simulated server says of itself: its Watchdog, and its disks."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sysmanager.domain.instant import Instant
from sysmanager.protocol.recorders import DiskBeat, ServiceState, WatchdogBeat
from sysmanager.recorder.machine import Persisted


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


def disk_beats(labels: Iterable[str], lost: Collection[str], disk_mb: int) -> tuple[DiskBeat, ...]:
    """All disks, a quarter full; what is lost cannot be written."""
    free_mb = disk_mb * 3 // 4
    return tuple(DiskBeat(label, label not in lost, free_mb, disk_mb, "cannot be written" if label in lost else "") for label in labels)
