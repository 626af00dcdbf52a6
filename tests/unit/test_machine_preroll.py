"""The machine keeps pre-roll on standby only, as told last, and says honestly when it cannot (SPEC 6)."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.domain.ids import CameraId, Epoch, JobId
from sysmanager.protocol.jobs import RunDrill
from sysmanager.protocol.preroll import NO_PREROLL, KeepPreroll, PrerollBeat, PrerollPart
from sysmanager.protocol.recorders import Obeyed, Refusal, RefusalReason
from sysmanager.recorder import machine as m
from tests.helpers.machine_world import FOREIGN, HOME, World, at, home_world, record, recording_world, stand_down

PART = PrerollPart(home=HOME, documents=FOREIGN, cameras=(CameraId("c1"),), seconds=17)
KEPT = (PrerollBeat(CameraId("c1"), 5_000),)


def keep(epoch: int = 0, plan: str = "p", parts: tuple[PrerollPart, ...] = (PART,)) -> KeepPreroll:
    return KeepPreroll(epoch=Epoch(epoch), plan=plan, parts=parts)


def able(memory_mb: int = 100) -> World:
    """A failover server on standby."""
    world = World()
    world.identity = msgspec.structs.replace(world.identity, preroll_memory_mb=memory_mb, preroll_limit_s=60)
    world.start()
    return world


def told(world: World, order: KeepPreroll) -> object:
    return world.order(order)  # type: ignore[arg-type]  # any order


def said(world: World) -> object:
    return m.beat(world.state, m.Observations(sequence=1, version="1", preroll=KEPT), at(0)).preroll


def test_it_keeps_what_it_is_told_and_the_heartbeat_shows_it() -> None:
    world = able()
    assert told(world, keep()) == Obeyed(epoch=Epoch(0))
    assert world.done[-3:] == [m.FollowPreroll(order=keep()), m.Answer(ticket=1, answer=Obeyed(epoch=Epoch(0))), m.SendBeatNow()]
    report = m.beat(world.state, m.Observations(sequence=1, version="1", preroll=KEPT), at(0)).preroll
    assert (report.plan, report.memory_mb, report.limit_s, report.cameras) == ("p", 100, 60, KEPT)


def test_the_same_plan_again_changes_nothing_and_gets_the_same_answer() -> None:
    world = able()
    told(world, keep())
    done = len(world.done)
    assert told(world, keep()) == Obeyed(epoch=Epoch(0))
    assert [type(effect) for effect in world.done[done:]] == [m.Answer]


def test_documents_that_it_keeps_cameras_by_are_not_forgotten() -> None:
    world = able()
    world.store |= {FOREIGN.settings, FOREIGN.masks, FOREIGN.schedules}
    told(world, keep())
    world.order(stand_down(3))
    assert FOREIGN.settings in world.store


@pytest.mark.parametrize(
    ("world", "order", "reason"),
    [
        (lambda: able(0), keep(), RefusalReason.NO_PREROLL),
        (recording_world, keep(9), RefusalReason.NOT_ON_STANDBY),
        (home_world, keep(9), RefusalReason.NOT_ON_STANDBY),
        (World, keep(), RefusalReason.SERVICE_DOWN),
    ],
    ids=["cannot", "acting", "at home", "down"],
)
def test_who_cannot_says_so(world: object, order: KeepPreroll, reason: RefusalReason) -> None:
    found = world()  # type: ignore[operator]  # a world to begin in
    answer = told(found, order)
    assert isinstance(answer, Refusal)
    assert answer.reason is reason
    assert found.state.preroll is None


def test_an_order_that_it_refused_keeps_it_from_neither_pre_roll_nor_drill() -> None:
    """The coordinator may never hear of the refusal, and forget that order with its journal: the server waits as it did before."""
    world = able()
    world.put(m.RefuseByHand(present=True))
    assert isinstance(told(world, record(9)), Refusal)  # type: ignore[arg-type]  # any order
    drill = RunDrill(job=JobId("J00001"), epoch=Epoch(0), home=HOME, documents=FOREIGN, cameras=(), described=(), seconds=5)
    assert told(world, keep()) == Obeyed(epoch=Epoch(0))
    world.order(drill)  # type: ignore[arg-type]  # any order
    assert isinstance(world.done[-1], m.CarryOutJob)
    stale = told(world, stand_down(8))  # type: ignore[arg-type]  # any order
    assert isinstance(stale, Refusal)
    assert stale.reason is RefusalReason.OLD_EPOCH, "what tells it to record or to stop is never older than what it has seen"


def test_an_order_of_an_older_epoch_is_refused() -> None:
    world = able()
    world.order(stand_down(5))
    answer = told(world, keep(4))
    assert isinstance(answer, Refusal)
    assert answer.reason is RefusalReason.OLD_EPOCH


def test_who_cannot_keep_any_says_so_in_the_heartbeat_and_obeys_to_keep_none() -> None:
    world = able(0)
    assert told(world, keep(plan="", parts=())) == Obeyed(epoch=Epoch(0))
    assert said(world) == NO_PREROLL


def test_it_ends_when_it_records_and_when_the_service_ends() -> None:
    world = able()
    told(world, keep())
    world.order(record(4))
    assert world.state.preroll is None
    world = able()
    told(world, keep())
    world.put(m.ServiceStopped(sentence="Told to end."))
    assert world.state.preroll is None
    world.start()
    assert world.state.preroll is None
