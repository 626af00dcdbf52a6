"""Files that survive a kill or a power cut at any instant: old, new, or nothing; never half.

Every function blocks until the disk has it: call them from a thread when an event loop must go on.
All raise `OSError`; callers turn it into a sentence that names what the file is for.
"""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["create_durably", "is_private", "make_private", "read_bounded", "sync_folder", "write_durably"]

TEMPORARY_PREFIX = ".unfinished-"
"""Begins the name of a file that is being written; a kill may leave one behind, and it may always be deleted."""


def sync_folder(folder: Path) -> None:
    """Make names created or renamed in `folder` durable. Windows has no such call and needs none: NTFS journals its names."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_durably(path: Path, content: bytes, *, private: bool = False) -> None:
    """Replace or create `path`. `private`: only this user can read it, from the first byte on."""
    temporary = _write_temporary(path, content, private)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def create_durably(path: Path, content: bytes, *, private: bool = False) -> None:
    """Create `path`; `FileExistsError` when it is there already, however close the race was."""
    temporary = _write_temporary(path, content, private)
    try:
        if sys.platform == "win32":
            temporary.rename(path)  # refuses an existing target there; elsewhere it would replace it
        else:
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def read_bounded(path: Path, limit_bytes: int) -> bytes:
    """The whole file; `OSError` when it is larger than `limit_bytes`, so that a wrong file can't fill the memory."""
    with path.open("rb") as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise OSError(f"larger than {limit_bytes} bytes")
    return content


def make_private(path: Path) -> None:
    """Leave only this user's access to an existing file."""
    if sys.platform == "win32":
        user = f"{os.environ['USERDOMAIN']}\\{os.environ['USERNAME']}"
        done = subprocess.run(  # icacls comes with Windows; the file's other grants are inherited, so inheritance goes first
            ["icacls", str(path), "/inheritance:r", "/grant:r", f"{user}:F"],
            capture_output=True,
            check=False,
            timeout=10,
            creationflags=subprocess.CREATE_NO_WINDOW,
        )
        if done.returncode != 0:
            raise OSError(f"icacls could not restrict access to {path}")
    else:
        path.chmod(0o600)


def is_private(path: Path) -> bool:
    """Whether no other user may read `path`. On Windows always true: the access list is set when the file is written."""
    return sys.platform == "win32" or path.stat().st_mode & 0o077 == 0


def _write_temporary(path: Path, content: bytes, private: bool) -> Path:
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o600 if private else 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if private and sys.platform == "win32":
                make_private(temporary)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
