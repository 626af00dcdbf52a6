"""What system data wants each recorder to do, and the order that tells it so. An order goes where goal and report differ."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from sysmanager.coordinator.failback import handed_over_singly
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, unreconciled
from sysmanager.coordinator.switching import released_singly
from sysmanager.domain.failover import Failover, Phase, StayCause
from sysmanager.domain.ids import CameraId, FailoverId, RecorderId
from sysmanager.domain.recorder import Acting, Broken, Recorder, Recording, Reserved, Standby
from sysmanager.protocol.recorders import Ask, Beat, GoOn, Mode, Order, OrderKey, Record, StandDown, Standing

_PLAIN = OrderKey()


def goal(view: View, row: Recorder) -> Record | StandDown | None:
    """The order that would bring the recorder where system data has it; None while it shall be left as it is."""
    match row.assignment:
        case Recording(epoch=epoch):
            return Record(key=_PLAIN, epoch=epoch, home=row.id, without=released_singly(view, row.id))
        case Acting(epoch=epoch, for_recorder=home, failover=failover_id):
            without = _not_here(view.failovers[failover_id]) if failover_id in view.failovers else ()
            return Record(
                key=_PLAIN, epoch=epoch, home=home, without=without + _handed_over(view, failover_id) + released_singly(view, row.id)
            )
        case Standby(epoch=epoch):
            return StandDown(key=_PLAIN, epoch=epoch)
        case Reserved(epoch=epoch, failover=failover_id):
            entry = view.failovers[failover_id]
            if entry.phase not in (Phase.FETCHED, Phase.SAVED) or entry.documents is None:
                return None
            key = OrderKey(failover=entry.id, step=4, attempt=entry.attempt)
            return Record(key=key, epoch=epoch, home=entry.home, documents=entry.documents, without=_not_here(entry))
        case Broken(epoch=epoch):
            return _returning(view, row) or StandDown(key=_PLAIN, epoch=epoch)
        case _:
            assert_never(row.assignment)


def _not_here(entry: Failover) -> tuple[CameraId, ...]:
    """Cameras for which the failover server has no room, so that it does not open them. What never moves it leaves out by itself."""
    return tuple(camera.camera for camera in entry.not_moved if camera.cause is StayCause.NO_ROOM)


def _handed_over(view: View, failover_id: FailoverId) -> tuple[CameraId, ...]:
    """Cameras with a single session, once the recorder that gets them back waits for them (SPEC 8)."""
    entry = view.failovers.get(failover_id)
    return handed_over_singly(view, entry) if entry is not None and entry.phase is Phase.FAILBACK_SAVED else ()


def _returning(view: View, row: Recorder) -> Record | None:
    """Step 8 of a failback: the broken recorder gets its tasks while the failover server still records."""
    for open_id in view.open_with.get(row.id, ()):
        entry = view.failovers[open_id]
        failback = entry.failback
        if entry.home != row.id or entry.phase not in (Phase.FAILBACK_TAKEN, Phase.FAILBACK_SAVED) or failback is None:
            continue
        key = OrderKey(failover=entry.id, step=8, attempt=1)
        return Record(key=key, epoch=failback.epoch, home=row.id, documents=failback.documents)
    return None


def satisfied(beat: Beat, wanted: Record | StandDown) -> bool:
    """Whether the recorder reports that it does what is wanted, under the epoch that is wanted."""
    match wanted:
        case StandDown():
            return beat.mode is Mode.STANDBY and beat.epoch >= wanted.epoch
        case Record():
            held = wanted.documents is None or (beat.documents is not None and beat.documents.same_content(wanted.documents))
            same = beat.epoch == wanted.epoch and beat.home == wanted.home and set(beat.without) == set(wanted.without)
            return beat.mode is Mode.RECORDING and same and held
        case _:
            assert_never(wanted)


def order_for(view: View, seen: Seen, row: Recorder) -> Record | StandDown | None:
    """The order that is outstanding for a recorder; None if it does what it shall, is not heard, or speaks before system data."""
    wanted = goal(view, row)
    heard = seen.of(row.id)
    if wanted is None or heard.beat is None or unreconciled(view, row.id) or heard.beat.epoch > wanted.epoch:
        return None
    if isinstance(wanted, Record) and wanted.key.step and not _answered(view, wanted):
        if view.reconcile is not None and not view.reconcile.confirmed:
            # No entry moves before the reconcile is confirmed, whatever is answered.
            return None
        # The answer, not the heartbeat, moves the step on: repeat the order until it came.
        return wanted
    if not seen.connected(row.id):
        return None
    if heard.beat.documents is None or heard.beat.home != wanted_home(wanted):
        wanted = with_documents(row, wanted)
    obeyed = seen.obeyed.get(row.id)
    if obeyed is not None and heard.beat_ms <= obeyed[1] and _covers(obeyed[0], wanted):
        # The beat is older than the answer: wait for the next one before the order is repeated.
        return None
    refused = seen.refused_orders.get(row.id)
    if refused is not None and refused.order == wanted and not refused.again:
        return None
    return None if satisfied(heard.beat, wanted) else wanted


def wanted_home(wanted: Record | StandDown) -> RecorderId | None:
    return wanted.home if isinstance(wanted, Record) else None


def with_documents(row: Recorder, wanted: Record | StandDown) -> Record | StandDown:
    """The order for an acting server that has lost the documents by which it acts: it gets those in the cache once more.

    One that has them goes on with its own, which may be newer.
    """
    if isinstance(row.assignment, Acting) and isinstance(wanted, Record) and wanted.documents is None:
        return replace(wanted, documents=row.documents)
    return wanted


def _covers(obeyed: Order, wanted: Record | StandDown) -> bool:
    """Whether a recorder that obeyed the one order does what the other wants of it."""
    match obeyed, wanted:
        case Record(), Record(documents=None):
            return (obeyed.epoch, obeyed.home, obeyed.without) == (wanted.epoch, wanted.home, wanted.without)
        case _:
            return obeyed == wanted


def _answered(view: View, wanted: Record) -> bool:
    entry = view.failovers[wanted.key.failover]
    return entry.phase not in (Phase.FETCHED, Phase.FAILBACK_TAKEN)


def answer_to(view: View, ask: Ask) -> Standing:
    """What a recorder may do that was away (SPEC 13.1). In doubt it records on: twice is better than never."""
    row = view.recorders.get(ask.recorder)
    if row is None or unreconciled(view, ask.recorder):
        return GoOn()
    wanted = goal(view, row)
    if wanted is None or ask.epoch > wanted.epoch:
        return GoOn()
    if isinstance(wanted, Record) and wanted.documents is None and (wanted.home, wanted.epoch) == (ask.home, ask.epoch):
        return GoOn()
    return with_documents(row, wanted) if ask.home != wanted_home(wanted) else wanted
