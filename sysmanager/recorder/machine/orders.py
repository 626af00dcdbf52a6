"""Orders: when one is accepted, repeated or refused, and how it is carried out (SPEC 6, 13.1).

Durable before visible before done: the new task is saved, then the capture follows it, then the answer goes out. A kill anywhere in
between leaves the old task or the new one on the disk, and the order, which is sent again, ends the same.
"""

from __future__ import annotations

import msgspec

from sysmanager.domain.documents import DocumentSet, SettingsSummary
from sysmanager.domain.ids import Epoch, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.protocol.jobs import JobOrder, RunDrill
from sysmanager.protocol.recorders import LetOut, Mode, Obeyed, Record, Refusal, RefusalReason, ReportFootage, StandDown
from sysmanager.recorder.machine import effects as e
from sysmanager.recorder.machine.inputs import DocumentsFailed, DocumentsReady, Saved, SaveFailed
from sysmanager.recorder.machine.plan import plan_of, refusal_of
from sysmanager.recorder.machine.state import (
    TICKETS_LIMIT,
    MachineState,
    Pending,
    Persisted,
    Queued,
    Situation,
    Stage,
    held_documents,
    highest_epoch,
)

replace = msgspec.structs.replace
Result = tuple[MachineState, e.Effects]


class OrderTurn(msgspec.Struct, frozen=True, kw_only=True):
    """An order from any side: received, as the answer to an ask (no tickets), or from the queue."""

    order: Record | StandDown
    tickets: tuple[int, ...] = ()


class FootageTurn(msgspec.Struct, frozen=True, kw_only=True):
    question: ReportFootage
    ticket: int


class JobTurn(msgspec.Struct, frozen=True, kw_only=True):
    """An order that touches neither the task nor what is durable of it."""

    order: JobOrder | LetOut
    ticket: int


# ---------------------------------------------------------------- guards


def _is_task(order: Record | StandDown, mode: Mode, home: RecorderId | None, documents: DocumentSet | None) -> bool:
    """Whether the order says what such a task already is; `without` may differ, and no documents means those that are there."""
    if isinstance(order, StandDown):
        return mode is Mode.STANDBY
    same_documents = order.documents is None or (documents is not None and documents.same_content(order.documents))
    return mode is Mode.RECORDING and home == order.home and same_documents


def _of_pending(order: Record | StandDown, pending: Pending) -> bool:
    if isinstance(pending.order, StandDown):
        return _is_task(order, Mode.STANDBY, None, None)
    return _is_task(order, Mode.RECORDING, pending.order.home, pending.documents)


def _without(order: Record | StandDown) -> frozenset[str]:
    return frozenset(order.without) if isinstance(order, Record) else frozenset()


def is_old(state: MachineState, turn: OrderTurn, now: Instant) -> bool:
    return turn.order.epoch < highest_epoch(state)


def is_pending(state: MachineState, turn: OrderTurn, now: Instant) -> bool:
    pending = state.pending
    return (
        pending is not None
        and pending.order.epoch == turn.order.epoch
        and _of_pending(turn.order, pending)
        and _without(turn.order) == _without(pending.order)
    )


def is_queued(state: MachineState, turn: OrderTurn, now: Instant) -> bool:
    return state.queued is not None and replace(state.queued.order, key=turn.order.key) == turn.order


def contradicts_work(state: MachineState, turn: OrderTurn, now: Instant) -> bool:
    """Under the epoch of what is being carried out, or queued, it says something else than that."""
    pending, queued = state.pending, state.queued
    if pending is not None and pending.order.epoch == turn.order.epoch:
        return not _of_pending(turn.order, pending)
    if queued is None or queued.order.epoch != turn.order.epoch:
        return False
    if isinstance(queued.order, Record) and isinstance(turn.order, Record):
        return replace(queued.order, key=turn.order.key, without=turn.order.without) != turn.order
    return True


def supersedes_fetch(state: MachineState, turn: OrderTurn, now: Instant) -> bool:
    pending = state.pending
    return pending is not None and pending.stage is Stage.FETCHING and turn.order.epoch > pending.order.epoch


def is_busy(state: MachineState, turn: OrderTurn, now: Instant) -> bool:
    return state.pending is not None


def _under_obeyed_epoch(state: MachineState, turn: OrderTurn) -> bool:
    return state.persisted.ordered and turn.order.epoch == state.persisted.epoch


