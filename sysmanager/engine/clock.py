"""Where the engine gets the time from."""

from __future__ import annotations

import time
from typing import Protocol

from sysmanager.domain.instant import Instant


class Clock(Protocol):
    """Both clocks of the machine at once."""

    def now(self) -> Instant: ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> Instant:
        return Instant(mono_ms=time.monotonic_ns() // 1_000_000, wall_ms=time.time_ns() // 1_000_000)
