"""From packets, as FFmpeg gives them, to frames with wall-clock times that only grow."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any, Final

import av

from sysmanager.recorder.frameclock import FrameClock, SteadyClock
from sysmanager.recorder.material import CLOCK_STEP_US
from sysmanager.recorder.segments import Frame

PENDING_LIMIT: Final = 16

TICK_US: Final = 100
"""Frames whose times would fall together are set apart by this."""

_CLOCK: Final = struct.Struct("=q")


class FrameTiming:
    """Frames of one stream of a session. Not thread safe. base: of its time stamps, in seconds; frame_us: how long a frame lasts."""

    def __init__(self, base: Fraction | None, frame_us: int, clock: SteadyClock, *, sound: bool = False) -> None:
        # Whole numbers: a Fraction costs as much as all the rest that is done for a frame.
        self._us_of, self._ticks_of = (1_000_000 * base).as_integer_ratio() if base is not None else (0, 1)
        self._frame_us = frame_us
        self._sound = sound
        self._clock = clock
        self._frames = FrameClock()
        self._pending: list[tuple[bytes, bool]] = []
        self._last_dts_us: int | None = None

    def frames(self, packet: av.Packet[Any], arrived_s: float) -> list[Frame]:
        pts, dts = packet.pts, packet.dts
        pts_us = self._us(pts)
        dts_us = pts_us if dts == pts else self._us(dts)
        self._frames.observe(pts_us, self._clock.at(arrived_s))
        captured_us = self._frames.captured_us(pts_us, _camera_clock_us(packet), self._frame_us)
        data, key = bytes(packet), packet.is_keyframe and not self._sound
        if captured_us is None:
            # The first frame can come without a time stamp; it follows from the next one's.
            if len(self._pending) < PENDING_LIMIT:
                self._pending.append((data, key))
            return []
        reorder_us = max(0, pts_us - dts_us) if pts_us is not None and dts_us is not None else 0
        if not self._pending:
            return [self._frame(data, key, captured_us, reorder_us)]
        pending, self._pending = self._pending, []
        out = [
            self._frame(early, early_key, captured_us - (len(pending) - index) * self._frame_us, 0)
            for index, (early, early_key) in enumerate(pending)
        ]
        out.append(self._frame(data, key, captured_us, reorder_us))
        return out

    def _frame(self, data: bytes, key: bool, captured_us: int, reorder_us: int) -> Frame:
        dts_us = captured_us - reorder_us
        last = self._last_dts_us
        # A clock that was set back is followed at a key frame only, where a new segment can begin.
        if last is not None and dts_us <= last and (not key or dts_us >= last - CLOCK_STEP_US):
            dts_us = last + TICK_US
        self._last_dts_us = dts_us
        return Frame(data, key, max(captured_us, dts_us), dts_us, self._sound)

    def _us(self, ticks: int | None) -> int | None:
        return None if ticks is None or not self._us_of else (2 * ticks * self._us_of + self._ticks_of) // (2 * self._ticks_of)


def _camera_clock_us(packet: av.Packet[Any]) -> int | None:
    """When the camera says that the frame was captured: AVProducerReferenceTime, which FFmpeg makes from RTCP sender reports."""
    data = bytes(packet.get_sidedata("prft"))  # empty where there is none; asking for that first would cost as much again
    return int(_CLOCK.unpack_from(data)[0]) if len(data) >= _CLOCK.size else None