def _says_task(state: MachineState, turn: OrderTurn) -> bool:
    persisted = state.persisted
    return _is_task(turn.order, persisted.mode, persisted.home, persisted.documents)


def is_repeated(state: MachineState, turn: OrderTurn, now: Instant) -> bool:
    return (
        _under_obeyed_epoch(state, turn)
        and state.situation is not Situation.ASKING
        and _says_task(state, turn)
        and _without(turn.order) == frozenset(state.persisted.without)
    )


def contradicts_task(state: MachineState, turn: OrderTurn, now: Instant) -> bool:
    return _under_obeyed_epoch(state, turn) and not _says_task(state, turn)


def refused_by_hand(state: MachineState, turn: OrderTurn, now: Instant) -> bool:
    return state.refuse_by_hand and isinstance(turn.order, Record) and not _under_obeyed_epoch(state, turn)


def lacks_documents(state: MachineState, turn: OrderTurn, now: Instant) -> bool:
    return isinstance(turn.order, Record) and wanted_documents(state.persisted, turn.order) is None


def stands_down(state: MachineState, turn: OrderTurn, now: Instant) -> bool:
    return isinstance(turn.order, StandDown)


def is_applied(state: MachineState, turn: OrderTurn, now: Instant) -> bool:
    """Records by documents that are loaded already."""
    order = turn.order
    return (
        isinstance(order, Record) and state.settings is not None and wanted_documents(state.persisted, order) == state.persisted.documents
    )


def otherwise(state: MachineState, turn: object, now: Instant) -> bool:
    return True


# ---------------------------------------------------------------- documents


def wanted_documents(persisted: Persisted, order: Record) -> DocumentSet | None:
    """By which documents the order is carried out; None if it names none and none of that home are here."""
    if order.documents is not None:
        return _grown(persisted.own, order.documents) if order.home == persisted.recorder else order.documents
    if order.home == persisted.home:
        return persisted.documents
    return persisted.own if order.home == persisted.recorder else None


def _grown(own: DocumentSet | None, new: DocumentSet) -> DocumentSet:
    """Documents that become its own: the revision grows with every change, and never falls (SPEC 3)."""
    if own is None:
        return new
    if own.same_content(new):
        return own if own.revision >= new.revision else new
    return replace(new, revision=max(new.revision, own.revision + 1))


# ---------------------------------------------------------------- answers


def _answered(tickets: tuple[int, ...], refusal: Refusal) -> e.Effects:
    if not tickets:
        return (e.Say(sentence=f"The coordinator's answer was not followed: {refusal.sentence}", warning=True),)
    return tuple(e.Answer(ticket=ticket, answer=refusal) for ticket in tickets)


def _refusal(state: MachineState, reason: RefusalReason, sentence: str) -> Refusal:
    epoch = highest_epoch(state) if reason is RefusalReason.OLD_EPOCH else state.persisted.epoch
    return Refusal(reason=reason, sentence=sentence, epoch=epoch)


def _old(state: MachineState, order: Record | StandDown) -> Refusal:
    sentence = f"The order is of epoch {order.epoch} and this server knows epoch {highest_epoch(state)}."
    return _refusal(state, RefusalReason.OLD_EPOCH, sentence)


def refuse_old(state: MachineState, turn: OrderTurn, now: Instant) -> Result:
    return state, _answered(turn.tickets, _old(state, turn.order))


def refuse_other(state: MachineState, turn: OrderTurn, now: Instant) -> Result:
    sentence = f"Under epoch {turn.order.epoch} this server was given another order; a different one needs a new epoch."
    return state, _answered(turn.tickets, _refusal(state, RefusalReason.OTHER_ORDER, sentence))


def refuse_by_hand(state: MachineState, turn: OrderTurn, now: Instant) -> Result:
    state = seen(state, turn.order.epoch)
    return state, _answered(turn.tickets, _refusal(state, RefusalReason.REFUSED_BY_HAND, "It was told by hand to refuse settings."))


def refuse_missing(state: MachineState, turn: OrderTurn, now: Instant) -> Result:
    state = seen(state, turn.order.epoch)
    sentence = "The order names no documents and this server holds none of that recorder; send them with the order."
    return state, _answered(turn.tickets, _refusal(state, RefusalReason.DOCUMENTS_MISSING, sentence))


def refuse_down(state: MachineState, turn: OrderTurn | FootageTurn | JobTurn, now: Instant) -> Result:
    refusal = _refusal(state, RefusalReason.SERVICE_DOWN, f"The recording service does not run: {state.down_sentence}")
    tickets = turn.tickets if isinstance(turn, OrderTurn) else (turn.ticket,)
    return state, tuple(e.Answer(ticket=ticket, answer=refusal) for ticket in tickets)


