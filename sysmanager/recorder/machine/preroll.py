"""Keeping the last seconds of cameras that others record, while on standby (SPEC 6). Volatile: after a start it is told again."""

from __future__ import annotations

import msgspec

from sysmanager.domain.instant import Instant
from sysmanager.protocol.preroll import KeepPreroll
from sysmanager.protocol.recorders import Obeyed, Refusal, RefusalReason
from sysmanager.recorder.machine import effects as e
from sysmanager.recorder.machine.orders import Result
from sysmanager.recorder.machine.state import MachineState, highest_epoch

replace = msgspec.structs.replace


class PrerollTurn(msgspec.Struct, frozen=True, kw_only=True):
    order: KeepPreroll
    ticket: int


def is_old(state: MachineState, turn: PrerollTurn, now: Instant) -> bool:
    """Older than what it does, or than what it is about to do. An order that it refused keeps it from nothing: it waits as before."""
    return turn.order.epoch < (highest_epoch(state) if state.pending is not None else state.persisted.epoch)


def is_unable(state: MachineState, turn: PrerollTurn, now: Instant) -> bool:
    able = state.identity.preroll_memory_mb > 0 and state.identity.preroll_limit_s > 0
    return bool(turn.order.parts) and not able


def _refused(state: MachineState, turn: PrerollTurn, reason: RefusalReason, sentence: str) -> Result:
    refusal = Refusal(reason=reason, sentence=sentence, epoch=highest_epoch(state))
    return state, (e.Answer(ticket=turn.ticket, answer=refusal),)


def refuse_old(state: MachineState, turn: PrerollTurn, now: Instant) -> Result:
    sentence = f"The order is of epoch {turn.order.epoch} and this server knows epoch {highest_epoch(state)}."
    return _refused(state, turn, RefusalReason.OLD_EPOCH, sentence)


def refuse_down(state: MachineState, turn: PrerollTurn, now: Instant) -> Result:
    return _refused(state, turn, RefusalReason.SERVICE_DOWN, f"The recording service does not run: {state.down_sentence}")


def refuse_busy(state: MachineState, turn: PrerollTurn, now: Instant) -> Result:
    return _refused(state, turn, RefusalReason.NOT_ON_STANDBY, "It has cameras to record; pre-roll is kept on standby only.")


def refuse_unable(state: MachineState, turn: PrerollTurn, now: Instant) -> Result:
    return _refused(state, turn, RefusalReason.NO_PREROLL, "This server cannot keep pre-roll; it holds none.")


def follow(state: MachineState, turn: PrerollTurn, now: Instant) -> Result:
    """Repeated at will: the same plan changes nothing."""
    answer = e.Answer(ticket=turn.ticket, answer=Obeyed(epoch=turn.order.epoch))
    if state.preroll == turn.order:
        return state, (answer,)
    return replace(state, preroll=turn.order), (e.FollowPreroll(order=turn.order), answer)
