"""What happened. Facts, and only facts, are in the journal; every table of the program is a projection of them.

A fact holds what of the reports it relied on, so that a replay needs nothing else. A fact is what a decision or a person must find again:
heartbeats, disk numbers and cameras going up and down are none. A file per subject, each with the union of its facts.
"""

from __future__ import annotations

import msgspec

from sysmanager.coordinator.facts.failback import (
    FailbackCommitted,
    FailbackDocumentsTaken,
    FailbackFact,
    FailbackNotified,
    FailbackPerformed,
    FailbackSaved,
    FailbackStarted,
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
    FailoverStarted,
    FailoverWaiting,
    GapsMeasured,
    Opening,
    Reservation,
    ResultWritten,
    ServerReserved,
    SettingsSaved,
    TasksMoved,
)
from sysmanager.coordinator.facts.reconcile import Adjustment, ReconcileConfirmed, ReconcileFact, ReconcileStarted, RecorderReconciled
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
    SystemFact,
)
from sysmanager.domain.rights import Actor

__all__ = [
    "Adjustment",
    "AnyFact",
    "AttemptEnded",
    "ClientsNotified",
    "CoordinatorStarted",
    "DocumentsCached",
    "DocumentsChecked",
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
    "FailbackUndone",
    "FailoverCancelled",
    "FailoverFact",
    "FailoverFailed",
    "FailoverQueued",
    "FailoverStarted",
    "FailoverWaiting",
    "GapsMeasured",
    "GroupRemoved",
    "GroupSaved",
    "HoldLifted",
    "HoldPlaced",
    "Opening",
    "ReconcileConfirmed",
    "ReconcileFact",
    "ReconcileStarted",
    "RecorderAdded",
    "RecorderEdited",
    "RecorderReconciled",
    "RecorderRemoved",
    "Reservation",
    "ResultWritten",
    "ServerReserved",
    "ServerRestored",
    "SettingsSaved",
    "SystemFact",
    "TasksMoved",
]

AnyFact = SystemFact | FailoverFact | FailbackFact | FailbackHoldFact | ReconcileFact


class FactRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fact as it stands in the journal. Sequence and chain of hashes are the journal's.

    term: of the coordinator that wrote it. wall_ms: for people. actor: who caused it.
    """

    term: int
    wall_ms: int
    actor: Actor
    fact: AnyFact
