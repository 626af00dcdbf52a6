"""A failover group (SPEC 1, 2)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.ids import GroupId, RecorderId


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Standard recorders and the failover servers that may replace them.

    preference: failover servers in the order in which equals are taken (SPEC 5); others follow by id.
    partial: whether a failover may leave cameras behind when none has room for all.
    """

    id: GroupId
    name: str
    description: str = ""
    preference: tuple[RecorderId, ...] = ()
    partial: bool = False
