"""What a named scenario is made of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sysmanager.domain.camera import FailoverPriority
from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import FailoverId
from sysmanager.domain.jobs import DrillSchedule, MaterialCopySettings
from sysmanager.protocol.clients import Request
from sysmanager.simulation.faults import Deed

FIRST = FailoverId("F00001")
SECOND = FailoverId("F00002")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A request of an administrator. None: confirm what the reconcile shows."""

    at_ms: int
    request: Request | None


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How one entry of the failover log ends: phase, server, and how its failed attempts ended, in order."""

    recorder: str
    phase: Phase
    server: str | None
    attempts: tuple[str, ...] = ()


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """groups: recorders and failover servers of each. deeds, wishes: by the time since the site runs. until_ms: when to look.

    failback_after_s: of every recorder, None if they do not fail back by themselves.
    hours: of cameras that have a schedule: letters for the quarters of an hour from the beginning.
    heals: whether everything is mended before the end, so that the site must be at rest. preroll: the setting of all groups.
    cameras, sessions: of every recorder, and what each camera allows.
    copies, drills: settings of every recorder. jobs: how each ends, as "material copy ready", "drill failed: dark".
    """

    name: str
    groups: tuple[tuple[int, int], ...] = ((2, 1),)
    deeds: tuple[Deed, ...] = ()
    wishes: tuple[Wish, ...] = ()
    until_ms: int = 60_000
    ends: tuple[End, ...] = ()
    cameras: int = 2
    sessions: int = 2
    failback_after_s: int | None = None
    copies: MaterialCopySettings = MaterialCopySettings()
    drills: DrillSchedule = DrillSchedule()
    jobs: tuple[str, ...] = ()
    heals: bool = True
    preroll: FailoverPriority | None = None
    hours: Mapping[str, str] = MappingProxyType({})
