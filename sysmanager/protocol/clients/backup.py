"""Backups by hand (SPEC 7): the request, and how the file comes to who asked."""

from __future__ import annotations

import msgspec

from sysmanager.domain.backup import RecoveryKey


class BackUp(msgspec.Struct, frozen=True, kw_only=True, tag="back-up", forbid_unknown_fields=True):
    """Make a system backup. The reply names its number; `SystemRow.backup` says when it is made, and `ReadBackup` fetches it.

    recovery: what the site key in it is sealed to, made of a passphrase that stays with who asks. None: that of the last backup by hand.
    """

    recovery: RecoveryKey | None = None


class ReadBackup(msgspec.Struct, frozen=True, kw_only=True, tag="read-backup", forbid_unknown_fields=True):
    """A piece of the backup with this number, which was made by hand. Needs the right to back up."""

    number: int
    offset: int


class BackupPart(msgspec.Struct, frozen=True, kw_only=True, tag="backup-part"):
    """Answer to `ReadBackup`: what lies at `offset`, empty at the end. size_bytes: of the whole file."""

    number: int
    offset: int
    size_bytes: int
    content: bytes
