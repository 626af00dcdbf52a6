"""Messages between the coordinator and the VMS servers.

A recorder reports what it *does* (`Beat`); an order says what it *shall* do, under an epoch. Orders may be repeated at will:
a recorder that already does what the order says answers the same again (SPEC 6, 13.1).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from sysmanager.domain.documents import DocumentKind, DocumentSet
from sysmanager.domain.ids import CameraId, DocumentHash, Epoch, FailoverId, InstanceId, RecorderId
from sysmanager.protocol.hardware import Hardware
from sysmanager.protocol.jobs import CopyReport, DrillReport, JobAnswer, JobOrder
from sysmanager.protocol.preroll import NO_PREROLL, KeepPreroll, PrerollReport
from sysmanager.protocol.selftest import SelfTestReport
from sysmanager.protocol.values import CAMERAS_LIMIT, DISKS_LIMIT, Count, EpochReport, ServiceState, Text, WallMs

__all__ = [
    "BEACON_INTERVAL_MS",
    "BEAT_INTERVAL_MS",
    "CAMERAS_LIMIT",
    "DISKS_LIMIT",
    "Ask",
    "Beacon",
    "Beat",
    "CameraBeat",
    "CameraState",
    "Count",
    "DiskBeat",
    "EpochReport",
    "Farewell",
    "FetchDocument",
    "Footage",
    "FootageSpan",
    "FromRecorder",
    "GoOn",
    "KeepPreroll",
    "Leaving",
    "LetOut",
    "Mode",
    "Obeyed",
    "OffTimes",
    "Order",
    "OrderAnswer",
    "OrderKey",
    "Record",
    "Refusal",
    "RefusalReason",
    "ReportFootage",
    "ServiceState",
    "StandDown",
    "Standing",
    "Text",
    "WallMs",
    "WatchdogBeat",
]

BEAT_INTERVAL_MS = 1000
BEACON_INTERVAL_MS = 500
"""The coordinator's beacon tells recorders that it is there, and is its own canary: what it hears of itself proves that it can hear."""


class Mode(StrEnum):
    """What a recording service does. `asking`: started, and waits for leave to open its cameras (SPEC 13.1)."""

    ASKING = "asking"
    RECORDING = "recording"
    STANDBY = "standby"


class CameraState(StrEnum):
    """What the recording service sees of one camera.

    off: by its schedule it is not to be recorded now. waiting for motion: it gives frames, and they are kept when something moves; its
    frames in a heartbeat are those that were watched.
    """

    CONNECTING = "connecting"
    RECORDING = "recording"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    WRONG_PASSWORD = "wrong password"
    NOT_FOUND = "not found"
    STALLED = "stalled"
    BUSY = "busy"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    OFF = "off"
    WAITING = "waiting for motion"


class CameraBeat(msgspec.Struct, frozen=True, array_like=True):
    """One camera in a heartbeat. Wall-clock milliseconds of frames under the present epoch, 0 while there is none.

    sentence: what is wrong with it and what to do, without secrets; empty if nothing is.
    off_from_ms, off_until_ms: the time, now or last, for which its schedule says that nothing is recorded; 0 where there is none.
    """

    camera: CameraId
    state: CameraState
    first_frame_ms: WallMs = 0
    last_frame_ms: WallMs = 0
    sentence: Text = ""
    off_from_ms: WallMs = 0
    off_until_ms: WallMs = 0


class DiskBeat(msgspec.Struct, frozen=True, array_like=True):
    """One material disk in a heartbeat. `path` is the drive letter or path as settings name it."""

    path: Text
    writable: bool
    free_mb: Count
    total_mb: Count
    problem: Text = ""


