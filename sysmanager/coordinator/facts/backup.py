"""Facts of system backups (SPEC 7)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.backup import BackupFile, BackupKind, RecoveryKey


class BackupStarted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="backup-started"):
    """A backup is to be made. A baseline covers all failovers that ended before this record.

    recovery: what its secrets are sealed to, and those of all later ones; None leaves that as it is.
    """

    number: int
    kind: BackupKind
    recovery: RecoveryKey | None = None


class BackupMade(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="backup-made"):
    """The backup lies whole in its file, synced."""

    kind: BackupKind
    file: BackupFile


class BackupFailed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="backup-failed"):
    """The backup could not be made. A baseline is tried again."""

    number: int
    kind: BackupKind
    sentence: str


class BaselineLate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="baseline-late"):
    """The time of a baseline is over: the failover queues go on without it."""

    number: int


BackupFact = BackupStarted | BackupMade | BackupFailed | BaselineLate
