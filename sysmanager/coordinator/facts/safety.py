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


class BrakeApplied(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="brake-applied"):
    """The mass-loss brake holds automatic failover: `lost` of `watched` recorders fell silent together (SPEC 13.3)."""

    lost: int
    watched: int


class BrakeReleased(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="brake-released"):
    """The mass-loss brake holds nothing any more."""

    sentence: str


class AlarmAcknowledged(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="alarm-acknowledged"):
    """A person has seen an alarm that stays until then. key: as clients see it."""

    key: str


SafetyFact = SystemEdited | MaintenanceBegan | MaintenanceEnded | BrakeApplied | BrakeReleased | AlarmAcknowledged
