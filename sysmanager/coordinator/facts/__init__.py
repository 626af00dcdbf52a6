"""What happened. Facts, and only facts, are in the journal; every table of the program is a projection of them.

A fact holds what of the reports it relied on, so that a replay needs nothing else. A fact is what a decision or a person must find again:
heartbeats, disk numbers and cameras going up and down are none. A file per subject, each with the union of its facts.
"""

from __future__ import annotations

import msgspec

from sysmanager.coordinator.facts.adoption import AdoptionFact, ReplacedRemoved, ServerAdopted
from sysmanager.coordinator.facts.backup import BackupFact, BackupFailed, BackupMade, BackupStarted, BaselineLate
from sysmanager.coordinator.facts.copying import (
    CopyEnded,
    CopyingFact,
    CopyPaused,
    CopyResumed,
    CopyStarted,
    HoursCopied,
    HoursPlanned,
    SourceTold,
)
from sysmanager.coordinator.facts.drilling import DrillEnded, DrillingFact, DrillStarted
from sysmanager.coordinator.facts.failback import (
    FailbackCommitted,
    FailbackDocumentsTaken,
    FailbackFact,
    FailbackNotified,
    FailbackPerformed,
    FailbackSaved,
    FailbackStarted,
    FailbackUndoing,
    FailbackUndone,
)
from sysmanager.coordinator.facts.failback_holds import FailbackHeld, FailbackHoldFact, FailbackReleased
from sysmanager.coordinator.facts.failover import (
    AttemptEnded,
    ClientsNotified,
    DocumentsChecked,
    FailoverCancelled,
    FailoverFact,
    FailoverFailed,
    FailoverQueued,
    FailoverSkipped,
    FailoverStarted,
    FailoverWaiting,
    FailoverWithheld,
    GapsMeasured,
    Opening,
    Reservation,
    ResultWritten,
    ServerReserved,
    SettingsSaved,
    TasksMoved,
    Withholding,
)
from sysmanager.coordinator.facts.handing import HandingFact, SessionsPassed
from sysmanager.coordinator.facts.log import EntryCommented, LogFact, RemarkFact, RequestRefused, ToDoTicked
from sysmanager.coordinator.facts.machines import MachineFact, SharedMachineAccepted
from sysmanager.coordinator.facts.quarantine import CameraReleased, QuarantineFact, ReleaseEnded
from sysmanager.coordinator.facts.reconcile import Adjustment, ReconcileConfirmed, ReconcileFact, ReconcileStarted, RecorderReconciled
from sysmanager.coordinator.facts.safety import (
    AlarmAcknowledged,
    BrakeApplied,
    BrakeReleased,
    MaintenanceBegan,
    MaintenanceEnded,
    SafetyFact,
    SystemEdited,
)
from sysmanager.coordinator.facts.system import (
    CoordinatorStarted,
    DocumentsCached,
    GroupRemoved,
    GroupSaved,
    HoldLifted,
    HoldPlaced,
    RecorderAdded,
    RecorderEdited,
    RecorderRemoved,
    ServerRestored,
    StandDownRenewed,
    SystemFact,
)
from sysmanager.domain.rights import Actor

__all__ = [
    "Adjustment",
    "AdoptionFact",
    "AlarmAcknowledged",
    "Answered",
    "AnyFact",
    "AttemptEnded",
    "BackupFact",
    "BackupFailed",
    "BackupMade",
    "BackupStarted",
    "BaselineLate",
    "BrakeApplied",
    "BrakeReleased",
    "CameraReleased",
    "ClientsNotified",
    "CoordinatorStarted",
    "CopyEnded",
    "CopyPaused",
    "CopyResumed",
    "CopyStarted",
    "CopyingFact",
    "DocumentsCached",
    "DocumentsChecked",
    "DrillEnded",
    "DrillStarted",
    "DrillingFact",
    "EntryCommented",
    "FactRecord",
    "FailbackCommitted",
    "FailbackDocumentsTaken",
    "FailbackFact",
    "FailbackHeld",
    "FailbackHoldFact",
    "FailbackNotified",
    "FailbackPerformed",
    "FailbackReleased",
    "FailbackSaved",
    "FailbackStarted",
    "FailbackUndoing",
    "FailbackUndone",
    "FailoverCancelled",
    "FailoverFact",
    "FailoverFailed",
    "FailoverQueued",
    "FailoverSkipped",
    "FailoverStarted",
    "FailoverWaiting",
    "FailoverWithheld",
    "GapsMeasured",
    "GroupRemoved",
    "GroupSaved",
    "HandingFact",
    "HoldLifted",
    "HoldPlaced",
    "HoursCopied",
    "HoursPlanned",
    "LogFact",
    "MachineFact",
    "MaintenanceBegan",
    "MaintenanceEnded",
    "Opening",
    "QuarantineFact",
    "ReconcileConfirmed",
    "ReconcileFact",
    "ReconcileStarted",
    "RecorderAdded",
    "RecorderEdited",
    "RecorderReconciled",
    "RecorderRemoved",
    "ReleaseEnded",
    "RemarkFact",
    "ReplacedRemoved",
    "RequestRefused",
    "Reservation",
    "ResultWritten",
    "SafetyFact",
    "ServerAdopted",
    "ServerReserved",
    "ServerRestored",
    "SessionsPassed",
    "SettingsSaved",
    "SharedMachineAccepted",
    "SourceTold",
    "StandDownRenewed",
    "SystemEdited",
    "SystemFact",
    "TasksMoved",
    "ToDoTicked",
    "Withholding",
]

AnyFact = (
    SystemFact
    | FailoverFact
    | FailbackFact
    | FailbackHoldFact
    | AdoptionFact
    | ReconcileFact
    | LogFact
    | SafetyFact
    | BackupFact
    | MachineFact
    | CopyingFact
    | DrillingFact
    | HandingFact
    | QuarantineFact
)


class Answered(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request that was done: its kind, the id that it was about, and the sentence of the reply."""

    request: str
    about: str
    sentence: str


class FactRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fact as it stands in the journal. Sequence and chain of hashes are the journal's.

    term: of the coordinator that wrote it. wall_ms: for people. actor: who caused it. answer: on the first fact of a request, what was
    asked and answered; it is the audit log's line for what was done.
    """

    term: int
    wall_ms: int
    actor: Actor
    fact: AnyFact
    answer: Answered | None = None
