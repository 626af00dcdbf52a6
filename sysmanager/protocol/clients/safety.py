"""What keeps the coordinator from acting by itself, as clients ask for it: system settings, maintenance."""

from __future__ import annotations

import msgspec

from sysmanager.domain.maintenance import Target
from sysmanager.domain.system import SystemSettings


class EditSystem(msgspec.Struct, frozen=True, kw_only=True, tag="edit-system", forbid_unknown_fields=True):
    """Change the settings of the system. Refused when `revision` is not the present one, so that no edit overwrites another unseen."""

    revision: int
    settings: SystemSettings


class StartMaintenance(msgspec.Struct, frozen=True, kw_only=True, tag="start-maintenance", forbid_unknown_fields=True):
    """Put a recorder, a group or the system into maintenance, or change its reason or end (SPEC 13.6).

    until_wall_ms: its end, milliseconds since 1970.
    """

    target: Target
    reason: str
    until_wall_ms: int


class EndMaintenance(msgspec.Struct, frozen=True, kw_only=True, tag="end-maintenance", forbid_unknown_fields=True):
    """End a maintenance before its time."""

    target: Target


class AcknowledgeAlarm(msgspec.Struct, frozen=True, kw_only=True, tag="acknowledge-alarm", forbid_unknown_fields=True):
    """Say that an alarm was seen that stays until then. key: of the alarm."""

    key: str


SafetyRequest = EditSystem | StartMaintenance | EndMaintenance | AcknowledgeAlarm


class BrakeRow(msgspec.Struct, frozen=True, kw_only=True):
    """The mass-loss brake holds automatic failover (SPEC 13.3). waiting: how many recorders wait for it; goes_on_in_ms: None for never."""

    since_wall_ms: int
    lost: int
    watched: int
    waiting: int = 0
    goes_on_in_ms: int | None = None
