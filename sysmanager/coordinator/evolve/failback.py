"""Applies the facts of a failback."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve.tables import assign, epoch_used, put_failover
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import Failback, Failover, Phase, Reason, StepRecord
from sysmanager.domain.recorder import Broken, Recording, Standby
from sysmanager.protocol.clients import FailbackHoldCause


def apply(state: State, record: f.FactRecord, fact: f.FailbackFact) -> None:
    row = state.failovers[fact.failover]
    wall_ms = record.wall_ms
    match fact:
        case f.FailbackStarted():
            failback = Failback(actor=record.actor, started_ms=wall_ms, epoch=fact.epoch, automatic=fact.automatic)
            failback = replace(failback, leaves_dark=fact.leaves_dark)
            for number in range(1, 7):
                failback = _failback_step(failback, wall_ms, number, fact.duration_ms if number == 1 else 0)
            row = replace(row, phase=Phase.FAILBACK_STARTED, failback=failback)
            epoch_used(state, fact.epoch)
        case f.FailbackDocumentsTaken():
            failback = replace(_running(row), documents=fact.documents)
            row = replace(row, phase=Phase.FAILBACK_TAKEN, failback=_failback_step(failback, wall_ms, 7, fact.duration_ms))
        case f.FailbackSaved():
            failback = replace(_running(row), expected=fact.expected)
            row = replace(row, phase=Phase.FAILBACK_SAVED, failback=_failback_step(failback, wall_ms, 8, fact.duration_ms))
        case f.FailbackCommitted():
            row = _commit_failback(state, row, fact, wall_ms)
        case f.FailbackPerformed():
            failback = _failback_step(_running(row), wall_ms, 10, fact.duration_ms)
            row = replace(row, phase=Phase.FAILBACK_PERFORMED, failback=failback)
        case f.FailbackNotified():
            failback = replace(_failback_step(_running(row), wall_ms, 11, fact.duration_ms), ended_ms=wall_ms)
            row = replace(row, phase=Phase.RETURNED, failback=failback)
        case f.FailbackUndoing():
            failback = replace(_running(row), reason=fact.reason, note=fact.note, dark=fact.dark, kept=fact.kept, returning=fact.returning)
            row = replace(row, phase=Phase.FAILBACK_UNDOING, failback=failback)
        case f.FailbackUndone():
            failback = replace(_running(row), reason=fact.reason, note=fact.note, ended_ms=wall_ms, dark=fact.dark, kept=(), returning=())
            failed = fact.reason is not Reason.CANCELLED
            tries = row.failback_tries + (failed and failback.automatic)
            row = replace(row, phase=Phase.READY, failback=failback, failback_tries=tries)
            row = replace(row, to_do=_with_line(row, state.recorders[row.home].name, fact.note)) if failed else row
            assign(state, row.home, Broken(epoch=fact.recorder_epoch, failover=row.id))
        case _:
            assert_never(fact)
    put_failover(state, row)


def _with_line(row: Failover, name: str, note: str) -> tuple[str, ...]:
    """The to-do list with what keeps the recorder from its cameras; once while nobody ticked it off."""
    line = f"Find out why {name} did not get its cameras back: {note}"
    return row.to_do if line in row.to_do_left else (*row.to_do, line)


def _running(row: Failover) -> Failback:
    assert row.failback is not None, "the failback was started"
    return row.failback


def _commit_failback(state: State, row: Failover, fact: f.FailbackCommitted, wall_ms: int) -> Failover:
    """Step 9: the recorder has its tasks again, the failover server waits. One record."""
    assert row.server is not None, "a failover server acts"
    failback = replace(_failback_step(_running(row), wall_ms, 9, fact.duration_ms), dark=fact.dark)
    server = state.recorders[row.server]
    home = state.recorders[row.home]
    state.recorders[row.home] = replace(home, documents=failback.documents, settings=server.settings)
    assign(state, row.home, Recording(epoch=failback.epoch))
    assign(state, row.server, Standby(epoch=fact.release_epoch))
    hold = state.failback_holds.get(row.home)
    if hold is not None and hold.cause in (FailbackHoldCause.ABORT, FailbackHoldCause.FAILURE):
        # These concerned this failback. That two failovers came in a short time a person has to have seen, however it ended.
        del state.failback_holds[row.home]
    return replace(row, phase=Phase.FAILBACK_COMMITTED, failback=failback)


def _failback_step(failback: Failback, wall_ms: int, number: int, duration_ms: int) -> Failback:
    return replace(failback, steps=(*failback.steps, StepRecord(number=number, done_wall_ms=wall_ms, duration_ms=duration_ms)))
