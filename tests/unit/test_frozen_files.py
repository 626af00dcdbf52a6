"""Files of earlier versions, kept as they were written: this version opens them, and upgrades what is older than it.

A new version of a format adds a file here and leaves the others as they are.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sysmanager import wire
from sysmanager.backup.restore import restore
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.invariants import broken_invariants
from sysmanager.coordinator.state import State
from sysmanager.documents.site_key import SiteKey
from sysmanager.domain.failover import Phase
from sysmanager.domain.recorder import Acting, Broken, Recording
from sysmanager.engine.core import Core
from sysmanager.journal import file as journal_file
from sysmanager.journal.schema import SCHEMA_VERSION, create_tables, migrate
from sysmanager.journal.sqlite import SqliteJournal
from tests.helpers.backups import BUS, KEY, PASSPHRASE
from tests.helpers.coordination import Site, rid

FROZEN = Path(__file__).parents[1] / "frozen"
JOURNALS = sorted(FROZEN.glob("journal-*.sqlite"))
BACKUPS = sorted(FROZEN.glob("backup-*.smbackup"))


async def bodies_of(path: Path) -> list[bytes]:
    journal = SqliteJournal(path)
    opened = await journal.open()
    records = await journal.read()
    await journal.close()
    assert opened.last == len(records)
    return [record.body for record in records]


def test_there_is_a_journal_of_every_version() -> None:
    assert [path.stem for path in JOURNALS] == [f"journal-{version}" for version in range(1, SCHEMA_VERSION + 1)]


@pytest.mark.parametrize("frozen", JOURNALS, ids=lambda path: path.stem)
async def test_an_old_journal_is_opened_and_says_what_it_said(frozen: Path, tmp_path: Path) -> None:
    """A failover of A to F and back, one of B to H or F that stands, and a hold of A."""
    path = tmp_path / "journal.sqlite"
    shutil.copyfile(frozen, path)
    bodies = await bodies_of(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version FROM version").fetchall() == [(SCHEMA_VERSION,)]
    state = State()
    for body in bodies:
        evolve(state, wire.decode_fact(body))
    assert broken_invariants(state) == ()
    assert [entry.phase for entry in state.failovers.values()] == [Phase.RETURNED, Phase.READY]
    assert isinstance(state.recorders[rid("A")].assignment, Recording)
    assert isinstance(state.recorders[rid("B")].assignment, Broken)
    acting = [row.assignment for row in state.recorders.values() if isinstance(row.assignment, Acting)]
    assert [assignment.for_recorder for assignment in acting] == ["B"]
    assert list(state.holds) == ["A"]


@pytest.mark.parametrize("frozen", JOURNALS, ids=lambda path: path.stem)
async def test_a_coordinator_goes_on_with_an_old_journal(frozen: Path, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copyfile(frozen, path)
    site = Site()
    site.journal = await bodies_of(path)
    site.core = Core([wire.decode_fact(body) for body in site.journal], site.now)
    site.start()
    site.run(2_000)
    assert [entry.backup for entry in site.state.failovers.values()] == ["baseline-1", "baseline-1"], "their baseline is made up for"


async def test_an_old_journal_is_migrated_when_there_is_a_newer_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps are made up: what is tried is the way, with a file that an earlier program really wrote."""
    path = tmp_path / "journal.sqlite"
    shutil.copyfile(FROZEN / "journal-1.sqlite", path)
    before = await bodies_of(path)
    steps = {1: "ALTER TABLE damage ADD COLUMN found_ms INTEGER NOT NULL DEFAULT 0;", 2: "CREATE TABLE note (text TEXT NOT NULL);"}
    monkeypatch.setattr(journal_file, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(journal_file, "migrate", lambda connection, found: migrate(connection, found, steps, 3))
    assert await bodies_of(path) == before
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version FROM version").fetchall() == [(3,)]
        assert [row[1] for row in connection.execute("PRAGMA table_info(damage)")] == ["number", "sentence", "settled", "found_ms"]
        assert connection.execute("SELECT count(*) FROM note").fetchone() == (0,)
    assert await bodies_of(path) == before, "and once more"


def test_what_the_tables_are_now_is_what_the_migrations_lead_to(tmp_path: Path) -> None:
    """A new journal and a migrated one have the same tables."""

    def tables(path: Path) -> list[tuple[str, list[tuple[object, ...]]]]:
        with closing(sqlite3.connect(path)) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
            return [(name, [row[1:] for row in connection.execute(f"PRAGMA table_info({name})")]) for name in names]

    with closing(sqlite3.connect(tmp_path / "new", isolation_level=None)) as connection:
        create_tables(connection)
    for frozen in JOURNALS:
        shutil.copyfile(frozen, tmp_path / "old")
        with closing(sqlite3.connect(tmp_path / "old", isolation_level=None)) as connection:
            migrate(connection, connection.execute("PRAGMA user_version").fetchone()[0])
        assert tables(tmp_path / "old") == tables(tmp_path / "new")


@pytest.mark.parametrize("frozen", BACKUPS, ids=lambda path: path.stem)
async def test_an_old_backup_is_restored(frozen: Path, tmp_path: Path) -> None:
    data, key = tmp_path / "data", tmp_path / "site.key"
    restored = restore(frozen, data, journal=data / "journal.sqlite", site_key=key, passphrase=PASSPHRASE, when="27 November")
    assert (restored.site, restored.records, restored.documents, restored.missing) == ("Harbour", 50, 4, 1)
    assert len(await bodies_of(data / "journal.sqlite")) == 50
    assert SiteKey.load(key) == KEY
    assert (data / "bus" / "credentials.json").read_bytes() == BUS
