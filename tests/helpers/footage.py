"""Frames, disks and recorded footage for tests of the recorder's I/O."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from sysmanager.recorder.disks import DiskSettings
from sysmanager.recorder.filesystem import LocalFileSystem, Space
from sysmanager.recorder.index import read_frames, segments
from sysmanager.recorder.segments import Frame, StreamKind
from sysmanager.simulation.cameras.clip import Clip, ClipShape, load_clip
from sysmanager.simulation.cameras.sei import FrameMark, encode_mark, read_sei

H264 = StreamKind(codec="h264")
START_US = 1_790_000_000_000_000
QUICK_DISKS = DiskSettings(
    hang_limit_s=0.3, tick_s=0.02, health_every_s=0.05, write_test_every_s=0.05, sync_every_s=0.1, retry_every_s=0.1, reserve_bytes=1000
)
WAIT_S = 10.0
"""Patience with something that takes milliseconds on a machine that does nothing else."""


class FaultyFileSystem(LocalFileSystem):
    """The local file system, whose folders can be told to hang, to fail, to be full or to vanish."""

    def __init__(self) -> None:
        self._gates: dict[Path, threading.Event] = {}
        self._errors: dict[Path, int] = {}
        self._free: dict[Path, int] = {}
        self._slow: dict[Path, float] = {}
        self._never = threading.Event()
        self.syncs = 0

    def hang(self, disk: Path) -> None:
        self._gates[disk] = threading.Event()

    def fail(self, disk: Path, number: int = errno.EIO) -> None:
        self._errors[disk] = number

    def fill(self, disk: Path, free_bytes: int = 0) -> None:
        self._free[disk] = free_bytes

    def slow(self, disk: Path, call_s: float) -> None:
        self._slow[disk] = call_s

    def heal(self) -> None:
        self._errors.clear()
        self._free.clear()
        self._slow.clear()
        gates, self._gates = self._gates, {}
        for gate in gates.values():
            gate.set()

    def _enter(self, path: Path) -> None:
        for disk, gate in list(self._gates.items()):
            if path.is_relative_to(disk):
                gate.wait()
        for disk, call_s in list(self._slow.items()):
            if path.is_relative_to(disk):
                self._never.wait(call_s)
        for disk, number in list(self._errors.items()):
            if path.is_relative_to(disk):
                raise OSError(number, os.strerror(number), str(path))

    def create(self, path: Path) -> BinaryIO:
        self._enter(path)
        return super().create(path)

    def write(self, file: BinaryIO, data: bytes) -> None:
        self._enter(Path(file.name))
        super().write(file, data)

    def sync(self, file: BinaryIO) -> None:
        self._enter(Path(file.name))
        self.syncs += 1
        super().sync(file)

    def append(self, path: Path, data: bytes) -> None:
        self._enter(path)
        super().append(path, data)

    def space(self, disk: Path) -> Space:
        self._enter(disk)
        space = super().space(disk)
        return Space(free_bytes=self._free.get(disk, space.free_bytes), total_bytes=space.total_bytes)

    def try_out(self, disk: Path, name: str) -> None:
        self._enter(disk)
        super().try_out(disk, name)


class Gauge:
    """Waits for something that threads bring about: `notice` is their listener."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.seen: list[object] = []

    def notice(self, event: object) -> None:
        with self._changed:
            self.seen.append(event)
            self._changed.notify_all()

    def pause(self) -> None:
        """Let the threads go on for a moment."""
        with self._changed:
            self._changed.wait(0.02)

    def wait(self, condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
        """Until the condition holds; looked at with each notice, and now and then without one."""
        with self._changed:
            for _ in range(int(timeout_s / 0.02)):
                if condition():
                    return
                self._changed.wait(0.02)
        raise AssertionError("it did not come about")


def small_clip(cache: Path) -> Clip:
    return load_clip(cache, ClipShape(width=64, height=48, gop_frames=5, groups=4, bit_rate_kbps=50))


def marked_frames(clip: Clip, count: int, *, first: int = 0, camera: str = "cam-001", start_us: int = START_US) -> list[Frame]:
    """Frames of a camera, numbered in their marks, one fifteenth of a second apart."""
    frames: list[Frame] = []
    for number in range(first, first + count):
        picture = clip.frames[number % len(clip.frames)]
        at_us = start_us + number * 1_000_000 // 15
        mark = encode_mark(FrameMark(camera=camera, frame=number, captured_us=at_us))
        head = len(clip.parameter_sets) if picture.key else 0
        units = [*picture.units[:head], mark, *picture.units[head:]]
        frames.append(Frame(b"".join(b"\x00\x00\x00\x01" + unit for unit in units), picture.key, at_us, at_us))
    return frames


def numbers(disks: Iterable[Path], camera: str, epoch: int | None = None) -> list[int]:
    """The frame numbers in a camera's footage, segment by segment."""
    return [number for segment in segments(disks, camera, epoch) for number, _ in marks(segment.path)]


def marks(path: Path) -> list[tuple[int, int]]:
    """Of each frame in a segment: its number, and how far (µs) its time in the file is from the time in its mark."""
    found: list[tuple[int, int]] = []
    for frame in read_frames(path):
        mark = read_sei(frame.data)
        assert mark is not None
        found.append((mark.frame, frame.at_us - mark.captured_us))
    return found
