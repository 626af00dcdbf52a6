"""Restores a system backup onto an empty data folder (SPEC 7). The coordinator that starts there believes the recorders first.

Every byte of the backup is checked before the folder is touched, and the records once more as they are written. From the first file to
the last a marker lies in the folder: whoever finds it says that the restore was not finished, and the same command, given again, begins
anew.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import msgspec

from sysmanager.backup.format import BackupUnusable, Secrets, context_of
from sysmanager.backup.reader import Backup, opened
from sysmanager.backup.recovery import unseal
from sysmanager.documents.files import FileDocumentStore
from sysmanager.documents.site_key import SiteKey, SiteKeyUnusable
from sysmanager.durable import TEMPORARY_PREFIX, sync_folder, write_durably
from sysmanager.journal.lock import LOCK_NAME, DataFolderLock
from sysmanager.journal.salvage import write_database

MARKER = "restore-unfinished"
BUS_FOLDER, CREDENTIALS = "bus", "credentials.json"


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was restored. key_restored: the site key came out of the backup. missing: documents that recorders will give again."""

    site: str
    made_ms: int
    records: int
    documents: int
    missing: int
    key_restored: bool


def unfinished(data: Path) -> str | None:
    """One sentence if a restore into this folder was not finished, so that no coordinator may start on it; else None."""
    if not (data / MARKER).exists():
        return None
    return f"A restore into {data} was not finished; give the command `sysmanager restore` for it again, or name another data folder."


def restore(file: Path, data: Path, *, journal: Path, site_key: Path, passphrase: str | None, when: str) -> Restored:
    """Restore `file` into `data`.

    journal: where the coordinator keeps its journal, in `data`. site_key: where the site key is to lie, or lies already.
    passphrase: None for a backup without secrets, or when the key lies there already. when: the moment the backup was made, for people.
    Raises BackupUnusable, PassphraseWrong, DataFolderError, SiteKeyUnusable, DocumentError.
    """
    with opened(file) as backup:
        backup.verify_bytes()
        secrets = _secrets(backup, passphrase, site_key)
        _check_empty(data)
        with DataFolderLock(data):
            _check_empty(data)
            try:
                return _restore(backup, data, journal, site_key, secrets, when)
            except BackupUnusable:
                # Whole, and yet its records do not follow from one another: the folder is left as it was.
                _clear(data, but=(LOCK_NAME,))
                raise
            except OSError as error:
                raise BackupUnusable(
                    f"The data folder {data} can't be written ({error.strerror or error}); check the disk and give the command again."
                ) from error


def _check_empty(data: Path) -> None:
    if data.exists() and not data.is_dir():
        raise BackupUnusable(f"{data} is a file; name an empty data folder.")
    if data.is_dir() and not (data / MARKER).exists() and any(_is_content(path.name) for path in data.iterdir()):
        raise BackupUnusable(f"The data folder {data} is not empty; restore into an empty one, so that nothing is overwritten.")


def _is_content(name: str) -> bool:
    """Not the lock, and not what a kill left of the first file."""
    return name != LOCK_NAME and not name.startswith(TEMPORARY_PREFIX)


def _secrets(backup: Backup, passphrase: str | None, site_key: Path) -> Secrets | None:
    """What is sealed in the backup. Without it the site key must lie there already."""
    manifest = backup.manifest
    known = SiteKey.load(site_key) if site_key.exists() else None
    if known is not None and manifest.key_id and known.key_id != manifest.key_id:
        raise BackupUnusable(f"The site key {site_key} is not that of the backup; move it away, or name another file with --site-key.")
    if manifest.secrets is None or (passphrase is None and known is not None):
        if known is None and manifest.key_id:
            raise BackupUnusable(
                f"The backup {backup.path} holds no site key, which the passwords of the cameras need; name its file with --site-key."
            )
        return None
    if passphrase is None:
        raise BackupUnusable(f"The secrets in the backup {backup.path} need its passphrase; name a file with it by --passphrase-file.")
    content = unseal(manifest.secrets, passphrase, context_of(manifest.head, manifest.number))
    try:
        return msgspec.json.decode(content, type=Secrets)
    except msgspec.DecodeError:
        raise BackupUnusable(f"The secrets in the backup {backup.path} make no sense; use another backup.") from None


def _clear(data: Path, *, but: tuple[str, ...]) -> None:
    """Remove what a restore wrote; the marker last, so that a kill leaves it said."""
    for left in sorted(data.iterdir(), key=lambda path: path.name == MARKER):
        if left.name not in but:
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def _save_key(key: SiteKey, file: Path) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            key.save_new(file)
    except OSError as error:
        raise SiteKeyUnusable(
            f"The site key {file} can't be written ({error.strerror or error}); give this user the right, or name another file with "
            "--site-key."
        ) from error


def _restore(backup: Backup, data: Path, journal: Path, site_key: Path, secrets: Secrets | None, when: str) -> Restored:
    manifest = backup.manifest
    write_durably(data / MARKER, b"A restore into this folder was not finished.\n")
    _clear(data, but=(MARKER, LOCK_NAME))  # of a restore that was killed
    store, documents = FileDocumentStore(data), 0
    for name, document_hash, content in backup.documents():
        store.put_blocking(name, document_hash, content)
        documents += 1
    write_database(journal, backup.records(), f"The journal was restored from a backup of {when}: what happened after that is not in it.")
    sync_folder(data)
    if secrets is not None:
        key = SiteKey(secrets.site_key)
        if not site_key.exists():
            _save_key(key, site_key)
        if secrets.bus:
            (data / BUS_FOLDER).mkdir(mode=0o700)
            write_durably(data / BUS_FOLDER / CREDENTIALS, secrets.bus, private=True)
            sync_folder(data)
    (data / MARKER).unlink()
    sync_folder(data)
    return Restored(
        site=manifest.site,
        made_ms=manifest.made_ms,
        records=manifest.position,
        documents=documents,
        missing=len(manifest.missing),
        key_restored=secrets is not None,
    )
