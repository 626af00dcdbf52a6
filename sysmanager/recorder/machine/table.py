"""The table of what a recording service does, and the one function that reads it.

The first row whose situation, input and guard fit is taken. Numbers are never used again for anything else. A pair of situation and
input without a row is illegal: it raises and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from sysmanager.domain.instant import Instant
from sysmanager.protocol.jobs import JobOrder
from sysmanager.protocol.preroll import KeepPreroll
from sysmanager.protocol.recorders import GoOn, LetOut, Record, ReportFootage, StandDown
from sysmanager.recorder.machine import effects as e
from sysmanager.recorder.machine import inputs as i
from sysmanager.recorder.machine import living, orders, preroll
from sysmanager.recorder.machine.beats import shows_change
from sysmanager.recorder.machine.orders import FootageTurn, JobTurn, OrderTurn, otherwise
from sysmanager.recorder.machine.preroll import PrerollTurn
from sysmanager.recorder.machine.state import MachineState, Situation

replace = msgspec.structs.replace
Turn = i.Input | OrderTurn | FootageTurn | PrerollTurn | JobTurn


class IllegalInput(Exception):
    """The input cannot come in this situation: whoever drives the machine is wrong. Nothing was changed."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One transition. to: the situations it may lead to; empty: it stays.

    The guard, the act and the sentence take turn types of their own; the row's `input` says which.
    """

    number: int
    origins: tuple[Situation, ...]
    input: type
    guard: Callable[[MachineState, Any, Instant], bool] = otherwise
    to: tuple[Situation, ...] = ()
    act: Callable[[MachineState, Any, Instant], orders.Result]
    sentence: str


DOWN, ASKING, RECORDING, STANDBY = Situation.DOWN, Situation.ASKING, Situation.RECORDING, Situation.STANDBY
UP = (ASKING, RECORDING, STANDBY)
ANY = (DOWN, *UP)


def _row(
    number: int,
    origins: tuple[Situation, ...],
    input_type: type,
    guard: Callable[[MachineState, Any, Instant], bool],
    to: tuple[Situation, ...],
    act: Callable[[MachineState, Any, Instant], orders.Result],
    sentence: str,
) -> Row:
    return Row(number=number, origins=origins, input=input_type, guard=guard, to=to, act=act, sentence=sentence)


ROWS: tuple[Row, ...] = (
    # starting
    _row(1, (DOWN,), i.Started, living.has_task, (ASKING,), living.start_asking, "It has cameras to record, and asks first."),
    _row(2, (DOWN,), i.Started, otherwise, (STANDBY,), living.start_standby, "It has no task, and stands by."),
    # orders
    _row(10, (DOWN,), OrderTurn, otherwise, (), orders.refuse_down, "The service does not run."),
    _row(11, UP, OrderTurn, orders.is_old, (), orders.refuse_old, "An order of an older epoch is refused."),
    _row(12, UP, OrderTurn, orders.is_pending, (), orders.join_pending, "The order is being carried out; it gets the same answer."),
    _row(13, UP, OrderTurn, orders.is_queued, (), orders.join_queued, "The order waits already; it gets the same answer."),
    _row(14, UP, OrderTurn, orders.contradicts_work, (), orders.refuse_other, "Another order under the epoch of the one at work."),
    _row(15, UP, OrderTurn, orders.supersedes_fetch, (), orders.give_up_fetch, "A newer order ends the fetching for an older one."),
    _row(16, UP, OrderTurn, orders.is_busy, (), orders.queue, "An order is being saved; the newer waits."),
    _row(17, UP, OrderTurn, orders.is_repeated, (), orders.repeat_answer, "It does so already; it answers the same again."),
    _row(18, UP, OrderTurn, orders.contradicts_task, (), orders.refuse_other, "Another order under the epoch that it obeys."),
    _row(19, UP, OrderTurn, orders.refused_by_hand, (), orders.refuse_by_hand, "It was told by hand to refuse settings."),
    _row(20, UP, OrderTurn, orders.stands_down, (), orders.save_standby, "It saves that it stands down."),
    _row(21, UP, OrderTurn, orders.lacks_documents, (), orders.refuse_missing, "It does not have the documents of that recorder."),
    _row(22, UP, OrderTurn, orders.is_applied, UP, orders.save_applied, "It has the documents, checks them and saves the order."),
    _row(23, UP, OrderTurn, otherwise, (), orders.fetch, "It fetches the documents that the order names."),
    _row(30, (DOWN,), FootageTurn, otherwise, (), orders.refuse_down, "The service does not run."),
    _row(31, UP, FootageTurn, otherwise, (), orders.read_footage, "It looks into the index of its material."),
    _row(32, (DOWN,), PrerollTurn, otherwise, (), preroll.refuse_down, "The service does not run."),
    _row(33, UP, PrerollTurn, preroll.is_old, (), preroll.refuse_old, "An order of an older epoch is refused."),
    _row(34, (ASKING, RECORDING), PrerollTurn, otherwise, (), preroll.refuse_busy, "It has cameras to record, and keeps no pre-roll."),
    _row(35, (STANDBY,), PrerollTurn, preroll.is_unable, (), preroll.refuse_unable, "It cannot keep pre-roll, and says so."),
    _row(36, (STANDBY,), PrerollTurn, otherwise, (), preroll.follow, "It keeps the last seconds of these cameras."),
    _row(37, (DOWN,), JobTurn, otherwise, (), orders.refuse_down, "The service does not run."),
    _row(38, UP, JobTurn, orders.drills_busily, (), orders.refuse_drill, "It is not on standby, and drills nothing."),
    _row(
        39,
        UP,
        JobTurn,
        otherwise,
        (),
        orders.carry_out_job,
        "It takes the order of a job, or of a release, beside its task.",
    ),
    # documents
    _row(40, UP, i.DocumentsReady, orders.fetched_for_order, UP, orders.check_and_save, "It checks the settings and saves the order."),
    _row(41, (ASKING,), i.DocumentsReady, living.loads_task_with_leave, (RECORDING,), living.load_and_open, "It opens its cameras."),
    _row(42, UP, i.DocumentsReady, living.loads_task, (), living.load, "It knows the settings of its task."),
    _row(43, ANY, i.DocumentsReady, otherwise, (), living.nothing, "They are no longer wanted."),
    _row(44, UP, i.DocumentsFailed, orders.fetched_for_order, (), orders.fetch_failed, "It refuses the order, and says why."),
    _row(45, UP, i.DocumentsFailed, living.loads_task, (), living.load_later, "It tries to load the settings of its task again."),
    _row(46, ANY, i.DocumentsFailed, otherwise, (), living.nothing, "They are no longer wanted."),
    # saving
    _row(50, UP, i.Saved, orders.saved_to_record, (RECORDING,), orders.record, "The order is durable: it opens the cameras and answers."),
    _row(51, UP, i.Saved, orders.is_saving, (STANDBY,), orders.stand_by, "The order is durable: it stops, forgets and answers."),
    _row(52, UP, i.SaveFailed, orders.is_saving, (), orders.save_failed, "It refuses the order that it cannot save."),
    _row(53, (DOWN,), i.Saved, otherwise, (), living.nothing, "It ended meanwhile; the next start finds it."),
    _row(54, (DOWN,), i.SaveFailed, otherwise, (), living.nothing, "It ended meanwhile; the order is sent again."),
    # asking
    _row(60, (ASKING,), i.AskAnswered, living.is_leave_loaded, (RECORDING, STANDBY), living.open_cameras, "It has leave: it begins."),
    _row(61, (ASKING,), i.AskAnswered, otherwise, (), living.keep_leave, "It has leave, and waits for its settings only."),
    _row(62, (RECORDING,), i.AskAnswered, otherwise, (), living.end_question, "Nobody replaced it; it records on."),
    _row(63, (DOWN, STANDBY), i.AskAnswered, otherwise, (), living.nothing, "The answer comes too late to matter."),
    _row(64, ANY, i.AskFailed, otherwise, (), living.nothing, "It asks again when its time comes."),
    # the beacon
    _row(70, (RECORDING,), i.BeaconHeard, living.was_away, (), living.hear_and_ask, "The coordinator was away: it asks, and records on."),
    _row(71, UP, i.BeaconHeard, otherwise, (), living.hear, "The coordinator is there."),
    _row(72, (DOWN,), i.BeaconHeard, otherwise, (), living.nothing, "The service does not run."),
    # time
    _row(80, (ASKING,), i.Tick, living.waited_loaded, (RECORDING, STANDBY), living.open_unanswered, "Nobody answered: it goes on."),
    _row(81, (ASKING,), i.Tick, living.waited_unloaded, (), living.leave_unanswered, "Nobody answered: it waits for its settings only."),
    _row(82, UP, i.Tick, living.ask_due, (), living.ask_again, "It asks again."),
    _row(83, UP, i.Tick, living.load_due, (), living.load_again, "It tries again to load its settings."),
    _row(84, UP, i.Tick, living.silence_due, (), living.say_silence, "It says that it hears no coordinator."),
    _row(85, ANY, i.Tick, otherwise, (), living.nothing, "Nothing is due."),
    # reports, hands, the end
    _row(90, ANY, i.DisksChanged, otherwise, (), living.take_disks, "It knows the state of its disks."),
    _row(91, (RECORDING,), i.CaptureReported, otherwise, (), living.take_cameras, "It knows the state of its cameras."),
    _row(92, (DOWN, ASKING, STANDBY), i.CaptureReported, otherwise, (), living.nothing, "It records no cameras; the report comes late."),
    _row(93, ANY, i.RefuseByHand, otherwise, (), living.take_hand, "A person told it to refuse, or no longer."),
    _row(94, ANY, i.ServiceStopped, otherwise, (DOWN,), living.stop, "The service ends."),
)

ILLEGAL: frozenset[tuple[Situation, type]] = frozenset((situation, i.Started) for situation in UP)
"""Inputs that no row may have. `Saved` and `SaveFailed` are illegal, too, where nothing is being saved."""

DUES_LIMIT = 4
"""How many more things one tick does that are due at once: asking, loading, the end of the wait, the word about silence."""

_BY_INPUT: dict[tuple[Situation, type], tuple[Row, ...]] = {
    (situation, input_type): tuple(row for row in ROWS if row.input is input_type and situation in row.origins)
    for situation in Situation
    for input_type in {row.input for row in ROWS}
}


def row_for(state: MachineState, turn: Turn, now: Instant) -> Row:
    """The row that applies; IllegalInput if none does."""
    for row in _BY_INPUT.get((state.situation, type(turn)), ()):
        if row.guard(state, turn, now):
            return row
    raise IllegalInput(f"{type(turn).__name__} cannot come while the service is {state.situation.value}")


def step(state: MachineState, any_input: i.Input, now: Instant) -> tuple[MachineState, e.Effects]:
    """What the machine is after the input, and what is to be done, in this order. IllegalInput changes nothing."""
    turn = turn_of(any_input)
    new, out = _apply(state, turn, now)
    if isinstance(turn, i.Tick):
        for _ in range(DUES_LIMIT):
            due_ms = living.deadline_ms(new)
            if due_ms is None or due_ms > now.mono_ms:
                break
            new, more = _apply(new, turn, now)
            out = (*out, *more)
    queued = new.queued
    if queued is not None and new.pending is None:
        new, more = _apply(replace(new, queued=None), OrderTurn(order=queued.order, tickets=queued.tickets), now)
        out = (*out, *more)
    if new is not state and new.situation is not Situation.DOWN and shows_change(state, new):
        out = (*out, e.SendBeatNow())
    return new, out


def turn_of(any_input: i.Input) -> Turn:
    """The input as the table knows it: an order of its kind, whichever way it came."""
    match any_input:
        case i.OrderReceived(ticket=ticket, order=ReportFootage() as question):
            return FootageTurn(question=question, ticket=ticket)
        case i.OrderReceived(ticket=ticket, order=KeepPreroll() as order):
            return PrerollTurn(order=order, ticket=ticket)
        case i.OrderReceived(ticket=ticket, order=order) if isinstance(order, JobOrder | LetOut):
            return JobTurn(order=order, ticket=ticket)
        case i.OrderReceived(ticket=ticket, order=Record() | StandDown() as order):
            return OrderTurn(order=order, tickets=(ticket,))
        case i.AskAnswered(answer=answer) if not isinstance(answer, GoOn):
            return OrderTurn(order=answer)
        case _:
            return any_input


def _apply(state: MachineState, turn: Turn, now: Instant) -> tuple[MachineState, e.Effects]:
    row = row_for(state, turn, now)
    new, out = row.act(state, turn, now)
    assert new.situation is state.situation or new.situation in row.to, f"row {row.number} may not lead to {new.situation}"
    return new, out
