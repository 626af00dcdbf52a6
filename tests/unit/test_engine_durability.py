"""Durable before visible before done: nothing is shown, sent or answered before the journal has it, and nothing that it lost."""

from __future__ import annotations

import asyncio

import pytest

from sysmanager.api import ClientError
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import Phase
from sysmanager.domain.recorder import Recording, Standby
from sysmanager.engine.clients import LocalClient
from sysmanager.engine.engine import EngineFailed
from sysmanager.journal.port import JournalFailed
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from sysmanager.wire import decode_fact
from tests.helpers.coordination import contents
from tests.helpers.engine_site import ADMIN, EngineSite, rid
from tests.helpers.slow_journal import GatedJournal
from tests.helpers.virtual_time import in_virtual_time

DISK_FULL = "The journal cannot be written (no space left); free space on its disk."


def gated() -> tuple[EngineSite, GatedJournal]:
    journal = GatedJournal()
    return EngineSite(journal=journal), journal


async def replayed(journal: GatedJournal) -> State:
    state = State()
    for record in await journal.read():
        evolve(state, decode_fact(record.body))
    return state


@in_virtual_time
async def test_nothing_is_shown_sent_or_answered_before_it_is_durable() -> None:
    site, journal = gated()
    await site.start()
    f = site.recorders["F"]
    f.orders.clear()
    changes: list[c.Changes] = []
    site.engine.publisher.subscribe(changes.append)
    journal.gate.clear()
    asking = asyncio.create_task(site.ask(c.StartFailover(recorder=rid("A"))))
    await site.until(lambda: journal.waiting)
    question = asyncio.create_task(site.engine.ask(ADMIN, c.PreviewFailover(recorder=rid("A"))))
    await asyncio.sleep(3.0)
    assert not asking.done()
    assert not question.done()
    assert not [change for change in changes if change.failovers]
    assert f.orders == []
    snapshot = await site.engine.snapshot()
    assert snapshot.failovers == ()
    assert all(isinstance(row.assignment, Recording | Standby) for row in snapshot.recorders)
    journal.gate.set()
    assert isinstance(await asking, c.Done)
    await site.until_phase(Phase.READY)
    await question
    await site.close()


@in_virtual_time
async def test_heartbeats_are_heard_while_the_disk_is_slow() -> None:
    site, journal = gated()
    await site.start()
    journal.gate.clear()
    asking = asyncio.create_task(site.ask(c.HoldFailover(recorder=rid("B"))))
    await site.until(lambda: journal.waiting)
    await asyncio.sleep(25.0)
    assert site.engine_core.seen.silence_ms(rid("A")) <= 1_500, "25 s of a blocked disk are no silence of a recorder"
    journal.gate.set()
    assert isinstance(await asking, c.Done)
    await asyncio.sleep(2.0)
    assert not site.engine_core.state.failovers
    await site.close()


@in_virtual_time
async def test_a_failed_append_refuses_the_request_and_leaves_no_trace_of_it() -> None:
    site, journal = gated()
    await site.start()
    journal.fail_once = DISK_FULL
    reply = await site.ask(c.HoldFailover(recorder=rid("A")))
    assert isinstance(reply, c.Refused)
    assert DISK_FULL in reply.sentence
    await asyncio.sleep(1.0)
    assert not site.engine_core.state.holds
    snapshot = await site.engine.snapshot()
    assert all(row.hold is None for row in snapshot.recorders)
    assert isinstance(await site.ask(c.HoldFailover(recorder=rid("A"))), c.Done)
    assert contents(await replayed(journal)) == contents(site.engine_core.state)
    await site.close()


@in_virtual_time
async def test_a_failover_goes_on_after_a_failed_append_at_each_of_its_steps() -> None:
    for step in range(1, 8):
        site, journal = gated()
        await site.start()

        appended = 0
        passed = GatedJournal.append

        async def append(self: GatedJournal, expected_last: int, bodies: list[bytes], step: int = step, passed=passed) -> int:  # type: ignore[no-untyped-def]
            nonlocal appended
            appended += 1
            if appended == step:
                self.fail_once = DISK_FULL
            return await passed(self, expected_last, bodies)  # type: ignore[no-any-return]

        journal.append = append.__get__(journal)  # type: ignore[method-assign]
        reply = await site.ask(c.StartFailover(recorder=rid("A")))
        if step == 1:
            assert isinstance(reply, c.Refused)
            await asyncio.sleep(1.0)
            assert isinstance(await site.ask(c.StartFailover(recorder=rid("A"))), c.Done)
        await site.until_phase(Phase.READY)
        await asyncio.sleep(2.0)
        entry = await site.until_phase(Phase.READY)
        assert [found.number for found in entry.steps] == list(range(1, 9)), step
        assert site.engine_core.state.next_number == 2, step
        assert contents(await replayed(journal)) == contents(site.engine_core.state)
        await site.close()


