"""A coordinator that dies anywhere goes on with the same failover; one whose journal lost its tail asks a person first."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from sysmanager.coordinator.reconcile import findings
from sysmanager.domain.failover import Phase
from sysmanager.domain.recorder import Acting, Broken
from sysmanager.engine.clock import SystemClock
from sysmanager.journal.sqlite import SqliteJournal
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.engine_site import EngineSite, rid
from tests.helpers.slow_journal import GatedJournal
from tests.helpers.virtual_time import in_virtual_time

STEPS = 7
"""Appends of one failover: steps 1 and 2, 3, 4, 5 and 6, 7, 8, and the gaps."""


@pytest.mark.parametrize("durable", range(1, STEPS))
@pytest.mark.parametrize("seen", ["appended", "acted on"])
def test_a_coordinator_that_dies_goes_on_with_the_same_failover(durable: int, seen: str) -> None:
    @in_virtual_time
    async def scenario() -> None:
        journal = GatedJournal()
        site = EngineSite(journal=journal)
        await site.start()
        before = journal.last
        passed = journal.append

        async def append(expected_last: int, bodies: list[bytes]) -> int:
            if journal.last - before >= durable:
                journal.gate.clear()
            last = await passed(expected_last, bodies)
            if seen == "appended" and last - before >= durable:
                journal.gate.clear()
                await journal.gate.wait()
            return last

        journal.append = append  # type: ignore[method-assign]
        f = site.recorders["F"]
        asking = asyncio.create_task(site.ask(c.StartFailover(recorder=rid("A"), maintenance=False)))
        await site.until(lambda: journal.last - before >= durable)
        await asyncio.sleep(1.0)
        asking.cancel()
        await site.crash()
        assert journal.last - before == durable + (durable == STEPS - 1), "a baseline begins in the transaction of step 8"
        journal.append = passed  # type: ignore[method-assign]
        journal.gate.set()
        site.engine = site._make()
        await site.engine.start()
        entry = await site.until_phase(Phase.READY)
        assert len(site.engine_core.state.failovers) == 1
        assert entry.number == 1
        assert entry.server == "F"
        assert entry.attempt == 1
        assert [step.number for step in entry.steps] == list(range(1, 9))
        assert f.mode is r.Mode.RECORDING
        assert f.epoch == entry.epoch
        assert isinstance(site.rows[rid("A")].assignment, Broken)
        await site.close()

    scenario()


@in_virtual_time
async def test_a_journal_that_lost_its_tail_is_reconciled_by_a_person() -> None:
    site = EngineSite()
    await site.start()
    assert isinstance(await site.ask(c.StartFailover(recorder=rid("A"), maintenance=False)), c.Done)
    before = site.memory.last - 1
    entry = await site.until_phase(Phase.READY)
    epoch = entry.epoch
    await site.until(lambda: site.recorders["A"].mode is r.Mode.STANDBY)
    await site.crash()
    site.memory.lose_tail(before)
    site.engine = site._make()
    await site.engine.start()

    async def system() -> c.SystemRow:
        return (await site.engine.snapshot()).system

    first = await system()
    assert first.state is c.CoordinatorState.RECONCILE
    assert any(alarm.key == "reconcile" and "lost its records" in alarm.sentence for alarm in first.alarms)
    site.recorders["B"].up = False
    await asyncio.sleep(30)
    assert not site.engine_core.state.failovers, "automatic failover is held"
    found = (await system()).findings
    assert any(finding.recorder == "F" for finding in found)
    stale = await site.ask(c.ConfirmReconcile(findings=()))
    assert isinstance(stale, c.Refused)
    reply = await site.ask(c.ConfirmReconcile(findings=found))
    assert isinstance(reply, c.Done), reply
    assert isinstance(site.rows[rid("F")].assignment, Acting)
    assert isinstance(site.rows[rid("A")].assignment, Broken)
    assert site.engine_core.state.next_epoch > epoch
    await site.close()


async def test_the_whole_story_on_a_journal_file(tmp_path: Path) -> None:
    """Real time, a real file: failover, kill, damage at the end of the file, reconcile, confirm."""
    path = tmp_path / "journal.sqlite"
    site = EngineSite(journal=SqliteJournal(path), clock=SystemClock())
    await site.start()
    assert isinstance(await site.ask(c.StartFailover(recorder=rid("A"))), c.Done)
    await site.until_phase(Phase.READY, 10)
    await site.restart()
    assert site.phase is Phase.READY
    await site.crash()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE record SET body = zeroblob(20) WHERE sequence = (SELECT max(sequence) - 5 FROM record)")
    connection.close()
    site.journal = SqliteJournal(path)
    site.engine = site._make()
    await site.engine.start()
    system = (await site.engine.snapshot()).system
    assert system.state is c.CoordinatorState.RECONCILE
    assert [alarm for alarm in system.alarms if alarm.key == "reconcile"]
    await site.until(lambda: site.engine_core.seen.connected(rid("F")) and site.engine_core.seen.connected(rid("A")))
    shown = site.engine.publisher.snapshot
    await site.until(lambda: shown().system.findings == findings(site.engine_core.state, site.engine_core.seen) != ())
    reply = await site.ask(c.ConfirmReconcile(findings=shown().system.findings))
    assert isinstance(reply, c.Done), reply
    await site.close()
