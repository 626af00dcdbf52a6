"""Asking after an absence, the beacon, and what a heartbeat says (SPEC 13.1, 13.2)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sysmanager.domain.ids import CameraId, Epoch, InstanceId
from sysmanager.protocol.recorders import Beacon, CameraBeat, CameraState, DiskBeat, GoOn, Mode, RefusalReason
from sysmanager.recorder import machine as m
from tests.helpers.machine_world import (
    DISK,
    FOREIGN,
    HOME,
    OWN,
    SERVER,
    SETTINGS,
    World,
    at,
    document_set,
    home_world,
    record,
    recording_world,
    stand_down,
)

BEACON = m.BeaconHeard(beacon=Beacon(term=1, sequence=1, wall_ms=0))
OBSERVED = m.Observations(sequence=7, version="0.1.0")


def said(world: World) -> list[str]:
    return [effect.sentence for effect in world.done if isinstance(effect, m.Say)]


def started(*, standing: object = None) -> World:
    world = World(HOME, standby=False)
    world.start(standing=standing)
    return world


def test_a_failover_server_without_a_task_stands_by_and_does_not_ask() -> None:
    world = World()
    world.start()
    assert (world.state.situation, world.asks) == (m.Situation.STANDBY, 0)


def test_it_opens_no_camera_before_it_has_leave() -> None:
    world = started()
    assert (world.asks, world.capture) == (1, None)
    world.put(m.AskAnswered(answer=GoOn()))
    assert world.capture is not None
    assert world.capture.epoch == 0


def test_without_an_answer_it_records_after_5_s_and_goes_on_asking() -> None:
    world = started()
    world.wait(4_999)
    assert world.capture is None
    world.wait(1)
    assert world.capture is not None
    asks = world.asks
    world.wait(10_000)
    assert world.asks == asks + 1
    world.put(m.AskAnswered(answer=GoOn()))
    world.wait(10_000)
    assert world.asks == asks + 1


def test_while_it_waits_it_asks_again_every_second() -> None:
    world = started()
    for _ in range(4):
        world.put(m.AskFailed())
        world.wait(1_000)
    assert world.asks == 5


@pytest.mark.parametrize("wait_ms", [0, 6_000])
def test_an_answer_to_stand_down_is_followed(wait_ms: int) -> None:
    world = started()
    world.wait(wait_ms)
    world.put(m.AskAnswered(answer=stand_down(8)))
    assert (world.state.situation, world.capture, world.durable.epoch) == (m.Situation.STANDBY, None, 8)


def test_an_answer_to_record_is_followed() -> None:
    world = started(standing=record(8, documents=None))
    assert world.capture is not None
    assert world.capture.epoch == 8


def test_a_stale_answer_is_not_followed_and_it_records_after_5_s() -> None:
    world = recording_world(4)
    world.start(standing=stand_down(3))
    assert world.state.situation is m.Situation.ASKING
    assert "order is of epoch 3" in said(world)[-1]
    world.wait(5_000)
    assert world.capture is not None


def test_with_leave_but_without_its_settings_it_waits_for_them_and_tries_again() -> None:
    world = World(HOME, standby=False, own=document_set("lost"))
    world.start(standing=GoOn())
    assert (world.state.situation, world.capture) == (m.Situation.ASKING, None)
    world.reachable |= {document_set("lost").settings, document_set("lost").masks, document_set("lost").schedules}
    world.wait(5_000)
    assert world.capture is not None


def test_unanswered_and_without_its_settings_it_opens_its_cameras_when_they_come() -> None:
    world = World(HOME, standby=False, own=document_set("lost"))
    world.start()
    world.wait(5_000)
    assert world.state.situation is m.Situation.ASKING
    world.reachable |= {document_set("lost").settings, document_set("lost").masks, document_set("lost").schedules}
    for _ in range(3):
        world.wait(5_000)
    assert world.capture is not None


def test_a_recorder_without_settings_records_nothing_and_says_so() -> None:
    world = World(HOME, standby=False, own=None)
    world.start(standing=GoOn())
    assert world.capture is not None
    assert world.capture.cameras == ()
    assert "no settings" in said(world)[-1]


def test_in_doubt_a_standby_asks_and_takes_any_order_of_the_epoch_that_it_found() -> None:
    found = replace(World().durable, epoch=Epoch(6), ordered=False)
    world = World()
    world.put(m.DisksChanged(disks=(DISK,)))
    world.put(m.Started(persisted=found, doubtful=True))
    assert (world.state.situation, world.asks) == (m.Situation.ASKING, 1)
    assert not any(isinstance(effect, m.ForgetDocuments) for effect in world.done)
    world.put(m.AskAnswered(answer=record(6)))
    assert world.capture is not None
    assert world.capture.epoch == 6


def test_in_doubt_and_unanswered_a_standby_stands_by() -> None:
    world = World()
    world.put(m.Started(persisted=world.durable, doubtful=True))
    world.wait(5_000)
    assert world.state.situation is m.Situation.STANDBY


# ---------------------------------------------------------------- the beacon


def test_after_an_absence_of_the_coordinator_it_asks_and_records_on() -> None:
    world = home_world()
    world.put(BEACON)
    world.wait(5_001)
    asks = world.asks
    world.put(BEACON)
    assert world.asks == asks + 1
    assert world.capture is not None
    world.put(m.AskAnswered(answer=stand_down(9)))
    assert world.capture is None


def test_a_short_absence_is_none() -> None:
    world = home_world()
    world.put(BEACON)
    world.wait(5_000)
    asks = world.asks
    world.put(BEACON)
    assert world.asks == asks


def test_60_s_without_a_coordinator_are_said_once_and_its_return() -> None:
    world = home_world()
    for _ in range(70):
        world.wait(2_000)
    world.put(BEACON)
    assert sum("No coordinator" in sentence for sentence in said(world)) == 1
    assert said(world)[-1] == "The coordinator is heard again."


def test_deadlines_lead_through_everything_that_is_due() -> None:
    world = started()
    assert m.deadline_ms(World().state) is None
    while world.state.situation is m.Situation.ASKING:
        due = m.deadline_ms(world.state)
        assert due is not None
        world.wait(due - world.mono_ms)
    assert world.mono_ms == 5_000


# ---------------------------------------------------------------- heartbeats


def test_the_beat_says_what_is_durable_and_not_what_is_under_way() -> None:
    world = World()
    world.start()
    state, _ = m.step(world.state, m.OrderReceived(ticket=1, order=record(4)), at(0))
    state, effects = m.step(state, m.DocumentsReady(documents=FOREIGN, settings=SETTINGS), at(0))
    beat = m.beat(state, OBSERVED, at(5))
    assert isinstance(effects[0], m.Persist)
    assert (beat.mode, beat.epoch, beat.home, beat.documents) == (Mode.STANDBY, 0, None, OWN)
    assert (beat.boot, beat.sequence, beat.wall_ms, beat.recorder) == (1, 7, at(5).wall_ms, SERVER)
    state, effects = m.step(state, m.Saved(), at(0))
    beat = m.beat(state, OBSERVED, at(5))
    assert (beat.mode, beat.epoch, beat.home, beat.documents) == (Mode.RECORDING, 4, HOME, FOREIGN)
    assert effects[-1] == m.SendBeatNow()


def test_asking_is_a_mode_of_its_own() -> None:
    assert m.beat(started().state, OBSERVED, at(0)).mode is Mode.ASKING


def test_a_service_that_is_down_has_no_beat() -> None:
    with pytest.raises(ValueError, match="down"):
        m.beat(World().state, OBSERVED, at(0))


@pytest.mark.parametrize(
    ("disk", "at_once"),
    [(replace(DISK, writable=False), True), (replace(DISK, free_mb=7), False)],
)
def test_a_lost_disk_is_said_at_once_and_free_space_in_its_turn(disk: DiskBeat, at_once: bool) -> None:
    world = home_world()
    world.done.clear()
    world.put(m.DisksChanged(disks=(disk,)))
    assert (m.SendBeatNow() in world.done) is at_once
    assert m.beat(world.state, OBSERVED, at(0)).disks == (disk,)


def test_a_first_frame_is_said_at_once_and_later_ones_in_their_turn() -> None:
    world = home_world()
    first = CameraBeat(CameraId("c1"), CameraState.RECORDING, 1000, 1000)
    world.done.clear()
    world.put(m.CaptureReported(cameras=(first,)))
    assert m.SendBeatNow() in world.done
    world.done.clear()
    world.put(m.CaptureReported(cameras=(replace(first, last_frame_ms=2000),)))
    assert m.SendBeatNow() not in world.done
    assert m.beat(world.state, OBSERVED, at(0)).cameras[0].last_frame_ms == 2000
    assert m.beat(world.state, replace(OBSERVED, cameras=()), at(0)).cameras == ()


def test_the_first_state_of_a_standard_recorder_is_its_own_task() -> None:
    first = m.first_persisted(HOME, InstanceId("i"), OWN, standby=False)
    assert (first.mode, first.home, first.documents, first.epoch, first.ordered) == (Mode.RECORDING, HOME, OWN, 0, False)
    assert m.next_boot(first).boot == 1


def test_failed_documents_of_a_given_up_fetch_are_ignored() -> None:
    world = home_world()
    before = world.state
    world.put(m.DocumentsFailed(documents=FOREIGN, reason=RefusalReason.DOCUMENTS_MISSING, sentence="Gone."))
    assert world.state is before