def read_footage(state: MachineState, turn: FootageTurn, now: Instant) -> Result:
    goes_on = state.persisted.epoch <= turn.question.epoch
    return state, (e.ReadFootage(ticket=turn.ticket, question=turn.question, goes_on=goes_on),)


def drills_busily(state: MachineState, turn: JobTurn, now: Instant) -> bool:
    """A drill is for a server on standby that has nothing else to do. An order that it refused keeps it from nothing."""
    busy = state.situation is not Situation.STANDBY or state.pending is not None
    return isinstance(turn.order, RunDrill) and (busy or turn.order.epoch < state.persisted.epoch)


def refuse_drill(state: MachineState, turn: JobTurn, now: Instant) -> Result:
    sentence = "This server is not on standby, or is being given a task; a drill waits until it is."
    return state, (e.Answer(ticket=turn.ticket, answer=_refusal(state, RefusalReason.NOT_FREE, sentence)),)


def carry_out_job(state: MachineState, turn: JobTurn, now: Instant) -> Result:
    return state, (e.CarryOutJob(ticket=turn.ticket, order=turn.order),)


def repeat_answer(state: MachineState, turn: OrderTurn, now: Instant) -> Result:
    return replace(state, next_ask_ms=None), _obeyed(state.persisted, turn.tickets)


def _obeyed(persisted: Persisted, tickets: tuple[int, ...]) -> e.Effects:
    answer = Obeyed(epoch=persisted.epoch, documents=persisted.documents)
    return tuple(e.Answer(ticket=ticket, answer=answer) for ticket in tickets)


# ---------------------------------------------------------------- carrying out


def seen(state: MachineState, epoch: Epoch) -> MachineState:
    return replace(state, seen_epoch=max(state.seen_epoch, epoch))