class Beat(msgspec.Struct, frozen=True, kw_only=True, tag="beat"):
    """Heartbeat of a recording service, once a second and at once when something below changed.

    boot: grows with every start of the service under one `instance`. home: whose cameras it records; None on standby.
    documents: what it holds, and records by. wall_ms: its own wall clock, for the offset.
    camera_limit, bitrate_limit_kbps: room for cameras in all. machine: the same for all servers of one machine; empty: not known.
    material: where it serves its footage to other recorders ("https://host:port"); empty: it does not.
    copy, drill: of the jobs that it was last ordered to do. mono_ms: its machine's monotonic clock; 0: it does not tell.
    self_test: the last one, of a server that waits.
    """

    recorder: RecorderId
    instance: InstanceId
    boot: Count
    sequence: Count
    wall_ms: WallMs
    version: Text
    mode: Mode
    epoch: EpochReport
    home: RecorderId | None
    documents: DocumentSet | None
    without: tuple[CameraId, ...] = ()
    disks: Annotated[tuple[DiskBeat, ...], msgspec.Meta(max_length=DISKS_LIMIT)] = ()
    cameras: Annotated[tuple[CameraBeat, ...], msgspec.Meta(max_length=CAMERAS_LIMIT)] = ()
    camera_limit: Count = 64
    bitrate_limit_kbps: Count = 400_000
    vca_channels: Count = 0
    plugins: tuple[Text, ...] = ()
    hardware: Hardware = Hardware()
    machine: Text = ""
    preroll: PrerollReport = NO_PREROLL
    material: Text = ""
    copy: CopyReport | None = None
    drill: DrillReport | None = None
    self_test: SelfTestReport | None = None
    practice: bool = False
    mono_ms: Count = 0


class WatchdogBeat(msgspec.Struct, frozen=True, kw_only=True, tag="watchdog"):
    """Heartbeat of a Watchdog, once a second while its recording service can't speak for itself, and until the next start has held.

    `sentence`: what was wrong with the last start, empty if nothing. mono_ms: as in `Beat`.
    """

    recorder: RecorderId
    instance: InstanceId
    wall_ms: WallMs
    service: ServiceState
    failed_starts: Count = 0
    sentence: Text = ""
    mono_ms: Count = 0


class OrderKey(msgspec.Struct, frozen=True, kw_only=True):
    """Which attempt of which step an order belongs to; empty `failover` for one that only restores what system data says."""

    failover: FailoverId = FailoverId("")
    step: int = 0
    attempt: int = 0


class Record(msgspec.Struct, frozen=True, kw_only=True, tag="record"):
    """Order: record the cameras of `home` under `epoch`.

    documents: save and apply these first, fetched by hash from the coordinator; None: go on with those you have.
    without: cameras that another recorder still records or records again (SPEC 8, single sessions).
    """

    key: OrderKey
    epoch: Epoch
    home: RecorderId
    documents: DocumentSet | None = None
    without: tuple[CameraId, ...] = ()


class StandDown(msgspec.Struct, frozen=True, kw_only=True, tag="stand-down"):
    """Order: record nothing; forget settings and sessions of other recorders' cameras. Footage stays (SPEC 6)."""

    key: OrderKey
    epoch: Epoch


class ReportFootage(msgspec.Struct, frozen=True, kw_only=True, tag="report-footage"):
    """Question: what of these cameras lies on your disks, recorded under `epoch`? Empty `cameras`: all.

    off_since_ms: if not 0, another question: when was each of these cameras off by its schedule since then, by your clock? Asked of who
    records them now.
    """

    epoch: Epoch
    cameras: tuple[CameraId, ...] = ()
    off_since_ms: WallMs = 0


class LetOut(msgspec.Struct, frozen=True, kw_only=True, tag="let-out"):
    """Order: hold nothing against this camera any more, so that it is opened again (SPEC 16).

    Answered with `Obeyed`, whether it was in quarantine or not.
    """

    camera: CameraId


Order = Record | StandDown | ReportFootage | KeepPreroll | LetOut | JobOrder


