"""What happened. Facts, and only facts, are in the journal; every table of the program is a projection of them.

A fact holds what of the reports it relied on, so that a replay needs nothing else. A fact is what a decision or a person must find again:
heartbeats, disk numbers and cameras going up and down are none.
"""

from __future__ import annotations

import msgspec

from sysmanager.domain.documents import DocumentSet, SettingsSummary
from sysmanager.domain.failover import AttemptEnd, CameraGap, Failover, NotMoved, Reason, Trigger, Verdict
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, Epoch, FailoverId, GroupId, RecorderId
from sysmanager.domain.recorder import Assignment, Recorder, RecorderEdit
from sysmanager.domain.rights import Actor
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
    """The three documents lie in the cache, synced, and are the recorder's current ones (SPEC 3)."""

    recorder: RecorderId
    documents: DocumentSet
    settings: SettingsSummary
    version: str = ""


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an entry of the failover log begins. gaps: the last frames that the broken server reported."""

    failover: FailoverId
    recorder: RecorderId
    home: RecorderId
    group: GroupId
    trigger: Trigger
    previous_epoch: Epoch
    last_heard_ms: int = 0
    detected_ms: int = 0
    gaps: tuple[CameraGap, ...] = ()


class Reservation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What step 2 fixes: the failover server, the next epoch, the documents, and which cameras move (SPEC 6)."""

    server: RecorderId
    epoch: Epoch
    documents: DocumentSet
    verdicts: tuple[Verdict, ...] = ()
    moved: tuple[CameraId, ...] = ()
    not_moved: tuple[NotMoved, ...] = ()
    to_do: tuple[str, ...] = ()


class FailoverStarted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failover-started"):
    """Steps 1 and 2 in one record."""

    opening: Opening
    reservation: Reservation
    duration_ms: int


class FailoverWaiting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failover-waiting"):
    """No candidate. Opens the entry, or sends an open one back to waiting (`opening` None)."""

    failover: FailoverId
    opening: Opening | None = None
    verdicts: tuple[Verdict, ...] = ()


class FailoverQueued(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failover-queued"):
    """Another failover of the group is running; the entry waits its turn (SPEC 7)."""

    opening: Opening


class ServerReserved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="server-reserved"):
    """An entry that waited, or was queued, is taken up: steps 1 and 2."""

    failover: FailoverId
    reservation: Reservation
    duration_ms: int


class AttemptEnded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="attempt-ended"):
    """The reserved server refused, was lost, or was withdrawn; it is released under a new epoch, and the next, if any, is reserved."""

    failover: FailoverId
    end: AttemptEnd
    sentence: str
    release_epoch: Epoch
    next: Reservation | None = None
    verdicts: tuple[Verdict, ...] = ()


class DocumentsChecked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="documents-checked"):
    """Step 3: all three documents are in the cache and sound."""

    failover: FailoverId
    duration_ms: int


class SettingsSaved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="settings-saved"):
    """Step 4: the server confirmed with the hashes of what it applied, and began to record."""

    failover: FailoverId
    duration_ms: int


class TasksMoved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="tasks-moved"):
    """Steps 5 and 6, the commit point."""

    failover: FailoverId
    duration_ms: int


class ResultWritten(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="result-written"):
    """Step 7."""

    failover: FailoverId
    duration_ms: int


class ClientsNotified(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="clients-notified"):
    """Step 8."""

    failover: FailoverId
    duration_ms: int


class GapsMeasured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="gaps-measured"):
    """First frames on the server that took over, or last frames as read from the material (SPEC 14.4)."""

    failover: FailoverId
    gaps: tuple[CameraGap, ...]


class FailoverCancelled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failover-cancelled"):
    """Ended before its commit point. release_epoch: for the server that was reserved, 0 if none was. hold: after an abort."""

    failover: FailoverId
    sentence: str
    release_epoch: Epoch = Epoch(0)
    hold: bool = False


