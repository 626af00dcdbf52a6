"""The file of a backup: what goes in comes out; what is damaged, cut, foreign or too new is refused with one sentence (SPEC 7, 18)."""

from __future__ import annotations

import asyncio
import hashlib
import random
import threading
import zipfile
from pathlib import Path

import msgspec
import pytest

from sysmanager.backup import folder as folder_module
from sysmanager.backup.format import MANIFEST, RECORDS, BackupUnusable, comment_of, document_name
from sysmanager.backup.port import PART_BYTES, BackupFailed
from sysmanager.backup.reader import opened
from sysmanager.backup.recovery import PassphraseWrong, recovery_key, seal, unseal
from sysmanager.documents.port import StoreName
from sysmanager.domain.backup import BackupKind
from sysmanager.journal.port import GENESIS_HASH, chain_hash
from tests.helpers.backups import BackedUp, cheap_key, document


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refusal(file: Path, site: BackedUp) -> str | None:
    """Why the file is refused; None if everything in it is as it was."""
    try:
        with opened(file) as backup:
            records, documents = list(backup.records()), list(backup.documents())
    except BackupUnusable as error:
        return str(error)
    assert [body for _, _, body in records] == site.bodies
    assert len(documents) == 4
    return None


async def test_what_was_backed_up_is_read_again(tmp_path: Path) -> None:
    site = await BackedUp(tmp_path).open()
    with opened(await site.file()) as backup:
        rows = list(backup.records())
        documents = {(store, name): content for store, name, content in backup.documents()}
        manifest = backup.manifest
    assert [body for _, _, body in rows] == site.bodies
    assert [sequence for sequence, _, _ in rows] == list(range(1, 51))
    assert rows[0][1] == chain_hash(GENESIS_HASH, 1, site.bodies[0])
    assert documents == {(store, name): site.store.get_blocking(store, name) for store, name in site.named - {site.missing}}
    assert manifest.missing == (f"{site.missing[0].value}/{site.missing[1]}",)
    assert (manifest.site, manifest.kind, manifest.position, manifest.secrets) == ("Harbour", BackupKind.MANUAL, 50, None)


async def test_it_ends_where_the_job_says_while_the_journal_goes_on(tmp_path: Path) -> None:
    site = await BackedUp(tmp_path).open()
    job = site.job(position=20)
    await site.journal.append(50, site.bodies[:1])
    await site.backups.make(job)
    with opened(tmp_path / files(tmp_path)[0]) as backup:
        assert len(list(backup.records())) == 20


async def test_an_empty_journal_can_be_backed_up(tmp_path: Path) -> None:
    site = await BackedUp(tmp_path).open(records=0, documents=0)
    with opened(await site.file()) as backup:
        backup.verify()
        assert backup.manifest.head == GENESIS_HASH.hex()


# ---------------------------------------------------------------- refused


async def test_every_cut_and_every_flipped_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    """Harmless: in fields of the archive that say nothing about the content."""
    site = await BackedUp(tmp_path / "backups").open(records=30)
    sound = (await site.file(recovery=cheap_key())).read_bytes()
    chance = random.Random(7)
    copy = tmp_path / "copy"
    for cut in sorted(chance.randrange(len(sound)) for _ in range(40)):
        copy.write_bytes(sound[:cut])
        with pytest.raises(BackupUnusable, match="use another one"), opened(copy) as backup:
            backup.verify()
    noticed = 0
    for place in sorted(chance.randrange(len(sound)) for _ in range(300)):
        copy.write_bytes(sound[:place] + bytes([sound[place] ^ (1 << chance.randrange(8))]) + sound[place + 1 :])
        said = refusal(copy, site)
        if said is not None:
            assert str(copy) in said
            assert "\n" not in said
            noticed += 1
    assert noticed > 200


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive at all" * 100, bytes(5000)])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    with pytest.raises(BackupUnusable, match=r"notes\.txt is no backup of System Manager"), opened(file):
        pass


def test_a_foreign_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "photos.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photo", b"x")
    with pytest.raises(BackupUnusable, match="is no backup of System Manager"), opened(file):
        pass


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BackupUnusable, match="can't be read"), opened(tmp_path / "gone"):
        pass


async def test_a_newer_version_is_refused_and_an_older_one_is_upgraded(tmp_path: Path) -> None:
    site = await BackedUp(tmp_path).open()
    file = await site.file()
    with pytest.raises(BackupUnusable, match="has version 1, and this program knows versions up to 0"), opened(file, version=0):
        pass
    steps: list[int] = []

    def second(fields: dict[str, object]) -> dict[str, object]:
        steps.append(2)
        return {**fields, "site": f"{fields['site']} of old"}

    def third(fields: dict[str, object]) -> dict[str, object]:
        steps.append(3)
        return fields

    with opened(file, {1: second, 2: third}, version=3) as backup:
        assert backup.manifest.site == "Harbour of old"
        backup.verify()
    assert steps == [2, 3]


