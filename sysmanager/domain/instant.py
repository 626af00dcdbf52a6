"""The one value of time that a decision gets."""

from __future__ import annotations

import msgspec


class Instant(msgspec.Struct, frozen=True, kw_only=True):
    """A moment as the two clocks of one machine showed it.

    mono_ms: the monotonic clock, in whole milliseconds, what is beyond them cut off. Every duration is a difference of two of these.
    wall_ms: milliseconds since 1970-01-01 UTC, for people and for the hours of the day only; it may jump.
    offset_min: of the site's wall clock from UTC at that moment, in minutes east of it.
    over_ms: 1 where something was cut off `mono_ms`, else 0.
    """

    mono_ms: int
    wall_ms: int
    offset_min: int = 0
    over_ms: int = 0

    @property
    def start_ms(self) -> int:
        """The monotonic clock rounded up: the moment as the beginning of a span that must last at least so long.

        Between a beginning that is rounded up and an end that is cut off lies never more than really passed, and less by 2 ms at most.
        Between two that are cut off may lie up to 1 ms more: a span from 0.9 to 10.1 ms would count as 10.
        """
        return self.mono_ms + self.over_ms

    def after(self, duration_ms: int) -> Instant:
        """The moment `duration_ms` later, if no clock is stepped until then."""
        return Instant(
            mono_ms=self.mono_ms + duration_ms,
            wall_ms=self.wall_ms + duration_ms,
            offset_min=self.offset_min,
            over_ms=self.over_ms,
        )
