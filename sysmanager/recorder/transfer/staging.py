"""Where fetched pieces wait until their hour is whole: beside the material, on the same disk, where no player looks.

A piece that is being fetched ends in `.part`. One that has its own name is complete and synced, and survives every end of the process.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from sysmanager.domain.ids import CameraId, Epoch, JobId
from sysmanager.durable import sync_folder
from sysmanager.recorder.index import IndexLine, index_name
from sysmanager.recorder.segments import SegmentName
from sysmanager.recorder.transfer.hours import StoredPiece

FOLDER: Final = ".copying"
PART: Final = ".part"


class Staging:
    """The pieces of one job on all disks of this recorder. Every method blocks and raises OSError."""

    def __init__(self, disks: Sequence[Path], job: JobId) -> None:
        self._disks = tuple(disks)
        self._job = job

    def _folder(self, disk: Path) -> Path:
        return disk / FOLDER / self._job

    def complete(self, name: str) -> Path | None:
        """A piece that was fetched whole."""
        return next((path for disk in self._disks if (path := self._folder(disk) / name).is_file()), None)

    def part(self, name: str, disk: Path) -> Path:
        """Where a piece is fetched to: where a part of it lies already, else on this disk."""
        found = next((path for each in self._disks if (path := self._folder(each) / (name + PART)).is_file()), None)
        if found is not None:
            return found
        folder = self._folder(disk)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / (name + PART)

    def finish(self, part: Path) -> Path:
        """All bytes of it are there, synced and right: it gets its name."""
        whole = part.with_name(part.name.removesuffix(PART))
        part.replace(whole)
        sync_folder(whole.parent)
        return whole

    def publish(self, piece: StoredPiece) -> None:
        """Move a piece of a whole hour to the material, with its line in the index. It may be there already: nothing is written twice."""
        disk = piece.path.parents[2]
        target = disk / piece.name.relative.parent / piece.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            piece.path.replace(target)
        line = IndexLine(
            file=target.name,
            size_bytes=piece.size_bytes,
            frames=piece.frames,
            first_frame_ms=piece.first_ms,
            last_frame_ms=piece.last_ms,
            sha256=piece.sha256,
            why=piece.why,
        )
        with (target.parent / index_name(piece.name.recorder)).open("ab", buffering=0) as index:
            index.write(line.encode())
            os.fsync(index.fileno())
        sync_folder(target.parent)

    def remove(self) -> None:
        """Everything of the job that is not material yet."""
        for disk in self._disks:
            shutil.rmtree(self._folder(disk), ignore_errors=True)

    def remove_others(self) -> None:
        """What other jobs left: a target copies for one job at a time."""
        for disk in self._disks:
            try:
                others = [path for path in (disk / FOLDER).iterdir() if path.name != self._job]
            except OSError:
                continue
            for path in others:
                shutil.rmtree(path, ignore_errors=True)


def write_out(file: BinaryIO, data: bytes) -> None:
    """Write, and let the disk begin with it at once, where the system can be told so: the sync at the end then has little left to do."""
    start = file.tell()
    file.write(data)
    if sys.platform == "linux":
        file.flush()
        os.posix_fadvise(file.fileno(), start, len(data), os.POSIX_FADV_DONTNEED)


def sync(file: BinaryIO) -> None:
    """What was written to it survives the loss of power."""
    file.flush()
    os.fsync(file.fileno())


def is_piece_of(name: str, camera: CameraId, epoch: Epoch) -> bool:
    """Whether a source may name a file so: as a segment of this camera under this epoch is named, and no way out of its folder."""
    path = Path("2000-01-01") / name
    found = SegmentName.parse(path) if path.name == name else None
    return found is not None and (found.camera, found.epoch) == (camera, epoch)


def dated_name(name: str, first_ms: int) -> SegmentName:
    """What the name of a piece says, which holds the time of day only: it began on the day that is nearest to its first frame."""
    days = (time.strftime("%Y-%m-%d", time.gmtime(max(0, first_ms // 1000 + shift_s))) for shift_s in (0, -86_400, 86_400))
    found = [parsed for day in days if (parsed := SegmentName.parse(Path(day) / name)) is not None]
    return min(found, key=lambda parsed: abs(parsed.start_ms - first_ms))
