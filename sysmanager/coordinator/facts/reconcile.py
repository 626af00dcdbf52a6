"""Facts of a reconcile (SPEC 7)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import Epoch, RecorderId
from sysmanager.domain.recorder import Assignment


class ReconcileStarted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="reconcile-started"):
    """The journal lost its tail or was restored: what recorders say comes before what system data says (SPEC 7)."""

    sentence: str


class RecorderReconciled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="recorder-reconciled"):
    """The recorder's report agrees with system data, or is older and will be corrected by an order. epoch: the highest it knows."""

    recorder: RecorderId
    epoch: Epoch


class Adjustment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What confirming a finding changes: the assignment of a recorder, and the entry that explains it, if there was none.

    own_again: what it records as its own are cameras of another one; its own documents are to take their place.
    """

    recorder: RecorderId
    assignment: Assignment
    entry: Failover | None = None
    own_again: bool = False


class ReconcileConfirmed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="reconcile-confirmed"):
    """A person accepted what differed. highest_epoch: the highest that any recorder reported. settled: recorders that were heard."""

    adjustments: tuple[Adjustment, ...]
    settled: tuple[RecorderId, ...]
    highest_epoch: Epoch


ReconcileFact = ReconcileStarted | RecorderReconciled | ReconcileConfirmed