class RefusalReason(StrEnum):
    """Why a recorder refuses an order. Not a failure of the recorder: the next candidate is tried."""

    OLD_EPOCH = "old epoch"
    OTHER_ORDER = "another order under this epoch"
    DISK_MISSING = "disk missing"
    NO_WRITABLE_DISK = "no writable disk"
    NO_ROOM = "no room"
    DOCUMENTS_MISSING = "documents missing"
    DOCUMENTS_UNREADABLE = "documents unreadable"
    CANNOT_SAVE = "cannot save"
    SERVICE_DOWN = "recording service down"
    REFUSED_BY_HAND = "refused by hand"
    NOT_ON_STANDBY = "not on standby"
    NO_PREROLL = "no pre-roll"
    NOT_BUILT_IN = "not built in"
    NOT_FREE = "not free"


class Obeyed(msgspec.Struct, frozen=True, kw_only=True, tag="obeyed"):
    """Answer: the order is saved durably and carried out. `documents`: the hashes of what is applied now."""

    epoch: EpochReport
    documents: DocumentSet | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """Answer: the order was not carried out and changed nothing. `epoch`: the highest the recorder knows."""

    reason: RefusalReason
    sentence: Text
    epoch: EpochReport = Epoch(0)


PAUSE_MS = 2000
PAUSES_LIMIT = 100


class FootageSpan(msgspec.Struct, frozen=True, kw_only=True):
    """Footage of one camera under one epoch: wall-clock milliseconds of its first and last frame, frames and segments.

    pauses: last frame before and first frame after each time of more than `PAUSE_MS` without frames, in order, the newest
    `PAUSES_LIMIT` of them. Where footage is kept for motion, there is none.
    """

    camera: CameraId
    first_frame_ms: WallMs
    last_frame_ms: WallMs
    frames: Count
    segments: Count
    pauses: tuple[tuple[WallMs, WallMs], ...] = ()


class OffTimes(msgspec.Struct, frozen=True, kw_only=True):
    """When a camera was off by its schedule: from and until, by the wall clock of who says it, in order; the newest 200 at most."""

    camera: CameraId
    times: tuple[tuple[WallMs, WallMs], ...] = ()


class Footage(msgspec.Struct, frozen=True, kw_only=True, tag="footage"):
    """Answer to `ReportFootage`; cameras without footage are not in it, nor are those that it does not have at the moment in `off`.

    goes_on: whether there may be more of it in a moment, because the recorder was given no newer epoch than the one it is asked about.
    """

    epoch: EpochReport
    spans: tuple[FootageSpan, ...] = ()
    goes_on: bool = False
    off: tuple[OffTimes, ...] = ()


OrderAnswer = Obeyed | Refusal | Footage | JobAnswer


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag="ask"):
    """Question of a recorder after an absence: may I record for `home` under `epoch`? It waits 5 s at most (SPEC 13.1)."""

    recorder: RecorderId
    instance: InstanceId
    epoch: EpochReport
    home: RecorderId | None


class GoOn(msgspec.Struct, frozen=True, kw_only=True, tag="go-on"):
    """Answer: nobody replaced you; do what you last did."""


Standing = GoOn | Record | StandDown


class Beacon(msgspec.Struct, frozen=True, kw_only=True, tag="beacon"):
    """Sent by the coordinator to all, twice a second. `term`: number of the coordinator's start."""

    term: int
    sequence: int
    wall_ms: int


class FetchDocument(msgspec.Struct, frozen=True, kw_only=True, tag="fetch-document"):
    """Question in both directions: the content of one document, by its hash. The answer is the bare content."""

    kind: DocumentKind
    hash: DocumentHash


class Leaving(msgspec.Struct, frozen=True, kw_only=True, tag="leaving"):
    """Said by a Watchdog that ends in order with its recording service: a shutdown or restart that somebody wants (SPEC 4)."""

    recorder: RecorderId
    instance: InstanceId
    wall_ms: WallMs


class Farewell(msgspec.Struct, frozen=True, kw_only=True, tag="farewell"):
    """Answer to `Leaving`. wait_ms: record on for so long, while another server takes over; 0: nothing is to be waited for."""

    wait_ms: Count
    sentence: Text = ""


FromRecorder = Beat | WatchdogBeat | Leaving
