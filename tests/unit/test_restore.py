"""Restoring onto an empty folder: whole, or unusable and said, wherever it is killed (SPEC 7)."""

from __future__ import annotations

import shutil
import stat
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from sysmanager import durable
from sysmanager.backup import restore as restore_module
from sysmanager.backup.format import BackupUnusable
from sysmanager.backup.recovery import PassphraseWrong
from sysmanager.backup.restore import MARKER, Restored, restore, unfinished
from sysmanager.backup.writer import write_backup
from sysmanager.documents.files import FileDocumentStore
from sysmanager.documents.site_key import SiteKey, SiteKeyUnusable
from sysmanager.journal.lock import LOCK_NAME, DataFolderLock, DataFolderLocked
from sysmanager.journal.sqlite import SqliteJournal
from tests.helpers.backups import BUS, KEY, PASSPHRASE, BackedUp, cheap_key


class Second:
    """The second machine. key: where its site key lies."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "second" / "data"
        self.key = folder / "second" / "keys" / "site.key"

    def restore(self, file: Path, passphrase: str | None = PASSPHRASE) -> Restored:
        journal = self.data / "journal.sqlite"
        return restore(file, self.data, journal=journal, site_key=self.key, passphrase=passphrase, when="27 November")

    async def journal(self) -> tuple[list[bytes], str | None]:
        """The bodies of the records, and what is said of the journal."""
        journal = SqliteJournal(self.data / "journal.sqlite")
        opened = await journal.open()
        bodies = [record.body for record in await journal.read()]
        await journal.close()
        return bodies, opened.damage

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.data)) for path in self.data.rglob("*") if path.is_file())


async def made(tmp_path: Path, **changes: object) -> tuple[BackedUp, Path, Second]:
    site = await BackedUp(tmp_path / "backups").open()
    return site, await site.file(**({"recovery": cheap_key()} | changes)), Second(tmp_path)


async def test_journal_documents_key_and_credentials_come_back(tmp_path: Path) -> None:
    site, file, second = await made(tmp_path)
    restored = second.restore(file)
    assert restored == Restored(site="Harbour", made_ms=site.job().made_ms, records=50, documents=4, missing=1, key_restored=True)
    bodies, damage = await second.journal()
    assert bodies == site.bodies
    assert damage is not None
    assert "restored from a backup of 27 November" in damage
    store = FileDocumentStore(second.data)
    for name, document_hash in site.named - {site.missing}:
        assert store.get_blocking(name, document_hash) == site.store.get_blocking(name, document_hash)
    assert SiteKey.load(second.key) == KEY
    credentials = second.data / "bus" / "credentials.json"
    assert credentials.read_bytes() == BUS
    if sys.platform != "win32":
        assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert unfinished(second.data) is None


async def test_its_warning_is_said_until_a_fact_says_so(tmp_path: Path) -> None:
    _, file, second = await made(tmp_path)
    second.restore(file)
    assert (await second.journal())[1] == (await second.journal())[1] != None  # noqa: E711  # both, and something
    journal = SqliteJournal(second.data / "journal.sqlite")
    await journal.open()
    await journal.append(50, [b"reconcile started"])
    await journal.close()
    assert (await second.journal())[1] is None


async def test_an_empty_folder_is_taken_and_a_full_one_is_left_as_it_is(tmp_path: Path) -> None:
    _, file, second = await made(tmp_path)
    second.data.mkdir(parents=True)
    (second.data / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(BackupUnusable, match="is not empty"):
        second.restore(file)
    assert second.files() == ["notes.txt"]
    assert not second.key.exists()
    (second.data / "notes.txt").unlink()
    assert second.restore(file).records == 50
    with pytest.raises(BackupUnusable, match="is not empty"):
        second.restore(file)


async def test_a_file_instead_of_a_folder_and_a_folder_in_use_are_refused(tmp_path: Path) -> None:
    _, file, second = await made(tmp_path)
    second.data.parent.mkdir()
    second.data.write_bytes(b"")
    with pytest.raises(BackupUnusable, match="is a file"):
        second.restore(file)
    second.data.unlink()
    with DataFolderLock(second.data), pytest.raises(DataFolderLocked):
        second.restore(file)


async def test_what_is_wrong_is_found_before_the_folder_is_touched(tmp_path: Path) -> None:
    _, file, second = await made(tmp_path)
    damaged = tmp_path / "damaged"
    content = bytearray(file.read_bytes())
    content[200] ^= 0xFF
    damaged.write_bytes(content)
    with pytest.raises(BackupUnusable, match="damaged"):
        second.restore(damaged)
    with pytest.raises(PassphraseWrong, match="not the one"):
        second.restore(file, "another passphrase")
    with pytest.raises(BackupUnusable, match="--passphrase-file"):
        second.restore(file, None)
    assert not second.data.exists()
    assert not second.key.exists()


async def test_records_that_do_not_follow_from_one_another_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    site = await BackedUp(tmp_path).open()
    records = [replace(record, hash=bytes(32)) for record in await site.journal.read()]
    file, second = tmp_path / "by another program", Second(tmp_path)
    write_backup(file, site.job(documents=frozenset()), pages=lambda _: iter([records]), document=site.store.get_blocking, program="0")
    with pytest.raises(BackupUnusable, match="its records do not end as the manifest says"):
        second.restore(file)
    assert second.files() == [LOCK_NAME]
    assert not second.key.exists()
    assert unfinished(second.data) is None


async def test_another_site_key_at_its_place_is_never_overwritten(tmp_path: Path) -> None:
    _, file, second = await made(tmp_path)
    second.key.parent.mkdir(parents=True)
    other = SiteKey(bytes(32))
    other.save_new(second.key)
    with pytest.raises(BackupUnusable, match="is not that of the backup"):
        second.restore(file)
    assert SiteKey.load(second.key) == other
    second.key.unlink()
    KEY.save_new(second.key)
    assert second.restore(file).key_restored


async def test_a_place_where_the_site_key_cannot_lie_is_named(tmp_path: Path) -> None:
    _, file, second = await made(tmp_path)
    (tmp_path / "second").mkdir()
    second.key.parent.write_bytes(b"a file where a folder should be")
    with pytest.raises(SiteKeyUnusable, match=r"The site key .*site\.key can't be written .* name another file with --site-key"):
        second.restore(file)
    assert unfinished(second.data) is not None
    second.key.parent.unlink()
    assert second.restore(file).key_restored


async def test_a_backup_without_secrets_needs_the_site_key(tmp_path: Path) -> None:
    _, file, second = await made(tmp_path, recovery=None)
    with pytest.raises(BackupUnusable, match="--site-key"):
        second.restore(file)
    second.key.parent.mkdir(parents=True)
    KEY.save_new(second.key)
    restored = second.restore(file, None)
    assert not restored.key_restored
    assert not (second.data / "bus").exists()


async def test_a_backup_of_a_site_without_secrets_at_all_needs_nothing(tmp_path: Path) -> None:
    site = await BackedUp(tmp_path / "backups", key=None).open()
    second = Second(tmp_path)
    assert second.restore(await site.file(), None).records == 50


class Killed(BaseException):
    """As a kill: nothing that follows is done."""


async def test_killed_at_any_moment_it_is_unusable_and_said_or_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, file, second = await made(tmp_path)
    steps = 0
    for dies_at in range(1, 200):
        steps = 0

        def step(dies_at: int = dies_at) -> None:
            nonlocal steps
            steps += 1
            if steps == dies_at:
                raise Killed

        with monkeypatch.context() as patch:
            for module, names in ((restore_module, ("sync_folder", "write_durably", "write_database")), (durable, ("sync_folder",))):
                for name in names:
                    _dies_around(patch, module, name, step)
            patch.setattr(Path, "unlink", _before(Path.unlink, step))
            try:
                second.restore(file)
                died = False
            except Killed:
                died = True
        if died and unfinished(second.data) is None:
            # Nothing of it is there yet, or all of it.
            left = [name for name in second.files() if name != LOCK_NAME and ".unfinished" not in name] if second.data.exists() else []
            assert left == [] or (await second.journal())[0] == site.bodies, f"killed at {dies_at}"
        if died:
            if unfinished(second.data) is None and "journal.sqlite" in second.files():
                shutil.rmtree(second.data)
            second.restore(file)
        assert (await second.journal())[0] == site.bodies
        assert SiteKey.load(second.key) == KEY
        assert (second.data / "bus" / "credentials.json").read_bytes() == BUS
        assert not (second.data / MARKER).exists()
        shutil.rmtree(second.data.parent)
        if not died:
            break
    assert steps > 15


def _before(right: object, step: object) -> object:
    def called(*args: object, **kwargs: object) -> object:
        step()  # type: ignore[operator]
        return right(*args, **kwargs)  # type: ignore[operator]

    return called


def _dies_around(patch: pytest.MonkeyPatch, module: object, name: str, step: object) -> None:
    """Before it is done, or after."""
    right = getattr(module, name)

    def called(*args: object, **kwargs: object) -> object:
        step()  # type: ignore[operator]
        result = right(*args, **kwargs)
        step()  # type: ignore[operator]
        return result

    patch.setattr(module, name, called)
