"""A start from a snapshot gives the tables that a replay gives; whatever is wrong with the snapshot, the journal counts (DESIGN)."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import msgspec
import pytest

from sysmanager import wire
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.state import ENDED_KEPT, State
from sysmanager.engine import snapshot as s
from sysmanager.engine import snapshotting
from sysmanager.engine.clock import SystemClock
from sysmanager.engine.recovery import SnapshotFile, load, open_journal, replay, take
from sysmanager.engine.snapshotting import DAY_MS, Snapshotting
from sysmanager.journal.memory import MemoryJournal
from sysmanager.journal.sqlite import SqliteJournal
from sysmanager.protocol import clients as c
from tests.helpers.coordination import Site, small_site
from tests.helpers.engine_site import EngineSite, rid
from tests.helpers.slow_journal import GatedJournal
from tests.helpers.virtual_time import in_virtual_time

POSITION = s.Position(sequence=7, hash=b"h" * 32, body=b"body")


class MemorySnapshots:
    """Implements `Snapshots`. fails: why nothing can be saved."""

    def __init__(self, content: bytes | None = None) -> None:
        self.content = content
        self.fails = False

    def load(self) -> bytes | None:
        return self.content

    def save(self, content: bytes) -> None:
        if self.fails:
            raise OSError(28, "No space left on device")
        self.content = content

    def remove(self) -> None:
        self.content = None


def busy_site() -> Site:
    """With a bit of everything: failover, failback, holds, an entry that waits, a backup."""
    site = small_site()
    site.ask(c.BackUp())
    site.fail_over("A")
    site.run(3_000)
    site.fail_back()
    site.run(5_000)
    site.fail_over("B")
    site.ask(c.HoldFailover(recorder=rid("A")))
    return site


def plain(state: State) -> dict[str, object]:
    return {name: value for name, value in vars(state).items() if name not in s.DERIVED}


# ---------------------------------------------------------------- bytes


def test_every_table_is_in_a_snapshot() -> None:
    """A new table of `State` belongs into `View` as well; what is neither is named in `DERIVED`."""
    assert set(vars(State())) == set(s.table_types()) | s.DERIVED


def test_tables_come_back_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s, "PORTION_ROWS", 2)
    site = busy_site()
    state, position = s.decode(s.encode(s.copied(site.state), POSITION), ENDED_KEPT)
    assert position == POSITION
    assert plain(state) == plain(site.state)
    assert {name: type(value) for name, value in vars(state).items()} == {name: type(value) for name, value in vars(site.state).items()}
    assert s.state_hash(state) == s.state_hash(site.state) == s.state_hash(site.replayed())


def test_what_comes_after_a_snapshot_gives_the_same_as_a_replay_of_all() -> None:
    site = busy_site()
    for length in range(0, len(site.journal), 7):
        early = State()
        for body in site.journal[:length]:
            evolve(early, wire.decode_fact(body))
        state, _ = s.decode(s.encode(s.copied(early), POSITION), ENDED_KEPT)
        for body in site.journal[length:]:
            evolve(state, wire.decode_fact(body))
        assert s.state_hash(state) == s.state_hash(site.state), f"from record {length}"


def test_a_copy_stays_as_it_was_while_the_tables_go_on() -> None:
    site = busy_site()
    before = s.state_hash(site.state)
    tables = s.copied(site.state)
    site.fail_over("A") if not site.state.holds else site.ask(c.ReleaseHold(recorder=rid("A")))
    site.add("N")
    site.run(5_000)
    state, _ = s.decode(s.encode(tables, POSITION), ENDED_KEPT)
    assert s.state_hash(state) == before != s.state_hash(site.state)


def test_the_order_of_entries_counts_in_the_hash() -> None:
    first, second = State(), State()
    first.open.update({"F1": None, "F2": None})  # type: ignore[dict-item]  # ids are text
    second.open.update({"F2": None, "F1": None})  # type: ignore[dict-item]
    assert s.state_hash(first) != s.state_hash(second)


@pytest.mark.parametrize("place", [0, 30, 100, -40, -1])
def test_a_flipped_bit_is_noticed(place: int) -> None:
    content = bytearray(s.encode(s.copied(busy_site().state), POSITION))
    content[place] ^= 4
    with pytest.raises(s.SnapshotUnusable, match="damaged"):
        s.decode(bytes(content), ENDED_KEPT)
    with pytest.raises(s.SnapshotUnusable, match="damaged"):
        s.decode(bytes(content[:place]), ENDED_KEPT)


def sealed(*blobs: bytes) -> bytes:
    """A file with a right checksum."""
    body = s.MAGIC + b"".join(len(blob).to_bytes(4, "big") + blob for blob in blobs)
    return body + s.hashlib.sha256(body).digest()


def test_content_that_makes_no_sense_is_refused_although_its_checksum_is_right() -> None:
    header = msgspec.msgpack.encode(s._Header(program=s._program(), position=POSITION))
    encode = msgspec.msgpack.encode
    for blobs in ((), (b"\xc1",), (encode({"program": 1}),)):
        with pytest.raises(s.SnapshotUnusable, match="no header"):
            s.decode(sealed(*blobs), ENDED_KEPT)
    for blob in (b"\xc1", encode(("term", "seven")), encode(("colour", 1)), encode(("recorders", {"A": 5}))):
        with pytest.raises(s.SnapshotUnusable, match="makes no sense"):
            s.decode(sealed(header, blob), ENDED_KEPT)


def test_one_of_another_version_of_the_program_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    content = s.encode(s.copied(busy_site().state), POSITION)
    monkeypatch.setattr(s, "_program", lambda: "another")
    with pytest.raises(s.SnapshotUnusable, match="another version"):
        s.decode(content, ENDED_KEPT)


def test_a_program_without_its_sources_is_told_by_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(module: object) -> str:
        raise OSError

    monkeypatch.setattr(s.inspect, "getsource", gone)
    assert s._program.__wrapped__() == s._program.__wrapped__()
    monkeypatch.setattr(s, "__version__", "9.9.9")
    assert s._program.__wrapped__() != s._program()


# ---------------------------------------------------------------- starting


async def journal_of(site: Site, journal: MemoryJournal | SqliteJournal) -> int:
    await journal.open()
    last = await journal.append(0, site.journal)
    await journal.close()
    return last


async def snapshot_at(journal: MemoryJournal | SqliteJournal, length: int) -> bytes:
    """The snapshot of a coordinator that had so many records."""
    await journal.open()
    records = await journal.read(0, length)
    await journal.close()
    state = State()
    for record in records:
        evolve(state, wire.decode_fact(record.body))
    position = s.Position(sequence=length, hash=records[-1].hash, body=records[-1].body)
    return s.encode(s.copied(state), position)


async def test_only_what_follows_is_replayed_and_the_history_gets_what_it_lacks() -> None:
    site, journal = busy_site(), MemoryJournal()
    last = await journal_of(site, journal)
    snapshot = await load(MemorySnapshots(await snapshot_at(journal, last - 5)))
    opened = await open_journal(journal, snapshot)
    found = await replay(journal, opened, snapshot, history_last=last - 3)
    assert found.begun_at == last - 5
    assert s.state_hash(found.state) == s.state_hash(site.state)
    assert [update.sequence for update in found.replayed] == [last - 2, last - 1, last]
    assert found.position.sequence == last
    assert found.last_body == site.journal[-1]
    snapshot = await load(MemorySnapshots(await journal_closed(journal, last)))
    whole = await replay(journal, await open_journal(journal, snapshot), snapshot, history_last=last)
    assert (whole.begun_at, whole.last_body) == (last, site.journal[-1])


async def journal_closed(journal: MemoryJournal, length: int) -> bytes:
    await journal.close()
    return await snapshot_at(journal, length)


async def test_a_snapshot_of_another_journal_or_beyond_the_end_is_passed_over() -> None:
    site, journal, other = busy_site(), MemoryJournal(), MemoryJournal()
    last = await journal_of(site, journal)
    await other.open()
    await other.append(0, [b"x", *site.journal[1:]])
    for length in (last, last - 10):
        snapshot = await load(MemorySnapshots(await journal_closed(journal, length)))
        assert snapshot is not None
        other.lose_tail(last - 5)
        with pytest.raises(wire.WireError):  # it begins with rubbish, which nobody looked at with a snapshot
            await replay(other, await other_opened(other), snapshot, history_last=None)


async def other_opened(journal: MemoryJournal):  # type: ignore[no-untyped-def]  # as `open`
    await journal.close()
    return await journal.open()


async def test_none_and_a_damaged_one_lead_to_a_replay(tmp_path: Path) -> None:
    assert await load(None) is None
    assert await load(MemorySnapshots()) is None
    assert await load(MemorySnapshots(b"rubbish")) is None
    file = SnapshotFile(tmp_path / "journal.snapshot")
    assert await load(file) is None
    (tmp_path / "journal.snapshot").mkdir()
    assert await load(file) is None


async def test_a_file_is_replaced_and_removed(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path / "journal.snapshot")
    content = s.encode(s.copied(State()), POSITION)
    file.save(b"old")
    file.save(content)
    assert file.load() == content
    file.remove()
    file.remove()
    assert file.load() is None


# ---------------------------------------------------------------- the journal behind it


async def test_a_trusted_record_spares_the_verification_of_those_before_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    site, journal = busy_site(), SqliteJournal(path)
    last = await journal_of(site, journal)
    snapshot = await load(MemorySnapshots(await snapshot_at(journal, last - 5)))
    opened = await open_journal(journal, snapshot)
    assert (opened.last, opened.damage, opened.verified_from) == (last, None, last - 5)
    await journal.close()
    _change(path, 3)
    opened = await open_journal(journal, snapshot)
    assert opened.damage is None, "it was sound when the snapshot was taken, and is looked at again once a day"
    await journal.close()
    _change(path, last - 2)
    opened = await open_journal(journal, snapshot)
    assert opened.damage is not None
    assert opened.last == 2, "then everything is looked at"
    await journal.close()


async def test_a_record_that_is_not_there_or_other_is_not_trusted(tmp_path: Path) -> None:
    site, journal = busy_site(), SqliteJournal(tmp_path / "journal.sqlite")
    last = await journal_of(site, journal)
    state, position = s.decode(await snapshot_at(journal, last - 5), ENDED_KEPT)
    for changes in ({"hash": bytes(32)}, {"sequence": last + 9}):
        opened = await open_journal(journal, (state, msgspec.structs.replace(position, **changes)))
        assert (opened.last, opened.verified_from) == (last, 0)
        await journal.close()


def _change(path: Path, sequence: int) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE record SET body = x'00' WHERE sequence = ?", (sequence,))
    connection.close()


# ---------------------------------------------------------------- taking


async def test_the_daily_one_finds_old_damage_and_leaves_the_next_start_to_look_at_everything(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    site, journal = busy_site(), SqliteJournal(path)
    last = await journal_of(site, journal)
    await journal.open()
    snapshots = MemorySnapshots(b"older")
    position = s.Position(sequence=last, hash=b"h" * 32, body=b"")
    assert take(journal, snapshots, s.copied(site.state), position, verified=False) is None
    assert snapshots.content is not None
    _change(path, 3)
    assert take(journal, snapshots, s.copied(site.state), position, verified=True) is None
    why = take(journal, snapshots, s.copied(site.state), position, verified=False)
    assert why is not None
    assert "damaged at record 3" in why
    assert snapshots.content is None
    await journal.close()


async def test_when_it_is_due() -> None:
    site, journal = busy_site(), MemoryJournal()
    last = await journal_of(site, journal)
    await journal.open()
    keeping = Snapshotting(MemorySnapshots(), journal)
    keeping.begin(0, last, 0, verified=True)
    assert not keeping.is_due(last, DAY_MS - 1)
    assert keeping.is_due(last, DAY_MS)
    await keeping.take(site.state, last, DAY_MS)
    assert keeping.at == last
    assert not keeping.is_due(last, 3 * DAY_MS), "nothing has happened since"
    assert keeping.is_due(last + snapshotting.MANY_FACTS, DAY_MS + 1)
    keeping.begin(0, snapshotting.MANY_FACTS, 0, verified=True)
    assert keeping.is_due(snapshotting.MANY_FACTS, snapshotting.SOON_MS)
    nowhere = Snapshotting(None, journal)
    assert not nowhere.is_due(10**9, 10**9)
    await nowhere.take(site.state, last, 0)


async def test_one_that_cannot_be_saved_is_tried_again() -> None:
    site, journal = busy_site(), MemoryJournal()
    last = await journal_of(site, journal)
    await journal.open()
    snapshots = MemorySnapshots()
    snapshots.fails = True
    keeping = Snapshotting(snapshots, journal)
    await keeping.take(site.state, last, 0)
    assert keeping.at == 0
    await journal.close()
    snapshots.fails = False
    await keeping.take(site.state, last, 0)
    assert keeping.at == 0, "the journal cannot be read"


# ---------------------------------------------------------------- the engine


async def test_an_engine_that_ended_in_order_begins_where_it_was(tmp_path: Path) -> None:
    site = EngineSite(journal=SqliteJournal(tmp_path / "journal.sqlite"), clock=SystemClock())
    snapshots = MemorySnapshots()
    site.engine._snapshotting.snapshots = snapshots
    await site.start()
    await site.ask(c.StartFailover(recorder=rid("A")))
    await site.until(lambda: site.entry.backup if site.engine_core.state.failovers else None)
    await site.engine.stop()
    before = s.state_hash(site.engine_core.state)
    assert snapshots.content is not None
    at = s.position_of(snapshots.content).sequence
    assert at == site.journal.last
    await site.crash()
    site.engine = site._make()
    site.engine._snapshotting.snapshots = snapshots
    await site.engine.start()
    assert site.engine._snapshotting.at == at, "nothing before the snapshot was replayed"
    assert s.state_hash(site.engine_core.state) != before, "a start is a fact"
    assert site.entry.backup
    await site.close()


async def test_an_engine_takes_one_when_it_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshotting, "MANY_FACTS", 3)
    site = EngineSite(journal=SqliteJournal(tmp_path / "journal.sqlite"), clock=SystemClock())
    snapshots = MemorySnapshots()
    site.engine._snapshotting.snapshots = snapshots
    await site.start()
    await site.until(lambda: snapshots.content)
    assert snapshots.content is not None
    state, position = s.decode(snapshots.content, ENDED_KEPT)
    replayed = State()
    for record in await site.journal.read(0, position.sequence):
        evolve(replayed, wire.decode_fact(record.body))
    assert s.state_hash(state) == s.state_hash(replayed)
    await site.close()


@in_virtual_time
async def test_none_is_taken_at_a_stop_of_tables_that_are_ahead_of_the_journal() -> None:
    journal = GatedJournal()
    site = EngineSite(journal=journal)
    snapshots = MemorySnapshots()
    site.engine._snapshotting.snapshots = snapshots
    await site.start()
    journal.gate.clear()
    asking = asyncio.create_task(site.ask(c.HoldFailover(recorder=rid("A"))))
    await site.until(lambda: journal.waiting)
    await site.engine.stop()
    assert rid("A") in site.engine_core.state.holds
    assert snapshots.content is None
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await site.close()
