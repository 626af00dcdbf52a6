"""Facts of system data: servers, groups, documents, holds."""

from __future__ import annotations

import msgspec

from sysmanager.domain.documents import DocumentSet, SettingsSummary
from sysmanager.domain.group import Group
from sysmanager.domain.ids import Epoch, GroupId, InstanceId, RecorderId
from sysmanager.domain.recorder import Assignment, Recorder, RecorderEdit
from sysmanager.protocol.clients import HoldCause


class CoordinatorStarted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="coordinator-started"):
    """Number `term` of the coordinator's starts on this journal."""

    term: int


class RecorderAdded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="recorder-added"):
    """A server was taken into system data."""

    recorder: Recorder


class RecorderEdited(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="recorder-edited"):
    """General settings were changed. assignment: as it is afterwards; a change of the role changes it."""

    recorder: RecorderId
    fields: RecorderEdit
    assignment: Assignment


class RecorderRemoved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="recorder-removed"):
    """A server was taken out of system data."""

    recorder: RecorderId


class GroupSaved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="group-saved"):
    """A failover group was added or changed."""

    group: Group


class GroupRemoved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="group-removed"):
    """An empty failover group was taken out of system data."""

    group: GroupId


class DocumentsCached(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="documents-cached"):
    """The three documents lie in the cache, synced, and are the recorder's current ones (SPEC 3).

    instance: of the recorder that gave them.
    """

    recorder: RecorderId
    documents: DocumentSet
    settings: SettingsSummary
    version: str = ""
    instance: InstanceId | None = None


class HoldPlaced(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hold-placed"):
    """Automatic failover of a recorder is held by a person."""

    recorder: RecorderId
    cause: HoldCause


class HoldLifted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hold-lifted"):
    """A hold ended, whoever had placed it."""

    recorder: RecorderId
    sentence: str


class ServerRestored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="server-restored"):
    """A failover server waits, under this epoch: one that was replaced while acting and has stood down, or that knew of a newer epoch."""

    recorder: RecorderId
    epoch: Epoch


class StandDownRenewed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="stand-down-renewed"):
    """A replaced recorder knew of a newer epoch than that under which it was told to stand down: it stays replaced, under this one."""

    recorder: RecorderId
    epoch: Epoch


SystemFact = (
    CoordinatorStarted
    | RecorderAdded
    | RecorderEdited
    | RecorderRemoved
    | GroupSaved
    | GroupRemoved
    | DocumentsCached
    | HoldPlaced
    | HoldLifted
    | ServerRestored
    | StandDownRenewed
)
