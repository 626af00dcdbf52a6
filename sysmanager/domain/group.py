"""A failover group (SPEC 1, 2)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.camera import FailoverPriority
from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.domain.jobs import DrillSchedule


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Standard recorders and the failover servers that may replace them.

    preference: failover servers in the order in which equals are taken (SPEC 5); others follow by id.
    drill: of its recorders that have no schedule of their own.
    partial: whether a failover may leave cameras behind when none has room for all.
    preroll: cameras of this failover priority and up are kept by failover servers on standby, so that they have no gap
    (SPEC 6); None: none.
    """

    id: GroupId
    name: str
    description: str = ""
    preference: tuple[RecorderId, ...] = ()
    partial: bool = False
    preroll: FailoverPriority | None = None
    drill: DrillSchedule = DrillSchedule()
