"""What footage lies on material disks, for people: stretches of time, and whether every piece is what its index says (SPEC 16)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from sysmanager.recorder.evidence import EvidenceLock
from sysmanager.recorder.footage import cameras_on
from sysmanager.recorder.index import Segment, index_name, read_index, read_segment, segments
from sysmanager.recorder.retention import LENGTH_MS
from sysmanager.recorder.segments import SegmentName, camera_folder
from sysmanager.recorder.transfer.hours import sha256_of

JOINED_MS: Final = 2_000
"""Footage with a smaller hole is one stretch: a camera with a frame a second has no more."""


QUIET_MS: Final = 10_000
"""What nobody has written to for so long is not being written."""


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Footage of one camera by one recorder under one epoch without a hole; wall-clock milliseconds of its first and last frame.

    frames: as its pieces count them, double where they overlap. locked: some of it is locked as evidence.
    why: see `IndexLine`; footage that is known to be kept for another reason is another stretch.
    """

    camera: str
    recorder: str
    epoch: int
    first_frame_ms: int
    last_frame_ms: int
    segments: int
    frames: int
    bytes: int
    locked: bool = False
    why: str = ""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """One piece as it was read. problem: one sentence, empty if it is sound. indexed: its index has a line for it."""

    path: Path
    camera: str
    frames: int
    indexed: bool
    problem: str = ""


def pieces(disks: Sequence[Path], cameras: Sequence[str], from_ms: int, until_ms: int) -> Iterator[Segment]:
    """All pieces with a frame in the span, camera by camera in the order of time. No cameras: all that have footage there."""
    for camera in cameras or cameras_on(tuple(disks)):
        yield from (each for each in segments(disks, camera) if each.first_frame_ms <= until_ms and from_ms <= each.last_frame_ms)


def unreadable(disks: Sequence[Path], cameras: Sequence[str], from_ms: int, until_ms: int, now_ms: int) -> Iterator[Verified]:
    """What lies there as a piece that may have been of the span, and no frame of it can be read: it is not among the `pieces`.

    An empty one is none yet, nor is one that is in no index and that somebody may be writing.
    """
    for disk in disks:
        for camera in cameras or cameras_on((disk,)):
            for path in sorted((disk / camera_folder(camera)).glob("*/*")):
                name = SegmentName.parse(path)
                if name is None or name.camera != camera or not (name.start_ms <= until_ms and from_ms <= name.start_ms + LENGTH_MS):
                    continue
                indexed = path.name in read_index(path.parent / index_name(name.recorder))
                if (indexed or _is_left(path, now_ms)) and read_segment(path) is None:
                    yield Verified(path=path, camera=camera, frames=0, indexed=indexed, problem="No frame of it can be read.")


def _is_left(path: Path, now_ms: int) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return found.st_size > 0 and not -QUIET_MS < now_ms - found.st_mtime * 1000 < QUIET_MS


def stretches(found: Iterable[Segment], locks: Sequence[EvidenceLock] = ()) -> list[Stretch]:
    """Pieces put together, by camera and time."""
    made: list[Stretch] = []
    open_ones: dict[tuple[str, str, int], int] = {}
    for piece in found:
        key = (piece.name.camera, piece.name.recorder, piece.name.epoch)
        size = _size(piece.path)
        locked = any(lock.covers(piece.name.camera, piece.first_frame_ms, piece.last_frame_ms) for lock in locks)
        at = open_ones.get(key)
        earlier = made[at] if at is not None else None
        if at is not None and earlier is not None and _goes_on(earlier, piece):
            made[at] = msgspec.structs.replace(
                earlier,
                last_frame_ms=max(earlier.last_frame_ms, piece.last_frame_ms),
                segments=earlier.segments + 1,
                frames=earlier.frames + piece.frames,
                bytes=earlier.bytes + size,
                locked=earlier.locked or locked,
                why=earlier.why or piece.why,
            )
            continue
        open_ones[key] = len(made)
        made.append(
            Stretch(
                camera=piece.name.camera,
                recorder=piece.name.recorder,
                epoch=piece.name.epoch,
                first_frame_ms=piece.first_frame_ms,
                last_frame_ms=piece.last_frame_ms,
                segments=1,
                frames=piece.frames,
                bytes=size,
                locked=locked,
                why=piece.why,
            )
        )
    return made


def _goes_on(stretch: Stretch, piece: Segment) -> bool:
    alike = stretch.why == piece.why or "" in (stretch.why, piece.why)
    return alike and piece.first_frame_ms - stretch.last_frame_ms <= JOINED_MS


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _checksum(path: Path) -> str:
    """Empty where it cannot be read."""
    try:
        return sha256_of(path)
    except OSError:
        return ""


def verify(piece: Segment) -> Verified:
    """Read one piece from end to end and compare it with its line in the index. Blocks."""
    line = read_index(piece.path.parent / index_name(piece.name.recorder)).get(piece.path.name)
    read = read_segment(piece.path)
    problem = ""
    if read is None:
        problem = "No frame of it can be read."
    elif line is not None and _size(piece.path) != line.size_bytes:
        problem = f"It has {_size(piece.path)} bytes, and its index says {line.size_bytes}."
    elif line is not None and read.frames != line.frames:
        problem = f"{read.frames} frames can be read, and its index says {line.frames}."
    elif line is not None and (abs(read.first_frame_ms - line.first_frame_ms) > 1 or abs(read.last_frame_ms - line.last_frame_ms) > 1):
        problem = "Its first or last frame has another time than its index says."
    elif line is not None and line.sha256 and _checksum(piece.path) != line.sha256:
        problem = "It holds other bytes than were written: its index names another checksum."
    return Verified(
        path=piece.path, camera=piece.name.camera, frames=read.frames if read is not None else 0, indexed=line is not None, problem=problem
    )
