"""Making a system backup and bringing its file here (SPEC 7)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec

from sysmanager.api.client import Client, ClientError
from sysmanager.domain.backup import BackupFile, RecoveryKey
from sysmanager.durable import TEMPORARY_PREFIX, sync_folder
from sysmanager.protocol.clients import BackUp, BackupPart, ReadBackup, Refused

LIMIT_S = 600.0
"""How long making it is waited for."""


class BackupRefused(Exception):
    """The backup was refused, could not be made, or cannot be saved here. The text is one sentence that says what to do."""


class SavedBackup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that lies here, whole and checked.

    sealed: whether it holds the site key, which a passphrase opens; without it that key's file is needed to restore it.
    missing: documents that were not in the coordinator's cache; their recorders will give them again.
    """

    path: str
    size_bytes: int
    position: int
    documents: int
    missing: int
    sealed: bool


async def save_backup(client: Client, path: Path, passphrase: str | None = None) -> SavedBackup:
    """Have the coordinator make a backup, and save it as `path`, which must not exist.

    passphrase: opens the site key in it, and in automatic backups from now on; it stays in this process. None: the passphrase of the last
    backup made by hand goes on to hold. Raises BackupRefused, ClientError.
    """
    await asyncio.to_thread(_check_place, path)
    key = await asyncio.to_thread(_key, passphrase) if passphrase is not None else None
    reply = await client.request(BackUp(recovery=key))
    if isinstance(reply, Refused):
        raise BackupRefused(reply.sentence)
    made = await _made(client, reply.backup)
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{path.name}")
    try:
        await _fetch(client, made, temporary)
        return await asyncio.to_thread(_keep, temporary, path)
    except OSError as error:
        raise BackupRefused(f"{path} can't be written ({error.strerror or error}); check the disk and the rights.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _check_place(path: Path) -> None:
    if path.exists():
        raise BackupRefused(f"{path} exists already; name a file that does not, so that no backup is lost.")
    if not path.parent.is_dir():
        raise BackupRefused(f"There is no folder {path.parent}; make it, or name another file.")


def _key(passphrase: str) -> RecoveryKey:
    from sysmanager.backup.recovery import PassphraseWrong, recovery_key

    try:
        return recovery_key(passphrase)
    except PassphraseWrong as error:
        raise BackupRefused(str(error)) from None


async def _made(client: Client, number: int) -> BackupFile:
    """Wait until the coordinator has it."""
    try:
        async with asyncio.timeout(LIMIT_S):
            async for update in client.changes():
                backup = update.system.backup if update.system is not None else None
                if backup is None or backup.number != number or backup.being_made:
                    continue
                if backup.file is None:
                    raise BackupRefused(f"The backup was not made: {backup.sentence}")
                return backup.file
    except TimeoutError:
        raise BackupRefused(f"The backup was not made within {LIMIT_S:g} s; look at the alarms of the coordinator.") from None
    raise ClientError("The session was closed before the backup was made; try again.")


async def _fetch(client: Client, made: BackupFile, temporary: Path) -> None:
    with await asyncio.to_thread(temporary.open, "wb") as file:
        offset = 0
        while offset < made.size_bytes:
            part = await client.ask(ReadBackup(number=made.number, offset=offset))
            if not isinstance(part, BackupPart) or part.offset != offset or not part.content:
                why = part.sentence if isinstance(part, Refused) else "The coordinator gave something else than was asked for."
                raise BackupRefused(f"The backup was made, and could not be fetched: {why}")
            await asyncio.to_thread(file.write, part.content)
            offset += len(part.content)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())


def _keep(temporary: Path, path: Path) -> SavedBackup:
    """Believe it only when all of it was read again; then give it its name."""
    # Its libraries are imported when they are needed: most programs that use the api never back up.
    from sysmanager.backup.format import BackupUnusable
    from sysmanager.backup.reader import opened

    try:
        with opened(temporary) as backup:
            backup.verify()
            manifest = backup.manifest
    except BackupUnusable as error:
        raise BackupRefused(str(error).replace(str(temporary), str(path))) from error
    size_bytes = temporary.stat().st_size
    temporary.replace(path)
    sync_folder(path.parent)
    return SavedBackup(
        path=str(path),
        size_bytes=size_bytes,
        position=manifest.position,
        documents=len(manifest.parts) - 1,
        missing=len(manifest.missing),
        sealed=manifest.secrets is not None,
    )
