"""What coordinator and recorders say to one another about jobs: material copy and drill. The page MATERIAL.md beside this file explains it.

As everywhere a report says what a server *does* and an order what it *shall* do; orders may be repeated at will.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.ids import CameraId, Epoch, JobId, RecorderId
from sysmanager.domain.jobs import CopyProblem, MaterialHour, Trial
from sysmanager.protocol.values import CAMERAS_LIMIT, Count, EpochReport, Text

HOURS_LIMIT = 500
"""Hours of one camera in one answer; the rest is asked for after the last of them."""

BLOCK_HOURS = 24
"""Hours of one camera in one order to copy."""

# ---------------------------------------------------------------- orders


class ListHours(msgspec.Struct, frozen=True, kw_only=True, tag="list-hours"):
    """Question to the source: what of this camera, recorded for `home` under `epoch`, lies on your disks, after this hour? -1: all."""

    job: JobId
    epoch: Epoch
    home: RecorderId
    camera: CameraId
    after_hour: int = -1


class CopyMaterial(msgspec.Struct, frozen=True, kw_only=True, tag="copy-material"):
    """Order to the target: fetch these hours of this camera from `source`, verify them, keep them as your own.

    address: where the source serves its material. token: what the source lets in, for this job and target alone; put in at the last
    moment and part of no comparison. limit_kbps: 0: no limit. It takes the place of any earlier order of the job; hours that are on the
    disks already are verified and reported without being fetched.
    """

    job: JobId
    source: RecorderId
    address: str
    epoch: Epoch
    home: RecorderId
    camera: CameraId
    hours: tuple[MaterialHour, ...]
    limit_kbps: int = 0
    token: str = ""


class PauseCopy(msgspec.Struct, frozen=True, kw_only=True, tag="pause-copy"):
    """Order to the target: fetch nothing until the next `CopyMaterial` of the job. What was fetched stays."""

    job: JobId


class ForgetJob(msgspec.Struct, frozen=True, kw_only=True, tag="forget-job"):
    """Order: the job is over. End what is left of it, remove what is unfinished, and report it no more. Verified footage stays."""

    job: JobId


class MarkCopied(msgspec.Struct, frozen=True, kw_only=True, tag="mark-copied"):
    """Order to the source: these hours have a verified copy at their home and may go first when space ends (SPEC 9).

    retention_days: of the home; what is older may go next.
    """

    job: JobId
    epoch: Epoch
    home: RecorderId
    camera: CameraId
    hours: tuple[int, ...]
    retention_days: int


class RunDrill(msgspec.Struct, frozen=True, kw_only=True, tag="run-drill"):
    """Order to a server on standby: take these settings into scratch, open `cameras`, ask `described` for their description only, record
    `seconds` of each into scratch, report, clean up. An order to record ends it at once."""

    job: JobId
    epoch: Epoch
    home: RecorderId
    documents: DocumentSet
    cameras: tuple[CameraId, ...]
    described: tuple[CameraId, ...]
    seconds: int


JobOrder = ListHours | CopyMaterial | PauseCopy | ForgetJob | MarkCopied | RunDrill

# ---------------------------------------------------------------- answers


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag="accepted"):
    """Answer: the order of the job is taken; how it goes on is in the heartbeats."""

    job: JobId


class MaterialHours(msgspec.Struct, frozen=True, kw_only=True, tag="material-hours"):
    """Answer to `ListHours`, in order of time. more: there are hours after the last of these."""

    epoch: EpochReport
    camera: CameraId
    hours: Annotated[tuple[MaterialHour, ...], msgspec.Meta(max_length=HOURS_LIMIT)] = ()
    more: bool = False


JobAnswer = Accepted | MaterialHours

# ---------------------------------------------------------------- reports, in heartbeats


class HourState(StrEnum):
    WAITING = "waiting"
    COPYING = "copying"
    COPIED = "copied"
    """Verified: what lies on the target's disks was read again and has the digest that is reported."""
    FAILED = "failed"


class HourReport(msgspec.Struct, frozen=True, array_like=True):
    """One hour of the present order. digest: as read back from the target's own disks, when `copied`."""

    hour: Count
    state: HourState
    digest: Annotated[str, msgspec.Meta(max_length=64)] = ""
    problem: CopyProblem | None = None


class CopyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the target says of the material copy that it was last ordered to do.

    paused: it fetches nothing, as ordered. written_bytes: by this order so far. rate_kbps: of the last seconds.
    problem: what it waits for, and tries again for by itself.
    """

    job: JobId
    camera: CameraId
    limit_kbps: Count = 0
    paused: bool = False
    hours: Annotated[tuple[HourReport, ...], msgspec.Meta(max_length=BLOCK_HOURS)] = ()
    written_bytes: Count = 0
    rate_kbps: Count = 0
    problem: CopyProblem | None = None


class DrillState(StrEnum):
    PREPARING = "preparing"
    RECORDING = "recording"
    DONE = "done"
    """All that was wanted is in the report, and the scratch is clean."""
    ENDED = "ended"
    """The server was needed; scratch is clean."""
    FAILED = "failed"
    """It could not be done at all; scratch is clean."""


class DrillReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of the drill that it was last ordered to do. sentence: why it ended early."""

    job: JobId
    state: DrillState
    trials: Annotated[tuple[Trial, ...], msgspec.Meta(max_length=CAMERAS_LIMIT)] = ()
    sentence: Text = ""
