"""The request for a planned switch (SPEC 14.3)."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.requests.failover import failover_stops
from sysmanager.coordinator.requests.handling import Asking, Outcome, Rejected, recorder_row
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.coordinator.switching import open_switch, why_not_switched
from sysmanager.domain.failover import Reason
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol import clients as c


def switch_stops(view: View, seen: Seen, row: Recorder) -> list[tuple[str, Reason]]:
    """Everything that keeps a person from a planned switch of this recorder; empty if it may start."""
    stops = failover_stops(view, seen, row)
    why = why_not_switched(view, seen, row) if not stops else None
    return stops if why is None else [(why, Reason.WRONG_STATE_OF_SERVER)]


def switch_over(asking: Asking, request: c.SwitchOver) -> Outcome:
    row = recorder_row(asking.view, request.recorder)
    for sentence, reason in switch_stops(asking.view, asking.seen, row):
        raise Rejected(sentence, reason)
    facts = open_switch(asking.view, asking.seen, row, asking.now)
    (started,) = facts
    assert isinstance(started, f.FailoverStarted), "a candidate was found and the group is free"
    server = asking.view.recorders[started.reservation.server].name
    sentence = f"Planned switch of {row.name} to {server} started; {row.name} stops when {server} has its cameras."
    return facts, c.Done(sentence=sentence, failover=started.opening.failover)
