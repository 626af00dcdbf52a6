"""Pre-roll: the last seconds of a camera, kept in memory while a standby waits, and written first when it takes over (SPEC 6).

What stands between a session and a writer here looks like a writer to the session. Until it is told to record it keeps a ring of whole
groups of pictures; then it hands the ring over first, as fast as the disks take it, and every new frame behind it, in order.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from sysmanager.recorder.segments import Frame, StreamKind

WAITING_LIMIT_BYTES: Final = 1 << 20
"""So much of the ring may wait for a disk at a time: 64 cameras that take over at once must not make their disks look too slow."""


class Outlet(Protocol):
    """What takes the frames in the end: a camera's gate or writer."""

    @property
    def waiting_bytes(self) -> int:
        """What was taken and no disk has taken yet."""

    def begin(self, kind: StreamKind) -> None: ...

    def put(self, frame: Frame) -> bool: ...

    def end(self) -> None: ...


class RingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """keep_ms: how far back the ring reaches at least. limit_bytes: what it may take of memory; where that is less, it reaches less far."""

    keep_ms: int
    limit_bytes: int = 16 << 20


class _Group:
    """A key frame and what follows up to the next one. `kind`: of the stream, if it is the first of a session."""

    __slots__ = ("bytes", "frames", "kind")

    def __init__(self, kind: StreamKind | None) -> None:
        self.kind = kind
        self.frames: list[Frame] = []
        self.bytes = 0


class FrameRing:
    """Whole groups of pictures, the newest last. Not thread safe."""

    def __init__(self, settings: RingSettings) -> None:
        self._settings = settings
        self._groups: deque[_Group] = deque()
        self._kind: StreamKind | None = None
        self._begun = False
        self._bytes = 0
        self.keep_all = False
        """Whether nothing goes for its age: only what is beyond the memory."""

    @property
    def size_bytes(self) -> int:
        return self._bytes

    def resize(self, settings: RingSettings) -> None:
        """Reach further or less far from the next frame on."""
        self._settings = settings

    def begin(self, kind: StreamKind) -> None:
        """A session was opened. What an earlier one gave stays: it may be all that there is of those seconds."""
        self._kind = kind
        self._begun = True

    def put(self, frame: Frame) -> bool:
        """False before the first key frame of a session. RuntimeError before any session."""
        if self._kind is None:
            raise RuntimeError("frames came before begin()")
        if frame.key:
            self._groups.append(_Group(self._kind if self._begun else None))
            self._begun = False
        elif self._begun or not self._groups:
            return False
        group = self._groups[-1]
        group.frames.append(frame)
        group.bytes += len(frame.data)
        self._bytes += len(frame.data)
        if not self.keep_all or self._bytes > self._settings.limit_bytes:
            self._trim(0 if self.keep_all else frame.pts_us - self._settings.keep_ms * 1000)
        return True

    def _trim(self, from_us: int) -> None:
        while len(self._groups) > 1 and (self._bytes > self._settings.limit_bytes or self._groups[1].frames[0].pts_us <= from_us):
            gone = self._groups.popleft()
            self._bytes -= gone.bytes
            if self._groups[0].kind is None:
                self._groups[0].kind = gone.kind
        if self._bytes > self._settings.limit_bytes:
            # One group of pictures alone is too much: a camera must not eat the memory of the others.
            self._groups.clear()
            self._bytes = 0
            self._begun = True

    def reaches_ms(self, now_us: int) -> int:
        """How far back it reaches from now, in milliseconds; 0 while it is empty. A hole inside is not told."""
        return max(0, (now_us - self._groups[0].frames[0].pts_us) // 1000) if self._groups else 0

    def empty(self) -> Iterator[tuple[StreamKind | None, Frame]]:
        """All frames, oldest first, each with the kind of its stream where one begins; the ring is empty afterwards."""
        groups, self._groups, self._bytes = self._groups, deque(), 0
        for group in groups:
            for at, frame in enumerate(group.frames):
                yield (group.kind if at == 0 else None), frame


class PreRoll:
    """Takes one camera's frames from its session; see above. Thread safe; no call waits for a disk."""

    def __init__(self, settings: RingSettings, *, keep_all: bool = False) -> None:
        self._lock = threading.Lock()
        self._ring: FrameRing | None = FrameRing(settings)
        self._ring.keep_all = keep_all
        self._writer: Outlet | None = None
        self._waiting: deque[tuple[StreamKind | None, Frame]] = deque()
        self._kind: StreamKind | None = None

    def record(self, writer: Outlet) -> None:
        """From now on everything goes to the writer, what the ring holds first."""
        with self._lock:
            ring, self._ring = self._ring, None
            if ring is None:
                raise RuntimeError("it records already")
            self._writer = writer
            self._waiting.extend(ring.empty())
            if not self._waiting and self._kind is not None:
                writer.begin(self._kind)
            self._feed(writer)

    def resize(self, settings: RingSettings) -> None:
        with self._lock:
            if self._ring is not None:
                self._ring.resize(settings)

    def keep_all(self, keep: bool) -> None:
        """Let nothing go for its age from now on, as far as the memory goes; or again."""
        with self._lock:
            if self._ring is not None:
                self._ring.keep_all = keep

    def reaches_ms(self, now_us: int) -> int:
        with self._lock:
            return self._ring.reaches_ms(now_us) if self._ring is not None else 0

    # -- what a session sees

    def begin(self, kind: StreamKind) -> None:
        with self._lock:
            self._kind = kind
            if self._ring is not None:
                self._ring.begin(kind)
            elif self._writer is not None:
                self._feed(self._writer, all_of_it=True)
                self._writer.begin(kind)

    def put(self, frame: Frame) -> bool:
        with self._lock:
            if self._ring is not None:
                return self._ring.put(frame)
            assert self._writer is not None, "it keeps a ring or has a writer"
            if not self._waiting:
                return self._writer.put(frame)
            self._waiting.append((None, frame))
            self._feed(self._writer)
            return True

    def end(self) -> None:
        with self._lock:
            if self._writer is not None:
                self._feed(self._writer, all_of_it=True)
                self._writer.end()

    def _feed(self, writer: Outlet, *, all_of_it: bool = False) -> None:
        while self._waiting and (all_of_it or writer.waiting_bytes < WAITING_LIMIT_BYTES):
            kind, frame = self._waiting.popleft()
            if kind is not None:
                writer.begin(kind)
            writer.put(frame)
