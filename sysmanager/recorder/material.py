"""Writing one camera's footage: cutting segments, and carrying frames to another disk when one is lost.

A frame is kept in memory until its bytes are synced, together with the frames back to its key frame. So whatever a lost disk may have
taken with it is written again, to another disk, as a segment that can be played by itself; while no disk can be written it waits.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Protocol

import av
import msgspec
import structlog

from sysmanager.recorder.diskwriter import DiskFile, FileOwner
from sysmanager.recorder.index import IndexLine, index_name
from sysmanager.recorder.muxers import Muxed, Muxer, muxer_for
from sysmanager.recorder.segments import Frame, SegmentName, StreamKind, container_for

log = structlog.get_logger()

CLOCK_STEP_US = 1_000_000
HASH_BYTES = 64 << 10


class SegmentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`segment_ms`: a new segment begins at the first key frame after it. `memory_limit_bytes`: frames kept of one camera."""

    segment_ms: int = 60_000
    memory_limit_bytes: int = 24 << 20


class Recorded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A frame was taken by the system: it survives the death of this process. Wall-clock milliseconds."""

    camera: str
    epoch: int
    frame_ms: int


class Disks(Protocol):
    """What a camera's writer needs of the material disks (`DiskSet`)."""

    def open(self, relative: PurePosixPath, spread_by: str, owner: FileOwner) -> DiskFile | None: ...


