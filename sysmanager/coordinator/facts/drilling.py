"""Facts of a drill (SPEC 14.3)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.ids import CameraId, GroupId, JobId, RecorderId
from sysmanager.domain.jobs import JobPhase, JobReason, Trial


class DrillStarted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="drill-started"):
    """A drill began. home: whose cameras and documents they are. scheduled: it began by itself."""

    job: JobId
    recorder: RecorderId
    home: RecorderId
    server: RecorderId
    group: GroupId
    documents: DocumentSet
    cameras: tuple[CameraId, ...]
    described: tuple[CameraId, ...] = ()
    scheduled: bool = False


class DrillEnded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="drill-ended"):
    """A drill ended, with its dated result."""

    job: JobId
    phase: JobPhase
    reason: JobReason | None = None
    note: str = ""
    trials: tuple[Trial, ...] = ()


DrillingFact = DrillStarted | DrillEnded
