"""Cameras that their schedule switches off are not missed, and what they are not to record is no gap (SPEC 2, 4.4, 14.4)."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator.frames import nothing_due, records_by_right, settled_cameras, unlit_cameras
from sysmanager.coordinator.probing import watch_of
from sysmanager.domain.failover import CameraGap, Phase, Trigger
from sysmanager.domain.ids import CameraId
from sysmanager.domain.instant import Instant
from sysmanager.engine.rows import recorder_row
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Server, Site, rid, small_site

HOUR_MS = 3_600_000
WAITING = r.CameraState.WAITING
OTHERS = (r.CameraState.CONNECTING, r.CameraState.UNREACHABLE, r.CameraState.BUSY, r.CameraState.FAILED)


def ids(site: Site, server: str = "A") -> list[CameraId]:
    return [camera.id for camera in site.row(server).settings.cameras]


def switch_off(site: Site, *servers: str, from_ms: int = 0, until_ms: int = HOUR_MS, cameras: int = 3) -> None:
    """The schedule of A's cameras, as these servers follow it: off from so long from now until so long from now."""
    now_ms = site.now.wall_ms
    for name in servers:
        server = site.server(name)
        server.off.update(dict.fromkeys(ids(site)[:cameras], (now_ms + from_ms, now_ms + until_ms)))
    if from_ms < 0:
        site.run(2_000)


# ---------------------------------------------------------------- 4.4: off is no failure


def test_a_recorder_whose_cameras_are_all_off_by_schedule_is_not_dark() -> None:
    site = small_site()
    switch_off(site, "A")
    site.run(120_000)
    assert site.state.failovers == {}
    assert site.core.seen.dark_ms(rid("A")) < 2_000
    assert site.core.seen.of(rid("A")).reports_frames()
    assert watch_of(site.state, site.core.seen, site.row("A"), site.now).probe is None, "nobody is asked whether he reaches them"


def test_when_their_time_begins_they_get_the_whole_timeout() -> None:
    site = small_site()
    switch_off(site, "A", until_ms=60_000)
    site.run(59_000)
    site.server("A").dark = set(ids(site))
    site.run(9_000)
    assert site.state.failovers == {}
    site.run(4_000)
    assert (site.entry.recorder, site.entry.trigger) == ("A", Trigger.NOT_RECORDING)


def test_one_camera_that_is_to_be_recorded_and_is_dark_is_missed_among_others_that_are_off() -> None:
    site = small_site()
    switch_off(site, "A", cameras=2)
    site.server("A").dark = {ids(site)[2]}
    site.run(13_000)
    assert site.entry.trigger is Trigger.NOT_RECORDING


def test_a_recorder_that_falls_silent_while_its_cameras_are_off_is_replaced_all_the_same() -> None:
    """It would not be there when their time begins."""
    site = small_site()
    switch_off(site, "A", "F", "H")
    site.server("A").up = False
    site.run(14_000)
    assert (site.entry.trigger, site.entry.phase) == (Trigger.CONNECTION, Phase.READY)


def test_a_failover_is_cancelled_when_the_recorder_is_back_whose_cameras_are_off() -> None:
    site = small_site()
    switch_off(site, "A", "F", "H")
    site.cache_answers = False
    site.server("A").up = False
    site.run(11_000)
    assert site.entry.phase is Phase.RESERVED
    site.server("A").up = True
    site.run(3_000)
    assert site.entry.phase is Phase.CANCELLED


def test_a_failback_does_not_wait_for_cameras_that_go_off_meanwhile() -> None:
    site = small_site()
    site.fail_over("A")
    site.server("A").first_frame_ms = 5_000
    switch_off(site, "A", "F", "H", from_ms=2_500)
    assert isinstance(site.fail_back(), c.Done)
    site.run(5_000)
    assert site.row("A").home == "A"
    assert site.state.failovers[site.entry.id].phase is Phase.RETURNED


