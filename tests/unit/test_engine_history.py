"""The history beside the journal: in step, caught up after a kill anywhere, made anew when missing, damaged or of another journal."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from sysmanager import wire
from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import Failover, Phase
from sysmanager.domain.ids import CameraId, FailoverId
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.engine import logbook
from sysmanager.engine.clock import SystemClock
from sysmanager.engine.engine import Engine
from sysmanager.history.file import HistoryFile
from sysmanager.history.port import HistoryFailed, Update
from sysmanager.history.sqlite import MemoryHistory, SqliteHistory
from sysmanager.journal.sqlite import SqliteJournal
from sysmanager.protocol import clients as c
from tests.helpers.engine_site import ADMIN, EngineSite, rid
from tests.helpers.virtual_time import in_virtual_time

ONLOOKER = Actor(name="olga", role=RoleName.MONITORING)


class KeptHistory(MemoryHistory):
    """Outlives the engine. lag: so many writes are swallowed, as if the process had been killed before them. fails: writes raise."""

    def __init__(self) -> None:
        super().__init__()
        self.swallows = False
        self.fails = False
        self.writes = 0

    async def write(self, updates: Sequence[Update], digest: bytes) -> None:
        if self.fails:
            raise HistoryFailed("The disk of the history is full; make room.")
        if not self.swallows:
            self.writes += 1
            await super().write(updates, digest)


class HistorySite(EngineSite):
    """An engine site whose history outlives the engine."""

    def __init__(self, **changes: object) -> None:
        self.history = KeptHistory()
        super().__init__(**changes)  # type: ignore[arg-type]

    def _make(self) -> Engine:
        engine = super()._make()
        engine.logbook._history = self.history
        return engine

    async def entries(self) -> tuple[Failover, ...]:
        found = await self.engine.ask(ADMIN, c.FindEntries(sort=c.LogColumn.STARTED, descending=False, limit=200))
        assert isinstance(found, c.EntriesFound), found
        return found.entries

    async def says_what_the_journal_says(self) -> None:
        """The history has exactly the entries that a replay of the journal gives."""
        state = State(10_000)
        for record in await self.journal.read():
            evolve(state, wire.decode_fact(record.body))
        assert {entry.id: entry for entry in await self.entries()} == state.failovers


async def one_failover(site: EngineSite) -> Failover:
    assert isinstance(await site.ask(c.StartFailover(recorder=rid("A"))), c.Done)
    await site.until_phase(Phase.READY)
    return await site.until(lambda: site.entry if site.entry.backup else None)  # the baseline is made a moment later


@in_virtual_time
async def test_an_answer_has_what_was_durable_before_the_question() -> None:
    site = HistorySite()
    await site.start()
    entry = await one_failover(site)
    shown = await site.engine.ask(ADMIN, c.ShowEntry(failover=entry.id))
    assert shown == c.EntriesFound(entries=(site.entry,), total=1)
    assert isinstance(await site.engine.ask(ADMIN, c.ShowEntry(failover=FailoverId("F00077"))), c.Refused)
    await site.says_what_the_journal_says()
    await site.close()


@in_virtual_time
async def test_a_kill_between_the_append_and_the_history_loses_nothing() -> None:
    site = HistorySite()
    await site.start()
    site.history.swallows = True
    await one_failover(site)
    await site.crash()
    assert await site.history.entry(FailoverId("F00001")) is None
    site.history.swallows = False
    site.engine = site._make()
    await site.engine.start()
    await site.says_what_the_journal_says()
    assert (await site.entries())[0].phase is Phase.READY
    await site.close()


@in_virtual_time
async def test_a_history_far_behind_is_caught_up_in_the_background() -> None:
    patch = pytest.MonkeyPatch()
    patch.setattr(logbook, "REPLAYED_LIMIT", 3)
    patch.setattr(logbook, "READ_RECORDS", 4)
    patch.setattr(logbook, "WRITE_LIMIT", 5)
    site = HistorySite()
    await site.start()
    await one_failover(site)
    await site.crash()
    site.history = KeptHistory()
    site.engine = site._make()
    await site.engine.start()
    busy = await site.engine.ask(ADMIN, c.FindEntries())
    assert isinstance(busy, c.Refused)
    assert "is being read from the journal" in busy.sentence
    assert isinstance(await site.engine.ask(ADMIN, c.WhoRecords(camera=CameraId("A-c0"), at_wall_ms=1)), c.Refused | c.Holders)
    await site.until(lambda: site.engine.logbook.trouble is None and not site.engine.logbook._behind)
    await site.says_what_the_journal_says()
    patch.undo()
    await site.close()


@in_virtual_time
async def test_a_history_of_another_journal_is_made_anew() -> None:
    first = HistorySite()
    await first.start()
    await one_failover(first)
    await first.close()
    second = HistorySite()
    second.history = first.history
    second.engine = second._make()
    await second.start()
    assert await second.entries() == ()
    await second.says_what_the_journal_says()
    await second.close()


@in_virtual_time
async def test_a_history_that_cannot_be_written_holds_nothing_up_and_is_caught_up_later() -> None:
    site = HistorySite()
    await site.start()
    site.history.fails = True
    entry = await one_failover(site)
    assert entry.phase is Phase.READY
    found = await site.engine.ask(ADMIN, c.FindEntries())
    assert isinstance(found, c.Refused)
    assert "disk of the history is full" in found.sentence
    assert site.engine.publisher.snapshot().failovers, "what is in memory is shown all the same"
    await site.until(lambda: [alarm for alarm in site.engine.publisher.snapshot().system.alarms if alarm.key == "history"])
    site.history.fails = False
    await site.until(lambda: not site.engine.logbook._behind, within_s=200)
    await site.until(lambda: not [alarm for alarm in site.engine.publisher.snapshot().system.alarms if alarm.key == "history"])
    await site.says_what_the_journal_says()
    await site.close()


@in_virtual_time
async def test_too_much_that_waits_is_read_from_the_journal_instead() -> None:
    patch = pytest.MonkeyPatch()
    site = HistorySite()
    await site.start()
    patch.setattr(logbook, "QUEUE_LIMIT", 0)
    await one_failover(site)
    patch.undo()
    await site.until(lambda: not site.engine.logbook._behind)
    await site.says_what_the_journal_says()
    await site.close()


@in_virtual_time
async def test_after_a_failed_append_the_history_says_what_the_journal_says() -> None:
    site = HistorySite()
    await site.start()
    site.memory.fail_appends = "The disk is full."
    assert isinstance(await site.ask(c.HoldFailover(recorder=rid("A"))), c.Refused)
    site.memory.fail_appends = None
    await asyncio.sleep(20)
    await one_failover(site)
    await site.until(lambda: not site.engine.logbook._behind)
    await site.says_what_the_journal_says()
    await site.close()


@in_virtual_time
async def test_who_records_is_told_from_entries_that_have_left_memory() -> None:
    site = HistorySite()
    await site.start()
    entry = await one_failover(site)
    await site.until(lambda: site.entry.gaps and all(gap.first_after_ms for gap in site.entry.gaps))
    assert isinstance(await site.ask(c.StartFailback(failover=entry.id)), c.Done)
    await site.until_phase(Phase.RETURNED)
    back = site.entry
    site.engine_core.state.failovers.clear()
    camera, moment = back.moved[0], back.timeline.committed_ms + 1
    held = await site.engine.ask(ADMIN, c.WhoRecords(camera=camera, at_wall_ms=moment))
    assert isinstance(held, c.Holders)
    assert [holder.recorder for holder in held.holders] == ["F"]
    before = await site.engine.ask(ADMIN, c.WhoRecords(camera=camera, at_wall_ms=moment - 60_000))
    assert isinstance(before, c.Holders)
    assert [holder.recorder for holder in before.holders] == ["A"]
    assert await site.engine.ask(ADMIN, c.WhoRecords(camera=CameraId("nowhere"), at_wall_ms=moment)) == c.Holders()
    await site.close()


@in_virtual_time
async def test_a_comment_reaches_an_entry_that_has_left_memory() -> None:
    site = HistorySite()
    await site.start()
    entry = await one_failover(site)
    core = site.engine_core
    del core.state.failovers[entry.id], core.state.open[entry.id]
    for server in core.state.open_with.values():
        server.pop(entry.id, None)
    core.state.open_in[entry.group].pop(entry.id)
    reply = await site.ask(c.CommentEntry(failover=entry.id, text="Lightning."))
    assert isinstance(reply, c.Done), reply
    shown = await site.engine.ask(ADMIN, c.ShowEntry(failover=entry.id))
    assert isinstance(shown, c.EntriesFound)
    assert [comment.text for comment in shown.entries[0].comments] == ["Lightning."]
    await site.close()


@in_virtual_time
async def test_every_request_and_every_refusal_is_in_the_audit_log() -> None:
    site = HistorySite()
    await site.start()
    await site.ask(c.HoldFailover(recorder=rid("A")))
    await site.ask(c.HoldFailover(recorder=rid("A")))
    await site.ask(c.StartFailover(recorder=rid("A")), ONLOOKER)
    await site.ask(c.HoldFailover(recorder=rid("B")), Actor(name="x" * 500, role=RoleName.OPERATOR))
    nobody = Actor(name="nora", role=None)
    assert isinstance(await site.engine.ask(nobody, c.FindEntries()), c.Refused)
    await asyncio.sleep(0.1)
    found = await site.engine.ask(ADMIN, c.FindAudit(limit=5))
    assert isinstance(found, c.AuditFound)
    lines = [(line.actor[:5], line.request, line.about, line.outcome.value) for line in found.lines]
    assert lines == [
        ("nora", "find-entries", "", "refused"),
        ("xxxxx", "hold-failover", "", "refused"),
        ("olga", "start-failover", "A", "refused"),
        ("anna", "hold-failover", "A", "refused"),
        ("anna", "hold-failover", "A", "done"),
    ]
    assert "may not" in found.lines[2].sentence
    refused = [wire.decode_fact(record.body).fact for record in await site.journal.read()]
    assert sum(isinstance(fact, f.RequestRefused) for fact in refused) == 4
    await site.close()


async def test_a_history_file_is_made_anew_when_missing_damaged_or_cut(tmp_path: Path) -> None:
    """Real files and threads: whatever becomes of the history, the journal gives it back."""
    path = tmp_path / "history.sqlite"

    class FileSite(HistorySite):
        def _make(self) -> Engine:
            self.history = SqliteHistory(path)  # type: ignore[assignment]
            return super()._make()

    site = FileSite(journal=SqliteJournal(tmp_path / "journal.sqlite"), clock=SystemClock())
    await site.start()
    await one_failover(site)
    await site.says_what_the_journal_says()

    async def again() -> None:
        site.engine = site._make()
        await site.engine.start()
        await site.until(lambda: not site.engine.logbook._behind)
        await site.says_what_the_journal_says()

    await site.crash()
    path.unlink()
    await again()
    await site.crash()
    path.write_bytes(b"rubbish" * 5_000)
    await again()
    assert (tmp_path / "history-damaged.sqlite").exists()
    await site.crash()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE position SET sequence = sequence - 6, digest = x''")
    connection.close()
    await again()
    await site.close()


async def test_a_history_is_closed_only_when_nobody_holds_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a check that was given up writes when it lets go would go over what was put there meanwhile."""
    inside, go_on = threading.Event(), threading.Event()

    def check(_: HistoryFile) -> None:
        inside.set()
        go_on.wait(30)

    monkeypatch.setattr(HistoryFile, "check", check)
    history = SqliteHistory(tmp_path / "history.sqlite")
    await history.open()
    checking = asyncio.create_task(history.check())
    await asyncio.to_thread(inside.wait, 30)
    checking.cancel()
    closing = asyncio.create_task(history.close())
    assert await asyncio.wait({closing}, timeout=0.2) == (set(), {closing})
    go_on.set()
    await closing
