"""Which of a camera's frames are kept when it records at motion: from the key frame at or before so long before each motion, until so
long after it (SPEC 16).

Whether something moves is known some time after the frame came. So frames wait in a ring, whole groups of pictures, until no motion that
may still be found can need them.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

import msgspec

from sysmanager.recorder.segments import Frame, StreamKind

NEVER_US: Final = -(1 << 62)
STEP_US: Final = 1_000_000
"""Pictures that are so much older than the last one were captured by a clock that was set back."""


class CutSettings(msgspec.Struct, frozen=True, kw_only=True):
    """before_us, after_us: what is kept before and after a motion. limit_bytes: what may wait; where that is less, less is kept before."""

    before_us: int = 5_000_000
    after_us: int = 10_000_000
    limit_bytes: int = 32 << 20


class Outlet(Protocol):
    """Where frames go that are kept: a camera's writer."""

    def begin(self, kind: StreamKind) -> None: ...

    def put(self, frame: Frame) -> bool: ...

    def end(self) -> None: ...


class _Group:
    """A key frame and what follows up to the next one; without its key frame (`headed` false) where that was handed on already."""

    __slots__ = ("bytes", "frames", "headed", "kind")

    def __init__(self, kind: StreamKind, *, headed: bool) -> None:
        self.kind = kind
        self.headed = headed
        self.frames: deque[Frame] = deque()
        self.bytes = 0

    def add(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.bytes += len(frame.data)


class MotionCut:
    """Takes all frames of a camera and hands on those to keep. Not thread safe.

    `put` with `everything` keeps them all, as in continuous recording, and what waits first: it may not have been looked at yet.
    `judged` is told of pictures in the order of their capture. What is open at the outlet and what waits first follow one another; what
    waits first is later than what is to be kept.
    """

    def __init__(self, outlet: Outlet, settings: CutSettings) -> None:
        self.settings = settings
        self._outlet = outlet
        self._ring: deque[_Group] = deque()
        self._bytes = 0
        self._kind: StreamKind | None = None
        self._writing: StreamKind | None = None
        self._broken = True
        self._until_us = NEVER_US
        self._judged_us = NEVER_US

    @property
    def waiting_bytes(self) -> int:
        return self._bytes

    @property
    def until_us(self) -> int:
        """Until when frames are kept, as far as motion is known."""
        return self._until_us

    def begin(self, kind: StreamKind) -> None:
        """A stream begins. What waits of an earlier one can still be asked for."""
        self.end()
        self._kind = kind

    def end(self) -> None:
        """The stream ended, or nothing that follows may be kept."""
        self._close()
        self._broken = True

    def forget(self) -> None:
        """Give up what waits."""
        self._ring.clear()
        self._bytes = 0

    def put(self, frame: Frame, *, everything: bool = False) -> bool:
        """False before the first key frame of a stream. RuntimeError before any stream."""
        if self._kind is None:
            raise RuntimeError("frames came before begin()")
        if frame.key and frame.pts_us < self._judged_us - STEP_US:
            self._until_us = self._judged_us = NEVER_US  # the clock was set back
        if everything and frame.dts_us > self._until_us:
            self._until_us = frame.dts_us
        if self._writing is not None and not self._ring and frame.dts_us <= self._until_us:
            return self._outlet.put(frame)
        if frame.key:
            self._ring.append(_Group(self._kind, headed=True))
            self._broken = False
        elif self._broken or (not self._ring and self._writing is None):
            return False
        elif not self._ring:
            self._ring.append(_Group(self._kind, headed=False))
        self._ring[-1].add(frame)
        self._bytes += len(frame.data)
        self._hand_on()
        self._trim()
        return True

    def judged(self, at_us: int, *, moved: bool) -> None:
        """The picture captured at `at_us` was looked at; earlier ones have been."""
        self._judged_us = at_us
        if moved:
            self._until_us = max(self._until_us, at_us + self.settings.after_us)
            if self._broken and self._ring:
                self._until_us = max(self._until_us, self._ring[-1].frames[-1].dts_us)  # no frame follows: all that waits is its end
            self._keep_from(self._first_for(at_us - self.settings.before_us))
        self._trim()

    # -- inside

    def _first_for(self, from_us: int) -> int:
        """The group whose key frame is the last at or before that moment; the first where that was handed on, or is gone."""
        found = 0
        for place, group in enumerate(self._ring):
            if group.headed and group.frames[0].pts_us <= from_us:
                found = place
        return found

    def _keep_from(self, place: int) -> None:
        for _ in range(place):
            self._give_up_first()
        self._hand_on()

    def _hand_on(self) -> None:
        while self._ring and self._ring[0].frames[0].dts_us <= self._until_us:
            group = self._ring[0]
            if self._writing is not group.kind:
                if self._writing is not None:
                    self._outlet.end()
                self._outlet.begin(group.kind)
                self._writing = group.kind
            while group.frames and group.frames[0].dts_us <= self._until_us:
                frame = group.frames.popleft()
                group.bytes -= len(frame.data)
                self._bytes -= len(frame.data)
                self._outlet.put(frame)
            group.headed = False
            if not group.frames:
                self._ring.popleft()
        if self._broken:
            self._close()  # it came late: no frame follows these

    def _trim(self) -> None:
        """Give up what no motion can need that is found later; and what there is no memory for."""
        need_us = self._judged_us - self.settings.before_us
        while len(self._ring) > 1 and (self._ring[1].frames[0].pts_us <= need_us or self._bytes > self.settings.limit_bytes):
            self._give_up_first()
        if self._bytes > self.settings.limit_bytes:
            # One group of pictures alone is too much: a camera must not eat the memory of the others.
            self.end()
            self.forget()

    def _give_up_first(self) -> None:
        self._bytes -= self._ring.popleft().bytes
        if self._writing is not None:
            self._writing = None
            self._outlet.end()

    def _close(self) -> None:
        if self._writing is not None:
            self._writing = None
            self._outlet.end()
        if self._ring and not self._ring[0].headed:
            self._bytes -= self._ring.popleft().bytes
