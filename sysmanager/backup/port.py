"""What the engine asks of the place where system backups are kept."""

from __future__ import annotations

from typing import Protocol

import msgspec

from sysmanager.documents.port import StoreName
from sysmanager.domain.backup import BackupFile, BackupKind, RecoveryKey

PART_BYTES = 128 * 1024
"""So much of a backup one `read` gives: it fits a message to a client elsewhere."""


class BackupFailed(Exception):
    """A backup could not be made or read. The text is one sentence for people."""


class BackupJob(msgspec.Struct, frozen=True, kw_only=True):
    """One backup to be made: of the journal's records up to `position`, and of these documents.

    recovery: what the site key is sealed to; without it the backup holds no secrets. made_ms: wall clock.
    """

    number: int
    kind: BackupKind
    site: str
    made_ms: int
    position: int
    documents: frozenset[tuple[StoreName, str]] = frozenset()
    recovery: RecoveryKey | None = None


class Backups(Protocol):
    """A bounded number of backups of each kind."""

    async def make(self, job: BackupJob) -> BackupFile:
        """Durable on return. The loop goes on meanwhile. Asked again for a number that is being made, it waits for that one.

        Raises `BackupFailed`.
        """

    async def read(self, name: str, offset: int) -> bytes:
        """At most `PART_BYTES` of a backup from there on; empty at its end. Raises `BackupFailed`."""
