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


SafetyRequest = EditSystem | StartMaintenance | EndMaintenance
