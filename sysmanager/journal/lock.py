"""One instance per data folder. The lock belongs to the process and goes with it, however it ends."""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["DataFolderError", "DataFolderLock", "DataFolderLocked", "DataFolderUnusable"]

LOCK_NAME = "instance.lock"
_LOCKED_OFFSET = 0x7FFF0000
"""Far behind the content: Windows lets nobody read a locked range, and the pid must stay readable."""


class DataFolderError(Exception):
    """Base; its text is one sentence for people."""


class DataFolderLocked(DataFolderError):
    """Another instance uses the folder. `pid` is None when it could not be read."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid is not None else "another process"
        super().__init__(f"The data folder {folder} is in use by {who}; end it first, or name another data folder.")
        self.folder = folder
        self.pid = pid


class DataFolderUnusable(DataFolderError):
    """The folder can't be created or written."""


class DataFolderLock:
    """`with DataFolderLock(folder):` or `acquire` and `release`. Creates the folder if it is missing.

    Raises `DataFolderLocked`, `DataFolderUnusable`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: IO[bytes] | None = None

    def acquire(self) -> None:
        path = self.folder / LOCK_NAME
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644), "r+b", buffering=0)
        except OSError as error:
            raise self._unusable(error) from error
        if not _try_lock(file):
            pid = _pid_in(file)
            file.close()
            raise DataFolderLocked(self.folder, pid)
        try:
            file.seek(0)
            file.truncate()
            file.write(f"{os.getpid()}\n".encode())
        except OSError as error:
            file.close()
            raise self._unusable(error) from error
        self._file = file

    def release(self) -> None:
        """The file stays: deleting it could let two instances lock two files of one name."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> "DataFolderLock":
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def _unusable(self, error: OSError) -> DataFolderUnusable:
        reason = error.strerror or str(error)
        return DataFolderUnusable(f"The data folder {self.folder} can't be written ({reason}); give this user the right, or name another.")


def _try_lock(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            file.seek(_LOCKED_OFFSET)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _pid_in(file: IO[bytes]) -> int | None:
    try:
        file.seek(0)
        return int(file.read(20))
    except (OSError, ValueError):
        return None
