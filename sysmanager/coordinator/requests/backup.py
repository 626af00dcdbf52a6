"""The request for a backup by hand (SPEC 7)."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.requests.handling import Asking, Outcome, Rejected
from sysmanager.coordinator.state import View
from sysmanager.domain.backup import BackupKind, unfit_key
from sysmanager.protocol import clients as c


def back_up(asking: Asking, request: c.BackUp) -> Outcome:
    view = asking.view
    objection = why_no_backup(view)
    if objection is not None:
        raise Rejected(objection)
    unfit = unfit_key(request.recovery) if request.recovery is not None else None
    if unfit is not None:
        raise Rejected(f"The key for the secrets of the backup cannot be used: {unfit}; correct the field recovery.")
    number = view.backups.next_number
    fact = f.BackupStarted(number=number, kind=BackupKind.MANUAL, recovery=request.recovery)
    return (fact,), c.Done(sentence=f"Backup {number} is being made.", backup=number)


def why_no_backup(view: View) -> str | None:
    """Why a person may not back up now; None if it may be done. Only whole states of the system are worth keeping (SPEC 7)."""
    if view.reconcile is not None and not view.reconcile.confirmed:
        return "A restore is not finished; confirm what differs first, and back up then."
    for failover in view.open:
        entry = view.failovers[failover]
        if entry.phase.hands_over:
            what = "failback" if entry.phase.failing_back else "failover"
            return f"A {what} is running, see {entry.id} in the failover log; back up when it has ended."
    if view.backups.baseline.being_made:
        return "The automatic backup after a failover is being made; back up when it is done."
    manual = view.backups.manual
    if manual is not None and manual.being_made:
        return f"A backup that {manual.actor.name} asked for is being made; wait until it is done."
    return None
