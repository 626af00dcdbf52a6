"""Applies facts to the tables: no decision, no doubt, no clock. A replay of the same facts gives the same tables. A file per subject."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve import (
    adoption,
    backup,
    copying,
    drilling,
    failback,
    failback_holds,
    failover,
    handing,
    log,
    machines,
    quarantine,
    reconcile,
    safety,
    system,
)
from sysmanager.coordinator.evolve.tables import failover_id, initial_assignment, job_id
from sysmanager.coordinator.state import State

__all__ = ["APPLIED_BY", "evolve", "failover_id", "initial_assignment", "job_id"]

_SUBJECTS: tuple[tuple[Any, Callable[[State, f.FactRecord, Any], None]], ...] = (
    (f.SystemFact, system.apply),
    (f.FailoverFact, failover.apply),
    (f.FailbackFact, failback.apply),
    (f.FailbackHoldFact, failback_holds.apply),
    (f.AdoptionFact, adoption.apply),
    (f.ReconcileFact, reconcile.apply),
    (f.LogFact, log.apply),
    (f.SafetyFact, safety.apply),
    (f.BackupFact, backup.apply),
    (f.MachineFact, machines.apply),
    (f.CopyingFact, copying.apply),
    (f.DrillingFact, drilling.apply),
    (f.HandingFact, handing.apply),
    (f.QuarantineFact, quarantine.apply),
)

APPLIED_BY: dict[type, Callable[[State, f.FactRecord, Any], None]] = {
    kind: apply for union, apply in _SUBJECTS for kind in get_args(union) or (union,)
}
"""Which subject applies each kind of fact."""


def evolve(state: State, record: f.FactRecord) -> None:
    """Apply one fact. Raises KeyError for a fact about something that is not there: such a journal is not sound."""
    state.news.clear()
    state.patches.clear()
    APPLIED_BY[type(record.fact)](state, record, record.fact)