def forged(file: Path, target: Path, manifest: dict[str, object], more: dict[str, bytes] | None = None) -> Path:
    """A copy with other parts, and a manifest that its comment belongs to."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w") as new:
        fields = {**msgspec.json.decode(old.read(MANIFEST)), **manifest}
        for name in old.namelist():
            if name not in (MANIFEST, *(more or {})):
                new.writestr(name, old.read(name))
        for name, content in (more or {}).items():
            new.writestr(name, content)
        content = msgspec.json.encode(fields)
        new.writestr(MANIFEST, content)
        new.comment = comment_of(hashlib.sha256(content).hexdigest())
    return target


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({"position": 49}, "records do not end"),
        ({"head": "00" * 32}, "records do not end"),
        ({"parts": []}, "journal/records is missing"),
        ({"parts": [{"name": RECORDS, "size_bytes": 1, "sha256": "00" * 32}]}, "not what was backed up"),
        ({"parts": [{"name": "x", "size_bytes": 1, "sha256": ""}] * 2}, "names a part twice"),
        ({"number": "seven"}, "makes no sense"),
        ({"colour": "red"}, "makes no sense"),
    ],
)
async def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, manifest: dict[str, object], said: str) -> None:
    site = await BackedUp(tmp_path / "backups").open()
    file = forged(await site.file(), tmp_path / "forged", manifest=manifest)
    with pytest.raises(BackupUnusable, match=said), opened(file) as backup:
        backup.verify()


@pytest.mark.parametrize("name", ["documents/Elsewhere/" + "a" * 64, "documents/RecorderMasksStore/../../evil", "settings.ini"])
async def test_parts_that_a_backup_does_not_have_are_refused(tmp_path: Path, name: str) -> None:
    site = await BackedUp(tmp_path / "backups").open(documents=0)
    file = await site.file()
    parts = msgspec.json.decode(zipfile.ZipFile(file).read(MANIFEST))["parts"]
    part = {"name": name, "size_bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    file = forged(file, tmp_path / "forged", manifest={"parts": [*parts, part]}, more={name: b"x"})
    with pytest.raises(BackupUnusable, match="none that a backup has"), opened(file) as backup:
        backup.verify()


async def test_a_document_under_a_wrong_hash_and_a_record_without_end_are_refused(tmp_path: Path) -> None:
    site = await BackedUp(tmp_path / "backups").open(documents=1)
    file = await site.file()
    parts = msgspec.json.decode(zipfile.ZipFile(file).read(MANIFEST))["parts"]
    ((store, _),) = site.named - {site.missing}
    name, content = document_name(store, document(5)[0]), document(6)[1]
    wrong = {"name": name, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    file_1 = forged(file, tmp_path / "one", manifest={"parts": [*parts, wrong]}, more={name: content})
    with pytest.raises(BackupUnusable, match="does not have that hash"), opened(file_1) as backup:
        backup.verify()
    endless = b"\xff\xff\xff\xff"
    part = {"name": RECORDS, "size_bytes": 4, "sha256": hashlib.sha256(endless).hexdigest()}
    file_2 = forged(file, tmp_path / "two", manifest={"parts": [part]}, more={RECORDS: endless})
    with pytest.raises(BackupUnusable, match="record 1 is too long"), opened(file_2) as backup:
        backup.verify()


# ---------------------------------------------------------------- secrets


def test_secrets_open_with_the_passphrase_and_its_context_only() -> None:
    sealed = seal(b"the key", cheap_key("größer als acht"), b"here")
    assert unseal(sealed, "größer als acht", b"here") == b"the key"
    assert unseal(sealed, "gro\u0308ßer als acht", b"here") == b"the key", "the same letters, written otherwise"
    with pytest.raises(PassphraseWrong, match="not the one"):
        unseal(sealed, "grosser als acht", b"here")
    with pytest.raises(PassphraseWrong, match="damaged"):
        unseal(sealed, "größer als acht", b"elsewhere")
    for changes in ({"nonce": b""}, {"ephemeral": bytes(31)}, {"ephemeral": bytes(32)}, {"content": b"x" * 40}):
        with pytest.raises(PassphraseWrong, match="damaged"):
            unseal(msgspec.structs.replace(sealed, **changes), "größer als acht", b"here")


def test_a_short_passphrase_is_refused_and_two_keys_differ() -> None:
    with pytest.raises(PassphraseWrong, match="8 to"):
        recovery_key("short")
    assert cheap_key() != cheap_key()


async def test_secrets_are_in_the_file_only_when_there_is_a_key_for_them(tmp_path: Path) -> None:
    site = await BackedUp(tmp_path).open()
    file = await site.file(recovery=cheap_key())
    content = file.read_bytes()
    assert bytes(range(32)) not in content
    with opened(file) as backup:
        assert backup.manifest.secrets is not None
        assert backup.manifest.key_id
    plain = await BackedUp(tmp_path / "plain", key=None).open()
    with opened(await plain.file(recovery=cheap_key())) as backup:
        assert backup.manifest.secrets is None


# ---------------------------------------------------------------- the folder


async def test_a_bounded_number_is_kept_and_what_a_kill_left_is_cleared(tmp_path: Path) -> None:
    site = await BackedUp(tmp_path).open(documents=0)
    left = tmp_path / ".unfinished-manual-000009-x.smbackup"
    left.write_bytes(b"half")
    for number in range(1, 6):
        await site.backups.make(site.job(number))
    for number in range(6, 20):
        await site.backups.make(site.job(number, kind=BackupKind.BASELINE))
    names = files(tmp_path)
    baselines = [f"baseline-{number:06d}" for number in range(10, 20)]
    assert [name[: name.rindex("-")] for name in names] == [*baselines, *(f"manual-{number:06d}" for number in (3, 4, 5))]


async def test_a_part_of_it_is_read_from_anywhere(tmp_path: Path) -> None:
    site = await BackedUp(tmp_path).open(records=3_000)
    file = await site.file()
    content = file.read_bytes()
    assert await site.backups.read(file.name, 0) == content[:PART_BYTES]
    assert await site.backups.read(file.name, len(content) - 5) == content[-5:]
    assert await site.backups.read(file.name, len(content)) == b""
    with pytest.raises(BackupFailed, match="can't be read"):
        await site.backups.read("gone", 0)


async def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    site = await BackedUp(blocked / "below").open()
    with pytest.raises(BackupFailed, match="check the disk"):
        await site.file()


async def test_a_journal_that_is_shorter_than_said_fails_and_leaves_nothing(tmp_path: Path) -> None:
    site = await BackedUp(tmp_path).open()
    with pytest.raises(BackupFailed, match="50 of 60 records"):
        await site.file(position=60)
    assert files(tmp_path) == []


async def test_credentials_that_cannot_be_read_fail_it(tmp_path: Path) -> None:
    site = await BackedUp(tmp_path, bus=(tmp_path / "gone").read_bytes).open()
    with pytest.raises(BackupFailed, match="credentials of the bus"):
        await site.file(recovery=cheap_key())


async def test_a_defect_of_the_worker_fails_the_backup_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = await BackedUp(tmp_path).open()

    def broken(*_: object, **__: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(folder_module, "write_backup", broken)
    with pytest.raises(BackupFailed, match="ZeroDivisionError"):
        await site.file()


class HeldStore:
    """A disk that gives a document when it is allowed to."""

    def __init__(self, site: BackedUp) -> None:
        self.asked, self.go = threading.Event(), threading.Event()
        self._right = site.store.get_blocking
        site.store.get_blocking = self.get  # type: ignore[method-assign]

    def get(self, store: StoreName, name: str) -> bytes:
        self.asked.set()
        assert self.go.wait(20)
        return self._right(store, name)


async def test_asked_again_for_the_same_it_waits_for_that_one(tmp_path: Path) -> None:
    site = await BackedUp(tmp_path).open()
    disk = HeldStore(site)
    first, second = (asyncio.create_task(site.backups.make(site.job())) for _ in range(2))
    await asyncio.to_thread(disk.asked.wait, 20)
    disk.go.set()
    assert await first == await second
    assert len(files(tmp_path)) == 1


async def test_a_disk_that_hangs_is_given_up_and_nothing_is_begun_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "GIVE_UP_S", 0.05)
    site = await BackedUp(tmp_path).open()
    disk = HeldStore(site)
    with pytest.raises(BackupFailed, match="did not take the backup"):
        await site.file()
    with pytest.raises(BackupFailed, match="still waits for the disk"):
        await site.file(2)
    disk.go.set()
    monkeypatch.setattr(folder_module, "GIVE_UP_S", 20)
    (stuck,) = site.backups._stuck
    await asyncio.to_thread(stuck.join, 20)
    assert files(tmp_path) == []
    assert (await site.file(3)).exists()
