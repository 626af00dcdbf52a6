import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from sysmanager.journal.file import JournalFile
from sysmanager.journal.pages import file_pages
from sysmanager.journal.port import JournalFailed, Opened, StaleAppend
from sysmanager.journal.schema import create_tables, migrate
from sysmanager.journal.sqlite import SqliteJournal


async def test_waiting_appends_share_a_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    append = JournalFile.append

    def counted(self: JournalFile, batch: list[tuple[int, tuple[bytes, ...]]]) -> list[int | StaleAppend]:
        batches.append(len(batch))
        return append(self, batch)

    monkeypatch.setattr(JournalFile, "append", counted)
    journal = SqliteJournal(tmp_path / "journal.sqlite", sync_delay_ms=50)
    await journal.open()
    outcomes = await asyncio.gather(
        *(journal.append(number, [b"x"]) for number in range(100)), journal.append(0, [b"stale"]), return_exceptions=True
    )
    await journal.close()
    assert outcomes[:100] == list(range(1, 101))
    assert isinstance(outcomes[100], StaleAppend)
    assert sum(batches) == 101
    assert len(batches) <= 3


async def test_sync_delay_is_added_to_a_transaction(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite", sync_delay_ms=50)
    await journal.open()
    started = time.perf_counter()
    await journal.append(0, [b"x"])
    assert time.perf_counter() - started >= 0.05
    await journal.close()


async def test_failed_commit_stops_appends_until_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = SqliteJournal(path)
    await journal.open()
    await journal.append(0, [b"a"])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        outcomes = await asyncio.gather(journal.append(1, [b"b"]), journal.append(2, [b"c"]), return_exceptions=True)
        other.execute("ROLLBACK")
    for outcome in outcomes:
        assert isinstance(outcome, JournalFailed)
        assert "database is locked" in str(outcome)
    with pytest.raises(JournalFailed, match="database is locked"):
        await journal.append(1, [b"b"])
    with pytest.raises(JournalFailed, match="database is locked"):
        await journal.read()
    assert await journal.open() == Opened(last=1)
    assert await journal.append(1, [b"b"]) == 2
    await journal.close()


async def test_cancelled_append_harms_nobody(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite", sync_delay_ms=20)
    await journal.open()
    first = asyncio.create_task(journal.append(0, [b"a"]))
    second = asyncio.create_task(journal.append(1, [b"b"]))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 2
    await journal.close()


async def test_record_damaged_after_opening_is_noticed_when_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = SqliteJournal(path)
    await journal.open()
    await journal.append(0, [b"a", b"b", b"c"])
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE record SET body = x'00' WHERE sequence = 2")
        other.commit()
    with pytest.raises(JournalFailed, match="damaged at record 2"):
        await journal.read()
    opened = await journal.open()
    assert opened.last == 1
    assert opened.damage is not None
    await journal.close()


async def test_hundred_thousand_records_open_quickly(tmp_path: Path) -> None:
    """Aim: well under 1 s; the bound leaves room for a busy machine."""
    journal = SqliteJournal(tmp_path / "journal.sqlite")
    await journal.open()
    for start in range(0, 100_000, 10_000):
        await journal.append(start, [b"%06d" % number + bytes(300) for number in range(start, start + 10_000)])
    await journal.close()
    started = time.perf_counter()
    opened = await journal.open()
    elapsed_s = time.perf_counter() - started
    await journal.close()
    assert opened == Opened(last=100_000)
    assert elapsed_s < 2


def test_migration_goes_step_by_step() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        create_tables(connection, "CREATE TABLE version (version INTEGER NOT NULL); CREATE TABLE record (a);", 1)
        steps = {1: "ALTER TABLE record ADD COLUMN b; INSERT INTO record VALUES (1, 2);", 2: "ALTER TABLE record RENAME COLUMN a TO c;"}
        migrate(connection, 1, steps, 3)
        assert connection.execute("SELECT c, b FROM record").fetchall() == [(1, 2)]
        assert connection.execute("SELECT version FROM version").fetchall() == [(3,)]
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)


def test_failed_migration_leaves_the_version_before() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        create_tables(connection, "CREATE TABLE version (version INTEGER NOT NULL); CREATE TABLE record (a);", 1)
        steps = {1: "ALTER TABLE record ADD COLUMN b;", 2: "ALTER TABLE record ADD COLUMN d; ALTER TABLE nothing ADD COLUMN c;"}
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, 1, steps, 3)
        assert [row[1] for row in connection.execute("PRAGMA table_info(record)")] == ["a", "b"]
        assert connection.execute("SELECT version FROM version").fetchall() == [(2,)]
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


async def test_pages_of_a_file_find_damage_and_a_missing_end(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = SqliteJournal(path)
    await journal.open()
    await journal.append(0, [b"%d" % number for number in range(5_000)])
    assert [len(page) for page in journal.pages(4_500)] == [2_000, 2_000, 500]
    with pytest.raises(JournalFailed, match="ends at record 5000, and 5001 were written"):
        list(journal.pages(5_001))
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE record SET body = x'00' WHERE sequence = 3000")
        other.commit()
    with pytest.raises(JournalFailed, match="damaged at record 3000"):
        list(journal.pages(5_000))
    await journal.close()
    with pytest.raises(JournalFailed, match="can't be read"):
        list(file_pages(tmp_path / "gone", 1))
