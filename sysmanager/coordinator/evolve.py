"""Applies facts to the tables: no decision, no doubt, no clock. A replay of the same facts gives the same tables."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.state import Hold, Reconcile, State, tasks_of
from sysmanager.domain.documents import SettingsSummary
from sysmanager.domain.failover import Attempt, AttemptEnd, Failback, Failover, Phase, Reason, StepRecord, Timeline
from sysmanager.domain.ids import Epoch, FailoverId, RecorderId
from sysmanager.domain.recorder import Acting, Assignment, Broken, Recorder, Recording, Reserved, Role, Standby
from sysmanager.protocol.clients import HoldCause

LOST_EPOCHS = 1_000
"""So many epochs may have been given out in records that the journal lost; orders of them may be on their way, or known to a recorder
that does not report them. The next ones are beyond."""


def evolve(state: State, record: f.FactRecord) -> None:
    """Apply one fact. Raises KeyError for a fact about something that is not there: such a journal is not sound."""
    fact = record.fact
    # First what there is most of in a long journal: the kinds below are looked at one by one.
    if isinstance(fact, _FailoverFact):
        _failover(state, record, fact)
        return
    if isinstance(fact, _FailbackFact):
        _failback(state, record, fact)
        return
    match fact:
        case f.CoordinatorStarted():
            state.term = fact.term
        case f.RecorderAdded():
            _put_recorder(state, fact.recorder)
            _epoch_used(state, fact.recorder.assignment.epoch)
        case f.RecorderEdited():
            _edit_recorder(state, fact)
        case f.RecorderRemoved():
            _remove_recorder(state, fact.recorder)
        case f.GroupSaved():
            state.groups[fact.group.id] = fact.group
        case f.GroupRemoved():
            del state.groups[fact.group]
        case f.DocumentsCached():
            row = state.recorders[fact.recorder]
            _put_recorder(state, replace(row, documents=fact.documents, settings=fact.settings, version=fact.version))
        case f.HoldPlaced():
            state.holds[fact.recorder] = Hold(cause=fact.cause, actor=record.actor, since_wall_ms=record.wall_ms)
        case f.HoldLifted():
            state.holds.pop(fact.recorder, None)
        case f.ServerRestored():
            _assign(state, fact.recorder, Standby(epoch=fact.epoch))
        case f.ReconcileStarted() | f.RecorderReconciled() | f.ReconcileConfirmed():
            _reconcile(state, fact)
        case _:
            assert_never(fact)


# ---------------------------------------------------------------- rows


def _put_recorder(state: State, row: Recorder) -> None:
    old = state.recorders.get(row.id)
    if old is not None and old.group is not None and old.group != row.group:
        state.members[old.group].discard(row.id)
    if row.group is not None:
        state.members.setdefault(row.group, set()).add(row.id)
    state.recorders[row.id] = row


def _assign(state: State, recorder: RecorderId, assignment: Assignment) -> None:
    row = replace(state.recorders[recorder], assignment=assignment)
    if isinstance(assignment, Standby):
        # Who waits holds nobody's tasks: settings that it had while acting would pass for cameras of its own.
        row = replace(row, documents=None, settings=SettingsSummary())
    state.recorders[recorder] = row
    _epoch_used(state, assignment.epoch)


def _epoch_used(state: State, epoch: Epoch) -> None:
    state.next_epoch = Epoch(max(state.next_epoch, epoch + 1))


def _edit_recorder(state: State, fact: f.RecorderEdited) -> None:
    row = state.recorders[fact.recorder]
    fields = fact.fields
    _put_recorder(
        state,
        replace(
            row,
            name=fields.name,
            address=fields.address,
            role=fields.role,
            group=fields.group,
            failover_enabled=fields.failover_enabled,
            detection_timeout_s=fields.detection_timeout_s,
            revision=row.revision + 1,
        ),
    )
    _assign(state, fact.recorder, fact.assignment)


def _remove_recorder(state: State, recorder: RecorderId) -> None:
    row = state.recorders.pop(recorder)
    if row.group is not None:
        state.members[row.group].discard(recorder)
    state.holds.pop(recorder, None)
    if state.reconcile is not None:
        _settle(state, frozenset({recorder}))


def _put_failover(state: State, row: Failover) -> None:
    old = state.failovers.get(row.id)
    if old is not None and _stays(old, row):
        # Most facts move an entry on where it stands: its indexes stay as they are.
        state.failovers[row.id] = row
        return
    for server in _named(old) if old is not None else ():
        state.open_with[server].pop(row.id, None)
    state.failovers[row.id] = row
    if row.phase.ended:
        state.open.pop(row.id, None)
        state.open_in.setdefault(row.group, {}).pop(row.id, None)
    else:
        state.open.setdefault(row.id)
        state.open_in.setdefault(row.group, {}).setdefault(row.id)
    for server in _named(row):
        entries = state.open_with.setdefault(server, {})
        if not row.phase.ended:
            entries[row.id] = None
    state.next_number = max(state.next_number, row.number + 1)


def _stays(old: Failover, row: Failover) -> bool:
    """Whether all that the indexes of the entries rest on is as it was."""
    return (
        old.server == row.server
        and old.phase.ended is row.phase.ended
        and old.recorder == row.recorder
        and old.home == row.home
        and old.group == row.group
        and old.number == row.number
    )


def _named(row: Failover) -> frozenset[RecorderId]:
    return frozenset(server for server in (row.recorder, row.home, row.server) if server is not None)


def failover_id(number: int) -> FailoverId:
    """The id of the entry with this number."""
    return FailoverId(f"F{number:05d}")


# ---------------------------------------------------------------- failover

_FailoverFact = (
    f.FailoverStarted
    | f.FailoverWaiting
    | f.FailoverQueued
    | f.ServerReserved
    | f.AttemptEnded
    | f.DocumentsChecked
    | f.SettingsSaved
    | f.TasksMoved
    | f.ResultWritten
    | f.ClientsNotified
    | f.GapsMeasured
    | f.FailoverCancelled
    | f.FailoverFailed
)


def _failover(state: State, record: f.FactRecord, fact: _FailoverFact) -> None:
    wall_ms = record.wall_ms
    match fact:
        case f.FailoverStarted():
            row = _opened(state, record, fact.opening, Phase.QUEUED)
            _reserve(state, _step(row, wall_ms, 1, fact.duration_ms), fact.reservation, wall_ms)
            return
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
            row = replace(row, timeline=replace(row.timeline, saved_ms=wall_ms))
        case f.TasksMoved():
            row = _commit(state, state.failovers[fact.failover], wall_ms, fact.duration_ms)
        case f.ResultWritten():
            row = _step(state.failovers[fact.failover], wall_ms, 7, fact.duration_ms, Phase.RECORDED)
        case f.ClientsNotified():
            row = state.failovers[fact.failover]
            # A failover onto the home itself gave the cameras back already: nothing is left to fail back.
            at_home = row.server == row.home
            row = _step(row, wall_ms, 8, fact.duration_ms, Phase.RETURNED if at_home else Phase.READY)
            row = replace(row, ended_ms=wall_ms)
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
                row = _end_attempt(state, row, AttemptEnd.LOST, fact.note, fact.release_epoch)
            row = replace(row, phase=Phase.FAILED, reason=fact.reason, note=fact.note, ended_ms=wall_ms)
            if row.recorder in state.recorders:
                state.holds[row.recorder] = Hold(cause=HoldCause.FAILURE, actor=record.actor, since_wall_ms=wall_ms)
        case _:
            assert_never(fact)
    _put_failover(state, row)


def _reason_to_wait(state: State, row: Failover) -> Reason:
    failed, home = state.recorders.get(row.recorder), state.recorders.get(row.home)
    known = failed is not None and home is not None and tasks_of(failed, home).documents is not None
    return Reason.NO_FAILOVER_SERVER if known else Reason.NO_SETTINGS


def _opened(state: State, record: f.FactRecord, opening: f.Opening, phase: Phase) -> Failover:
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
        timeline=Timeline(last_heard_ms=opening.last_heard_ms, detected_ms=opening.detected_ms),
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
        reason=None,
        timeline=replace(row.timeline, decided_ms=wall_ms),
    )
    _put_failover(state, _step(row, wall_ms, 2, 0))
    _assign(state, reservation.server, Reserved(epoch=reservation.epoch, for_recorder=row.recorder, failover=row.id))


def _end_attempt(state: State, row: Failover, end: AttemptEnd, sentence: str, release_epoch: Epoch) -> Failover:
    if row.server is None:
        return row
    assert row.attempts, "a server is reserved by an attempt"
    ended = replace(row.attempts[-1], end=end, sentence=sentence)
    assignment = state.recorders[row.server].assignment
    if isinstance(assignment, Reserved) and assignment.failover == row.id:
        _assign(state, row.server, _released(state, row, row.server, release_epoch))
    _epoch_used(state, release_epoch)
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
        _assign(state, row.server, Recording(epoch=row.epoch))
    else:
        _assign(state, row.server, Acting(epoch=row.epoch, for_recorder=row.home, failover=row.id))
        if row.home != row.recorder:
            _assign(state, row.home, Broken(epoch=row.epoch, failover=row.id))
    _assign(state, row.recorder, Broken(epoch=row.epoch, failover=row.id))
    if isinstance(replaced, Acting) and replaced.failover in state.failovers:
        earlier = state.failovers[replaced.failover]
        _put_failover(state, replace(earlier, phase=Phase.SUPERSEDED, note=f"{row.recorder} broke down in its turn; see {row.id}."))
    state.holds.pop(row.recorder, None)
    row = _step(row, wall_ms, 5, duration_ms)
    row = _step(row, wall_ms, 6, 0, Phase.COMMITTED)
    return replace(row, timeline=replace(row.timeline, committed_ms=wall_ms))


def _step(row: Failover, wall_ms: int, number: int, duration_ms: int, phase: Phase | None = None) -> Failover:
    step = StepRecord(number=number, done_wall_ms=wall_ms, duration_ms=duration_ms, attempt=max(1, row.attempt))
    return replace(row, steps=(*row.steps, step), phase=phase or row.phase)


# ---------------------------------------------------------------- failback

_FailbackFact = (
    f.FailbackStarted
    | f.FailbackDocumentsTaken
    | f.FailbackSaved
    | f.FailbackCommitted
    | f.FailbackPerformed
    | f.FailbackNotified
    | f.FailbackUndone
)


def _failback(state: State, record: f.FactRecord, fact: _FailbackFact) -> None:
    row = state.failovers[fact.failover]
    wall_ms = record.wall_ms
    match fact:
        case f.FailbackStarted():
            failback = Failback(actor=record.actor, started_ms=wall_ms, epoch=fact.epoch)
            for number in range(1, 7):
                failback = _failback_step(failback, wall_ms, number, fact.duration_ms if number == 1 else 0)
            row = replace(row, phase=Phase.FAILBACK_STARTED, failback=failback)
            _epoch_used(state, fact.epoch)
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
        case f.FailbackUndone():
            failback = replace(_running(row), reason=fact.reason, note=fact.note, ended_ms=wall_ms)
            row = replace(row, phase=Phase.READY, failback=failback)
            _assign(state, row.home, Broken(epoch=fact.recorder_epoch, failover=row.id))
        case _:
            assert_never(fact)
    _put_failover(state, row)


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
    _assign(state, row.home, Recording(epoch=failback.epoch))
    _assign(state, row.server, Standby(epoch=fact.release_epoch))
    return replace(row, phase=Phase.FAILBACK_COMMITTED, failback=failback)


def _failback_step(failback: Failback, wall_ms: int, number: int, duration_ms: int) -> Failback:
    return replace(failback, steps=(*failback.steps, StepRecord(number=number, done_wall_ms=wall_ms, duration_ms=duration_ms)))


# ---------------------------------------------------------------- reconcile


def _reconcile(state: State, fact: f.ReconcileStarted | f.RecorderReconciled | f.ReconcileConfirmed) -> None:
    match fact:
        case f.ReconcileStarted():
            state.reconcile = Reconcile(sentence=fact.sentence, waiting=frozenset(state.recorders))
            state.next_epoch = Epoch(state.next_epoch + LOST_EPOCHS)
        case f.RecorderReconciled():
            _epoch_used(state, fact.epoch)
            _settle(state, frozenset({fact.recorder}))
        case f.ReconcileConfirmed():
            for adjustment in fact.adjustments:
                if adjustment.entry is not None:
                    _put_failover(state, adjustment.entry)
                _adjust(state, adjustment.recorder, adjustment.assignment)
            _epoch_used(state, fact.highest_epoch)
            if state.reconcile is not None:
                state.reconcile = replace(state.reconcile, confirmed=True)
                _settle(state, frozenset(fact.settled))
        case _:
            assert_never(fact)


def _adjust(state: State, recorder: RecorderId, assignment: Assignment) -> None:
    row = state.recorders[recorder]
    if isinstance(assignment, Acting) and row.home != assignment.for_recorder:
        # The cameras are those of its home; the documents that it holds are fetched from it.
        settings = state.recorders[assignment.for_recorder].settings
        state.recorders[recorder] = replace(row, documents=None, settings=settings)
    _assign(state, recorder, assignment)


def _settle(state: State, recorders: frozenset[RecorderId]) -> None:
    """The reconcile ends by itself when a person confirmed and nobody is left to be heard, or when nothing differed at all."""
    assert state.reconcile is not None, "only a reconcile settles recorders"
    waiting = state.reconcile.waiting - recorders
    state.reconcile = replace(state.reconcile, waiting=waiting) if waiting else None


def initial_assignment(role: Role, epoch: Epoch) -> Assignment:
    """What a server begins as when it enters system data."""
    return Recording(epoch=epoch) if role is Role.STANDARD else Standby(epoch=epoch)
