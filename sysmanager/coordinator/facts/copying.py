"""Facts of a material copy (SPEC 9). Progress within an hour of footage is none: it stands in the heartbeats of the target."""

from __future__ import annotations

import msgspec

from sysmanager.domain.ids import CameraId, Epoch, FailoverId, GroupId, JobId, RecorderId
from sysmanager.domain.jobs import CameraCoverage, FailedHour, JobPhase, JobReason, MaterialHour, Uncovered


class CopyStarted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="copy-started"):
    """A material copy began: what `source` recorded for `home` under `epoch` goes home. The settings of that moment hold for all of it.

    holes: gaps of the failover itself.
    """

    job: JobId
    entry: FailoverId
    source: RecorderId
    home: RecorderId
    epoch: Epoch
    group: GroupId
    cameras: tuple[CameraId, ...]
    limit_kbps: int = 0
    hours: str = ""
    holes: tuple[Uncovered, ...] = ()


class HoursPlanned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hours-planned"):
    """The source listed hours of one camera. complete: these were the last."""

    job: JobId
    camera: CameraId
    hours: tuple[MaterialHour, ...]
    complete: bool


class HoursCopied(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hours-copied"):
    """Hours of one camera that were verified on the target's disks, with the digests that the source had named; and those that failed."""

    job: JobId
    camera: CameraId
    copied: tuple[int, ...] = ()
    failed: tuple[FailedHour, ...] = ()


class SourceTold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="source-told"):
    """The source knows which hours of the camera have a verified copy."""

    job: JobId
    camera: CameraId


class CopyPaused(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="copy-paused"):
    """A person paused a material copy."""

    job: JobId


class CopyResumed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="copy-resumed"):
    """A person let a material copy go on."""

    job: JobId


class CopyEnded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="copy-ended"):
    """A material copy ended. coverage: of each camera, what there is and what is missing at home."""

    job: JobId
    phase: JobPhase
    reason: JobReason | None = None
    note: str = ""
    coverage: tuple[CameraCoverage, ...] = ()


CopyingFact = CopyStarted | HoursPlanned | HoursCopied | SourceTold | CopyPaused | CopyResumed | CopyEnded
