"""Applies the facts of a failover."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve.tables import assign, epoch_used, put_failover
from sysmanager.coordinator.state import Hold, State, tasks_of
from sysmanager.domain.failover import DID_NOT_ANSWER, Attempt, AttemptEnd, Failover, Phase, Reason, StepRecord, Timeline, Trigger
from sysmanager.domain.ids import Epoch, RecorderId
from sysmanager.domain.recorder import Acting, Assignment, Broken, Recording, Reserved, Standby
from sysmanager.domain.rights import COORDINATOR
from sysmanager.protocol.clients import HoldCause


def apply(state: State, record: f.FactRecord, fact: f.FailoverFact) -> None:
    wall_ms = record.wall_ms
    match fact:
        case f.FailoverStarted():
            row = _opened(state, record, fact.opening, Phase.QUEUED)
            _reserve(state, _step(row, wall_ms, 1, fact.duration_ms), fact.reservation, wall_ms)
            return
        case f.FailoverWithheld():
            row = _opened(state, record, fact.opening, Phase.WITHHELD)
            row = replace(row, verdicts=fact.verdicts, note=fact.sentence, ended_ms=wall_ms)
        case f.FailoverSkipped():
            put_failover(state, replace(state.failovers[fact.running], skipped=True))
            row = _opened(state, record, fact.opening, Phase.SKIPPED)
            row = replace(row, reason=Reason.INVALID_LOG_STATE, note=f"{fact.running} was running already.", ended_ms=wall_ms)
        case f.FailoverQueued():
            row = _opened(state, record, fact.opening, Phase.QUEUED)
        case f.FailoverWaiting():
            opening = fact.opening
            row = _opened(state, record, opening, Phase.WAITING) if opening is not None else state.failovers[fact.failover]
            row = replace(row, phase=Phase.WAITING, verdicts=fact.verdicts, reason=_reason_to_wait(state, row))
        case f.ServerReserved():
            row = state.failovers[fact.failover]
            _reserve(state, _step(row, wall_ms, 1, fact.duration_ms), fact.reservation, wall_ms)
            return
        case f.AttemptEnded():
            row = _end_attempt(state, state.failovers[fact.failover], fact.end, fact.sentence, fact.release_epoch)
            if fact.next is not None:
                _reserve(state, row, fact.next, wall_ms)
                return
            row = replace(row, phase=Phase.WAITING, verdicts=fact.verdicts, reason=_reason_to_wait(state, row))
        case f.DocumentsChecked():
            row = _step(state.failovers[fact.failover], wall_ms, 3, fact.duration_ms, Phase.FETCHED)
        case f.SettingsSaved():
            row = _step(state.failovers[fact.failover], wall_ms, 4, fact.duration_ms, Phase.SAVED)
            row = replace(row, expected=fact.expected, timeline=replace(row.timeline, saved_ms=wall_ms))
        case f.TasksMoved():
            row = replace(_commit(state, state.failovers[fact.failover], wall_ms, fact.duration_ms), dark=fact.dark)
        case f.ResultWritten():
            row = _step(state.failovers[fact.failover], wall_ms, 7, fact.duration_ms, Phase.RECORDED)
        case f.ClientsNotified():
            row = state.failovers[fact.failover]
            # A failover onto the home itself gave the cameras back already: nothing is left to fail back.
            at_home = row.server == row.home
            row = _step(row, wall_ms, 8, fact.duration_ms, Phase.RETURNED if at_home else Phase.READY)
            row = replace(row, ended_ms=wall_ms)
            state.uncovered[row.id] = row.group
        case f.GapsMeasured():
            row = replace(state.failovers[fact.failover], gaps=fact.gaps)
        case f.FailoverCancelled():
            row = state.failovers[fact.failover]
            if fact.release_epoch:
                row = _end_attempt(state, row, AttemptEnd.WITHDRAWN, fact.sentence, fact.release_epoch)
            row = replace(row, phase=Phase.CANCELLED, reason=Reason.CANCELLED, note=fact.sentence, ended_ms=wall_ms)
            if fact.hold:
                state.holds[row.recorder] = Hold(cause=HoldCause.ABORT, actor=record.actor, since_wall_ms=wall_ms)
        case f.FailoverFailed():
            row = state.failovers[fact.failover]
            if fact.release_epoch:
                # Only a server that did not answer was lost; for what else went wrong it is not to blame.
                lost = fact.reason is Reason.NO_CONNECTION and fact.hold
                end, said = (AttemptEnd.LOST, DID_NOT_ANSWER) if lost else (AttemptEnd.WITHDRAWN, fact.note)
                row = _end_attempt(state, row, end, said, fact.release_epoch)
            row = replace(row, phase=Phase.FAILED, reason=fact.reason, note=fact.note, ended_ms=wall_ms)
            if fact.hold and row.recorder in state.recorders:
                state.holds[row.recorder] = Hold(cause=HoldCause.FAILURE, actor=record.actor, since_wall_ms=wall_ms)
        case _:
            assert_never(fact)
    put_failover(state, row)


def _reason_to_wait(state: State, row: Failover) -> Reason:
    failed, home = state.recorders.get(row.recorder), state.recorders.get(row.home)
    known = failed is not None and home is not None and tasks_of(failed, home).documents is not None
    return Reason.NO_FAILOVER_SERVER if known else Reason.NO_SETTINGS


def _opened(state: State, record: f.FactRecord, opening: f.Opening, phase: Phase) -> Failover:
    acting = state.recorders[opening.recorder].assignment
    earlier = state.failovers.get(acting.failover) if isinstance(acting, Acting) else None
    return Failover(
        id=opening.failover,
        number=state.next_number,
        recorder=opening.recorder,
        home=opening.home,
        group=opening.group,
        trigger=opening.trigger,
        actor=record.actor,
        phase=phase,
        started_ms=record.wall_ms,
        previous_epoch=opening.previous_epoch,
        gaps=opening.gaps,
        opinions=opening.opinions,
        timeline=Timeline(last_heard_ms=opening.last_heard_ms, detected_ms=opening.detected_ms),
        by_hand=record.actor != COORDINATOR or (earlier is not None and earlier.by_hand),
    )


def _reserve(state: State, row: Failover, reservation: f.Reservation, wall_ms: int) -> None:
    attempt = Attempt(number=row.attempt + 1, server=reservation.server, epoch=reservation.epoch)
    row = replace(
        row,
        phase=Phase.RESERVED,
        server=reservation.server,
        epoch=reservation.epoch,
        documents=reservation.documents,
        verdicts=reservation.verdicts,
        attempts=(*row.attempts, attempt),
        moved=reservation.moved,
        not_moved=reservation.not_moved,
        to_do=reservation.to_do,
        vca_off=reservation.vca_off,
        reason=None,
        timeline=replace(row.timeline, decided_ms=wall_ms),
    )
    put_failover(state, _step(row, wall_ms, 2, 0))
    assign(state, reservation.server, Reserved(epoch=reservation.epoch, for_recorder=row.recorder, failover=row.id))


def _end_attempt(state: State, row: Failover, end: AttemptEnd, sentence: str, release_epoch: Epoch) -> Failover:
    if row.server is None:
        return row
    assert row.attempts, "a server is reserved by an attempt"
    ended = replace(row.attempts[-1], end=end, sentence=sentence)
    assignment = state.recorders[row.server].assignment
    if isinstance(assignment, Reserved) and assignment.failover == row.id:
        assign(state, row.server, _released(state, row, row.server, release_epoch))
    epoch_used(state, release_epoch)
    return replace(row, server=None, attempts=(*row.attempts[:-1], ended))


def _released(state: State, row: Failover, server: RecorderId, epoch: Epoch) -> Assignment:
    """What a server becomes when it is not needed after all: the home of the cameras stays broken, others wait again."""
    if server == row.home:
        acting = state.recorders[row.recorder].assignment
        return Broken(epoch=epoch, failover=acting.failover if isinstance(acting, Acting) else row.id)
    return Standby(epoch=epoch)


def _commit(state: State, row: Failover, wall_ms: int, duration_ms: int) -> Failover:
    """Steps 5 and 6: the server has the tasks, the recorder is broken. One record, so that no camera ever belongs to two (SPEC 6)."""
    assert row.server is not None, "a failover is committed to a server"
    replaced = state.recorders[row.recorder].assignment
    tasks = tasks_of(state.recorders[row.recorder], state.recorders[row.home])
    # Documents that changed since step 2 are fetched from the server that applied the fixed ones.
    documents = row.documents if tasks.documents == row.documents else None
    server = state.recorders[row.server]
    state.recorders[row.server] = replace(server, documents=documents, settings=tasks.settings, version=tasks.version)
    if row.server == row.home:
        assign(state, row.server, Recording(epoch=row.epoch))
    else:
        assign(state, row.server, Acting(epoch=row.epoch, for_recorder=row.home, failover=row.id))
        if row.home != row.recorder:
            assign(state, row.home, Broken(epoch=row.epoch, failover=row.id))
    assign(state, row.recorder, Broken(epoch=row.epoch, failover=row.id))
    if isinstance(replaced, Acting) and replaced.failover in state.failovers:
        earlier = state.failovers[replaced.failover]
        put_failover(state, replace(earlier, phase=Phase.SUPERSEDED, note=f"{row.recorder} broke down in its turn; see {row.id}."))
    state.holds.pop(row.recorder, None)
    if row.trigger is not Trigger.PLANNED:
        state.replaced_wall_ms[row.recorder] = wall_ms
    row = _step(row, wall_ms, 5, duration_ms)
    row = _step(row, wall_ms, 6, 0, Phase.COMMITTED)
    return replace(row, timeline=replace(row.timeline, committed_ms=wall_ms))


def _step(row: Failover, wall_ms: int, number: int, duration_ms: int, phase: Phase | None = None) -> Failover:
    step = StepRecord(number=number, done_wall_ms=wall_ms, duration_ms=duration_ms, attempt=max(1, row.attempt))
    return replace(row, steps=(*row.steps, step), phase=phase or row.phase)
