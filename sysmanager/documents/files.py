"""The document stores as three folders of files, each file named by the hash of its document.

A file begins with a line that holds the SHA-256 of what follows: the document's own hash leaves out the sealed texts (so that
sealing anew changes no hash), and damage in one of those must be found as well.
"""

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from sysmanager.documents.port import (
    MAX_DOCUMENT_BYTES,
    DocumentDamaged,
    DocumentMissing,
    DocumentStoreFailed,
    StoreName,
    Verify,
    check_new_document,
    is_document_hash,
)
from sysmanager.documents.sealing import matches_hash
from sysmanager.durable import TEMPORARY_PREFIX, read_bounded, sync_folder, write_durably

__all__ = ["FileDocumentStore"]

log = structlog.get_logger(__name__)

SET_ASIDE = "set-aside"
_PREFIX = b"sysmanager document 1 "
_HEADER_BYTES = len(_PREFIX) + 64 + 1


class FileDocumentStore:
    """Implements `DocumentStore` in `folder`, which must belong to this process alone (see `journal.lock`).

    Files are read and written in threads, one call at a time. Damaged ones are moved to `set-aside` in the folder of their store.
    """

    def __init__(self, folder: Path, verify: Verify = matches_hash) -> None:
        self._folder = folder
        self._verify = verify
        self._one_at_a_time = threading.Lock()
        self._prepared: set[StoreName] = set()

    async def put(self, store: StoreName, document_hash: str, content: bytes) -> None:
        await asyncio.to_thread(self._put, store, document_hash, content)

    def put_blocking(self, store: StoreName, document_hash: str, content: bytes) -> None:
        """As `put`, without a loop."""
        self._put(store, document_hash, content)

    async def get(self, store: StoreName, document_hash: str) -> bytes:
        return await asyncio.to_thread(self._get, store, document_hash)

    def get_blocking(self, store: StoreName, document_hash: str) -> bytes:
        return self._get(store, document_hash)

    async def has(self, store: StoreName, document_hash: str) -> bool:
        return await asyncio.to_thread(self._has, store, document_hash)

    async def list(self, store: StoreName) -> list[str]:
        return sorted(await asyncio.to_thread(self._names, store))

    async def remove(self, store: StoreName, document_hash: str) -> None:
        await asyncio.to_thread(self._remove, store, document_hash)

    def _put(self, store: StoreName, document_hash: str, content: bytes) -> None:
        check_new_document(store, document_hash, content, self._verify)
        framed = _PREFIX + hashlib.sha256(content).hexdigest().encode() + b"\n" + content
        with self._working(store) as folder:
            path = folder / document_hash
            if path.exists():
                found = _read(path)
                if found == framed:
                    return
                if not self._is_sound(document_hash, found):
                    self._set_aside(store, path)
            write_durably(path, framed, private=True)

    def _get(self, store: StoreName, document_hash: str) -> bytes:
        if not is_document_hash(document_hash):
            raise DocumentMissing(store, document_hash)
        with self._working(store) as folder:
            path = folder / document_hash
            if not path.exists():
                raise DocumentMissing(store, document_hash)
            framed = _read(path)
            if not self._is_sound(document_hash, framed):
                kept = self._set_aside(store, path)
                raise DocumentDamaged(store, document_hash, f" as {kept}")
            return framed[_HEADER_BYTES:]

    def _has(self, store: StoreName, document_hash: str) -> bool:
        with self._working(store) as folder:
            return is_document_hash(document_hash) and (folder / document_hash).exists()

    def _names(self, store: StoreName) -> set[str]:
        with self._working(store) as folder:
            return {path.name for path in folder.iterdir() if is_document_hash(path.name)}

    def _remove(self, store: StoreName, document_hash: str) -> None:
        with self._working(store) as folder:
            if is_document_hash(document_hash):
                (folder / document_hash).unlink(missing_ok=True)
                sync_folder(folder)

    def _is_sound(self, document_hash: str, framed: bytes) -> bool:
        content = framed[_HEADER_BYTES:]
        header = _PREFIX + hashlib.sha256(content).hexdigest().encode() + b"\n"
        return framed[:_HEADER_BYTES] == header and self._verify(document_hash, content)

    def _set_aside(self, store: StoreName, path: Path) -> Path:
        home = path.parent / SET_ASIDE
        home.mkdir(exist_ok=True)
        number = 1
        while (target := home / f"{path.name}-{number}").exists():
            number += 1
        path.rename(target)
        sync_folder(home)
        sync_folder(path.parent)
        log.warning("a damaged document was set aside", store=store.value, kept=str(target))
        return target

    @contextmanager
    def _working(self, store: StoreName) -> Iterator[Path]:
        """The store's folder, existing, for one thread at a time; `OSError` as a sentence."""
        folder = self._folder / store.value
        with self._one_at_a_time:
            try:
                if store not in self._prepared:
                    folder.mkdir(parents=True, exist_ok=True)
                    sync_folder(self._folder)
                    for unfinished in folder.glob(f"{TEMPORARY_PREFIX}*"):  # a kill left them; nothing names them
                        unfinished.unlink()
                    self._prepared.add(store)
                yield folder
            except OSError as error:
                reason = error.strerror or str(error)
                raise DocumentStoreFailed(f"The document store {folder} can't be used ({reason}); check disk and rights.") from error


def _read(path: Path) -> bytes:
    """The file, cut where it is too long to be sound."""
    size = path.stat().st_size
    if size > MAX_DOCUMENT_BYTES + _HEADER_BYTES:
        return b""
    return read_bounded(path, MAX_DOCUMENT_BYTES + _HEADER_BYTES)
