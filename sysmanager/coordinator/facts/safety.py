"""Facts of what keeps the coordinator from acting by itself: system settings, maintenance, brake, alarms that a person has seen."""

from __future__ import annotations

import msgspec

from sysmanager.domain.ids import FailoverId
from sysmanager.domain.maintenance import Target
from sysmanager.domain.system import SystemSettings


class SystemEdited(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="system-edited"):
    """The settings of the system as a whole were changed."""

    settings: SystemSettings


class MaintenanceBegan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="maintenance-began"):
    """A recorder, a group or the system is in maintenance, or its reason or end was changed. failover: that brought it with it."""

    target: Target
    reason: str
    until_wall_ms: int
    failover: FailoverId | None = None


class MaintenanceEnded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="maintenance-ended"):
    """A maintenance is over."""

    target: Target
    sentence: str


SafetyFact = SystemEdited | MaintenanceBegan | MaintenanceEnded
