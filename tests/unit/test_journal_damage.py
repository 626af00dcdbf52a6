"""A damaged journal file: whatever happened to it, opening says so, and uses the sound records at its beginning."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sysmanager.journal import file as journal_file
from sysmanager.journal import salvage
from sysmanager.journal.file import JournalFile
from sysmanager.journal.port import JournalFailed, JournalTooNew, Opened

BODIES = [b"%03d-" % number + bytes((number * 7 + position) % 256 for position in range(240 + number % 90)) for number in range(60)]


@pytest.mark.parametrize(
    ("kept", "written", "sentence"),
    [
        (0, 1, "its record 1 is lost and none is left to be used"),
        (0, 6, "its records 1 to 6 are lost and none is left to be used"),
        (1, 2, "its record 2 is lost and the one before it is used"),
        (1, 4, "its records 2 to 4 are lost and the one before them is used"),
        (5, 6, "its record 6 is lost and the 5 before it are used"),
        (5, 9, "its records 6 to 9 are lost and the 5 before them are used"),
    ],
)
def test_what_is_lost_and_what_is_used(kept: int, written: int, sentence: str) -> None:
    assert salvage.lost_and_used(kept, written) == sentence


@pytest.fixture(scope="module")
def closed_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a journal that was closed: everything is in the database."""
    folder = tmp_path_factory.mktemp("closed")
    file = JournalFile(folder / "journal.sqlite")
    file.open()
    file.append([(0, BODIES[:30])])
    file.append([(30, BODIES[30:])])
    file.close()
    assert not (folder / "journal.sqlite-wal").exists()
    return folder


