"""Maintenance of a recorder, a group or the whole system: nothing fails over by itself, with a reason and an end (SPEC 13.6)."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sysmanager.domain.ids import FailoverId
from sysmanager.domain.rights import Actor

REASON_LIMIT = 200
"""Longest reason, in characters."""

LONGEST_MS = 366 * 24 * 3_600_000
"""A maintenance that ends later than this is a mistake in the date."""


class Scope(StrEnum):
    """What a maintenance covers."""

    RECORDER = "recorder"
    GROUP = "group"
    SYSTEM = "system"


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is in maintenance. id: of the recorder or the group; empty for the system."""

    scope: Scope
    id: str = ""

    @property
    def key(self) -> str:
        """Under which tables hold it: ``recorder TA-REC-03``, ``group gate``, ``system``."""
        return key_of(self.scope, self.id)


def key_of(scope: Scope, id: str = "") -> str:
    """The key of a target that is not at hand: it is asked for at every look at a recorder."""
    return f"{scope._value_} {id}" if id else scope._value_


SYSTEM = Target(scope=Scope.SYSTEM)


class Maintenance(msgspec.Struct, frozen=True, kw_only=True):
    """One maintenance. until_wall_ms: its end by the coordinator's wall clock, milliseconds since 1970.

    failover: the failover by hand that brought it with it; it then ends when that failover is over as well.
    """

    target: Target
    reason: str
    until_wall_ms: int
    since_wall_ms: int
    actor: Actor
    failover: FailoverId | None = None
