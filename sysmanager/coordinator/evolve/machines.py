"""Which servers may share a machine."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.state import SharedMachine, State


def apply(state: State, record: f.FactRecord, fact: f.MachineFact) -> None:
    state.shared[fact.recorder] = SharedMachine(shares=fact.shares, actor=record.actor, since_wall_ms=record.wall_ms)
