"""Rules about backups and the queue that waits for them (SPEC 7), written apart from the coordinator's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.state import State
from sysmanager.domain.backup import BackupKind, BaselineStage
from sysmanager.domain.ids import FailoverId, GroupId

if TYPE_CHECKING:
    from sysmanager.simulation.checkers import Step
    from sysmanager.simulation.world import World

BASELINE_LIMIT_MS = 10_000
SLACK_MS = 2_500
"""A coordinator that was busy, or whose journal was slow, looks a little later."""


def no_backup_by_hand_meanwhile(step: Step) -> str | None:
    """None is begun by hand in a restore, in a failover or failback, or beside the automatic one."""
    fact, state = step.fact, step.state
    if not isinstance(fact, f.BackupStarted) or fact.kind is not BackupKind.MANUAL:
        return None
    if state.reconcile is not None and not state.reconcile.confirmed:
        return "A backup by hand begins before the restore is confirmed."
    busy = [entry.id for entry in state.failovers.values() if entry.phase.hands_over]
    if busy:
        return f"A backup by hand begins while {busy[0]} is running."
    if state.backups.baseline.stage in (BaselineStage.RUNNING, BaselineStage.LATE):
        return "A backup by hand begins beside the automatic one."
    return None


def queue_waits_for_baseline(step: Step) -> str | None:
    """While the baseline is within its time, no failover begins in the groups that it is for."""
    group: GroupId | None = None
    match step.fact:
        case f.FailoverStarted(opening=opening):
            group = opening.group
        case f.ServerReserved() if step.before is not None:
            group = step.before.group
        case _:
            return None
    baseline = step.state.backups.baseline
    if baseline.stage is BaselineStage.RUNNING and group in {covered for _, covered in baseline.covers}:
        return f"A failover of group {group} begins, and its baseline {baseline.number} is being made."
    return None


def one_baseline_covers_all(step: Step) -> str | None:
    """A baseline covers every failover that ended before it began, and no entry is forgotten."""
    fact = step.fact
    if not isinstance(fact, f.BackupMade) or fact.kind is not BackupKind.BASELINE:
        return None
    begun = False
    for record in reversed(step.world.facts):
        match record.fact:
            case f.BackupStarted(number=number, kind=BackupKind.BASELINE) if number == fact.file.number:
                begun = True
            case f.ClientsNotified(failover=failover) if begun and not _has_baseline(step.state, failover):
                return f"The baseline {fact.file.number} leaves out {failover}, which had ended before it began."
            case _:
                pass
    return None


def _has_baseline(state: State, failover: FailoverId) -> bool:
    entry = state.failovers.get(failover)
    return entry is None or bool(entry.backup)


def overdue(world: World, waits: tuple[int, int] | None) -> tuple[str | None, tuple[int, int] | None]:
    """The queue of a group waits 10 s for a baseline at most; and for which, since when it does, to be asked with again.

    Each baseline has its own 10 s: the next may begin in the moment in which one has ended.
    """
    core, now_ms = world.coordinator.core, world.agenda.now_ms
    if core is None or not world.coordinator.listening or core.state.reconcile is not None:
        return None, None
    baseline = core.state.backups.baseline
    if baseline.stage is not BaselineStage.RUNNING:
        return None, None
    if waits is None or waits[0] != baseline.number:
        waits = (baseline.number, now_ms)
    late = now_ms - waits[1] > BASELINE_LIMIT_MS + SLACK_MS
    return ("The failover queues have waited for a baseline for more than 10 s." if late else None), waits
