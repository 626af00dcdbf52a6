"""How long the coordinator demonstrably listened (SPEC 4): in proven time only, silence is silence."""

from __future__ import annotations

from sysmanager.domain.instant import Instant

LISTEN_GAP_MS = 1500
"""Two canaries further apart than this prove nothing about the time between them: three beacons are missing."""


class Listening:
    """How long the coordinator demonstrably listened since its start, in milliseconds of the monotonic clock.

    A stamp is made as if the present stretch were proven, however long it is: a canary may be under way that proves it when it comes back
    late. If it turns out to be unproven, stamps made in it are cut back to its beginning, and those made after the canary was sent that
    ended it to as much after that. So silence is never counted from the future and never early.

    Clocks show whole milliseconds: a stamp is rounded up (`Instant.start_ms`), the moment at which a canary was sent is cut off, so that
    what lies between them really passed. Only where a canary ends an unproven stretch, and so begins the next one, its moment is rounded
    up too.
    """

    def __init__(self, now: Instant) -> None:
        self.proven_ms = 0
        self.generation = 0
        self._ends: list[tuple[int, int]] = []
        self._last_mono_ms = now.start_ms

    def canary(self, sent_mono_ms: int, over_ms: int = 0) -> bool:
        """A canary sent at that moment of an `Instant` came back. False if the stretch before it was too long to be proven."""
        stretch_ms = sent_mono_ms - self._last_mono_ms
        if stretch_ms <= 0:
            return True
        self._last_mono_ms = sent_mono_ms
        if stretch_ms > LISTEN_GAP_MS:
            self._last_mono_ms += over_ms
            self._ends.append((self.proven_ms, stretch_ms + over_ms))
            self.generation += 1
            return False
        self.proven_ms += stretch_ms
        return True

    def stamp_ms(self, now: Instant) -> int:
        """Where something heard now stands on the scale of proven time, if the present stretch is proven later."""
        ahead_ms = now.mono_ms + now.over_ms - self._last_mono_ms  # start_ms, written out: ten thousand times a second
        return self.proven_ms + ahead_ms if ahead_ms > 0 else self.proven_ms

    def provable_ms(self, now: Instant) -> int:
        """How much more time a canary would prove that is sent now."""
        return min(self.quiet_ms(now), LISTEN_GAP_MS)

    def since_ms(self, stamp_ms: int, generation: int) -> int:
        """Proven time since a stamp; never below 0."""
        while generation < self.generation and stamp_ms > self._ends[generation][0]:
            end_ms, unproven_ms = self._ends[generation]
            stamp_ms = max(end_ms, stamp_ms - unproven_ms)
            generation += 1
        return max(0, self.proven_ms - stamp_ms)

    def quiet_ms(self, now: Instant) -> int:
        """How long ago the last canary that returned was sent; at first, since the start."""
        return max(0, now.mono_ms - self._last_mono_ms)

    def deaf(self, now: Instant) -> bool:
        """Whether the canary is overdue, so that the coordinator cannot say who is silent."""
        return self.quiet_ms(now) > LISTEN_GAP_MS
