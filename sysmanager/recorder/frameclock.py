"""Which wall-clock time a frame was captured at, good enough to state a gap to 50 ms.

Two sources. The camera's own clock, by its RTCP sender reports: exact, and the same for every recorder; FFmpeg attaches it to each
packet (`prft`). Where a camera sends none, or its clock is plainly wrong: the time of arrival, through a minimum-delay filter, since
a packet can come late but never early. Durations come from the monotonic clock, so a step of the wall clock bends nothing at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

STEP_LIMIT_US: Final = 250_000
"""A wall clock further off than this was stepped by someone."""
STEP_HELD_S: Final = 10.0
SLEW_US_PER_S: Final = 2_000

TRUST_WITHIN_US: Final = 300_000
"""A camera's clock is believed while it agrees with ours to this; once believed, to twice as much."""
WINDOW_US: Final = 30_000_000
JUMP_US: Final = 3_000_000
"""Arrival and time stamp apart by more than this: the camera began its time stamps anew."""


class SteadyClock:
    """The wall clock of this machine, carried by the monotonic clock between looks at it.

    A small difference is slewed away; a step is followed only after it held for 10 s. Thread safe to read; `look` is for one thread,
    about once a second. Injected clocks: `wall_ns` since the epoch, `mono_s` in seconds.
    """

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns, mono_s: Callable[[], float] = time.monotonic) -> None:
        self._wall_ns = wall_ns
        self._mono_s = mono_s
        self._base_us = wall_ns() // 1000 - round(mono_s() * 1e6)
        self._looked_at = mono_s()
        self._off_since: float | None = None

    def at(self, mono_s: float) -> int:
        """Microseconds since the epoch at a reading of the monotonic clock."""
        return self._base_us + round(mono_s * 1e6)

    def now_us(self) -> int:
        return self.at(self._mono_s())

    def look(self) -> bool:
        """Compare with the wall clock; True when a step of it was followed now."""
        now = self._mono_s()
        elapsed, self._looked_at = now - self._looked_at, now
        off_us = self._wall_ns() // 1000 - self.at(now)
        if abs(off_us) <= STEP_LIMIT_US:
            self._off_since = None
            most = round(SLEW_US_PER_S * min(elapsed, 10.0))
            self._base_us += max(-most, min(most, off_us))
            return False
        if self._off_since is None:
            self._off_since = now
        if now - self._off_since < STEP_HELD_S:
            return False
        self._off_since = None
        self._base_us += off_us
        return True


class FrameClock:
    """Times of one session's frames, in microseconds since the epoch.

    FFmpeg's parser hands out a frame when the *next* one begins, one frame late: so the arrival of the call before belongs to the
    time stamp of this one.
    """

    def __init__(self) -> None:
        self._arrived_us: int | None = None
        self._offset_us: int | None = None
        self._minimum_us: int | None = None
        self._older_minimum_us: int | None = None
        self._bucket_from_us = 0
        self._trusted = False

    @property
    def trusts_camera(self) -> bool:
        return self._trusted

    def observe(self, pts_us: int | None, arrived_us: int) -> None:
        """Learn from one packet, in the order of arrival. `pts_us` counts from anywhere; `arrived_us` is wall-clock time."""
        before, self._arrived_us = self._arrived_us, arrived_us
        if before is None or pts_us is None:
            return
        delay_us = before - pts_us
        known = self._offset_us
        if known is not None and abs(delay_us - known) > JUMP_US:
            self._minimum_us = self._older_minimum_us = None
        if self._minimum_us is None:
            self._minimum_us, self._bucket_from_us = delay_us, before
        elif not 0 <= before - self._bucket_from_us < WINDOW_US:
            self._older_minimum_us, self._minimum_us, self._bucket_from_us = self._minimum_us, delay_us, before
        elif delay_us < self._minimum_us:
            self._minimum_us = delay_us
        older_us = self._older_minimum_us
        self._offset_us = self._minimum_us if older_us is None or self._minimum_us < older_us else older_us

    def captured_us(self, pts_us: int | None, camera_us: int | None, frame_us: int) -> int | None:
        """The capture time of a frame, None while it cannot be said (wait for the next packet).

        pts_us: its time stamp, if it has one. camera_us: what the camera's own clock says. frame_us: length of a frame.
        """
        if pts_us is None or self._arrived_us is None:
            by_arrival = None
        else:
            by_arrival = pts_us + self._offset_us if self._offset_us is not None else self._arrived_us - frame_us
        if camera_us is not None and self._arrived_us is not None:
            # With no better word yet, compare with the arrival itself, which is a frame late.
            reference = by_arrival if by_arrival is not None else self._arrived_us - frame_us
            self._trusted = abs(camera_us - reference) <= TRUST_WITHIN_US * (2 if self._trusted else 1)
            if self._trusted:
                return camera_us
        return by_arrival
