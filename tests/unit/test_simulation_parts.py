"""The parts of the simulation by themselves: time, network, what could be heard, footage, cameras."""

from __future__ import annotations

import random
from statistics import median

import msgspec
import pytest

from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import CameraId, Epoch, FailoverId, GroupId, JobId, RecorderId
from sysmanager.domain.jobs import CameraCopy, CopyJob, JobPhase, MaterialHour
from sysmanager.protocol.clients import AbortFailover, StartFailback, StartFailover
from sysmanager.simulation.agenda import Agenda
from sysmanager.simulation.broken import Broken
from sysmanager.simulation.footage import CameraField, Material
from sysmanager.simulation.hearing import Hearing
from sysmanager.simulation.network import BUS_MS, Link, Network
from sysmanager.simulation.people import People
from sysmanager.simulation.rest import COPY_AROUND_MS, acts_on, copies_take_ms
from sysmanager.simulation.run import come_to_rest, draw
from sysmanager.simulation.site import plain_site
from sysmanager.simulation.story import LINES_LIMIT, Story
from sysmanager.simulation.transfer import Copies
from sysmanager.simulation.world import ADMINISTRATOR, World

R = RecorderId("A1")
CAMERA = CameraId("A1-c1")


def test_events_happen_in_their_order_and_those_of_one_moment_as_they_were_entered() -> None:
    agenda, happened = Agenda(), list[tuple[int, str]]()
    for delay_ms, name in ((20, "late"), (10, "first"), (10, "second")):
        agenda.after(delay_ms, lambda name=name: happened.append((agenda.now_ms, name)))
    agenda.run_until(15)
    assert happened == [(10, "first"), (10, "second")]
    assert agenda.now_ms == 15
    agenda.run_until(20)
    assert happened[-1] == (20, "late")


@pytest.fixture
def net() -> tuple[Agenda, Network, Link, list[int]]:
    agenda = Agenda()
    return agenda, Network(agenda, random.Random(1)), Link(), []


def test_a_clean_link_delivers_once_and_at_once(net: tuple[Agenda, Network, Link, list[int]]) -> None:
    agenda, network, link, got = net
    network.up(link, got.append, 1)
    agenda.run_until(BUS_MS)
    assert got == [1]


def test_cuts_are_one_way_and_the_canary_goes_with_the_bus_alone(net: tuple[Agenda, Network, Link, list[int]]) -> None:
    agenda, network, link, got = net
    link.up_cut = True
    network.up(link, got.append, 1)
    network.down(link, got.append, 2)
    network.canary(got.append, 3)
    network.cut = True
    network.down(link, got.append, 4)
    network.canary(got.append, 5)
    agenda.run_until(100)
    assert got == [2, 3]


def test_a_bad_link_loses_doubles_and_reorders(net: tuple[Agenda, Network, Link, list[int]]) -> None:
    agenda, network, link, got = net
    link.loss, link.double, link.slow_ms = 0.3, 0.5, 500
    for number in range(200):
        network.up(link, got.append, number)
    agenda.run_until(1_000)
    assert len(set(got)) < 200
    assert len(got) > len(set(got))
    assert got != sorted(got)
    link.heal()
    assert link.clean


def test_silence_leaves_out_what_the_coordinator_could_not_hear() -> None:
    hearing = Hearing()
    hearing.start(1_000)
    assert hearing.silence_ms(R, 3_000) == 2_000
    hearing.heard_ms[R] = 10_000
    hearing.deaf_from(12_000)
    hearing.hears_again(17_000)
    hearing.deaf_from(18_000)
    hearing.hears_again(18_500)
    assert hearing.silence_ms(R, 20_000) == 5_000, "a short stretch is within the tolerance"
    hearing.deaf_from(20_000)
    assert hearing.silence_ms(R, 30_000) == 5_000


def test_material_grows_by_camera_and_epoch() -> None:
    material = Material()
    material.begin(CAMERA, Epoch(1), 1_000)[1] = 3_000
    material.begin(CAMERA, Epoch(1), 5_000)
    material.begin(CAMERA, Epoch(4), 9_000)
    (span,) = material.spans(Epoch(1), ())
    assert (span.first_frame_ms, span.last_frame_ms, span.segments) == (1_000, 5_000, 2)
    assert material.spans(Epoch(2), (CAMERA,)) == ()
    assert material.totals() == {(CAMERA, Epoch(1)): 2_000, (CAMERA, Epoch(4)): 0}
    assert material.highest_epoch == 4


def test_a_camera_gives_so_many_sessions() -> None:
    field = CameraField()
    assert field.open(CAMERA, R, 1)
    assert field.open(CAMERA, R, 1), "it has it already"
    assert not field.open(CAMERA, RecorderId("F"), 1)
    field.close(CAMERA, R)
    assert field.open(CAMERA, RecorderId("F"), 1)


def test_the_median_seed_has_the_size_that_was_asked_for() -> None:
    drawn = [draw(seed) for seed in range(1, 2_001)]
    assert median(sum(server.settings is not None for server in plan.site.servers) for plan in drawn) >= 12
    assert median(sum(server.settings is None for server in plan.site.servers) for plan in drawn) >= 3
    assert median(plan.length_ms for plan in drawn) >= 30 * 60_000
    assert median(len(plan.deeds) for plan in drawn) >= 3
    for plan in drawn:
        groups = {group.id for group in plan.site.groups}
        assert {server.group for server in plan.site.servers} == groups
        assert {server.group for server in plan.site.servers if server.settings is None} == groups, "every group has a failover server"