@in_virtual_time
async def test_what_was_not_saved_is_never_shown_while_the_tables_are_rebuilt() -> None:
    """A recorder that asks meanwhile must not be told to stand down for a failover that did not happen."""
    site, journal = gated()
    await site.start()
    journal.fail_once = DISK_FULL
    journal.gate.clear()
    asking = asyncio.create_task(site.ask(c.StartFailover(recorder=rid("A"))))
    await site.until(lambda: journal.waiting)
    journal.gate.set()
    await asking
    snapshot = await site.engine.snapshot()
    assert snapshot.failovers == ()
    rows = {row.id: row for row in snapshot.recorders}
    assert isinstance(rows[rid("A")].assignment, Recording)
    assert isinstance(rows[rid("F")].assignment, Standby)
    question = r.Ask(recorder=rid("A"), instance=site.recorders["A"].instance, epoch=site.recorders["A"].epoch, home=rid("A"))
    assert isinstance(await site.engine.standing(question), r.GoOn)
    await site.close()


@in_virtual_time
async def test_requests_that_wait_behind_a_failed_append_are_answered() -> None:
    site, journal = gated()
    await site.start()
    journal.gate.clear()
    journal.fail_once = DISK_FULL
    first = asyncio.create_task(site.ask(c.HoldFailover(recorder=rid("A"))))
    await site.until(lambda: journal.waiting)
    second = asyncio.create_task(site.ask(c.HoldFailover(recorder=rid("B"))))
    await asyncio.sleep(0.1)
    journal.gate.set()
    assert isinstance(await first, c.Refused)
    async with asyncio.timeout(10):
        reply = await second
    assert isinstance(reply, c.Refused | c.Done)
    await site.close()


@in_virtual_time
async def test_while_the_journal_stays_broken_requests_are_refused_and_it_is_not_tried_without_pause() -> None:
    site, journal = gated()
    await site.start()
    opened: list[float] = []
    loop = asyncio.get_running_loop()
    really_open = journal.open

    async def open_again():  # type: ignore[no-untyped-def]
        opened.append(loop.time())
        return await really_open()

    journal.open = open_again  # type: ignore[method-assign]
    journal.fail_appends = DISK_FULL
    assert isinstance(await site.ask(c.HoldFailover(recorder=rid("A"))), c.Refused)
    await asyncio.sleep(20)
    async with asyncio.timeout(1):
        reply = await site.ask(c.HoldFailover(recorder=rid("A")))
    assert isinstance(reply, c.Refused)
    assert DISK_FULL in reply.sentence
    await asyncio.sleep(100)
    assert len(opened) < 40, "reading the whole journal again has a pause that grows"
    journal.fail_appends = None
    await asyncio.sleep(6.0)
    assert isinstance(await site.ask(c.HoldFailover(recorder=rid("A"))), c.Done)
    await site.close()


@in_virtual_time
async def test_a_second_writer_ends_the_engine_with_one_sentence() -> None:
    site, journal = gated()
    await site.start()
    journal.stale = True
    asking = asyncio.create_task(site.ask(c.HoldFailover(recorder=rid("A"))))
    async with asyncio.timeout(5):
        sentence = await site.engine.failure
    assert sentence.count(".") == 1
    assert "Traceback" not in sentence
    assert "other coordinator" in sentence
    async with asyncio.timeout(5):
        with pytest.raises(EngineFailed):
            await asking
        with pytest.raises(EngineFailed):
            await site.engine.snapshot()
    await site.close()


@in_virtual_time
async def test_a_start_whose_first_fact_cannot_be_saved_fails() -> None:
    site, journal = gated()
    journal.fail_once = DISK_FULL
    with pytest.raises(JournalFailed, match="no space left"):
        await site.engine.start()
    await site.close()


@in_virtual_time
async def test_stopping_leaves_no_request_waiting() -> None:
    site, journal = gated()
    await site.start()
    client = LocalClient(site.engine, ADMIN)
    journal.gate.clear()
    asking = asyncio.create_task(client.request(c.HoldFailover(recorder=rid("A"))))
    await site.until(lambda: journal.waiting)
    await site.engine.stop()
    async with asyncio.timeout(5):
        with pytest.raises(ClientError):
            await asking
        with pytest.raises(ClientError):
            await client.snapshot()
    journal.gate.set()
    await site.close()
