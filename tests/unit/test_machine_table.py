"""The table of the recording service's machine: complete, numbered once, and each row says where it leads."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from sysmanager.domain.ids import CameraId, Epoch
from sysmanager.protocol.preroll import KeepPreroll
from sysmanager.protocol.recorders import Beacon, GoOn, LetOut, Obeyed, Refusal, RefusalReason, ReportFootage
from sysmanager.recorder import machine as m
from sysmanager.recorder.machine.orders import FootageTurn, OrderTurn
from sysmanager.recorder.machine.preroll import PrerollTurn
from sysmanager.recorder.machine.table import otherwise
from tests.helpers.machine_world import (
    DISK,
    FOREIGN,
    HOME,
    OWN,
    SETTINGS,
    World,
    at,
    home_world,
    record,
    recording_world,
    stand_down,
)

TURNS = (OrderTurn, FootageTurn, PrerollTurn, *(each for each in get_args(m.Input) if each is not m.OrderReceived))


def test_numbers_are_used_once_and_rise() -> None:
    numbers = [row.number for row in m.ROWS]
    assert numbers == sorted(set(numbers))


def test_every_row_has_a_sentence() -> None:
    assert all(row.sentence.endswith(".") for row in m.ROWS)


@pytest.mark.parametrize("situation", list(m.Situation))
@pytest.mark.parametrize("turn", TURNS, ids=lambda each: each.__name__)
def test_every_situation_and_input_has_a_row_for_every_case_or_is_illegal(situation: m.Situation, turn: type) -> None:
    rows = [row for row in m.ROWS if row.input is turn and situation in row.origins]
    if (situation, turn) in m.ILLEGAL:
        assert not rows
        return
    assert rows
    saving = turn in (m.Saved, m.SaveFailed) and situation is not m.Situation.DOWN
    assert saving or rows[-1].guard is otherwise, "the last row takes what no other took"


def asking() -> World:
    world = World(HOME, standby=False)
    world.start()
    return world


def standby() -> World:
    world = World()
    world.start()
    return world


WORLDS = {m.Situation.DOWN: World, m.Situation.ASKING: asking, m.Situation.RECORDING: home_world, m.Situation.STANDBY: standby}
INPUTS: tuple[m.Input, ...] = (
    m.Started(persisted=World().durable),
    m.Tick(),
    m.OrderReceived(ticket=1, order=record(3)),
    m.OrderReceived(ticket=1, order=record(3, home=HOME, documents=None)),
    m.OrderReceived(ticket=1, order=stand_down(3)),
    m.OrderReceived(ticket=1, order=ReportFootage(epoch=Epoch(3))),
    m.OrderReceived(ticket=1, order=KeepPreroll(epoch=Epoch(3), plan="p")),
    m.OrderReceived(ticket=1, order=LetOut(camera=CameraId("gate"))),
    m.DocumentsReady(documents=FOREIGN, settings=SETTINGS),
    m.DocumentsReady(documents=OWN, settings=SETTINGS),
    m.DocumentsFailed(documents=FOREIGN, reason=RefusalReason.DOCUMENTS_MISSING, sentence="Gone."),
    m.Saved(),
    m.SaveFailed(sentence="Full."),
    m.AskAnswered(answer=GoOn()),
    m.AskAnswered(answer=record(3)),
    m.AskAnswered(answer=stand_down(3)),
    m.AskFailed(),
    m.BeaconHeard(beacon=Beacon(term=1, sequence=1, wall_ms=1)),
    m.DisksChanged(disks=(DISK,)),
    m.CaptureReported(cameras=()),
    m.ServiceStopped(sentence="Ended."),
    m.RefuseByHand(present=True),
)


@pytest.mark.parametrize("situation", list(m.Situation))
@pytest.mark.parametrize("any_input", INPUTS, ids=lambda each: type(each).__name__)
def test_every_situation_takes_every_input_or_raises_and_changes_nothing(situation: m.Situation, any_input: m.Input) -> None:
    state = WORLDS[situation]().state
    assert state.situation is situation
    before = msgspec.json.encode(state)
    illegal = (situation, type(any_input)) in m.ILLEGAL or (
        isinstance(any_input, m.Saved | m.SaveFailed) and situation is not m.Situation.DOWN
    )
    if illegal:
        with pytest.raises(m.IllegalInput):
            m.step(state, any_input, at(10_000))
    else:
        m.step(state, any_input, at(10_000))
    assert msgspec.json.encode(state) == before


def test_a_step_is_a_function_of_its_arguments() -> None:
    state = recording_world().state
    assert m.step(state, m.Tick(), at(99_000)) == m.step(state, m.Tick(), at(99_000))


def test_a_service_that_is_down_refuses_orders_and_questions() -> None:
    world = World()
    for order in (record(3), stand_down(3), ReportFootage(epoch=Epoch(1)), LetOut(camera=CameraId("gate"))):
        answer = world.order(order)  # type: ignore[arg-type]  # any order
        assert isinstance(answer, Refusal)
        assert answer.reason is RefusalReason.SERVICE_DOWN


@pytest.mark.parametrize("situation", [m.Situation.ASKING, m.Situation.RECORDING, m.Situation.STANDBY])
def test_a_release_from_quarantine_is_carried_out_beside_whatever_it_does(situation: m.Situation) -> None:
    state = WORLDS[situation]().state
    order = LetOut(camera=CameraId("gate"))
    after, effects = m.step(state, m.OrderReceived(ticket=7, order=order), at(0))
    assert (after, effects) == (state, (m.CarryOutJob(ticket=7, order=order),))


def test_a_service_that_ends_answers_who_waits() -> None:
    world = recording_world()
    state, _ = m.step(world.state, m.OrderReceived(ticket=70, order=record(9, documents=OWN)), at(0))
    state, effects = m.step(state, m.ServiceStopped(sentence="Told to end."), at(0))
    assert state.situation is m.Situation.DOWN
    answers = [each.answer for each in effects if isinstance(each, m.Answer) and each.ticket == 70]
    assert [each.reason for each in answers if isinstance(each, Refusal)] == [RefusalReason.SERVICE_DOWN]
    assert m.StopCapture() in effects
    assert m.SendBeatNow() not in effects


def test_answers_say_what_is_applied() -> None:
    answer = World.order(recording_world(), record(4))
    assert answer == Obeyed(epoch=Epoch(4), documents=FOREIGN)
