"""Knowing before it happens (SPEC 14.1): whether a failover would work now, and who would land where."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.protocol.clients.level import Level


class Ready(StrEnum):
    """How well a server is prepared. `ready`: green; `limited`: yellow, protected with a shortcoming; `not ready`: red."""

    READY = "ready"
    LIMITED = "limited"
    NOT_READY = "not ready"


class Topic(StrEnum):
    """What a reason is about."""

    FAILOVER = "failover"
    CONNECTION = "connection"
    DOCUMENTS = "documents"
    CANDIDATE = "candidate"
    VERSION = "version"
    DISKS = "disks"
    ROOM = "room"
    VCA = "VCA channels"
    PLUGINS = "plug-ins"
    CLOCK = "clock"
    PREROLL = "pre-roll"
    CAMERAS = "cameras"
    DRILL = "drill"
    MACHINE = "machine"
    SELF_TEST = "self-test"


class ReadyReason(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at. level: `good`, `warning` (makes it limited) or `stop` (makes it not ready)."""

    topic: Topic
    level: Level
    sentence: str


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a failover of a server would work now, or whether a failover server could take over; with every reason.

    target: who would take over. shares: with whom it shares a machine, as a confirmation has to name it; empty if with nobody.
    """

    level: Ready
    reasons: tuple[ReadyReason, ...]
    target: RecorderId | None = None
    shares: tuple[str, ...] = ()

    @property
    def worst(self) -> str:
        """The first sentence that makes it less than ready; empty if none does."""
        ordered = sorted(self.reasons, key=lambda reason: (reason.level is not Level.STOP, reason.level is not Level.WARNING))
        return ordered[0].sentence if ordered and ordered[0].level is not Level.GOOD else ""


class AcceptSharedMachine(msgspec.Struct, frozen=True, kw_only=True, tag="accept-shared-machine", forbid_unknown_fields=True):
    """Accept that a server shares a machine, so that one breakdown takes both (SPEC 2). Refused unless `shares` names exactly with whom."""

    recorder: RecorderId
    shares: tuple[str, ...]


class WhoLandsWhere(msgspec.Struct, frozen=True, kw_only=True, tag="who-lands-where", forbid_unknown_fields=True):
    """Who would take over if each recorder failed now; with `two`, also what any two failures in a group leave unprotected."""

    two: bool = False


class Landing(msgspec.Struct, frozen=True, kw_only=True):
    """If this server fails now. server: who takes over, None: nobody. moved, unprotected: of the cameras that can move.

    sentence: why nobody does.
    """

    recorder: RecorderId
    server: RecorderId | None
    moved: int
    unprotected: int
    sentence: str = ""


class PairLanding(msgspec.Struct, frozen=True, kw_only=True):
    """If these two fail, in the worse order. first, second: a recorder and another one, or a recorder and a failover server."""

    first: RecorderId
    second: RecorderId
    unprotected: int


class GroupLandings(msgspec.Struct, frozen=True, kw_only=True):
    """Two failures in one group. pairs: how many there are; unprotected_pairs: how many of them leave cameras unprotected.

    worst: such pairs with the most cameras first, `PAIRS_LIMIT` at most.
    """

    group: GroupId
    pairs: int
    unprotected_pairs: int
    worst: tuple[PairLanding, ...] = ()


class Landings(msgspec.Struct, frozen=True, kw_only=True, tag="landings"):
    """Answer to `WhoLandsWhere`: every server that records, and every group where two were asked for."""

    single: tuple[Landing, ...]
    pairs: tuple[GroupLandings, ...] = ()