class FailoverFailed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failover-failed"):
    """Ended with an error before its commit point; automatic failover of the recorder is held."""

    failover: FailoverId
    reason: Reason
    note: str
    release_epoch: Epoch = Epoch(0)


class HoldPlaced(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hold-placed"):
    """Automatic failover of a recorder is held by a person."""

    recorder: RecorderId
    cause: HoldCause


class HoldLifted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hold-lifted"):
    """A hold ended, whoever had placed it."""

    recorder: RecorderId
    sentence: str


class FailbackStarted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failback-started"):
    """Steps 1 to 6 of a failback. epoch: under which the recorder will record again."""

    failover: FailoverId
    epoch: Epoch
    duration_ms: int


class FailbackDocumentsTaken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failback-documents-taken"):
    """Step 7: the failover server's documents are fixed."""

    failover: FailoverId
    documents: DocumentSet
    duration_ms: int


class FailbackSaved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failback-saved"):
    """Step 8: the recorder confirmed the settings and begins to record.

    expected: cameras that give frames to the failover server at this moment; one that gives it none does not count (SPEC 8).
    """

    failover: FailoverId
    duration_ms: int
    expected: tuple[CameraId, ...] = ()


class FailbackCommitted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failback-committed"):
    """Step 9. release_epoch: for the failover server. dark: cameras that gave the recorder no frame yet."""

    failover: FailoverId
    release_epoch: Epoch
    duration_ms: int
    dark: tuple[CameraId, ...] = ()


class FailbackPerformed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failback-performed"):
    """Step 10."""

    failover: FailoverId
    duration_ms: int


class FailbackNotified(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failback-notified"):
    """Step 11."""

    failover: FailoverId
    duration_ms: int


class FailbackUndone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failback-undone"):
    """Ended before its commit point: the failover server goes on. recorder_epoch: under which the recorder stands down again."""

    failover: FailoverId
    reason: Reason
    note: str
    recorder_epoch: Epoch


class ServerRestored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="server-restored"):
    """A failover server that was replaced while acting has stood down; it waits again."""

    recorder: RecorderId
    epoch: Epoch


class ReconcileStarted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="reconcile-started"):
    """The journal lost its tail or was restored: what recorders say comes before what system data says (SPEC 7)."""

    sentence: str


class RecorderReconciled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="recorder-reconciled"):
    """The recorder's report agrees with system data, or is older and will be corrected by an order. epoch: the highest it knows."""

    recorder: RecorderId
    epoch: Epoch


class Adjustment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What confirming a finding changes: the assignment of a recorder, and the entry that explains it, if there was none."""

    recorder: RecorderId
    assignment: Assignment
    entry: Failover | None = None


class ReconcileConfirmed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="reconcile-confirmed"):
    """A person accepted what differed. highest_epoch: the highest that any recorder reported. settled: recorders that were heard."""

    adjustments: tuple[Adjustment, ...]
    settled: tuple[RecorderId, ...]
    highest_epoch: Epoch


AnyFact = (
    CoordinatorStarted
    | RecorderAdded
    | RecorderEdited
    | RecorderRemoved
    | GroupSaved
    | GroupRemoved
    | DocumentsCached
    | FailoverStarted
    | FailoverWaiting
    | FailoverQueued
    | ServerReserved
    | AttemptEnded
    | DocumentsChecked
    | SettingsSaved
    | TasksMoved
    | ResultWritten
    | ClientsNotified
    | GapsMeasured
    | FailoverCancelled
    | FailoverFailed
    | HoldPlaced
    | HoldLifted
    | FailbackStarted
    | FailbackDocumentsTaken
    | FailbackSaved
    | FailbackCommitted
    | FailbackPerformed
    | FailbackNotified
    | FailbackUndone
    | ServerRestored
    | ReconcileStarted
    | RecorderReconciled
    | ReconcileConfirmed
)


class FactRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fact as it stands in the journal. Sequence and chain of hashes are the journal's.

    term: of the coordinator that wrote it. wall_ms: for people. actor: who caused it.
    """

    term: int
    wall_ms: int
    actor: Actor
    fact: AnyFact
