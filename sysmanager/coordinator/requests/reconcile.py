"""The request that ends a reconcile (SPEC 7)."""

from __future__ import annotations

from sysmanager.coordinator.reconcile import confirmed, findings
from sysmanager.coordinator.requests.handling import Asking, Outcome, Rejected
from sysmanager.protocol import clients as c


def confirm_reconcile(asking: Asking, request: c.ConfirmReconcile) -> Outcome:
    view, seen, asked, now = asking.view, asking.seen, asking.asked, asking.now
    present = findings(view, seen)
    if view.reconcile is None and not present:
        raise Rejected("There is nothing to reconcile.")
    if view.reconcile is not None and view.reconcile.confirmed and not present:
        raise Rejected("This reconcile is confirmed already; servers that were not heard yet are reconciled when they come.")
    if tuple(request.findings) != present:
        raise Rejected("What differs has changed since you looked; look at it again and confirm then.")
    return (confirmed(view, seen, asked.actor, now),), c.Done(sentence="The reconcile is confirmed; the coordinator watches again.")