def test_a_planned_switch_does_not_wait_for_cameras_that_are_off() -> None:
    site = small_site()
    switch_off(site, "A", "F", "H")
    assert isinstance(site.ask(c.SwitchOver(recorder=rid("A"))), c.Done)
    site.run(5_000)
    assert site.entry.phase is Phase.READY


def camera(state: r.CameraState, name: str = "x", first_ms: int = 0) -> r.CameraBeat:
    return r.CameraBeat(CameraId(name), state, first_ms)


def beat_of(*cameras: r.CameraBeat, without: tuple[str, ...] = ()) -> r.Beat:
    site = small_site()
    beat = site.server("A").beat(site.now)
    return msgspec.structs.replace(beat, cameras=cameras, without=tuple(map(CameraId, without)))


OFF, RECORDING = r.CameraState.OFF, r.CameraState.RECORDING


@pytest.mark.parametrize(
    ("cameras", "without", "expected", "answer"),
    [
        ((), (), ("x",), False),  # one that names no camera at all is not off
        ((camera(OFF),), (), ("x",), True),
        ((camera(OFF), camera(RECORDING, "y")), (), ("x", "y"), False),
        ((camera(OFF), camera(r.CameraState.UNREACHABLE, "y")), (), ("x", "y"), False),
        ((camera(OFF),), (), ("x", "y"), False),
        ((camera(OFF),), ("y",), ("x", "y"), True),
        ((camera(OFF), camera(r.CameraState.UNREACHABLE, "analogue")), (), ("x",), True),
    ],
)
def test_when_nothing_is_due(cameras: tuple[r.CameraBeat, ...], without: tuple[str, ...], expected: tuple[str, ...], answer: bool) -> None:
    assert nothing_due(beat_of(*cameras, without=without), [CameraId(name) for name in expected]) is answer


def test_who_records_by_right() -> None:
    assert records_by_right(beat_of())
    assert records_by_right(beat_of(camera(OFF)))
    assert records_by_right(beat_of(camera(OFF), camera(RECORDING, "y")))
    assert records_by_right(beat_of(camera(OFF), camera(WAITING, "y")))
    for state in OTHERS:
        assert not records_by_right(beat_of(camera(OFF), camera(state, "y")))


def test_whose_first_frame_is_not_waited_for() -> None:
    cameras = (camera(OFF, "off"), camera(RECORDING, "lit", 5), camera(r.CameraState.CONNECTING, "new"), camera(r.CameraState.BUSY, "busy"))
    assert settled_cameras(cameras) == {"off", "lit"}
    assert unlit_cameras(cameras) == {"off", "busy"}


def test_a_camera_that_is_off_is_no_trouble_in_the_tree() -> None:
    site = small_site()
    switch_off(site, "A", cameras=2)
    site.run(2_000)
    row = recorder_row(site.state, site.core.seen, site.row("A"), site.now)
    assert (row.health, row.condition) == (c.Health.GOOD, "ready")
    assert [one.state for one in row.cameras] == [OFF, OFF, RECORDING]


# ---------------------------------------------------------------- 14.4: off is no gap


def broken(site: Site, server: str = "A") -> tuple[CameraGap, ...]:
    site.server(server).up = False
    site.run(14_000)
    assert site.entry.phase is Phase.READY
    return site.entry.gaps


def plain_gap_ms() -> int:
    (gap, *_) = broken(small_site())
    assert gap.gap_ms is not None
    return gap.gap_ms


def test_cameras_that_are_off_have_no_gap() -> None:
    site = small_site()
    switch_off(site, "A", "F", "H", from_ms=-60_000)
    assert {gap.gap_ms for gap in broken(site)} == {0}
    assert all(gap.off_before for gap in site.entry.gaps)


def test_what_was_off_when_it_broke_has_no_gap_by_whatever_clocks() -> None:
    site = small_site(clock_offset_ms=5_000)
    switch_off(site, "A", "F", "H", from_ms=-60_000)
    assert {gap.gap_ms for gap in broken(site)} == {0}


