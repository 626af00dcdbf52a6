"""The file of a system backup: a zip archive, so that any tool can look into it, with a manifest that names and checks every part.

    journal/records               every record of the journal up to `position`: length (4 bytes, big-endian) and body, in order
    documents/<store>/<hash>      the recorder documents that system data names, secrets in them sealed with the site key
    manifest.json                 what this is and where it comes from, length and SHA-256 of every part
    (comment of the archive)      the format's version and the SHA-256 of the manifest

The manifest comes last, so that the file is written in one stream. A file that was cut has no comment, and is none of ours.
"""

from __future__ import annotations

import re

import msgspec

from sysmanager.backup.recovery import Sealed
from sysmanager.documents.port import StoreName
from sysmanager.domain.backup import BackupKind

VERSION = 1
"""Of the format. An older one is upgraded by `UPGRADES` when it is read; a newer one is refused."""

MANIFEST = "manifest.json"
RECORDS = "journal/records"
LENGTH_BYTES = 4
MANIFEST_LIMIT_BYTES = 64 * 1024 * 1024

_COMMENT = re.compile(rb"sysmanager backup (\d{1,6}) ([0-9a-f]{64})")


class BackupUnusable(Exception):
    """A file is no sound backup, or cannot be restored here. The text is one sentence for people."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the archive. sha256: hexadecimal, of its content."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file says of itself.

    position, head: number and hash (hexadecimal) of the journal's last record. missing: documents that were not in the cache, as
    "store/hash"; their recorders give them again. key_id: of the site key. secrets: that key, and the passwords of the bus.
    """

    format: int
    program: str
    site: str
    kind: BackupKind
    number: int
    made_ms: int
    position: int
    head: str
    parts: tuple[Part, ...]
    missing: tuple[str, ...] = ()
    key_id: str = ""
    secrets: Sealed | None = None


class Secrets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sealed. site_key: 32 bytes. bus: the credentials file, so that the recorders find the new coordinator; empty if unknown."""

    site_key: bytes
    bus: bytes = b""


def comment_of(manifest_sha256: str) -> bytes:
    return f"sysmanager backup {VERSION} {manifest_sha256}".encode()


def read_comment(comment: bytes) -> tuple[int, str] | None:
    """Version and hash of the manifest; None if this is not our comment."""
    found = _COMMENT.fullmatch(comment)
    return (int(found[1]), found[2].decode()) if found else None


def context_of(head: str, number: int) -> bytes:
    """What secrets are bound to: those of one backup do not open in another."""
    return f"{head} {number}".encode()


def document_name(store: StoreName, document_hash: str) -> str:
    return f"documents/{store.value}/{document_hash}"
