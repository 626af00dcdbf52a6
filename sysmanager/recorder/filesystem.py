"""What a material disk's writer asks of a file system; a small port, so that a hanging or full disk can be tried without one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import msgspec

FOLDER_TRIES: Final = 2


class Space(msgspec.Struct, frozen=True, kw_only=True):
    free_bytes: int
    total_bytes: int


class FileSystem(Protocol):
    """All calls may block, and raise OSError."""

    def create(self, path: Path) -> BinaryIO:
        """A new, empty file with its folders; FileExistsError if there is one. Unbuffered."""

    def write(self, file: BinaryIO, data: bytes) -> None:
        """All of the bytes, or OSError."""

    def sync(self, file: BinaryIO) -> None: ...

    def close(self, file: BinaryIO) -> None: ...

    def append(self, path: Path, data: bytes) -> None:
        """Add to a file, made with its folders when missing, and sync."""

    def space(self, disk: Path) -> Space:
        """OSError when the folder of the disk is not there."""

    def try_out(self, disk: Path, name: str) -> None:
        """Write, sync and remove a small file in the disk's folder, which must be there."""


class LocalFileSystem:
    """The file system of this machine. Never makes the folder of a disk itself: a share that is not mounted must not look like one."""

    def create(self, path: Path) -> BinaryIO:
        return self._in_its_folder(path, lambda: path.open("xb", buffering=0))

    def write(self, file: BinaryIO, data: bytes) -> None:
        written = file.write(data)
        while written < len(data):
            written += file.write(memoryview(data)[written:])

    def sync(self, file: BinaryIO) -> None:
        os.fsync(file.fileno())

    def close(self, file: BinaryIO) -> None:
        file.close()

    def append(self, path: Path, data: bytes) -> None:
        with self._in_its_folder(path, lambda: path.open("ab", buffering=0)) as file:
            self.write(file, data)
            self.sync(file)

    def space(self, disk: Path) -> Space:
        usage = shutil.disk_usage(disk)
        return Space(free_bytes=usage.free, total_bytes=usage.total)

    def try_out(self, disk: Path, name: str) -> None:
        path = disk / name
        try:
            with path.open("wb", buffering=0) as file:
                self.write(file, b"write test\n" * 40)
                self.sync(file)
        finally:
            path.unlink(missing_ok=True)

    def _in_its_folder(self, path: Path, opened: Callable[[], BinaryIO]) -> BinaryIO:
        for _ in range(FOLDER_TRIES):
            try:
                self._make_folder(path)
                return opened()
            except FileNotFoundError:  # retention takes empty folders away, and this one was empty until now; or the disk is not there
                continue
        self._make_folder(path)
        return opened()

    @staticmethod
    def _make_folder(path: Path) -> None:
        folder = path.parent
        if folder.is_dir():
            return
        # <disk>/<camera>/<day>/file: the disk itself has to be there.
        if not folder.parent.is_dir():
            folder.parent.mkdir()
        folder.mkdir(exist_ok=True)
