"""Which servers a fact concerns: their rows and their work are looked at again."""

from __future__ import annotations

from collections.abc import Iterable

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.maintenance import covered
from sysmanager.coordinator.state import View
from sysmanager.domain.ids import RecorderId


def concerned(view: View, fact: f.AnyFact) -> Iterable[RecorderId]:
    """After the fact was applied; beside those of the entry that it moves."""
    match fact:
        case f.GroupSaved(group=group):
            return tuple(view.members.get(group.id, ()))
        case f.MaintenanceBegan(target=target) | f.MaintenanceEnded(target=target):
            return covered(view, target)
        case f.CoordinatorStarted() | f.ReconcileStarted() | f.ReconcileConfirmed() | f.RecorderReconciled():
            return tuple(view.recorders)
        case _:
            recorder = getattr(fact, "recorder", None)
            recorder = getattr(recorder, "id", recorder)
            return (RecorderId(recorder),) if isinstance(recorder, str) else ()
