"""Requests about a recorder that was replaced and does not get its cameras back (SPEC 10)."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.adoption import keeping_stops, left_to_do, replaced_in
from sysmanager.coordinator.requests.handling import Asking, Outcome, Rejected, recorder_row
from sysmanager.coordinator.state import View
from sysmanager.domain.failover import Failover, Phase, Reason
from sysmanager.domain.ids import Epoch, shown
from sysmanager.domain.recorder import Broken, Recorder, Role
from sysmanager.protocol import clients as c


def adopt_server(asking: Asking, request: c.AdoptServer) -> Outcome:
    view = asking.view
    row = recorder_row(view, request.recorder)
    entry = _kept_by_another(view, row)
    if request.group not in view.groups:
        raise Rejected(f"There is no group {shown(request.group)}; see the list of groups.")
    adopted = f.ServerAdopted(
        failover=entry.id,
        adopted=row.id,
        group=request.group,
        epoch=view.next_epoch,
        standby_epoch=Epoch(view.next_epoch + 1),
        to_do=left_to_do(view, asking.seen, entry),
    )
    sentence = f"{row.name} is a failover server of the group {view.groups[request.group].name} now."
    return (adopted,), c.Done(sentence=sentence, failover=entry.id)


def remove_replaced(asking: Asking, row: Recorder) -> Outcome:
    """Take a broken server out of system data. Who acts for a recorder keeps its cameras; a broken failover server has none."""
    view = asking.view
    if row.role is Role.FAILOVER:
        busy = [view.failovers[failover] for failover in view.open_with.get(row.id, ())]
        if any(entry.phase is not Phase.READY or row.id in (entry.home, entry.server) for entry in busy):
            raise Rejected(f"{row.name} takes part in a failover; wait until that is over, then remove it.", Reason.WRONG_STATE_OF_SERVER)
        return (f.RecorderRemoved(recorder=row.id),), c.Done(sentence=f"{row.name} was removed.")
    entry = _kept_by_another(view, row)
    removed = f.ReplacedRemoved(
        failover=entry.id,
        removed=row.id,
        epoch=view.next_epoch,
        retired_epoch=Epoch(view.next_epoch + 1),
        to_do=left_to_do(view, asking.seen, entry),
    )
    server = view.recorders[entry.server].name if entry.server is not None else ""
    return (removed,), c.Done(sentence=f"{row.name} was removed; {server} keeps its cameras for good.", failover=entry.id)


def _kept_by_another(view: View, row: Recorder) -> Failover:
    for sentence in keeping_stops(view, row):
        raise Rejected(sentence, Reason.WRONG_STATE_OF_SERVER if isinstance(row.assignment, Broken) else Reason.INVALID_LOG_STATE)
    entry = replaced_in(view, row)
    assert entry is not None, "nothing stops it"
    return entry
