"""Where the engine gets the time from."""

from __future__ import annotations

import time
from typing import Protocol

from sysmanager.domain.instant import Instant


class Clock(Protocol):
    """Both clocks of the machine at once."""

    def now(self) -> Instant: ...


LOOK_MS = 10_000
"""How often the offset of local time is looked up: heartbeats ask for the time ten thousand times a second."""


class SystemClock:
    """The machine's own clocks; local time is that of the machine."""

    def __init__(self) -> None:
        self._offset_min = 0
        self._looked_ms: int | None = None

    def now(self) -> Instant:
        mono_ms, wall_ms = time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000
        if self._looked_ms is None or mono_ms - self._looked_ms >= LOOK_MS:
            self._offset_min, self._looked_ms = time.localtime(wall_ms // 1000).tm_gmtoff // 60, mono_ms
        return Instant(mono_ms=mono_ms, wall_ms=wall_ms, offset_min=self._offset_min)
