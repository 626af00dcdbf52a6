"""Footage that is locked against deletion as evidence: by camera and time, with who and why (SPEC 16).

The locks lie in one file of the recorder's data folder. A file that cannot be read locks everything: nothing is deleted until a person
has looked, because a lock that is forgotten is evidence that is gone.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from sysmanager.domain.ids import CameraId
from sysmanager.durable import read_bounded, write_durably

FILE_NAME: Final = "evidence.json"
FILE_LIMIT_BYTES: Final = 16 << 20
LOCKS_LIMIT: Final = 10_000
TEXT_LIMIT: Final = 1_000


class EvidenceLock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Footage of a camera from `from_ms` to `until_ms` (wall-clock milliseconds) stays. locked_ms: since when."""

    id: str
    camera: CameraId
    from_ms: int
    until_ms: int
    who: str
    why: str
    locked_ms: int

    def covers(self, camera: str, first_ms: int, last_ms: int) -> bool:
        """Whether any of the footage of the camera between these moments is locked."""
        return self.camera == camera and self.from_ms <= last_ms and first_ms <= self.until_ms


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: int = 1
    locks: tuple[EvidenceLock, ...] = ()


class EvidenceUnusable(Exception):
    """The locks cannot be read or written. One sentence that says what and where."""


def load_locks(data_folder: Path) -> tuple[EvidenceLock, ...]:
    """All locks, in the order in which they were made. Raises EvidenceUnusable."""
    path = data_folder / FILE_NAME
    try:
        found = msgspec.json.decode(read_bounded(path, FILE_LIMIT_BYTES), type=_File)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise EvidenceUnusable(f"The evidence locks in {path} can't be read ({error.strerror or error}).") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EvidenceUnusable(f"The evidence locks in {path} are damaged ({error}); mend the file or restore it from a backup.") from None
    if found.format != 1:
        raise EvidenceUnusable(f"The evidence locks in {path} are of format {found.format}, and this program knows 1; use a newer program.")
    return found.locks


def add_lock(data_folder: Path, *, camera: CameraId, from_ms: int, until_ms: int, who: str, why: str, now_ms: int) -> EvidenceLock:
    """Lock footage; durable when it returns. Raises EvidenceUnusable. One process at a time: the caller holds the lock of the file."""
    for name, text in (("who", who), ("why", why)):
        if not text.strip() or len(text) > TEXT_LIMIT or not text.isprintable():
            raise EvidenceUnusable(f"A lock says {name}, in 1 to {TEXT_LIMIT} printable characters; correct the field {name}.")
    if from_ms > until_ms:
        raise EvidenceUnusable("A lock ends before it begins; correct the times from and until.")
    locks = load_locks(data_folder)
    if len(locks) >= LOCKS_LIMIT:
        raise EvidenceUnusable(f"There are {LOCKS_LIMIT} evidence locks, which is the limit; remove one that is not needed any more.")
    lock = EvidenceLock(
        id=secrets.token_hex(4), camera=camera, from_ms=from_ms, until_ms=until_ms, who=who.strip(), why=why.strip(), locked_ms=now_ms
    )
    _save(data_folder, (*locks, lock))
    return lock


def remove_lock(data_folder: Path, lock_id: str) -> EvidenceLock:
    """Release footage; the lock that was removed. Raises EvidenceUnusable."""
    locks = load_locks(data_folder)
    found = next((lock for lock in locks if lock.id == lock_id), None)
    if found is None:
        raise EvidenceUnusable(f"There is no evidence lock {lock_id}; see the list with: sysmanager material locks.")
    _save(data_folder, tuple(lock for lock in locks if lock is not found))
    return found


def _save(data_folder: Path, locks: Iterable[EvidenceLock]) -> None:
    path = data_folder / FILE_NAME
    try:
        write_durably(path, msgspec.json.format(msgspec.json.encode(_File(locks=tuple(locks)))) + b"\n")
    except OSError as error:
        raise EvidenceUnusable(f"The evidence locks in {path} can't be written ({error.strerror or error}).") from None