def test_whatever_is_raised_is_a_broken_rule() -> None:
    world = World(plain_site(((1, 1),)), "raises")
    world.after(5, lambda: {}["nothing"])
    with pytest.raises(Broken, match="nothing raises: KeyError"):
        world.run(10)


def test_what_hangs_is_named() -> None:
    world = World(plain_site(((1, 1),)), "hangs")
    world.begin()
    world.run(5_000)
    world.recorders[R].power_off()
    with pytest.raises(Broken, match="A1 is not heard"):
        come_to_rest(world)


def test_a_copy_has_as_long_as_its_bytes_take_and_no_longer() -> None:
    hours = tuple(MaterialHour(hour, 0, 1, 1, 1, 125_000_000, "digest") for hour in (1, 2))
    copy = CopyJob(
        id=JobId("J00001"),
        number=1,
        failover=FailoverId("F00001"),
        source=RecorderId("FA0"),
        home=R,
        epoch=Epoch(1),
        group=GroupId("A"),
        actor=ADMINISTRATOR,
        phase=JobPhase.COPYING,
        started_ms=0,
        cameras=(CameraCopy(camera=CAMERA, hours=hours), CameraCopy(camera=CameraId("A1-c2"), hours=hours[:1])),
        limit_kbps=50_000,
    )
    replace = msgspec.structs.replace
    assert copies_take_ms([copy]) == 3 * 22_000 + COPY_AROUND_MS
    assert copies_take_ms([copy, replace(copy, home=RecorderId("A2"), limit_kbps=0)]) == 3 * 22_000 + COPY_AROUND_MS, "side by side"
    assert copies_take_ms([copy, copy]) == 6 * 22_000 + COPY_AROUND_MS, "one after the other"
    assert copies_take_ms([replace(copy, limit_kbps=1_000_000)]) == 3 * 14_500 + COPY_AROUND_MS, "no faster than a target fetches"
    assert copies_take_ms([replace(copy, paused=True), replace(copy, phase=JobPhase.READY)]) == 0


def test_an_hour_that_grew_at_the_source_is_fetched_from_its_last_piece_on() -> None:
    copies, key = Copies(), (CAMERA, Epoch(1), 5)
    before = MaterialHour(5, 0, 45_000, 4, 3, 300, "before")
    after = MaterialHour(5, 0, 50_000, 5, 3, 320, "after")
    for piece in range(3):
        copies.write(key, piece, before.digest)
    copies.renew(key, before)
    assert copies.complete(key, before)
    copies.renew(key, after)
    assert copies.pieces[key] == {0, 1}
    copies.write(key, 2, after.digest)
    assert copies.complete(key, after)
    assert not copies.twice
    copies.renew(key, MaterialHour(5, 0, 10_000, 1, 1, 100, "less is left"))
    assert copies.pieces[key] == set()
    copies.renew((CAMERA, Epoch(1), 6), after)
    assert set(copies.pieces) == {key}


def test_only_a_home_without_room_for_its_cameras_may_stay_replaced() -> None:
    world = World(plain_site(((1, 1),)), "stays")
    world.begin()
    world.run(5_000)
    world.ask_coordinator(ADMINISTRATOR, StartFailover(recorder=R))
    world.run(15_000)
    (entry,) = (world.shadow.failovers[one] for one in world.shadow.open)
    assert entry.phase is Phase.READY
    assert not acts_on(world, entry)
    home = world.recorders[R]
    home.identity = msgspec.structs.replace(home.identity, camera_limit=1)
    assert acts_on(world, entry)
    assert not acts_on(world, msgspec.structs.replace(entry, phase=Phase.WAITING))
    home.identity = msgspec.structs.replace(home.identity, camera_limit=2, bitrate_limit_kbps=1)
    assert acts_on(world, entry)


def test_what_waits_in_vain_is_given_up_although_another_entry_stays_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(plain_site(((2, 1),)), "stays")
    world.begin()
    world.run(5_000)
    for recorder in (R, RecorderId("A2")):
        world.ask_coordinator(ADMINISTRATOR, StartFailover(recorder=recorder))
        world.run(15_000)
    ready, waiting = (world.shadow.failovers[one] for one in world.shadow.open)
    assert (ready.phase, waiting.phase) == (Phase.READY, Phase.WAITING)
    asked: list[object] = []
    monkeypatch.setattr(world, "ask_coordinator", lambda actor, request: asked.append(request))
    people = People(world, random.Random(1), every_ms=1_000)
    people.fail_back()
    assert asked == [StartFailback(failover=ready.id)]
    world.recorders[R].identity = msgspec.structs.replace(world.recorders[R].identity, camera_limit=1)
    people.fail_back()
    assert asked[1:] == [AbortFailover(failover=waiting.id)]


def test_a_story_is_bounded() -> None:
    story = Story()
    for number in range(LINES_LIMIT + 1):
        story.add(number, "x")
    assert len(story.lines) <= LINES_LIMIT
    assert story.lines[-1].startswith("  0:20.000")
