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

_NS = 1_000_000
"""Nanoseconds in a millisecond."""


def instant_of(mono_ns: int, wall_ns: int, offset_min: int = 0) -> Instant:
    """The moment at which the two clocks stand so: cut off to whole milliseconds, and whether the monotonic one lost something by that."""
    mono_ms, rest_ns = divmod(mono_ns, _NS)
    return Instant(mono_ms=mono_ms, wall_ms=wall_ns // _NS, offset_min=offset_min, over_ms=1 if rest_ns else 0)


class SystemClock:
    """The machine's own clocks; local time is that of the machine."""

    def __init__(self) -> None:
        self._offset_min = 0
        self._looked_ms: int | None = None

    def now(self) -> Instant:
        mono_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        mono_ms = mono_ns // _NS
        if self._looked_ms is None or mono_ms - self._looked_ms >= LOOK_MS:
            self._offset_min, self._looked_ms = time.localtime(wall_ns // 1_000_000_000).tm_gmtoff // 60, mono_ms
        return instant_of(mono_ns, wall_ns, self._offset_min)
