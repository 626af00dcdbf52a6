"""Applies what people write on entries. What became of requests is in no table: the history alone keeps it (SPEC 11, 12)."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve.tables import put_failover
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import Failover
from sysmanager.domain.remarks import Comment, Tick
from sysmanager.domain.rights import Actor


def apply(state: State, record: f.FactRecord, fact: f.LogFact) -> None:
    match fact:
        case f.EntryCommented() | f.ToDoTicked():
            row = state.failovers.get(fact.failover)
            if row is not None:  # else it ended long ago, and only the history has it
                put_failover(state, remarked(row, fact, record.actor, record.wall_ms))
        case f.RequestRefused():
            pass
        case _:
            assert_never(fact)


def remarked(row: Failover, fact: f.RemarkFact, actor: Actor, wall_ms: int) -> Failover:
    """The entry with what a person wrote on it."""
    match fact:
        case f.EntryCommented(text=text):
            return replace(row, comments=(*row.comments, Comment(actor=actor, at_ms=wall_ms, text=text)))
        case f.ToDoTicked(item=item, done=done):
            others = tuple(tick for tick in row.ticks if tick.item != item)
            return replace(row, ticks=(*others, Tick(item=item, done=done, actor=actor, at_ms=wall_ms)))
        case _:
            assert_never(fact)
