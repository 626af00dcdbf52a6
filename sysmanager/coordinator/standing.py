"""What system data wants each recorder to do, and the order that tells it so. An order goes where goal and report differ."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from sysmanager.coordinator.handing import held_back, let_go_by, not_given_back_yet, not_let_go_yet
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, unreconciled
from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.failover import Failover, Phase, StayCause
from sysmanager.domain.ids import CameraId
from sysmanager.domain.recorder import Acting, Broken, Recorder, Recording, Reserved, Standby
from sysmanager.protocol.recorders import Ask, Beat, GoOn, Mode, Order, OrderKey, Record, RefusalReason, StandDown, Standing

_PLAIN = OrderKey()
_RETURNING = (Phase.FAILBACK_TAKEN, Phase.FAILBACK_SAVED, Phase.FAILBACK_UNDOING)
"""Phases in which the broken recorder records beside the failover server."""


def goal(view: View, row: Recorder) -> Record | StandDown | None:
    """The order that would bring the recorder where system data has it; None while it shall be left as it is."""
    match row.assignment:
        case Recording(epoch=epoch):
            return Record(key=_PLAIN, epoch=epoch, home=row.id, without=let_go_by(view, row.id))
        case Acting(epoch=epoch, for_recorder=home, failover=failover_id):
            without = _not_here(view.failovers[failover_id]) if failover_id in view.failovers else ()
            return Record(key=_PLAIN, epoch=epoch, home=home, without=without + let_go_by(view, row.id))
        case Standby(epoch=epoch):
            return StandDown(key=_PLAIN, epoch=epoch)
        case Reserved(epoch=epoch, failover=failover_id):
            entry = view.failovers[failover_id]
            if entry.phase not in (Phase.FETCHED, Phase.SAVED) or entry.documents is None:
                return None
            key = OrderKey(failover=entry.id, step=4, attempt=entry.attempt)
            without = _not_here(entry) + held_back(view, entry)
            return Record(key=key, epoch=epoch, home=entry.home, documents=entry.documents, without=without)
        case Broken(epoch=epoch):
            return _returning(view, row) or StandDown(key=_PLAIN, epoch=epoch)
        case _:
            assert_never(row.assignment)


def _not_here(entry: Failover) -> tuple[CameraId, ...]:
    """Cameras for which the failover server has no room, so that it does not open them. What never moves it leaves out by itself."""
    return tuple(camera.camera for camera in entry.not_moved if camera.cause is StayCause.NO_ROOM)


def _returning(view: View, row: Recorder) -> Record | None:
    """Step 8 of a failback, or what is left of it: the broken recorder records while the failover server does."""
    for open_id in view.open_with.get(row.id, ()):
        entry = view.failovers[open_id]
        failback = entry.failback
        if entry.home != row.id or entry.phase not in _RETURNING or failback is None:
            continue
        key = OrderKey(failover=entry.id, step=8, attempt=1)
        return Record(key=key, epoch=failback.epoch, home=row.id, documents=failback.documents, without=held_back(view, entry))
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
    if not seen.connected(row.id) or (isinstance(wanted, Record) and _too_soon(view, seen, row, wanted)):
        return None
    refused = seen.refused_orders.get(row.id)
    lacks = refused is not None and refused.reason is RefusalReason.DOCUMENTS_MISSING
    if lacks or _needs_documents(view, row, heard.beat, heard.beat.documents):
        wanted = with_documents(view, row, wanted)
    obeyed = seen.obeyed.get(row.id)
    if obeyed is not None and heard.beat_ms <= obeyed[1] and _covers(obeyed[0], wanted):
        # The beat is older than the answer: wait for the next one before the order is repeated.
        return None
    if refused is not None and refused.order == wanted and not refused.again:
        return None
    return None if satisfied(heard.beat, wanted) else wanted


def _too_soon(view: View, seen: Seen, row: Recorder, wanted: Record) -> bool:
    """Whether it would knock at a camera whose only session the other server is just about to give up."""
    if isinstance(row.assignment, Acting):
        acted, beat = view.failovers.get(row.assignment.failover), seen.of(row.id).beat
        records = beat is not None and beat.mode is Mode.RECORDING and beat.epoch == wanted.epoch
        return records and acted is not None and not_given_back_yet(view, seen, acted)
    entry = view.failovers.get(wanted.key.failover)
    return entry is not None and entry.phase in (Phase.SAVED, Phase.FAILBACK_SAVED) and not_let_go_yet(view, seen, entry)


def with_documents(view: View, row: Recorder, wanted: Record | StandDown) -> Record | StandDown:
    """The order with the documents in the cache, for a server that does not have those by which it is to record.

    Before the cache has its present ones these are the ones that the failover gave it. One that has them goes on with its own, which may
    be newer.
    """
    if isinstance(row.assignment, Acting | Recording) and isinstance(wanted, Record) and wanted.documents is None:
        entry = view.failovers.get(row.assignment.failover) if isinstance(row.assignment, Acting) else None
        given = entry.documents if entry is not None else None
        return replace(wanted, documents=row.documents if row.documents is not None else given)
    return wanted


def _needs_documents(view: View, row: Recorder, said: Beat | Ask, documents: DocumentSet | None) -> bool:
    """Whether who reports this has to be given documents: one that acts and lost them, or that keeps what it recorded for another one."""
    match row.assignment:
        case Acting(for_recorder=acted_for):
            return documents is None or said.home != acted_for
        case Recording():
            return said.home not in (None, row.id) or _knows_its_old_cameras(view, row, said)
        case _:
            return False


def _knows_its_old_cameras(view: View, row: Recorder, said: Beat | Ask) -> bool:
    """Whether a server that keeps cameras of another one, or has its own again, may take for its own what it had in an earlier life.

    A machine that was restored comes back so, and one of which a restored journal did not know what it had kept. Another server may have
    those cameras now, and no camera belongs to two (SPEC 13.1).
    """
    kept_epoch = view.kept.get(row.id)
    return kept_epoch is not None and (said.home is None or said.epoch < kept_epoch)


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
    retired_epoch = view.retired.get(ask.recorder)
    if row is None and retired_epoch is not None and ask.epoch < retired_epoch:
        # Its cameras belong to who acted for it; one that allows a single session could not be recorded beside it.
        return StandDown(key=_PLAIN, epoch=retired_epoch)
    if row is None or unreconciled(view, ask.recorder):
        return GoOn()
    wanted = goal(view, row)
    if wanted is None or ask.epoch > wanted.epoch:
        return GoOn()
    if isinstance(wanted, Record) and wanted.documents is None and (wanted.home, wanted.epoch) == (ask.home, ask.epoch):
        return GoOn()
    return with_documents(view, row, wanted) if _needs_documents(view, row, ask, row.documents) else wanted
