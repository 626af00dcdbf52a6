"""What is to be done outside, read off the state (DESIGN). After a restart the same question finds the same work."""

from __future__ import annotations

from sysmanager.coordinator.commands import CheckCache, Command, Continue, FetchDocuments, SendOrder
from sysmanager.coordinator.gaps import awaits_footage, off_question
from sysmanager.coordinator.preroll import preroll_orders
from sysmanager.coordinator.quarantine import release_orders
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.standing import order_for
from sysmanager.coordinator.state import View, unreconciled
from sysmanager.domain.failover import Failover, Phase, Trigger
from sysmanager.domain.group import Group
from sysmanager.domain.recorder import Acting, Recorder
from sysmanager.protocol.recorders import ReportFootage

_GOES_ON = (
    Phase.SAVED,
    Phase.COMMITTED,
    Phase.RECORDED,
    Phase.FAILBACK_STARTED,
    Phase.FAILBACK_COMMITTED,
    Phase.FAILBACK_PERFORMED,
)
"""Phases whose next step needs nothing from outside. A planned switch waits in SAVED for first frames."""


def outstanding(view: View, seen: Seen) -> tuple[Command, ...]:
    """All work there is. Looks at every recorder and every open entry; for the start and for tests."""
    commands: list[Command] = []
    for row in view.recorders.values():
        commands += for_recorder(view, seen, row)
    for group in view.groups.values():
        commands += for_group(view, seen, group)
    for failover_id in view.open:
        commands += for_failover(view, seen, view.failovers[failover_id])
    return tuple(commands)


def for_recorder(view: View, seen: Seen, row: Recorder) -> tuple[Command, ...]:
    """The work that concerns one recorder: orders where it does not do what it shall or is to be told
    something, its documents where the cache is behind."""
    commands: list[Command] = []
    order = order_for(view, seen, row)
    if order is not None:
        commands.append(SendOrder(recorder=row.id, order=order))
    commands += release_orders(view, seen, row)
    beat = seen.of(row.id).beat
    if beat is not None and beat.documents is not None and row.records and seen.connected(row.id) and not unreconciled(view, row.id):
        own = beat.home == row.home and beat.epoch == row.assignment.epoch
        if own and (beat.documents != row.documents or row.id in seen.doubted or row.instance not in (None, beat.instance)):
            commands.append(FetchDocuments(recorder=row.id, documents=beat.documents))
    return (*commands, *_from_home(view, seen, row))


def _from_home(view: View, seen: Seen, row: Recorder) -> tuple[Command, ...]:
    """Documents of a server that acts and that are no longer in the cache: the recorder that it replaced may hold the same ones.

    The acting one may have come back without them, and can record by nothing that neither it nor the cache has (SPEC 3, first law).
    row: either of the two.
    """
    commands: list[Command] = []
    for server in sorted(seen.doubted):
        acting = view.recorders.get(server)
        if acting is None or not isinstance(acting.assignment, Acting) or row.id not in (server, acting.assignment.for_recorder):
            continue
        home, documents = acting.assignment.for_recorder, acting.documents
        beat = seen.of(home).beat
        if documents is None or beat is None or beat.documents is None or not seen.connected(home):
            continue
        if beat.documents.same_content(documents):
            commands.append(FetchDocuments(recorder=home, documents=documents))
    return tuple(commands)


def for_group(view: View, seen: Seen, group: Group) -> tuple[Command, ...]:
    """What servers on standby shall keep of the cameras of the group. An order to record or to stand down goes first."""
    orders = preroll_orders(view, seen, group)
    return tuple(
        SendOrder(recorder=server, order=order) for server, order in orders.items() if order_for(view, seen, view.recorders[server]) is None
    )


def for_failover(view: View, seen: Seen, entry: Failover) -> tuple[Command, ...]:
    """The work that concerns one open entry."""
    if view.reconcile is not None and not view.reconcile.confirmed:
        return ()
    if entry.phase is Phase.RESERVED and entry.documents is not None:
        return (CheckCache(failover=entry.id, documents=entry.documents),)
    if entry.phase in _GOES_ON and not (entry.phase is Phase.SAVED and entry.trigger is Trigger.PLANNED):
        return (Continue(failover=entry.id),)
    if entry.phase is not Phase.READY:
        return ()
    about_off = off_question(seen, entry)
    if about_off is not None and entry.server is not None:
        return (SendOrder(recorder=entry.server, order=about_off),)
    if awaits_footage(entry) and (entry.recorder, entry.previous_epoch) not in seen.footage:
        heard = seen.recorders.get(entry.recorder)
        # One that has not stood down yet goes on recording: its last frame is still to come. Without its disks it can tell nothing.
        beat = heard.beat if heard is not None and heard.service_heard() else None
        tells = beat is not None and beat.epoch > entry.previous_epoch and any(disk.writable for disk in beat.disks)
        if tells and seen.connected(entry.recorder):
            cameras = tuple(gap.camera for gap in entry.gaps)
            return (SendOrder(recorder=entry.recorder, order=ReportFootage(epoch=entry.previous_epoch, cameras=cameras)),)
    return ()
