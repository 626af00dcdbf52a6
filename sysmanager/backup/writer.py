"""Writes a system backup in one stream, beside a coordinator that goes on. Blocking: for a worker's thread."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from sysmanager.backup.format import LENGTH_BYTES, MANIFEST, RECORDS, VERSION, Manifest, Part, comment_of, context_of, document_name
from sysmanager.backup.port import BackupFailed, BackupJob
from sysmanager.backup.recovery import Sealed, seal
from sysmanager.documents.port import DocumentError, StoreName
from sysmanager.durable import TEMPORARY_PREFIX, sync_folder
from sysmanager.journal.port import GENESIS_HASH, JournalError, Record

_DATE = (1980, 1, 1, 0, 0, 0)
"""The same for all entries: the manifest says when the backup was made."""

_COMPRESSION = 1
"""The fastest: records shrink to a sixth with it already, and the 10 s of a baseline count."""

Pages = Callable[[int], Iterator[list[Record]]]
Document = Callable[[StoreName, str], bytes]


def write_backup(
    path: Path,
    job: BackupJob,
    *,
    pages: Pages,
    document: Document,
    program: str,
    key_id: str = "",
    secrets: bytes | None = None,
    goes_on: Callable[[], bool] = lambda: True,
) -> int:
    """Make the file at `path`, whole and synced or not at all; its size in bytes.

    pages: gives the journal's records up to a position. document: gives one from the cache. secrets: to be sealed, if the job has a key
    for it. goes_on: asked between parts; the work is given up when it says no. Raises `BackupFailed`.
    """
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{path.name}")
    try:
        with temporary.open("wb") as file:
            _write(file, job, pages, document, program, key_id, secrets, goes_on)
            file.flush()
            os.fsync(file.fileno())
            size_bytes = file.tell()
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise BackupFailed(f"The backup {path} can't be written ({error.strerror or error}); check the disk and the rights.") from error
    except JournalError as error:
        raise BackupFailed(str(error)) from error
    finally:
        temporary.unlink(missing_ok=True)
    return size_bytes


def _write(
    file: IO[bytes],
    job: BackupJob,
    pages: Pages,
    document: Document,
    program: str,
    key_id: str,
    secrets: bytes | None,
    goes_on: Callable[[], bool],
) -> None:
    with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        writing = _Archive(archive, goes_on)
        head = writing.records(pages(job.position), job.position)
        missing = [f"{store.value}/{name}" for store, name in _in_order(job) if not writing.document(store, name, document)]
        sealed: Sealed | None = None
        if secrets is not None and job.recovery is not None:
            sealed = seal(secrets, job.recovery, context_of(head.hex(), job.number))
        manifest = Manifest(
            format=VERSION,
            program=program,
            site=job.site,
            kind=job.kind,
            number=job.number,
            made_ms=job.made_ms,
            position=job.position,
            head=head.hex(),
            parts=tuple(writing.parts),
            missing=tuple(missing),
            key_id=key_id,
            secrets=sealed,
        )
        content = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        archive.writestr(_info(MANIFEST), content, compresslevel=_COMPRESSION)
        archive.comment = comment_of(hashlib.sha256(content).hexdigest())


def _in_order(job: BackupJob) -> list[tuple[StoreName, str]]:
    return sorted(job.documents, key=lambda named: (named[0].value, named[1]))


class _Archive:
    """The parts as they are written."""

    def __init__(self, archive: zipfile.ZipFile, goes_on: Callable[[], bool]) -> None:
        self._archive = archive
        self._goes_on = goes_on
        self.parts: list[Part] = []

    def records(self, pages: Iterable[list[Record]], position: int) -> bytes:
        """All records; the hash of the last."""
        head, count = GENESIS_HASH, 0

        def frames() -> Iterator[bytes]:
            nonlocal head, count
            for page in pages:
                yield b"".join(len(record.body).to_bytes(LENGTH_BYTES, "big") + record.body for record in page)
                head, count = page[-1].hash, count + len(page)

        self._part(RECORDS, frames())
        if count != position:
            raise BackupFailed(f"The journal has {count} of {position} records; start the coordinator again, which looks for the others.")
        return head

    def document(self, store: StoreName, name: str, document: Document) -> bool:
        """False if it is not in the cache, or not sound there: its recorder gives it again."""
        try:
            content = document(store, name)
        except DocumentError:
            return False
        self._part(document_name(store, name), [content])
        return True

    def _part(self, name: str, pieces: Iterable[bytes]) -> None:
        digest, size_bytes = hashlib.sha256(), 0
        with self._archive.open(_info(name), "w", force_zip64=True) as part:
            for piece in pieces:
                if not self._goes_on():
                    raise BackupFailed("The backup was given up; it is tried again.")
                digest.update(piece)
                size_bytes += len(piece)
                part.write(piece)
        self.parts.append(Part(name=name, size_bytes=size_bytes, sha256=digest.hexdigest()))


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info._compresslevel = _COMPRESSION  # type: ignore[attr-defined]  # `open` takes no level before Python 3.13
    return info
