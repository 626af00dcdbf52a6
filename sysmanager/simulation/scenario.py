"""What a named scenario is made of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sysmanager.domain.camera import FailoverPriority
from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import FailoverId, RecorderId
from sysmanager.domain.jobs import DrillSchedule, MaterialCopySettings
from sysmanager.protocol import clients as c
from sysmanager.protocol.clients import Request
from sysmanager.simulation.faults import Deed, Wrong

FIRST = FailoverId("F00001")
SECOND = FailoverId("F00002")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A request of an administrator. None: confirm what the reconcile shows."""

    at_ms: int
    request: Request | None


def off(server: str, at_ms: int = 0, lasts_ms: int = 0) -> Deed:
    """Its power is lost."""
    return Deed(at_ms=at_ms, what=Wrong.POWER, target=server, lasts_ms=lasts_ms)


def start(recorder: str, at_ms: int = 0, *, maintenance: bool = True) -> Wish:
    """A failover by hand."""
    return Wish(at_ms=at_ms, request=c.StartFailover(recorder=RecorderId(recorder), maintenance=maintenance))


def switch(recorder: str, at_ms: int = 0) -> Wish:
    """A planned switch."""
    return Wish(at_ms=at_ms, request=c.SwitchOver(recorder=RecorderId(recorder)))


def back(at_ms: int, entry: FailoverId = FIRST, *, leave_dark: bool = False) -> Wish:
    """A failback by hand."""
    return Wish(at_ms=at_ms, request=c.StartFailback(failover=entry, leave_dark=leave_dark))


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
