"""Requests that hold automatic failback, or let it run again (SPEC 8, 13.5)."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.requests.handling import Asking, Outcome, Rejected, recorder_row
from sysmanager.domain.failover import Reason
from sysmanager.protocol import clients as c


def hold_failback(asking: Asking, request: c.HoldFailback) -> Outcome:
    row = recorder_row(asking.view, request.recorder)
    if row.id in asking.view.failback_holds:
        raise Rejected(f"Automatic failback of {row.name} is held already; acknowledge that to let it run again.")
    if not row.automatic_failback:
        raise Rejected(f"{row.name} does not fail back by itself, so there is nothing to hold.", Reason.WRONG_STATE_OF_SERVER)
    held = f.FailbackHeld(recorder=row.id, cause=c.FailbackHoldCause.PERSON)
    return (held,), c.Done(sentence=f"Automatic failback of {row.name} is held.")


def release_failback(asking: Asking, request: c.ReleaseFailback) -> Outcome:
    row = recorder_row(asking.view, request.recorder)
    if row.id not in asking.view.failback_holds:
        raise Rejected(f"Automatic failback of {row.name} is not held.")
    return (f.FailbackReleased(recorder=row.id),), c.Done(sentence=f"Automatic failback of {row.name} runs again.")
