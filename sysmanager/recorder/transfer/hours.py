"""Footage by the hour, as a source names it: complete pieces, each with its SHA-256, and the digest over them (protocol/MATERIAL.md)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from sysmanager.domain.ids import CameraId, Epoch
from sysmanager.domain.jobs import HOUR_MS, MaterialHour
from sysmanager.recorder.index import IndexLine, index_name, read_index, read_segment, segment_files
from sysmanager.recorder.segments import SegmentName, camera_folder

BLOCK_BYTES: Final = 1 << 20

OPEN_S: Final = 30.0
"""A piece without a line in the index that was written to so lately may still be open. Open pieces are synced every 5 s."""


class StoredPiece(msgspec.Struct, frozen=True, kw_only=True):
    """One complete piece on a disk. Wall-clock milliseconds of its first and last frame. why: it was kept, as its index says."""

    path: Path
    name: SegmentName
    sha256: str
    size_bytes: int
    frames: int
    first_ms: int
    last_ms: int
    why: str = ""

    @property
    def hour(self) -> int:
        return self.first_ms // HOUR_MS


def sha256_of(path: Path) -> str:
    """Of a file's content, read now; 64 hexadecimal digits. Raises OSError. Blocks."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(BLOCK_BYTES)
        view = memoryview(buffer)
        while read := file.readinto(buffer):
            digest.update(view[:read])
    return digest.hexdigest()


def digest_of(checksums: Iterable[str]) -> str:
    """Of an hour, from the checksums of its pieces in their order."""
    return hashlib.sha256("".join(checksums).encode("ascii")).hexdigest()


class Shelf:
    """What complete pieces lie on these disks. Remembers what it had to read; thread safe by itself, and blocks.

    wall_s: the clock that files are stamped with, seconds since 1970.
    """

    def __init__(self, disks: Sequence[Path], wall_s: Callable[[], float] = time.time) -> None:
        self._disks = tuple(disks)
        self._wall_s = wall_s
        self._known: dict[Path, tuple[int, StoredPiece]] = {}

    def pieces(self, camera: CameraId, epoch: Epoch, hour: int | None = None) -> list[StoredPiece]:
        """Of a camera under an epoch, in order of time; of one hour only, if it is given.

        What a disk does not give, what has no frame and what is still being written is passed over; what lies on two disks counts once.
        """
        found: dict[tuple[str, str], StoredPiece] = {}
        for disk in self._disks:
            for day in _days(disk / camera_folder(camera)):
                indexes: dict[str, dict[str, IndexLine]] = {}
                for path in segment_files(day):
                    name = SegmentName.parse(path)
                    place = (day.name, path.name)  # the name alone tells the time of day only
                    if name is None or name.camera != camera or name.epoch != epoch or place in found:
                        continue
                    if hour is not None and not (hour - 1) * HOUR_MS <= name.start_ms < (hour + 1) * HOUR_MS:
                        continue
                    if name.recorder not in indexes:
                        indexes[name.recorder] = read_index(day / index_name(name.recorder))
                    piece = self._piece(path, name, indexes[name.recorder].get(path.name))
                    if piece is not None and hour in (None, piece.hour):
                        found[place] = piece
        return sorted(found.values(), key=lambda piece: (piece.first_ms, piece.path.name))

    def _piece(self, path: Path, name: SegmentName, line: IndexLine | None) -> StoredPiece | None:
        try:
            status = path.stat()
            if line is not None and line.size_bytes == status.st_size and line.sha256:
                return StoredPiece(
                    path=path,
                    name=name,
                    sha256=line.sha256,
                    size_bytes=line.size_bytes,
                    frames=line.frames,
                    first_ms=line.first_frame_ms,
                    last_ms=line.last_frame_ms,
                    why=line.why,
                )
            known = self._known.get(path)
            if known is not None and known[0] == status.st_mtime_ns and known[1].size_bytes == status.st_size:
                return known[1]
            if line is None and self._wall_s() - status.st_mtime < OPEN_S:
                return None
            segment = read_segment(path)
            if segment is None:
                return None
            piece = StoredPiece(
                path=path,
                name=name,
                sha256=sha256_of(path),
                size_bytes=status.st_size,
                frames=segment.frames,
                first_ms=segment.first_frame_ms,
                last_ms=segment.last_frame_ms,
            )
        except OSError:
            return None
        self._known[path] = (status.st_mtime_ns, piece)
        return piece


def _days(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []


def hours_of(pieces: Iterable[StoredPiece]) -> list[MaterialHour]:
    """By hour, in order of time."""
    by_hour: dict[int, list[StoredPiece]] = {}
    for piece in pieces:
        by_hour.setdefault(piece.hour, []).append(piece)
    return [
        MaterialHour(
            hour,
            min(piece.first_ms for piece in found),
            max(piece.last_ms for piece in found),
            sum(piece.frames for piece in found),
            len(found),
            sum(piece.size_bytes for piece in found),
            digest_of(piece.sha256 for piece in found),
        )
        for hour, found in sorted(by_hour.items())
    ]
