"""The one value of time that a decision gets."""

from __future__ import annotations

import msgspec


class Instant(msgspec.Struct, frozen=True, kw_only=True):
    """A moment as the two clocks of one machine showed it.

    mono_ms: the monotonic clock, in milliseconds. Every duration is a difference of two of these.
    wall_ms: milliseconds since 1970-01-01 UTC, for people and for the hours of the day only; it may jump.
    offset_min: of the site's wall clock from UTC at that moment, in minutes east of it.
    """

    mono_ms: int
    wall_ms: int
    offset_min: int = 0

    def after(self, duration_ms: int) -> Instant:
        """The moment `duration_ms` later, if no clock is stepped until then."""
        return Instant(mono_ms=self.mono_ms + duration_ms, wall_ms=self.wall_ms + duration_ms, offset_min=self.offset_min)