def _joined(tickets: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    return (*tickets, *more)[-TICKETS_LIMIT:]


def join_pending(state: MachineState, turn: OrderTurn, now: Instant) -> Result:
    assert state.pending is not None, "guarded by is_pending"
    return replace(state, pending=replace(state.pending, tickets=_joined(state.pending.tickets, turn.tickets))), ()


def join_queued(state: MachineState, turn: OrderTurn, now: Instant) -> Result:
    assert state.queued is not None, "guarded by is_queued"
    return replace(state, queued=replace(state.queued, tickets=_joined(state.queued.tickets, turn.tickets))), ()


def queue(state: MachineState, turn: OrderTurn, now: Instant) -> Result:
    """One order at most waits; the newer takes its place."""
    out: e.Effects = ()
    earlier = state.queued
    state = replace(seen(state, turn.order.epoch), queued=Queued(order=turn.order, tickets=turn.tickets))
    if earlier is not None:
        out = _answered(earlier.tickets, _old(state, earlier.order))
    return state, out


def give_up_fetch(state: MachineState, turn: OrderTurn, now: Instant) -> Result:
    """A newer order: what was fetched for the older one is no longer wanted. The newer is looked at next, from the queue."""
    earlier = state.pending
    assert earlier is not None, "guarded by supersedes_fetch"
    state = replace(state, pending=None)
    state, out = queue(state, turn, now)
    return state, (*_answered(earlier.tickets, _old(state, earlier.order)), *out)


def save_standby(state: MachineState, turn: OrderTurn, now: Instant) -> Result:
    after = replace(state.persisted, epoch=turn.order.epoch, ordered=True, mode=Mode.STANDBY, home=None, documents=None, without=())
    pending = Pending(order=turn.order, tickets=turn.tickets, stage=Stage.SAVING, after=after)
    return replace(seen(state, turn.order.epoch), pending=pending), (e.Persist(persisted=after),)


def fetch(state: MachineState, turn: OrderTurn, now: Instant) -> Result:
    assert isinstance(turn.order, Record), "guarded by stands_down"
    documents = wanted_documents(state.persisted, turn.order)
    assert documents is not None, "guarded by lacks_documents"
    pending = Pending(order=turn.order, tickets=turn.tickets, stage=Stage.FETCHING, documents=documents)
    return replace(seen(state, turn.order.epoch), pending=pending), (e.FetchDocuments(documents=documents),)


def save_applied(state: MachineState, turn: OrderTurn, now: Instant) -> Result:
    state, _ = fetch(state, turn, now)
    assert state.pending is not None, "fetch made it"
    assert state.settings is not None, "guarded by is_applied"
    return _check_and_save(state, state.pending, state.settings)


def fetched_for_order(state: MachineState, ready: DocumentsReady | DocumentsFailed, now: Instant) -> bool:
    pending = state.pending
    return pending is not None and pending.stage is Stage.FETCHING and pending.documents == ready.documents


def check_and_save(state: MachineState, ready: DocumentsReady, now: Instant) -> Result:
    assert state.pending is not None, "guarded by fetched_for_order"
    return _check_and_save(state, state.pending, ready.settings)


def _check_and_save(state: MachineState, pending: Pending, settings: SettingsSummary) -> Result:
    order = pending.order
    assert isinstance(order, Record), "only Record needs documents"
    before = state.persisted
    if not _is_task(order, before.mode, before.home, before.documents):  # what it records already, it goes on to record
        refusal = refusal_of(state.identity, state.disks, order.home, settings, order.without)
        if refusal is not None:
            return _give_up(state, pending, refusal)
    after = replace(
        before,
        epoch=order.epoch,
        ordered=True,
        mode=Mode.RECORDING,
        home=order.home,
        documents=pending.documents,
        own=pending.documents if order.home == before.recorder else before.own,
        without=order.without,
    )
    pending = replace(pending, stage=Stage.SAVING, after=after, settings=settings)
    state = replace(state, pending=pending)
    if after == before:  # repeated after a start: it is durable already, and a full disk must not keep it from recording
        return _follow(state, pending)
    return state, (e.Persist(persisted=after),)


def _give_up(state: MachineState, pending: Pending, refusal: Refusal) -> Result:
    """Nothing changed, and nothing of the order is left behind."""
    state = replace(state, pending=None)
    refusal = replace(refusal, epoch=state.persisted.epoch)
    return state, (*_answered(pending.tickets, refusal), e.ForgetDocuments(keep=held_documents(state)))


def fetch_failed(state: MachineState, failed: DocumentsFailed, now: Instant) -> Result:
    assert state.pending is not None, "guarded by fetched_for_order"
    return _give_up(state, state.pending, Refusal(reason=failed.reason, sentence=failed.sentence))


def is_saving(state: MachineState, saved: Saved | SaveFailed, now: Instant) -> bool:
    return state.pending is not None and state.pending.stage is Stage.SAVING


def save_failed(state: MachineState, failed: SaveFailed, now: Instant) -> Result:
    assert state.pending is not None, "guarded by is_saving"
    return _give_up(state, state.pending, Refusal(reason=RefusalReason.CANNOT_SAVE, sentence=failed.sentence))


def saved_to_record(state: MachineState, saved: Saved, now: Instant) -> bool:
    return is_saving(state, saved, now) and state.pending is not None and isinstance(state.pending.order, Record)


def record(state: MachineState, saved: Saved, now: Instant) -> Result:
    assert state.pending is not None, "guarded by saved_to_record"
    return _follow(state, state.pending)


def _follow(state: MachineState, pending: Pending) -> Result:
    """The order is durable: first the cameras, then the answer."""
    assert pending.after is not None, "saving"
    assert pending.settings is not None, "saving an order to record"
    plan = plan_of(pending.after, pending.settings)
    follow = e.ChangeCapture(plan=plan) if state.situation is Situation.RECORDING else e.StartCapture(plan=plan)
    state = replace(
        state,
        persisted=pending.after,
        situation=Situation.RECORDING,
        settings=pending.settings,
        pending=None,
        leave=False,
        next_ask_ms=None,
        next_load_ms=None,
        preroll=None,
    )
    return state, (follow, *_obeyed(state.persisted, pending.tickets), e.ForgetDocuments(keep=held_documents(state)))


def stand_by(state: MachineState, saved: Saved, now: Instant) -> Result:
    pending = state.pending
    assert pending is not None, "guarded by is_saving"
    assert pending.after is not None, "saving"
    stop: e.Effects = (e.StopCapture(),) if state.situation is Situation.RECORDING else ()
    state = replace(
        state,
        persisted=pending.after,
        situation=Situation.STANDBY,
        settings=None,
        pending=None,
        leave=False,
        next_ask_ms=None,
        next_load_ms=None,
        cameras=(),
    )
    return state, (*stop, *_obeyed(state.persisted, pending.tickets), e.ForgetDocuments(keep=held_documents(state)))