class CameraWriter:
    """Takes one camera's frames and puts them on disks. Thread safe; no call waits for a disk.

    `recorded` is called for each frame once, from a disk's thread, in the order of decoding. Counters: `lost_frames` were dropped
    because no disk took them in time; `damaged_frames` could not be put into a segment.
    """

    def __init__(
        self,
        camera: str,
        recorder: str,
        disks: Disks,
        *,
        epoch: int,
        settings: SegmentSettings,
        recorded: Callable[[Recorded], None],
    ) -> None:
        self.lost_frames = 0
        self.damaged_frames = 0
        self._camera = camera
        self._recorder = recorder
        self._disks = disks
        self._epoch = epoch
        self._why = ""
        self._settings = settings
        self._recorded = recorded
        self._lock = threading.Lock()
        self._kind: StreamKind | None = None
        self._current: _Stretch | None = None
        self._stretches: list[_Stretch] = []

    def begin(self, kind: StreamKind) -> None:
        """A stream begins: a session was opened, or the camera changed what it sends."""
        with self._lock:
            self._finish_current()
            self._kind = kind

    def set_epoch(self, epoch: int) -> None:
        """Frames from the next key frame on belong to this epoch."""
        with self._lock:
            self._epoch = epoch

    def set_why(self, why: str) -> None:
        """Why frames are kept from the next key frame on, for the index."""
        with self._lock:
            self._why = why

    def put(self, frame: Frame) -> bool:
        """Take a frame; False when it was dropped, as nothing can be played before the first key frame of a stream."""
        with self._lock:
            if self._kind is None:
                raise RuntimeError("frames came before begin()")
            if self._current is not None and frame.key and self._is_time_to_cut(self._current, frame):
                self._finish_current()
            if self._current is None:
                if not frame.key:
                    return False
                self._current = _Stretch(self._epoch, self._kind, frame, self._why)
                self._stretches.append(self._current)
            stretch = self._current
            stretch.keep(frame)
            if stretch.copy is not None:
                self._write(stretch.copy, frame)
            elif frame.key:
                self._house()
            if stretch.kept_bytes > self._settings.memory_limit_bytes or len(self._stretches) > 1:
                self._limit_memory()
            return True

    def end(self) -> None:
        """The stream ended: its segment is completed."""
        with self._lock:
            self._finish_current()

    @property
    def waiting_bytes(self) -> int:
        """What was taken and no disk has taken yet."""
        with self._lock:
            return sum(stretch.waiting_bytes for stretch in self._stretches)

    def retry(self) -> None:
        """A disk came back: write what is waiting."""
        with self._lock:
            self._house()

    def idle(self) -> bool:
        """Whether everything taken is on a disk and complete."""
        with self._lock:
            return not self._stretches

    # -- with the lock held

    def _is_time_to_cut(self, stretch: _Stretch, frame: Frame) -> bool:
        return (
            stretch.epoch != self._epoch
            or stretch.why != self._why
            or frame.dts_us - stretch.from_us >= self._settings.segment_ms * 1000
            or frame.dts_us < stretch.last_dts_us - CLOCK_STEP_US
        )

    def _finish_current(self) -> None:
        stretch, self._current = self._current, None
        if stretch is not None:
            stretch.open = False
            self._house()
            if stretch.copy is not None:
                self._complete(stretch.copy)

    def _house(self) -> None:
        """Find a disk for every stretch that has none; complete those that get no more frames."""
        for stretch in list(self._stretches):
            if stretch.copy is not None or not stretch.groups:  # the latter was given up meanwhile, as it could not be stored
                continue
            first = stretch.groups[0].frames[0]
            name = SegmentName(
                camera=self._camera,
                recorder=self._recorder,
                epoch=stretch.epoch,
                start_ms=min(first.dts_us, first.pts_us) // 1000,
                container=container_for(stretch.kind),
            )
            try:
                muxer = muxer_for(stretch.kind, name.start_ms, first)
            except (av.FFmpegError, ValueError, IndexError) as error:
                self._cannot_begin(stretch, error)
                continue
            copy = _Copy(self, stretch, muxer)
            file = self._disks.open(name.relative, self._camera, copy)
            if file is None:
                return
            copy.file = file
            stretch.copy = copy
            for group in stretch.groups:
                group.end_bytes = None
                for frame in group.frames:
                    self._write(copy, frame)
            if not stretch.open:
                self._complete(copy)

    def _write(self, copy: _Copy, frame: Frame) -> None:
        try:
            muxed = copy.muxer.add(frame)
        except (av.FFmpegError, ValueError) as error:
            self._damaged(1, error)
            return
        copy.put_out(muxed)

    def _damaged(self, frames: int, error: Exception) -> None:
        before, self.damaged_frames = self.damaged_frames, self.damaged_frames + frames
        if before.bit_length() != self.damaged_frames.bit_length():  # at 1, 2, 4, … of them
            problem = getattr(error, "strerror", None) or str(error)
            log.warning("frame cannot be stored", camera=self._camera, problem=problem, frames=self.damaged_frames)

    def _cannot_begin(self, stretch: _Stretch, error: Exception) -> None:
        """Its first group of pictures makes no segment: the next key frame tries again."""
        group = stretch.groups.popleft()
        stretch.kept_bytes -= group.bytes
        self._damaged(len(group.frames), error)
        if stretch.groups:
            stretch.from_us = stretch.groups[0].frames[0].dts_us
            self._house()
            return
        self._stretches.remove(stretch)
        if self._current is stretch:
            self._current = None

    def _complete(self, copy: _Copy) -> None:
        assert copy.file is not None
        try:
            copy.put_out(copy.muxer.close())
        except (av.FFmpegError, ValueError) as error:
            self._damaged(1, error)
        copy.file.close()

    def _limit_memory(self) -> None:
        kept = 0
        for stretch in self._stretches:
            kept += stretch.kept_bytes
        if kept <= self._settings.memory_limit_bytes:
            return
        for stretch in list(self._stretches):
            while kept > self._settings.memory_limit_bytes and stretch.groups:
                if stretch is self._current and len(stretch.groups) == 1:
                    break
                group = stretch.groups.popleft()
                kept -= group.bytes
                stretch.kept_bytes -= group.bytes
                self.lost_frames += sum(1 for frame in group.frames if not frame.sound and frame.dts_us > stretch.reported_dts_us)
            if not stretch.groups and stretch.copy is None:
                self._stretches.remove(stretch)
            elif stretch.copy is None:
                stretch.from_us = stretch.groups[0].frames[0].dts_us
        if kept > self._settings.memory_limit_bytes and self._current is not None:
            # One group of pictures alone is too much: give it up, a camera must not eat the memory of the others.
            stretch, self._current = self._current, None
            stretch.open = False
            if stretch.copy is not None:
                self._complete(stretch.copy)
            else:
                self._stretches.remove(stretch)
                self.lost_frames += sum(not frame.sound for group in stretch.groups for frame in group.frames)

    # -- what a disk says of a copy

    def _accepted(self, copy: _Copy, file_bytes: int) -> None:
        new: list[Recorded] = []
        with self._lock:
            if copy.stretch.copy is not copy:
                return
            copy.accepted_bytes = file_bytes
            while copy.unreported and copy.unreported[0][0] <= file_bytes:
                frame = copy.unreported.popleft()[1]
                if frame.dts_us > copy.stretch.reported_dts_us:  # not when it is written a second time, to another disk
                    copy.stretch.reported_dts_us = frame.dts_us
                    new.append(Recorded(camera=self._camera, epoch=copy.stretch.epoch, frame_ms=frame.pts_us // 1000))
        for recorded in new:
            self._recorded(recorded)

    def _synced(self, copy: _Copy, file_bytes: int) -> None:
        with self._lock:
            if copy.stretch.copy is copy:
                copy.stretch.forget(file_bytes)

    def _closed(self, copy: _Copy, path: Path, file_bytes: int) -> None:
        with self._lock:
            if copy.stretch.copy is not copy:
                return
            if copy.stretch in self._stretches:
                self._stretches.remove(copy.stretch)
            if copy.frames and copy.file is not None:
                line = IndexLine(
                    file=path.name,
                    size_bytes=file_bytes,
                    frames=copy.frames,
                    first_frame_ms=copy.first_us // 1000,
                    last_frame_ms=copy.last_us // 1000,
                    sha256=copy.digest(),
                    why=copy.stretch.why,
                )
                copy.file.append_beside(index_name(self._recorder), line.encode())

    def _lost(self, copy: _Copy) -> None:
        with self._lock:
            stretch = copy.stretch
            if stretch.copy is not copy:
                return
            stretch.copy = None
            if not stretch.groups:
                # All given up by the limit of memory: what the disk took is there, the rest is lost and counted.
                if stretch in self._stretches:
                    self._stretches.remove(stretch)
                return
            stretch.from_us = stretch.groups[0].frames[0].dts_us
            self._house()


class _Group:
    """A key frame and what follows up to the next one. `end_bytes`: where its last written frame ends in the present file."""

    __slots__ = ("bytes", "end_bytes", "frames")

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.bytes = 0
        self.end_bytes: int | None = None


class _Stretch:
    """Frames of one stream under one epoch that make a segment, as far as they are still needed; and its copy on a disk, if any."""

    def __init__(self, epoch: int, kind: StreamKind, first: Frame, why: str) -> None:
        self.epoch = epoch
        self.why = why
        self.kind = kind
        self.from_us = first.dts_us
        self.last_dts_us = first.dts_us
        self.reported_dts_us = -1
        self.open = True
        self.copy: _Copy | None = None
        self.groups: deque[_Group] = deque()
        self.kept_bytes = 0

    def keep(self, frame: Frame) -> None:
        if frame.key or not self.groups:
            self.groups.append(_Group())
        group = self.groups[-1]
        group.frames.append(frame)
        group.bytes += len(frame.data)
        self.kept_bytes += len(frame.data)
        if not frame.sound:
            self.last_dts_us = frame.dts_us

    @property
    def waiting_bytes(self) -> int:
        return self.copy.bytes - self.copy.accepted_bytes if self.copy is not None else self.kept_bytes

    def note_end(self, frame: Frame, end_bytes: int) -> None:
        for group in reversed(self.groups):
            if group.frames[0].dts_us <= frame.dts_us:
                group.end_bytes = end_bytes
                return

    def forget(self, synced_bytes: int) -> None:
        """Drop the groups that are synced, but for the last: frames to come depend on it."""
        while len(self.groups) > 1 and (end := self.groups[0].end_bytes) is not None and end <= synced_bytes:
            self.kept_bytes -= self.groups.popleft().bytes


class _Copy(FileOwner):
    """One try to write a stretch to a disk."""

    def __init__(self, writer: CameraWriter, stretch: _Stretch, muxer: Muxer) -> None:
        self.stretch = stretch
        self.muxer = muxer
        self.file: DiskFile | None = None
        self.bytes = 0
        self.accepted_bytes = 0
        self._sha256 = hashlib.sha256()
        self._unhashed: list[bytes] = []
        self._unhashed_bytes = 0
        self.frames = 0
        self.first_us = 0
        self.last_us = 0
        self.unreported: deque[tuple[int, Frame]] = deque()
        self._writer = writer

    def put_out(self, muxed: Muxed) -> None:
        """Bytes go to the disk; frames are noted that are whole in the file, as far as it goes now."""
        data = muxed.data
        self.bytes += len(data)
        for frame in muxed.whole:
            if not frame.sound:
                self._note(frame)
            self.stretch.note_end(frame, self.bytes)
        if data:
            assert self.file is not None
            # Hashed in large portions: each call lets other threads run, and hands over to them.
            self._unhashed.append(data)
            self._unhashed_bytes += len(data)
            if self._unhashed_bytes >= HASH_BYTES:
                self._hash_all()
            self.file.write(data)

    def _note(self, frame: Frame) -> None:
        at_us = frame.pts_us
        if not self.frames or at_us < self.first_us:
            self.first_us = at_us
        if not self.frames or at_us > self.last_us:
            self.last_us = at_us
        self.frames += 1
        self.unreported.append((self.bytes, frame))

    def digest(self) -> str:
        self._hash_all()
        return self._sha256.hexdigest()

    def _hash_all(self) -> None:
        data, self._unhashed, self._unhashed_bytes = b"".join(self._unhashed), [], 0
        self._sha256.update(data)

    def accepted(self, file_bytes: int) -> None:
        self._writer._accepted(self, file_bytes)

    def synced(self, file_bytes: int) -> None:
        self._writer._synced(self, file_bytes)

    def closed(self, path: Path, file_bytes: int) -> None:
        self._writer._closed(self, path, file_bytes)

    def lost(self, problem: str) -> None:
        self._writer._lost(self)
