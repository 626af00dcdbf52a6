"""Applies the facts about automatic failback that is held."""

from __future__ import annotations

from typing import assert_never

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.state import FailbackHold, State


def apply(state: State, record: f.FactRecord, fact: f.FailbackHoldFact) -> None:
    match fact:
        case f.FailbackHeld():
            state.failback_holds[fact.recorder] = FailbackHold(cause=fact.cause, actor=record.actor, since_wall_ms=record.wall_ms)
        case f.FailbackReleased():
            state.failback_holds.pop(fact.recorder, None)
        case _:
            assert_never(fact)
