"""Applies the facts about cameras that change hands one by one."""

from __future__ import annotations

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve.tables import put_failover
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import Phase


def apply(state: State, record: f.FactRecord, fact: f.HandingFact) -> None:
    row = state.failovers[fact.failover]
    if row.failback is not None and row.phase is Phase.FAILBACK_UNDOING:
        kept = tuple(camera for camera in row.failback.kept if camera not in fact.cameras)
        put_failover(state, replace(row, failback=replace(row.failback, kept=kept, returning=fact.cameras)))
    elif row.failback is not None and row.phase.failing_back:
        put_failover(state, replace(row, failback=replace(row.failback, handed=row.failback.handed + fact.cameras)))
    else:
        put_failover(state, replace(row, handed=row.handed + fact.cameras))
