"""Applies the facts of system data."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve.reconcile import settle
from sysmanager.coordinator.evolve.tables import assign, epoch_used, forget_drill, put_recorder
from sysmanager.coordinator.state import STARTS_KEPT, Hold, State
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.maintenance import Scope, Target
from sysmanager.domain.recorder import Standby, fields_of


def apply(state: State, record: f.FactRecord, fact: f.SystemFact) -> None:
    match fact:
        case f.CoordinatorStarted():
            state.term = fact.term
            state.starts = (*state.starts[1 - STARTS_KEPT :], record.wall_ms)
            state.brake = None  # what it rested on was heard by the one that ended
        case f.RecorderAdded():
            put_recorder(state, replace(fact.recorder, added_wall_ms=record.wall_ms))
            epoch_used(state, fact.recorder.assignment.epoch)
        case f.RecorderEdited():
            _edit_recorder(state, fact)
        case f.RecorderRemoved():
            remove_recorder(state, fact.recorder)
        case f.GroupSaved():
            state.groups[fact.group.id] = fact.group
        case f.GroupRemoved():
            del state.groups[fact.group]
            state.maintenance.pop(Target(scope=Scope.GROUP, id=fact.group).key, None)
        case f.DocumentsCached():
            row = state.recorders[fact.recorder]
            known = replace(row, documents=fact.documents, settings=fact.settings, version=fact.version, documents_wall_ms=record.wall_ms)
            put_recorder(state, replace(known, instance=fact.instance or row.instance))
        case f.HoldPlaced():
            state.holds[fact.recorder] = Hold(cause=fact.cause, actor=record.actor, since_wall_ms=record.wall_ms)
        case f.HoldLifted():
            state.holds.pop(fact.recorder, None)
        case f.ServerRestored():
            assign(state, fact.recorder, Standby(epoch=fact.epoch))
        case f.StandDownRenewed():
            assign(state, fact.recorder, replace(state.recorders[fact.recorder].assignment, epoch=fact.epoch))
        case _:
            assert_never(fact)


def _edit_recorder(state: State, fact: f.RecorderEdited) -> None:
    row = state.recorders[fact.recorder]
    put_recorder(state, replace(row, **fields_of(fact.fields), revision=row.revision + 1))
    assign(state, fact.recorder, fact.assignment)


def remove_recorder(state: State, recorder: RecorderId) -> None:
    row = state.recorders.pop(recorder)
    if row.group is not None:
        state.members[row.group].discard(recorder)
    state.holds.pop(recorder, None)
    state.failback_holds.pop(recorder, None)
    state.replaced_wall_ms.pop(recorder, None)
    state.maintenance.pop(Target(scope=Scope.RECORDER, id=recorder).key, None)
    state.shared.pop(recorder, None)
    state.releases.pop(recorder, None)
    state.kept.pop(recorder, None)
    forget_drill(state, recorder)
    state.away.pop(recorder, None)
    if state.reconcile is not None:
        settle(state, frozenset({recorder}))
