"""What the core takes in and gives out, and by which names it knows what is under way."""

from __future__ import annotations

from collections.abc import Hashable

import msgspec

from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.commands import Command
from sysmanager.domain.ids import FailoverId
from sysmanager.domain.instant import Instant
from sysmanager.history.port import Update
from sysmanager.protocol.clients import Reply
from sysmanager.protocol.recorders import Record, StandDown


class Waiting(msgspec.Struct, frozen=True):
    """An input that was heard and is to be decided. token: whom the reply is for."""

    taken: i.Input
    at: Instant
    token: Hashable


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Facts to append in one transaction, and what waits for that. The tables hold them already. rows: of the table, that led to them.

    updates: what each record changes in the history; their sequences count from 1.
    """

    records: tuple[f.FactRecord, ...]
    replies: tuple[tuple[Hashable, Reply], ...]
    follow: tuple[i.Input, ...]
    rows: tuple[int, ...] = ()
    updates: tuple[Update, ...] = ()


class Effects(msgspec.Struct, frozen=True, kw_only=True):
    """What may be shown and done now. prove: send a canary at once."""

    replies: tuple[tuple[Hashable, Reply], ...] = ()
    commands: tuple[Command, ...] = ()
    prove: bool = False


def steps(taken: i.Input) -> FailoverId | None:
    """The entry that an input could move by a step, other than at the wish of a person."""
    match taken:
        case i.ReviewFailover(failover=failover) | i.DocumentsInCache(failover=failover):
            return failover
        case i.OrderAnswered(order=Record(key=key) | StandDown(key=key)):
            return key.failover
        case _:
            return None
