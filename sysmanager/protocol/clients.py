"""What a client asks of the coordinator and what it sees: requests, replies, rows. Public through `sysmanager.api`, and versioned there."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.failover import CameraGap, Failover, NotMoved, Reason, Verdict
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, FailoverId, GroupId, RecorderId
from sysmanager.domain.recorder import Assignment, RecorderEdit, Role
from sysmanager.domain.rights import Actor, Right
from sysmanager.protocol.recorders import CameraState, ServiceState

# ---------------------------------------------------------------- requests


class StartFailover(msgspec.Struct, frozen=True, kw_only=True, tag="start-failover", forbid_unknown_fields=True):
    """Start a failover of the recorder by hand (SPEC 4.5)."""

    recorder: RecorderId


class AbortFailover(msgspec.Struct, frozen=True, kw_only=True, tag="abort-failover", forbid_unknown_fields=True):
    """End a failover before its commit point; automatic failover of the recorder is then held (SPEC 6)."""

    failover: FailoverId


class HoldFailover(msgspec.Struct, frozen=True, kw_only=True, tag="hold-failover", forbid_unknown_fields=True):
    """Stop the countdown of the recorder until it is released (SPEC 4)."""

    recorder: RecorderId


class ReleaseHold(msgspec.Struct, frozen=True, kw_only=True, tag="release-hold", forbid_unknown_fields=True):
    """End a hold, whether a person set it or an abort or a failure did."""

    recorder: RecorderId


class StartFailback(msgspec.Struct, frozen=True, kw_only=True, tag="start-failback", forbid_unknown_fields=True):
    """Give the tasks back to the recorder that was replaced (SPEC 8)."""

    failover: FailoverId


class AddRecorder(msgspec.Struct, frozen=True, kw_only=True, tag="add-recorder", forbid_unknown_fields=True):
    """Take a server into system data. `id` is the one under which it announces itself."""

    id: RecorderId
    fields: RecorderEdit


class EditRecorder(msgspec.Struct, frozen=True, kw_only=True, tag="edit-recorder", forbid_unknown_fields=True):
    """Change general settings. Refused when `revision` is not the row's present one, so that no edit overwrites another unseen."""

    recorder: RecorderId
    revision: int
    fields: RecorderEdit


class RemoveRecorder(msgspec.Struct, frozen=True, kw_only=True, tag="remove-recorder", forbid_unknown_fields=True):
    recorder: RecorderId


class SaveGroup(msgspec.Struct, frozen=True, kw_only=True, tag="save-group", forbid_unknown_fields=True):
    """Add a group, or change the one with this id."""

    group: Group


class RemoveGroup(msgspec.Struct, frozen=True, kw_only=True, tag="remove-group", forbid_unknown_fields=True):
    group: GroupId


class ConfirmReconcile(msgspec.Struct, frozen=True, kw_only=True, tag="confirm-reconcile", forbid_unknown_fields=True):
    """Accept the findings that were shown and end the reconcile (SPEC 7). Refused when other findings have come since.

    findings: the `Finding`s that the person saw.
    """

    findings: tuple[Finding, ...]


Request = (
    StartFailover
    | AbortFailover
    | HoldFailover
    | ReleaseHold
    | StartFailback
    | AddRecorder
    | EditRecorder
    | RemoveRecorder
    | SaveGroup
    | RemoveGroup
    | ConfirmReconcile
)

RIGHT_FOR: dict[type, Right] = {
    StartFailover: Right.FAILOVER,
    AbortFailover: Right.FAILOVER,
    HoldFailover: Right.FAILOVER,
    ReleaseHold: Right.FAILOVER,
    StartFailback: Right.FAILOVER,
    AddRecorder: Right.SETTINGS,
    EditRecorder: Right.SETTINGS,
    RemoveRecorder: Right.SETTINGS,
    SaveGroup: Right.SETTINGS,
    RemoveGroup: Right.SETTINGS,
    ConfirmReconcile: Right.SETTINGS,
}
"""The right that each request needs (SPEC 12)."""


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The request is durable. `failover`: the entry that it started or changed; `sentence`: what happened."""

    sentence: str
    failover: FailoverId | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The request changed nothing. `sentence` says why and what to do; `reason` where the log has one for it."""

    sentence: str
    reason: Reason | None = None


Reply = Done | Refused

# ---------------------------------------------------------------- questions


class PreviewFailover(msgspec.Struct, frozen=True, kw_only=True, tag="preview-failover", forbid_unknown_fields=True):
    """What would happen if the failover of this recorder were started by hand now (SPEC 14.2)? Changes nothing."""

    recorder: RecorderId


class PreviewFailback(msgspec.Struct, frozen=True, kw_only=True, tag="preview-failback", forbid_unknown_fields=True):
    failover: FailoverId


class WhoRecords(msgspec.Struct, frozen=True, kw_only=True, tag="who-records", forbid_unknown_fields=True):
    """Which recorder holds the footage of a camera at a moment (SPEC 17)? `at_wall_ms`: milliseconds since 1970."""

    camera: CameraId
    at_wall_ms: int


Question = PreviewFailover | PreviewFailback | WhoRecords


class Level(StrEnum):
    """How a check of a preview came out. `stop`: it would be refused; `warning`: it goes on, and you should know."""

    GOOD = "good"
    WARNING = "warning"
    STOP = "stop"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    level: Level
    sentence: str


