"""Facts of a failover (SPEC 6)."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.failover import AttemptEnd, CameraGap, NotMoved, Opinion, Reason, Trigger, Verdict
from sysmanager.domain.ids import CameraId, Epoch, FailoverId, GroupId, RecorderId


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
    opinions: tuple[Opinion, ...] = ()


class Reservation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What step 2 fixes: the failover server, the next epoch, the documents, and which cameras move (SPEC 6)."""

    server: RecorderId
    epoch: Epoch
    documents: DocumentSet
    verdicts: tuple[Verdict, ...] = ()
    moved: tuple[CameraId, ...] = ()
    not_moved: tuple[NotMoved, ...] = ()
    to_do: tuple[str, ...] = ()
    vca_off: tuple[CameraId, ...] = ()


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


class Withholding(StrEnum):
    """What keeps a failover from starting by itself."""

    MAINTENANCE = "maintenance"
    OPINION = "second opinion"


class FailoverWithheld(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failover-withheld"):
    """A failover would have started now, and something keeps it from that: an entry that ends as it begins (SPEC 13.6)."""

    opening: Opening
    sentence: str
    by: Withholding = Withholding.MAINTENANCE
    verdicts: tuple[Verdict, ...] = ()


class FailoverSkipped(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failover-skipped"):
    """A person asked for a failover of a recorder that has one running: an entry that says so, the first time (SPEC 11)."""

    opening: Opening
    running: FailoverId


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
    """Step 4: the server confirmed with the hashes of what it applied, and began to record.

    expected: planned switch: cameras that give the recorder frames at this moment, and must give the server some.
    """

    failover: FailoverId
    duration_ms: int
    expected: tuple[CameraId, ...] = ()


class TasksMoved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="tasks-moved"):
    """Steps 5 and 6, the commit point. dark: planned switch: expected cameras that gave the server no frame yet."""

    failover: FailoverId
    duration_ms: int
    dark: tuple[CameraId, ...] = ()


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
    """Ended with an error before its commit point. hold: automatic failover of the recorder is held; not after a planned switch."""

    failover: FailoverId
    reason: Reason
    note: str
    release_epoch: Epoch = Epoch(0)
    hold: bool = True


FailoverFact = (
    FailoverStarted
    | FailoverWaiting
    | FailoverWithheld
    | FailoverSkipped
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
)
