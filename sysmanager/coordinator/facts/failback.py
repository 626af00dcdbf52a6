"""Facts of a failback (SPEC 8)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.failover import Reason
from sysmanager.domain.ids import CameraId, Epoch, FailoverId


class FailbackStarted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failback-started"):
    """Steps 1 to 6 of a failback. epoch: under which the recorder will record again. automatic: it started by itself.

    leaves_dark: who asked accepts that a few cameras stay dark on the recorder.
    """

    failover: FailoverId
    epoch: Epoch
    duration_ms: int
    automatic: bool = False
    leaves_dark: bool = False


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


class FailbackUndoing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failback-undoing"):
    """It is being undone, and the recorder still records cameras that allow one session: these go back one by one, then it is undone.

    reason, note, dark: as of the `FailbackUndone` that follows. kept: what goes back one by one. returning: what the recorder had and
    gets no frames of goes back first and at once.
    """

    failover: FailoverId
    reason: Reason
    note: str
    kept: tuple[CameraId, ...]
    returning: tuple[CameraId, ...] = ()
    dark: tuple[CameraId, ...] = ()


class FailbackUndone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failback-undone"):
    """Ended before its commit point: the failover server goes on. recorder_epoch: under which the recorder stands down again.

    dark: cameras that gave the recorder no frame, where that is the reason.
    """

    failover: FailoverId
    reason: Reason
    note: str
    recorder_epoch: Epoch
    dark: tuple[CameraId, ...] = ()


FailbackFact = (
    FailbackStarted
    | FailbackDocumentsTaken
    | FailbackSaved
    | FailbackCommitted
    | FailbackPerformed
    | FailbackNotified
    | FailbackUndoing
    | FailbackUndone
)
