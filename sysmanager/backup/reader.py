"""Reads a system backup and believes nothing in it: every length and every hash is checked (SPEC 18)."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from sysmanager.backup.format import (
    LENGTH_BYTES,
    MANIFEST,
    MANIFEST_LIMIT_BYTES,
    RECORDS,
    VERSION,
    BackupUnusable,
    Manifest,
    Part,
    document_name,
    read_comment,
)
from sysmanager.documents.port import MAX_DOCUMENT_BYTES, StoreName, is_document_hash
from sysmanager.documents.sealing import matches_hash
from sysmanager.journal.port import GENESIS_HASH, MAX_BODY_BYTES, chain_hash

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]

UPGRADES: Mapping[int, Upgrade] = {}
"""From version → what makes a manifest of it one of version + 1. Frozen once released."""

_CHUNK_BYTES = 256 * 1024

Row = tuple[int, bytes, bytes]
"""Sequence, hash and body of a record."""


class Backup:
    """An open backup. `manifest` is sound; parts are checked as they are read, so that nothing needs to fit the memory."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._archive = archive
        self._parts = {part.name: part for part in manifest.parts}

    def records(self) -> Iterator[Row]:
        """The journal's records. Raises BackupUnusable, at the latest behind the last, when one is not what was backed up."""
        manifest = self.manifest
        previous, sequence, held = GENESIS_HASH, 0, b""
        for chunk in self._content(self._part(RECORDS)):
            held += chunk
            start, size = 0, len(held)
            while size - start >= LENGTH_BYTES:
                begin = start + LENGTH_BYTES
                length = int.from_bytes(held[start:begin], "big")
                if length > MAX_BODY_BYTES:
                    raise self._damaged(f"record {sequence + 1} is too long")
                end = begin + length
                if size < end:
                    break
                body = held[begin:end]
                sequence += 1
                previous = chain_hash(previous, sequence, body)
                yield sequence, previous, body
                start = end
            held = held[start:]
        if held or sequence != manifest.position or previous.hex() != manifest.head:
            raise self._damaged("its records do not end as the manifest says")

    def documents(self) -> Iterator[tuple[StoreName, str, bytes]]:
        """Store, hash and content of every document. Raises BackupUnusable."""
        for part in self.manifest.parts:
            if part.name == RECORDS:
                continue
            folder, _, document_hash = part.name.rpartition("/")
            store = next((store for store in StoreName if part.name == document_name(store, document_hash)), None)
            if store is None or not is_document_hash(document_hash) or part.size_bytes > MAX_DOCUMENT_BYTES:
                raise self._damaged(f"the part in {folder[:40]!r} is none that a backup has")
            content = b"".join(self._content(part))
            if not matches_hash(document_hash, content):
                raise self._damaged(f"the document {document_hash} does not have that hash")
            yield store, document_hash, content

    def verify(self) -> None:
        """Read everything once. Raises BackupUnusable."""
        for _ in self.records():
            pass
        for _ in self.documents():
            pass

    def verify_bytes(self) -> None:
        """Whether every byte is the one that was backed up, and the documents make sense. Raises BackupUnusable.

        That the records follow from one another is left to who reads them: it takes as long as all the rest.
        """
        for _ in self._content(self._part(RECORDS)):
            pass
        for _ in self.documents():
            pass

    def _part(self, name: str) -> Part:
        part = self._parts.get(name)
        if part is None:
            raise self._damaged(f"{name} is missing")
        return part

    def _content(self, part: Part) -> Iterator[bytes]:
        digest, size_bytes = hashlib.sha256(), 0
        with _reading(self.path), self._archive.open(part.name) as content:
            while chunk := content.read(_CHUNK_BYTES):
                size_bytes += len(chunk)
                if size_bytes > part.size_bytes:
                    break
                digest.update(chunk)
                yield chunk
        if size_bytes != part.size_bytes or digest.hexdigest() != part.sha256:
            raise self._damaged(f"{part.name} is not what was backed up")

    def _damaged(self, what: str) -> BackupUnusable:
        return BackupUnusable(f"The backup {self.path} is damaged: {what}; use another backup.")


@contextmanager
def opened(path: Path, upgrades: Mapping[int, Upgrade] = UPGRADES, version: int = VERSION) -> Iterator[Backup]:
    """A backup, to be read. Raises BackupUnusable for a file that is damaged, of another program, or too new."""
    with _reading(path):
        archive = zipfile.ZipFile(path)
    with archive:
        with _reading(path):
            manifest = _manifest(path, archive, upgrades, version)
        yield Backup(path, archive, manifest)


def _manifest(path: Path, archive: zipfile.ZipFile, upgrades: Mapping[int, Upgrade], version: int) -> Manifest:
    found = read_comment(archive.comment)
    if found is None:
        raise BackupUnusable(f"The file {path} is no backup of System Manager; choose one that it made.")
    made_by, digest = found
    if made_by > version or made_by < 1:
        raise BackupUnusable(
            f"The backup {path} has version {made_by}, and this program knows versions up to {version}: install the newer program."
        )
    with archive.open(MANIFEST) as part:
        content = part.read(MANIFEST_LIMIT_BYTES + 1)
    if len(content) > MANIFEST_LIMIT_BYTES or hashlib.sha256(content).hexdigest() != digest:
        raise BackupUnusable(f"The backup {path} is damaged: its manifest is not what was written; use another backup.")
    try:
        fields = msgspec.json.decode(content, type=dict[str, Any])
        for step in range(made_by, version):
            fields = upgrades[step](fields)
        manifest = msgspec.convert(fields, Manifest)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise BackupUnusable(f"The manifest of the backup {path} makes no sense ({error}); use another backup.") from None
    if len({part.name for part in manifest.parts}) != len(manifest.parts):
        raise BackupUnusable(f"The backup {path} is damaged: its manifest names a part twice; use another backup.")
    return manifest


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except zipfile.BadZipFile:
        raise BackupUnusable(f"The file {path} is no backup of System Manager, or it was cut or damaged; use another one.") from None
    except (zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError, ValueError):
        raise BackupUnusable(f"The backup {path} is damaged: a part of it cannot be read; use another backup.") from None
    except OSError as error:
        raise BackupUnusable(f"The backup {path} can't be read ({error.strerror or error}); check the file and its rights.") from error
