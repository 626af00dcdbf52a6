"""A person accepts that servers share a machine (SPEC 2)."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.machines import shares_of
from sysmanager.coordinator.requests.handling import Asking, Outcome, Rejected, recorder_row
from sysmanager.protocol import clients as c


def accept(asking: Asking, request: c.AcceptSharedMachine) -> Outcome:
    row = recorder_row(asking.view, request.recorder)
    shares = shares_of(asking.view, asking.seen, row)
    if not shares:
        raise Rejected(f"{row.name} shares its machine with no other server; there is nothing to accept.")
    if tuple(request.shares) != shares:
        raise Rejected(f"{row.name} shares its machine with {', '.join(shares)}; confirm exactly that.")
    known = asking.view.shared.get(row.id)
    if known is not None and known.shares == shares:
        raise Rejected(f"It is accepted already that {row.name} shares its machine with {', '.join(shares)}.")
    fact = f.SharedMachineAccepted(recorder=row.id, shares=shares)
    return (fact,), c.Done(sentence=f"It is accepted that {row.name} shares its machine with {', '.join(shares)}.")