@pytest.fixture(scope="module")
def killed_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a killed process leaves it: the last half is in the log only."""
    folder, killed = tmp_path_factory.mktemp("open"), tmp_path_factory.mktemp("killed")
    file = JournalFile(folder / "journal.sqlite")
    file.open()
    file.append([(0, BODIES[:30])])
    file.close()
    file.open()
    for number in range(30, 60):
        file.append([(number, [BODIES[number]])])
    for name in ("journal.sqlite", "journal.sqlite-wal", "journal.head"):
        shutil.copyfile(folder / name, killed / name)
    file.close()
    return killed


def copied(source: Path, target: Path) -> JournalFile:
    shutil.copytree(source, target, dirs_exist_ok=True)
    return JournalFile(target / "journal.sqlite")


def flip(path: Path, offset: int, bits: int = 0xFF) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= bits
    path.write_bytes(content)


def check_opens_soundly(file: JournalFile, found: dict[str, bytes]) -> Opened:
    """Whatever it was: all records, or a sentence and the first of them; then it goes on as any journal."""
    opened = file.open()
    records = file.read(0, 100)
    assert [record.body for record in records] == BODIES[: opened.last]
    if opened.damage is None:
        assert opened.last == len(BODIES)
    else:
        assert opened.damage.endswith(".")
        assert opened.damage.count(". ") == 0
        file.close()
        assert file.open() == opened, "it must be said until an append has followed"
        asides = list((file.path.parent / "set-aside").glob("*"))
        for aside in asides:
            for path in aside.iterdir():
                assert path.read_bytes() == found[path.name]
        if opened.last < len(BODIES):
            assert asides or not found.get("journal.sqlite-wal"), "what was there must be kept"
    assert file.append([(opened.last, [b"next"])]) == [opened.last + 1]
    file.close()
    assert file.open() == Opened(last=opened.last + 1)
    file.close()
    return opened


def contents(file: JournalFile) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in file.path.parent.iterdir() if path.is_file()}


HEADER_AND_SCHEMA = [*range(100), 103, 105, 108, 400, 3500, 3800, 4090]
SPREAD = sorted(random.Random(7).sample(range(4096, 4096 * 8), 90))


@pytest.mark.parametrize("offset", HEADER_AND_SCHEMA + SPREAD)
def test_flipped_byte_in_a_closed_journal(closed_journal: Path, tmp_path: Path, offset: int) -> None:
    file = copied(closed_journal, tmp_path)
    if offset >= file.path.stat().st_size:
        pytest.skip("behind the end")
    flip(file.path, offset)
    found = contents(file)
    opened = check_opens_soundly(file, found)
    if offset < 4096:
        assert opened.last == len(BODIES), "the first page holds no records: none may be lost with it"


@pytest.mark.parametrize("bits", [0x01, 0x80])
@pytest.mark.parametrize("offset", sorted(random.Random(8).sample(range(4096 * 8), 40)))
def test_flipped_bit_in_a_closed_journal(closed_journal: Path, tmp_path: Path, offset: int, bits: int) -> None:
    file = copied(closed_journal, tmp_path)
    flip(file.path, offset % file.path.stat().st_size, bits)
    check_opens_soundly(file, contents(file))


@pytest.mark.parametrize("position", [0, 5, 20, 33, 60, *range(1000, 10000, 450)])
@pytest.mark.parametrize("name", ["journal.sqlite", "journal.sqlite-wal"])
def test_flipped_byte_in_a_killed_journal(killed_journal: Path, tmp_path: Path, name: str, position: int) -> None:
    """`position`: in ten thousandths of the file, so that it is spread over all of it; the first few are bytes."""
    file = copied(killed_journal, tmp_path)
    size = (tmp_path / name).stat().st_size
    flip(tmp_path / name, position if position < 100 else size * position // 10_000)
    check_opens_soundly(file, contents(file))


@pytest.mark.parametrize("offset", [0, 9, 17, 40, 57, 4096, 4105, 4113, 4150])
def test_flipped_byte_in_the_head_file(closed_journal: Path, tmp_path: Path, offset: int) -> None:
    """Two slots: the other one still tells that the journal reached at least that far."""
    file = copied(closed_journal, tmp_path)
    flip(tmp_path / "journal.head", offset)
    assert check_opens_soundly(file, contents(file)) == Opened(last=60)


def test_head_file_damaged_or_missing_is_said(closed_journal: Path, tmp_path: Path) -> None:
    file = copied(closed_journal, tmp_path)
    (tmp_path / "journal.head").write_bytes(b"nonsense")
    opened = check_opens_soundly(file, contents(file))
    assert opened.damage is not None
    assert "journal.head is damaged" in opened.damage
    (tmp_path / "journal.head").unlink()
    opened = file.open()
    file.close()
    assert opened.damage is not None
    assert "journal.head is missing" in opened.damage


@pytest.mark.parametrize("keep", [0, 1, 50, 99, 100, 4095, 4096, 8192, 12288, 12289, 15000])
def test_truncated_file(closed_journal: Path, tmp_path: Path, keep: int) -> None:
    file = copied(closed_journal, tmp_path)
    file.path.write_bytes(file.path.read_bytes()[:keep])
    opened = check_opens_soundly(file, contents(file))
    assert opened.damage is not None


@pytest.mark.parametrize("keep", [0, 10, 31, 32, 5000, 60_000])
def test_truncated_log(killed_journal: Path, tmp_path: Path, keep: int) -> None:
    file = copied(killed_journal, tmp_path)
    wal = tmp_path / "journal.sqlite-wal"
    assert wal.stat().st_size > keep
    wal.write_bytes(wal.read_bytes()[:keep])
    opened = check_opens_soundly(file, contents(file))
    assert opened.damage is not None
    assert "lost its end" in opened.damage
    assert opened.last >= 30


def test_log_of_a_killed_process_is_sound(killed_journal: Path, tmp_path: Path) -> None:
    file = copied(killed_journal, tmp_path)
    assert check_opens_soundly(file, contents(file)) == Opened(last=60)


def test_missing_file_is_a_lost_end(closed_journal: Path, tmp_path: Path) -> None:
    file = copied(closed_journal, tmp_path)
    file.path.unlink()
    opened = check_opens_soundly(file, contents(file))
    assert opened.last == 0
    assert opened.damage is not None
    assert "records 1 to 60 are lost" in opened.damage


def test_database_missing_with_its_log_there(killed_journal: Path, tmp_path: Path) -> None:
    file = copied(killed_journal, tmp_path)
    file.path.unlink()
    found = contents(file)
    assert check_opens_soundly(file, found).damage is not None
    assert (tmp_path / "set-aside" / "journal.sqlite-1" / "journal.sqlite-wal").read_bytes() == found["journal.sqlite-wal"]


def test_cut_tail(closed_journal: Path, tmp_path: Path) -> None:
    file = copied(closed_journal, tmp_path)
    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("DELETE FROM record WHERE sequence > 50")
        connection.commit()
    opened = check_opens_soundly(file, contents(file))
    assert opened.last == 50
    assert opened.damage is not None
    assert "records 51 to 60 are lost" in opened.damage


def test_changed_record_ends_the_sound_part(closed_journal: Path, tmp_path: Path) -> None:
    file = copied(closed_journal, tmp_path)
    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("UPDATE record SET body = x'00' WHERE sequence = 41")
        connection.commit()
    opened = check_opens_soundly(file, contents(file))
    assert opened.last == 40
    assert opened.damage is not None
    assert "records 41 to 60 are lost" in opened.damage


def test_another_journal_in_its_place_is_said(closed_journal: Path, tmp_path: Path) -> None:
    other = JournalFile(tmp_path / "other" / "journal.sqlite")
    other.open()
    other.append([(0, [b"x"] * 70)])
    other.close()
    file = copied(closed_journal, tmp_path)
    shutil.copyfile(other.path, file.path)
    opened = file.open()
    file.close()
    assert opened.last == 70
    assert opened.damage is not None
    assert "replaced" in opened.damage


def test_head_behind_the_journal_is_no_damage(closed_journal: Path, tmp_path: Path) -> None:
    file = copied(closed_journal, tmp_path)
    head = (tmp_path / "journal.head").read_bytes()
    file.open()
    file.append([(60, [b"after"])])
    file.close()
    (tmp_path / "journal.head").write_bytes(head)
    assert file.open() == Opened(last=61)
    file.close()


@pytest.mark.parametrize("step", ["set_aside", "rebuild", "finish_rebuild"])
def test_kill_while_salvaging(closed_journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Stopped after each step, the next opening finds the same damage and finishes."""

    class KilledError(BaseException):
        pass

    file = copied(closed_journal, tmp_path)
    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("UPDATE record SET body = x'00' WHERE sequence = 41")
        connection.commit()
    with monkeypatch.context() as patch:
        if step == "finish_rebuild":
            patch.setattr(salvage, "finish_rebuild", _raising(KilledError, None))
        else:
            patch.setattr(journal_file, step, _raising(KilledError, getattr(journal_file, step)))
        with pytest.raises(KilledError):
            file.open()
    opened = file.open()
    assert opened.damage is not None
    assert "was damaged" in opened.damage
    assert [record.body for record in file.read(0, 100)] == BODIES[: opened.last]
    file.close()


def _raising(kind: type[BaseException], first: object) -> object:
    def stopped(*arguments: object) -> None:
        if callable(first):
            first(*arguments)
        raise kind

    return stopped


def test_newer_version_is_refused_untouched(closed_journal: Path, tmp_path: Path) -> None:
    file = copied(closed_journal, tmp_path)
    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("UPDATE version SET version = 7")
        connection.execute("PRAGMA user_version = 7")
        connection.execute("ALTER TABLE record ADD COLUMN later TEXT")
        connection.commit()
    before = file.path.read_bytes()
    with pytest.raises(JournalTooNew) as caught:
        file.open()
    sentence = str(caught.value)
    assert str(file.path) in sentence
    assert "version 7" in sentence
    assert "up to 1" in sentence
    assert "install the newer program" in sentence
    assert file.path.read_bytes() == before


def test_unusable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(JournalFailed, match=r"can't be opened \(.*\); check the disk"):
        JournalFile(tmp_path / "taken" / "journal.sqlite").open()
