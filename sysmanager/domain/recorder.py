"""A VMS server in system data (SPEC 2)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from sysmanager.domain.documents import DocumentSet, SettingsSummary
from sysmanager.domain.ids import Epoch, FailoverId, GroupId, InstanceId, RecorderId
from sysmanager.domain.jobs import DrillSchedule, MaterialCopySettings

DETECTION_TIMEOUTS_S: tuple[int, ...] = (10, 20, 30, 40, 50, 60, 120, 180, 300, 600, 900, 1800)
"""The detection timeouts that can be chosen (SPEC 2)."""

DEFAULT_DETECTION_TIMEOUT_S = 60

FAILBACK_AFTER_S: tuple[int, ...] = (30, 60, 120, 300, 600, 900, 1800, 3600)
"""How long a replaced recorder has to be stable before it gets its tasks back by itself: the times that can be chosen."""

DEFAULT_FAILBACK_AFTER_S = 300
"""SPEC 8."""


class Role(StrEnum):
    STANDARD = "standard"
    FAILOVER = "failover"


class Recording(msgspec.Struct, frozen=True, kw_only=True, tag="recording"):
    """Records its own cameras."""

    epoch: Epoch


class Standby(msgspec.Struct, frozen=True, kw_only=True, tag="standby"):
    """A failover server that waits. `epoch` is the number under which it was released last."""

    epoch: Epoch


class Reserved(msgspec.Struct, frozen=True, kw_only=True, tag="reserved"):
    """A failover server that was chosen for `for_recorder` in a failover that is not yet committed (SPEC 6, step 2)."""

    epoch: Epoch
    for_recorder: RecorderId
    failover: FailoverId


class Acting(msgspec.Struct, frozen=True, kw_only=True, tag="acting"):
    """Records the cameras whose home is `for_recorder`."""

    epoch: Epoch
    for_recorder: RecorderId
    failover: FailoverId


class Broken(msgspec.Struct, frozen=True, kw_only=True, tag="broken"):
    """Was replaced in `failover`. Its settings are locked until a failback (SPEC 10)."""

    epoch: Epoch
    failover: FailoverId


Assignment = Recording | Standby | Reserved | Acting | Broken


class Recorder(msgspec.Struct, frozen=True, kw_only=True):
    """A VMS server as system data holds it; what it reports of itself at the moment is not here.

    revision: of this row, grows with every edit, so that two editors cannot overwrite one another.
    detection_timeout_s: one of `DETECTION_TIMEOUTS_S`.
    automatic_failback: whether it gets its tasks back by itself after an automatic failover, once it was stable for `failback_after_s`,
    one of `FAILBACK_AFTER_S`, within `failback_hours` (see `hours`; empty: at any time).
    material_copy: of footage that others recorded for it. drill: its own schedule; without one that of its group holds.
    vca_channels: activated on the server. camera_limit, bitrate_limit_kbps: what it can record.
    documents_wall_ms: when those that are cached were fetched; added_wall_ms: when it came into system data.
    version: software version under which its documents were fetched. instance: which installation under this id gave them; another one
    is not believed while this one is heard, also after a restart of the coordinator (SPEC 2).
    documents: which documents are in the cache; None until they were fetched once. An acting server holds those that it took over.
    """

    id: RecorderId
    name: str
    address: str = ""
    role: Role = Role.STANDARD
    group: GroupId | None = None
    revision: int = 1
    failover_enabled: bool = True
    detection_timeout_s: int = DEFAULT_DETECTION_TIMEOUT_S
    automatic_failback: bool = False
    failback_after_s: int = DEFAULT_FAILBACK_AFTER_S
    failback_hours: str = ""
    material_copy: MaterialCopySettings = MaterialCopySettings()
    drill: DrillSchedule = DrillSchedule()
    assignment: Assignment
    version: str = ""
    documents: DocumentSet | None = None
    settings: SettingsSummary = SettingsSummary()
    documents_wall_ms: int = 0
    added_wall_ms: int = 0
    practice: bool = False
    instance: InstanceId | None = None

    @property
    def records(self) -> bool:
        """Whether cameras belong to it in system data, so that its failure matters (SPEC 4)."""
        return isinstance(self.assignment, (Recording, Acting))

    @property
    def home(self) -> RecorderId | None:
        """Whose cameras it records: its own id, that of the recorder it acts for, or None."""
        assignment = self.assignment
        if isinstance(assignment, Recording):
            return self.id
        return assignment.for_recorder if isinstance(assignment, Acting) else None


class RecorderEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of a recorder that an administrator edits, all of them."""

    name: str
    address: str
    role: Role
    group: GroupId | None
    failover_enabled: bool
    detection_timeout_s: int
    automatic_failback: bool = False
    failback_after_s: int = DEFAULT_FAILBACK_AFTER_S
    failback_hours: str = ""
    material_copy: MaterialCopySettings = MaterialCopySettings()
    drill: DrillSchedule = DrillSchedule()


def edit_of(recorder: Recorder) -> RecorderEdit:
    """The present values of what can be edited."""
    return RecorderEdit(**fields_of(recorder))


def fields_of(holder: object) -> dict[str, Any]:
    """The fields that can be edited, by name, of whatever has them all: an edit, a recorder, a row."""
    return {name: getattr(holder, name) for name in RecorderEdit.__struct_fields__}


def timeout_text(seconds: int) -> str:
    """``10 s``, ``1 min``: as people read a detection timeout."""
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"
