"""What a client sees: a row for each server, the system in one row, and how changes of rows are told."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sysmanager.domain.backup import BackupFile, ManualBackup
from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.failover import Failover
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, FailoverId, GroupId, JobId, RecorderId
from sysmanager.domain.jobs import (
    CameraCoverage,
    Drill,
    DrillSchedule,
    JobKind,
    JobPhase,
    JobReason,
    MaterialCopySettings,
    Trial,
)
from sysmanager.domain.maintenance import Maintenance
from sysmanager.domain.recorder import DEFAULT_FAILBACK_AFTER_S, Assignment, RecorderEdit, Role, fields_of
from sysmanager.domain.rights import Actor
from sysmanager.domain.system import SystemSettings
from sysmanager.protocol.clients.readiness import Readiness
from sysmanager.protocol.clients.safety import BrakeRow
from sysmanager.protocol.recorders import CameraState, ServiceState
from sysmanager.protocol.selftest import SelfTestReport


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


class FailbackHoldCause(StrEnum):
    FLAPPING = "held after two failovers in a short time"
    ABORT = "held after an abort"
    FAILURE = "held after failbacks that were undone"
    PERSON = "held by a person"


class FailbackHoldRow(msgspec.Struct, frozen=True, kw_only=True):
    """Automatic failback of the server is held: why, by whom and since when. Failover never is, for that (SPEC 13.5)."""

    cause: FailbackHoldCause
    actor: Actor
    since_wall_ms: int


class CameraRow(msgspec.Struct, frozen=True, kw_only=True):
    """A camera as its holder reports it. `state` is None while nobody reports it. sentence: what is wrong with it, and what to do."""

    id: CameraId
    name: str
    kind: str
    priority: str
    sessions: int
    vca: bool
    bitrate_kbps: int
    mode: str
    state: CameraState | None = None
    sentence: str = ""


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
    readiness: how well it is prepared, None until it was looked at. hardware: its machine in a few words.
    failover: the open entry in which it takes part. stable_ms: how long a broken server has been heard and well again, in proven time.
    failback_in_ms: until it gets its tasks back by itself; None when nothing counts. failback_note: why it does not, or what it waits for.
    last_drill: the last drill of it that ended, with its result.
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
    automatic_failback: bool = False
    failback_after_s: int = DEFAULT_FAILBACK_AFTER_S
    failback_hours: str = ""
    failback_in_ms: int | None = None
    failback_note: str = ""
    failback_hold: FailbackHoldRow | None = None
    material_copy: MaterialCopySettings = MaterialCopySettings()
    drill: DrillSchedule = DrillSchedule()
    last_drill: Drill | None = None
    reconciled: bool = True
    practice: bool = False
    maintenance: Maintenance | None = None
    readiness: Readiness | None = None
    hardware: str = ""
    leaving: bool = False
    self_test: SelfTestReport | None = None

    @property
    def edit(self) -> RecorderEdit:
        return RecorderEdit(**fields_of(self))


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
    """The coordinator and the site in one row. `sentence`: the state in plain words, for the status bar.

    watched: servers in system data; of these ready, limited and not_ready, as `Readiness` says.
    """

    site: str
    state: CoordinatorState
    sentence: str
    health: Health
    practice: bool = False
    watched: int = 0
    ready: int = 0
    limited: int = 0
    not_ready: int = 0
    lag_ms: int = 0
    findings: tuple[Finding, ...] = ()
    waiting_for: tuple[RecorderId, ...] = ()
    unknown: tuple[UnknownServer, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    settings: SystemSettings = SystemSettings()
    settings_revision: int = 1
    maintenance: tuple[Maintenance, ...] = ()
    backup: ManualBackup | None = None
    baseline: BackupFile | None = None
    brake: BrakeRow | None = None


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """A material copy or a drill as people see it.

    recorder: whose footage or cameras. server: the failover server. failover: the entry of a material copy.
    sentence: what it does, or waits for, or how it ended. percent: how much is done. left_ms: expected, None where unknown.
    trials: of a drill. coverage: of a material copy that has ended.
    """

    id: JobId
    number: int
    kind: JobKind
    recorder: RecorderId
    server: RecorderId
    phase: JobPhase
    sentence: str
    actor: Actor
    started_ms: int
    failover: FailoverId | None = None
    paused: bool = False
    resting: bool = False
    percent: int = 0
    copied_bytes: int = 0
    total_bytes: int = 0
    rate_kbps: int = 0
    left_ms: int | None = None
    ended_ms: int = 0
    reason: JobReason | None = None
    note: str = ""
    trials: tuple[Trial, ...] = ()
    coverage: tuple[CameraCoverage, ...] = ()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a client may see, as of change number `sequence`."""

    sequence: int
    system: SystemRow
    groups: tuple[Group, ...]
    recorders: tuple[RecorderRow, ...]
    failovers: tuple[Failover, ...]
    jobs: tuple[JobRow, ...] = ()


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that are new or different since `sequence` - 1. A client that misses a number asks for a snapshot again."""

    sequence: int
    system: SystemRow | None = None
    groups: tuple[Group, ...] = ()
    removed_groups: tuple[GroupId, ...] = ()
    recorders: tuple[RecorderRow, ...] = ()
    removed_recorders: tuple[RecorderId, ...] = ()
    failovers: tuple[Failover, ...] = ()
    jobs: tuple[JobRow, ...] = ()
    removed_jobs: tuple[JobId, ...] = ()
