"""Applies the facts of a reconcile."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve.tables import assign, epoch_used, put_failover
from sysmanager.coordinator.state import Reconcile, State
from sysmanager.domain.ids import Epoch, RecorderId
from sysmanager.domain.recorder import Acting, Assignment

LOST_EPOCHS = 1_000
"""So many epochs may have been given out in records that the journal lost; orders of them may be on their way, or known to a recorder
that does not report them. The next ones are beyond."""


def apply(state: State, record: f.FactRecord, fact: f.ReconcileFact) -> None:
    match fact:
        case f.ReconcileStarted():
            state.reconcile = Reconcile(sentence=fact.sentence, waiting=frozenset(state.recorders))
            state.next_epoch = Epoch(state.next_epoch + LOST_EPOCHS)
        case f.RecorderReconciled():
            epoch_used(state, fact.epoch)
            settle(state, frozenset({fact.recorder}))
        case f.ReconcileConfirmed():
            for adjustment in fact.adjustments:
                if adjustment.entry is not None:
                    put_failover(state, adjustment.entry)
                _adjust(state, adjustment.recorder, adjustment.assignment)
                if adjustment.own_again:
                    # Until it reports this epoch, what it takes for its own are other cameras: it is given its documents with the order.
                    state.kept[adjustment.recorder] = adjustment.assignment.epoch
            epoch_used(state, fact.highest_epoch)
            if state.reconcile is not None:
                state.reconcile = replace(state.reconcile, confirmed=True)
                settle(state, frozenset(fact.settled))
        case _:
            assert_never(fact)


def _adjust(state: State, recorder: RecorderId, assignment: Assignment) -> None:
    row = state.recorders[recorder]
    if isinstance(assignment, Acting) and row.home != assignment.for_recorder:
        # The cameras are those of its home; the documents that it holds are fetched from it.
        settings = state.recorders[assignment.for_recorder].settings
        state.recorders[recorder] = replace(row, documents=None, settings=settings)
    assign(state, recorder, assignment)


def settle(state: State, recorders: frozenset[RecorderId]) -> None:
    """The reconcile ends by itself when a person confirmed and nobody is left to be heard, or when nothing differed at all."""
    assert state.reconcile is not None, "only a reconcile settles recorders"
    waiting = state.reconcile.waiting - recorders
    state.reconcile = replace(state.reconcile, waiting=waiting) if waiting else None