class Preview(msgspec.Struct, frozen=True, kw_only=True, tag="preview"):
    """The same decision that would be taken, computed without taking it.

    allowed: whether the request would be accepted. target: who would record afterwards. moves: cameras that change hands.
    expected_gap_ms: cameras that allow one session only, with the gap to expect while they are handed over (failback).
    """

    allowed: bool
    checks: tuple[Check, ...]
    target: RecorderId | None = None
    verdicts: tuple[Verdict, ...] = ()
    moves: tuple[CameraId, ...] = ()
    stays: tuple[NotMoved, ...] = ()
    to_do: tuple[str, ...] = ()
    expected_gaps: tuple[CameraGap, ...] = ()
    handed_over_singly: tuple[CameraId, ...] = ()


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A recorder that held a camera in a span of time; `until_wall_ms` 0 while it still does."""

    recorder: RecorderId
    from_wall_ms: int
    until_wall_ms: int = 0


class Holders(msgspec.Struct, frozen=True, kw_only=True, tag="holders"):
    """Answer to `WhoRecords`; more than one where two recorded at once, none where nobody did."""

    holders: tuple[Holder, ...] = ()


Answer = Preview | Holders | Refused


class Call(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request or question on its way to a coordinator elsewhere. actor: the session; what it may do the coordinator decides."""

    actor: Actor
    body: Request | Question


Returned = Done | Refused | Preview | Holders
"""What comes back for a `Call`."""

# ---------------------------------------------------------------- rows


class Connection(StrEnum):
    """What the coordinator hears of a server. `not seen`: not since the coordinator's start, and within its grace."""

    NOT_SEEN = "not seen yet"
    CONNECTED = "connected"
    SILENT = "silent"
    LOST = "lost"


class Health(StrEnum):
    """How a row is coloured: green, amber, red; grey for what is not known."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    UNKNOWN = "unknown"


class HoldCause(StrEnum):
    PERSON = "held by a person"
    ABORT = "held after an abort"
    FAILURE = "held after a failed failover"


class HoldRow(msgspec.Struct, frozen=True, kw_only=True):
    """Automatic failover of the server is held: why, by whom and since when."""

    cause: HoldCause
    actor: Actor
    since_wall_ms: int


class CameraRow(msgspec.Struct, frozen=True, kw_only=True):
    """A camera as its holder reports it. `state` is None while nobody reports it."""

    id: CameraId
    name: str
    kind: str
    priority: str
    sessions: int
    vca: bool
    bitrate_kbps: int
    mode: str
    state: CameraState | None = None


class DiskRow(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    writable: bool
    free_mb: int
    total_mb: int
    problem: str = ""


class RecorderRow(msgspec.Struct, frozen=True, kw_only=True):
    """A server as people see it: system data, and what it reports.

    silence_ms: since it was last heard, in time that the coordinator demonstrably listened.
    countdown_ms: until failover starts; None when none is counting. countdown_cause: what counts.
    condition: the state in a few plain words, for the tree ("ready", "1 disk lost", "acting for TA-REC-05").
    failover: the open entry in which it takes part. stable_ms: how long a broken server has been heard and well again.
    """

    id: RecorderId
    name: str
    address: str
    role: Role
    group: GroupId | None
    revision: int
    failover_enabled: bool
    detection_timeout_s: int
    assignment: Assignment
    connection: Connection
    health: Health
    condition: str
    silence_ms: int = 0
    countdown_ms: int | None = None
    countdown_cause: str = ""
    hold: HoldRow | None = None
    stable_ms: int = 0
    service: ServiceState | None = None
    version: str = ""
    documents: DocumentSet | None = None
    retention_days: int = 0
    plugins: tuple[str, ...] = ()
    vca_channels: int = 0
    camera_limit: int = 0
    bitrate_limit_kbps: int = 0
    clock_offset_ms: int | None = None
    cameras: tuple[CameraRow, ...] = ()
    cameras_recording: int = 0
    disks: tuple[DiskRow, ...] = ()
    failover: FailoverId | None = None
    reconciled: bool = True
    practice: bool = False

    @property
    def edit(self) -> RecorderEdit:
        return RecorderEdit(
            name=self.name,
            address=self.address,
            role=self.role,
            group=self.group,
            failover_enabled=self.failover_enabled,
            detection_timeout_s=self.detection_timeout_s,
        )


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Reconcile: what a recorder says of itself that system data does not (SPEC 7). `sentence` says what confirming will do."""

    recorder: RecorderId
    sentence: str


class UnknownServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server that announces itself and is not in system data."""

    id: RecorderId
    version: str
    cameras: int
    standby: bool


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person should know now. `key` stays the same as long as it is the same alarm."""

    key: str
    sentence: str
    since_wall_ms: int
    health: Health = Health.WARNING


class CoordinatorState(StrEnum):
    STARTING = "starting"
    WATCHING = "watching"
    DEAF = "cannot hear"
    RECONCILE = "reconcile"
    STOPPED = "stopped"


class SystemRow(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinator and the site in one row. `sentence`: the state in plain words, for the status bar."""

    site: str
    state: CoordinatorState
    sentence: str
    health: Health
    practice: bool = False
    watched: int = 0
    ready: int = 0
    lag_ms: int = 0
    findings: tuple[Finding, ...] = ()
    waiting_for: tuple[RecorderId, ...] = ()
    unknown: tuple[UnknownServer, ...] = ()
    alarms: tuple[Alarm, ...] = ()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a client may see, as of change number `sequence`."""

    sequence: int
    system: SystemRow
    groups: tuple[Group, ...]
    recorders: tuple[RecorderRow, ...]
    failovers: tuple[Failover, ...]


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that are new or different since `sequence` - 1. A client that misses a number asks for a snapshot again."""

    sequence: int
    system: SystemRow | None = None
    groups: tuple[Group, ...] = ()
    removed_groups: tuple[GroupId, ...] = ()
    recorders: tuple[RecorderRow, ...] = ()
    removed_recorders: tuple[RecorderId, ...] = ()
    failovers: tuple[Failover, ...] = ()
