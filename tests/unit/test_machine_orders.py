"""Orders: accepted once, repeated at will, refused with a reason; durable before done (SPEC 6, 8, 13.1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from sysmanager.domain.documents import SettingsSummary
from sysmanager.domain.ids import CameraId, Epoch, FailoverId, RecorderId
from sysmanager.protocol.recorders import Mode, Obeyed, OrderKey, Record, Refusal, RefusalReason, ReportFootage, StandDown
from sysmanager.recorder import machine as m
from tests.helpers.machine_world import (
    CAMERAS,
    DISK,
    FOREIGN,
    HOME,
    OWN,
    SETTINGS,
    Killed,
    World,
    at,
    document_set,
    home_world,
    record,
    recording_world,
    stand_down,
)


def refused(world: World, order: Record | StandDown) -> Refusal:
    before = world.rest()
    answer = world.order(order)
    assert isinstance(answer, Refusal)
    assert world.rest() == before, "a refusal changes nothing"
    return answer


def opened(world: World) -> list[str]:
    assert world.capture is not None
    return [camera.id for camera in world.capture.cameras]


def test_a_standby_saves_records_and_answers_in_this_order() -> None:
    world = World()
    world.start()
    world.done.clear()
    assert world.order(record(4)) == Obeyed(epoch=Epoch(4), documents=FOREIGN)
    kinds = [type(effect) for effect in world.done]
    assert kinds == [m.FetchDocuments, m.Persist, m.StartCapture, m.Answer, m.ForgetDocuments, m.SendBeatNow]
    assert world.durable.home == HOME


def test_of_a_foreign_home_only_cameras_that_move_are_opened_high_priority_first() -> None:
    world = recording_world()
    assert opened(world) == ["c2", "c1"]
    assert world.capture is not None
    assert set(world.capture.left) == {"c3", "c4"}


def test_at_home_all_cameras_are_opened() -> None:
    assert opened(home_world()) == ["c2", "c3", "c1", "c4"]


def test_an_older_epoch_is_refused_with_the_highest() -> None:
    answer = refused(recording_world(4), record(3))
    assert (answer.reason, answer.epoch) == (RefusalReason.OLD_EPOCH, 4)


def test_the_same_order_gets_the_same_answer_whatever_its_key() -> None:
    world = recording_world(4)
    first = world.answers[1]
    again = replace(record(4), key=OrderKey(failover=FailoverId("f1"), step=4, attempt=2))
    world.done.clear()
    assert world.order(again) == first
    assert world.order(replace(again, documents=None)) == first
    assert not any(isinstance(effect, m.Persist | m.ChangeCapture) for effect in world.done)


@pytest.mark.parametrize(
    "order",
    [stand_down(4), record(4, home=RecorderId("yard")), record(4, documents=document_set("other"))],
    ids=["stand-down", "other home", "other documents"],
)
def test_another_order_under_the_same_epoch_is_refused(order: Record | StandDown) -> None:
    assert refused(recording_world(4), order).reason is RefusalReason.OTHER_ORDER


def test_cameras_left_to_others_may_change_under_the_same_epoch() -> None:
    world = recording_world(4)
    world.done.clear()
    assert world.order(record(4, documents=None, without=(CameraId("c2"),))) == Obeyed(epoch=Epoch(4), documents=FOREIGN)
    assert [type(effect) for effect in world.done[:3]] == [m.Persist, m.ChangeCapture, m.Answer]
    assert opened(world) == ["c1"]
    assert world.durable.without == ("c2",)


def test_an_order_without_documents_needs_them_here() -> None:
    world = World()
    world.start()
    assert refused(world, record(4, documents=None)).reason is RefusalReason.DOCUMENTS_MISSING


def test_a_new_epoch_alone_restamps_without_a_pause() -> None:
    world = recording_world(4)
    world.done.clear()
    world.order(record(6, documents=None))
    assert [type(effect) for effect in world.done[:2]] == [m.Persist, m.ChangeCapture]
    assert world.capture is not None
    assert world.capture.epoch == 6


def test_standing_down_forgets_foreign_settings_and_keeps_its_own() -> None:
    world = recording_world(4)
    world.store |= {OWN.settings, OWN.masks, OWN.schedules}
    assert world.order(stand_down(5)) == Obeyed(epoch=Epoch(5))
    assert world.capture is None
    assert world.store == {OWN.settings, OWN.masks, OWN.schedules}
    assert world.durable.own == OWN
    assert world.order(stand_down(5)) == Obeyed(epoch=Epoch(5))


def test_a_standard_recorder_stands_down_keeps_its_documents_and_takes_grown_ones_back() -> None:
    world = home_world()
    world.order(stand_down(5))
    assert world.durable.own == OWN
    assert m.beat(world.state, m.Observations(sequence=1, version="0"), at(0)).documents == OWN
    taken = document_set("foreign", 1)
    answer = world.order(record(7, documents=taken))
    grown = replace(taken, revision=2)
    assert answer == Obeyed(epoch=Epoch(7), documents=grown)
    assert world.durable.own == grown
    assert world.order(record(7, documents=taken)) == answer


def test_going_back_home_without_documents_takes_its_own() -> None:
    world = home_world()
    world.order(stand_down(5))
    assert world.order(record(6, documents=None)) == Obeyed(epoch=Epoch(6), documents=OWN)


@pytest.mark.parametrize(
    ("disks", "settings", "reason"),
    [
        ((replace(DISK, path="E:"),), SETTINGS, RefusalReason.DISK_MISSING),
        ((replace(DISK, writable=False),), SETTINGS, RefusalReason.NO_WRITABLE_DISK),
        ((), SettingsSummary(cameras=CAMERAS), RefusalReason.NO_WRITABLE_DISK),
        ((DISK,), SettingsSummary(cameras=(replace(CAMERAS[0], bitrate_kbps=500_000),)), RefusalReason.NO_ROOM),
        (
            (DISK,),
            SettingsSummary(cameras=tuple(replace(CAMERAS[0], id=CameraId(f"c{n}")) for n in range(65))),
            RefusalReason.NO_ROOM,
        ),
    ],
    ids=["disk missing", "not writable", "no disk", "bit rate", "cameras"],
)
def test_settings_that_do_not_fit_are_refused(disks: tuple, settings: SettingsSummary, reason: RefusalReason) -> None:  # type: ignore[type-arg]  # of DiskBeat
    world = World()
    world.content[FOREIGN.settings] = settings
    world.disks = disks
    world.start()
    answer = refused(world, record(4))
    assert answer.reason is reason
    assert answer.sentence.endswith(".")
    assert world.durable.epoch == 0


def test_what_it_records_already_it_goes_on_to_record_with_all_disks_lost() -> None:
    world = recording_world(4)
    world.put(m.DisksChanged(disks=(replace(DISK, writable=False),)))
    assert isinstance(world.order(record(6, documents=None)), Obeyed)


def test_documents_that_are_nowhere_are_a_refusal() -> None:
    world = World()
    world.start()
    assert refused(world, record(4, documents=document_set("lost"))).reason is RefusalReason.DOCUMENTS_MISSING


def test_what_cannot_be_saved_is_refused_and_does_not_record() -> None:
    world = World()
    world.start()
    world.fail_save = True
    assert refused(world, record(4)).reason is RefusalReason.CANNOT_SAVE
    assert world.capture is None
    world.fail_save = False
    assert isinstance(world.order(record(4)), Obeyed)


def test_refused_by_hand() -> None:
    world = World()
    world.start()
    world.put(m.RefuseByHand(present=True))
    assert refused(world, record(4)).reason is RefusalReason.REFUSED_BY_HAND
    assert isinstance(world.order(stand_down(5)), Obeyed)
    world.put(m.RefuseByHand(present=False))
    assert isinstance(world.order(record(6)), Obeyed)


def test_an_order_that_was_held_up_is_not_obeyed_after_a_newer_one_that_was_refused() -> None:
    world = World()
    world.start()
    assert refused(world, record(7, documents=None)).reason is RefusalReason.DOCUMENTS_MISSING
    answer = refused(world, record(4))
    assert (answer.reason, answer.epoch) == (RefusalReason.OLD_EPOCH, 7)


# ---------------------------------------------------------------- several at once


def answers(effects: m.Effects) -> dict[int, object]:
    return {effect.ticket: effect.answer for effect in effects if isinstance(effect, m.Answer)}


def order_input(ticket: int, order: Record | StandDown) -> m.OrderReceived:
    return m.OrderReceived(ticket=ticket, order=order)


def fetching() -> m.MachineState:
    world = World()
    world.start()
    state, effects = m.step(world.state, order_input(1, record(4)), at(0))
    assert effects == (m.FetchDocuments(documents=FOREIGN),)
    return state


def saving() -> m.MachineState:
    state, _ = m.step(fetching(), m.DocumentsReady(documents=FOREIGN, settings=SETTINGS), at(0))
    return state


@pytest.mark.parametrize("make", [fetching, saving])
def test_repetitions_wait_for_the_one_answer(make: Callable[[], m.MachineState]) -> None:
    state, effects = m.step(make(), order_input(2, record(4)), at(0))
    assert effects == ()
    if make is fetching:
        state, _ = m.step(state, m.DocumentsReady(documents=FOREIGN, settings=SETTINGS), at(0))
    _, effects = m.step(state, m.Saved(), at(0))
    assert answers(effects) == dict.fromkeys((1, 2), Obeyed(epoch=Epoch(4), documents=FOREIGN))


@pytest.mark.parametrize("make", [fetching, saving])
def test_another_order_under_the_epoch_at_work_is_refused(make: Callable[[], m.MachineState]) -> None:
    _, effects = m.step(make(), order_input(2, stand_down(4)), at(0))
    answer = answers(effects)[2]
    assert isinstance(answer, Refusal)
    assert answer.reason is RefusalReason.OTHER_ORDER


def test_a_newer_order_ends_the_fetching_for_an_older_one() -> None:
    state, effects = m.step(fetching(), order_input(2, stand_down(5)), at(0))
    answer = answers(effects)[1]
    assert isinstance(answer, Refusal)
    assert answer.reason is RefusalReason.OLD_EPOCH
    late, none = m.step(state, m.DocumentsReady(documents=FOREIGN, settings=SETTINGS), at(0))
    assert (late, none) == (state, ())
    _, effects = m.step(state, m.Saved(), at(0))
    assert answers(effects) == {2: Obeyed(epoch=Epoch(5))}


def test_a_newer_order_waits_while_one_is_saved_and_only_the_newest_waits() -> None:
    state, effects = m.step(saving(), order_input(2, record(5)), at(0))
    assert effects == ()
    state, effects = m.step(state, order_input(3, record(5)), at(0))
    assert effects == ()
    state, effects = m.step(state, order_input(4, record(5, documents=OWN)), at(0))
    other = answers(effects)[4]
    assert isinstance(other, Refusal)
    assert other.reason is RefusalReason.OTHER_ORDER
    state, effects = m.step(state, order_input(5, stand_down(6)), at(0))
    assert {ticket for ticket, answer in answers(effects).items() if isinstance(answer, Refusal)} == {2, 3}
    state, effects = m.step(state, m.Saved(), at(0))
    assert answers(effects) == {1: Obeyed(epoch=Epoch(4), documents=FOREIGN)}
    assert state.persisted.epoch == 4
    state, effects = m.step(state, m.Saved(), at(0))
    assert answers(effects) == {5: Obeyed(epoch=Epoch(6))}
    assert m.StopCapture() in effects


def test_waiting_repetitions_are_bounded() -> None:
    state = fetching()
    for ticket in range(2, 100):
        state, _ = m.step(state, order_input(ticket, record(4)), at(0))
    assert state.pending is not None
    assert len(state.pending.tickets) == 16


# ---------------------------------------------------------------- a kill at every effect

SCENES: dict[str, tuple[Callable[[], World], Record | StandDown]] = {
    "take over": (World, record(4)),
    "stand down": (recording_world, stand_down(5)),
    "go home": (home_world, record(7, documents=FOREIGN)),
    "hand over a camera": (recording_world, record(4, documents=None, without=(CameraId("c2"),))),
    "other home": (recording_world, record(8, home=RecorderId("yard"), documents=OWN)),
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_kill_before_any_effect_ends_the_same_after_the_order_is_repeated(scene: str) -> None:
    make, order = SCENES[scene]
    whole = make()
    if whole.state.situation is m.Situation.DOWN:
        whole.start()
    begun = len(whole.done)
    answer = whole.order(order)
    count = len(whole.done) - begun
    assert count >= 4
    for kill_after in range(count):
        world = make()
        if world.state.situation is m.Situation.DOWN:
            world.start()
        world.kill_after = len(world.done) + kill_after
        with pytest.raises(Killed):
            world.order(order)
        world.kill_after = None
        world.start()
        assert world.capture is None, "it asks before it opens cameras"
        assert world.order(order) == answer
        assert world.rest() == whole.rest()


@pytest.mark.parametrize("scene", SCENES)
def test_a_kill_while_starting_again_ends_the_same_too(scene: str) -> None:
    make, order = SCENES[scene]
    whole = make()
    whole.start()
    answer = whole.order(order)
    for kill_after in range(4):
        world = make()
        world.start()
        world.order(order)
        world.kill_after = len(world.done) + kill_after
        try:
            world.start()
        except Killed:
            world.kill_after = None
            world.start()
        world.kill_after = None
        assert world.order(order) == answer
        assert world.rest() == whole.rest()


def test_a_full_disk_does_not_keep_a_restarted_recorder_from_the_order_that_it_saved() -> None:
    world = recording_world(4)
    world.start()
    world.fail_save = True
    assert world.order(record(4)) == Obeyed(epoch=Epoch(4), documents=FOREIGN)
    assert world.state.situation.mode is Mode.RECORDING


@pytest.mark.parametrize(("epoch", "goes_on"), [(2, False), (3, True), (4, True)])
def test_footage_may_grow_until_a_newer_epoch_was_saved(epoch: int, goes_on: bool) -> None:
    world = recording_world()
    state = replace(world.state, persisted=replace(world.state.persisted, epoch=Epoch(3)))
    question = ReportFootage(epoch=Epoch(epoch))
    after, effects = m.step(state, m.OrderReceived(ticket=7, order=question), at(0))
    assert (after, effects) == (state, (m.ReadFootage(ticket=7, question=question, goes_on=goes_on),))