def test_a_gap_ends_where_the_time_of_a_camera_ends() -> None:
    site = small_site()
    switch_off(site, "A", "F", "H", from_ms=4_000)
    (gap, *_) = broken(site)
    assert gap.gap_ms is not None
    assert 3_000 <= gap.gap_ms <= 5_000
    assert not gap.off_before


def test_a_gap_begins_where_the_time_of_a_camera_begins() -> None:
    site = small_site()
    switch_off(site, "A", "F", "H", from_ms=-60_000, until_ms=8_000)
    (gap, *_) = broken(site)
    whole_ms = plain_gap_ms()
    assert gap.gap_ms is not None
    assert whole_ms - 7_500 <= gap.gap_ms <= whole_ms - 4_500


def test_time_that_is_off_within_a_gap_is_not_missing() -> None:
    site = small_site()
    switch_off(site, "A", "F", "H", from_ms=3_000, until_ms=7_000)
    (gap, *_) = broken(site)
    assert gap.gap_ms == plain_gap_ms() - 4_000


def test_footage_read_from_the_disks_does_not_stretch_the_gap_of_a_camera_that_was_off() -> None:
    site = small_site()
    switch_off(site, "A", "F", "H", from_ms=-60_000)
    broken(site)
    server: Server = site.server("A")
    server.up = True
    site.run(5_000)
    assert all(gap.final for gap in site.entry.gaps)
    assert {gap.gap_ms for gap in site.entry.gaps} == {0}


def test_the_gap_of_a_camera_that_waits_for_motion_is_the_time_in_which_nobody_watched() -> None:
    """Its footage may end hours ago: what lies on the disks says nothing of that."""
    site = small_site()
    server = site.server("A")
    beat = server.beat

    def waits(now: Instant) -> r.Beat:
        found = beat(now)
        cameras = tuple(msgspec.structs.replace(one, state=r.CameraState.WAITING) for one in found.cameras)
        return msgspec.structs.replace(found, cameras=cameras)

    server.beat = waits  # type: ignore[method-assign]
    site.run(60_000)
    assert site.state.failovers == {}
    watched_ms = site.now.wall_ms
    broken(site)
    server.up = True
    site.run(5_000)
    assert all(gap.final and gap.watched_before for gap in site.entry.gaps)
    assert all(gap.last_before_ms >= watched_ms - 1_000 for gap in site.entry.gaps)
    assert {gap.gap_ms for gap in site.entry.gaps} == {plain_gap_ms()}


@pytest.mark.parametrize(
    ("off", "holes"),
    [
        ((0, 0), ((1_000, 9_000),)),
        ((2_000, 4_000), ((1_000, 2_000), (4_000, 9_000))),
        ((500, 4_000), ((4_000, 9_000),)),
        ((2_000, 9_500), ((1_000, 2_000),)),
        ((500, 9_500), ()),
        ((100, 200), ((1_000, 9_000),)),
        ((9_500, 9_900), ((1_000, 9_000),)),
    ],
)
def test_what_is_missing(off: tuple[int, int], holes: tuple[tuple[int, int], ...]) -> None:
    """By the coordinator's clock; the server that takes over, by whose clock the time off is told, is 50 ms ahead of it."""
    window = (off[0] + 50, off[1] + 50) if off[1] else off
    gap = CameraGap(
        camera=CameraId("x"),
        last_before_ms=1_007,
        before_offset_ms=7,
        first_after_ms=9_050,
        after_offset_ms=50,
        off_from_ms=window[0],
        off_until_ms=window[1],
    )
    assert gap.holes() == holes
    assert gap.gap_ms == sum(until - begin for begin, until in holes)


def test_an_end_that_is_unknown_is_no_hole() -> None:
    assert CameraGap(camera=CameraId("x"), last_before_ms=5).holes() == ()
