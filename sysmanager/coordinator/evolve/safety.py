"""Applies the facts of system settings, maintenance, brake and alarms."""

from __future__ import annotations

from typing import assert_never

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.state import Brake, State
from sysmanager.domain.maintenance import Maintenance


def apply(state: State, record: f.FactRecord, fact: f.SafetyFact) -> None:
    match fact:
        case f.SystemEdited():
            state.settings = fact.settings
            state.settings_revision += 1
        case f.MaintenanceBegan():
            state.maintenance[fact.target.key] = Maintenance(
                target=fact.target,
                reason=fact.reason,
                until_wall_ms=fact.until_wall_ms,
                since_wall_ms=record.wall_ms,
                actor=record.actor,
                failover=fact.failover,
            )
        case f.MaintenanceEnded():
            state.maintenance.pop(fact.target.key, None)
        case f.BrakeApplied():
            state.brake = Brake(since_wall_ms=record.wall_ms, lost=fact.lost, watched=fact.watched)
        case f.BrakeReleased():
            state.brake = None
        case f.AlarmAcknowledged():
            state.acknowledged[fact.key] = state.term
        case _:
            assert_never(fact)
