"""Pre-roll (SPEC 6): which standby keeps which cameras, within its limits; told by an order, shown by the heartbeat, ranked first."""

from __future__ import annotations

import pytest

from sysmanager.coordinator.outstanding import outstanding
from sysmanager.coordinator.preroll import LEAST_S, plans, wanted_seconds
from sysmanager.coordinator.selection import choose
from sysmanager.domain.camera import Camera, FailoverPriority, RecordingMode
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from sysmanager.protocol.preroll import KeepPreroll
from tests.helpers.coordination import GROUP, Site, analogue, cameras_of, rid

HIGH, MEDIUM, LOW = FailoverPriority.HIGH, FailoverPriority.MEDIUM, FailoverPriority.LOW


def site_with(
    *, preroll: FailoverPriority | None = LOW, recorders: int = 1, cameras: tuple[Camera, ...] | int = 2, **spare: object
) -> Site:
    """Recorders A, B, ... and the failover servers F and H, both with the limits `spare`."""
    site = Site(group=Group(id=GROUP, name="Gate", preroll=preroll))
    for number in range(recorders):
        site.add("ABCDE"[number], cameras=cameras)
    limits: dict[str, object] = {"preroll_memory_mb": 1_000, "preroll_limit_s": 60, **spare}
    site.add("F", failover=True, **limits)
    site.add("H", failover=True, **limits)
    site.run(5_000)
    return site


def kept(site: Site, server: str) -> dict[str, int]:
    """Seconds by camera that the server keeps."""
    order = site.server(server).preroll
    return {camera: part.seconds for part in order.parts for camera in part.cameras} if order is not None else {}


def orders(site: Site, server: str) -> list[KeepPreroll]:
    return [order for order in site.server(server).orders if isinstance(order, KeepPreroll)]


def test_cameras_are_kept_long_enough_to_bridge_timeout_and_opening() -> None:
    site = site_with()
    assert wanted_seconds(site.state, site.row("A")) == 17
    assert kept(site, "F") == {"A-c0": 17, "A-c1": 17}
    assert kept(site, "H") == {}


def test_an_order_goes_once_and_again_only_when_the_plan_changes() -> None:
    site = site_with()
    site.run(10_000)
    assert len(orders(site, "F")) == 1
    site.add("B")
    site.run(5_000)
    assert set(kept(site, "F")) | set(kept(site, "H")) == {"A-c0", "A-c1", "B-c0", "B-c1", "B-c2"}
    assert kept(site, "F") == {"A-c0": 17, "A-c1": 17}, "the one that has them goes on keeping them"
    assert len(orders(site, "F")) == 1


def test_recorders_are_spread_over_the_standbys_each_whole() -> None:
    site = site_with(recorders=4)
    assert sorted(camera[0] for camera in kept(site, "F")) == ["A", "A", "C", "C"]
    assert sorted(camera[0] for camera in kept(site, "H")) == ["B", "B", "D", "D"]


@pytest.mark.parametrize(
    ("camera", "expected"),
    [
        (Camera(id=CameraId("x"), name="x", sessions=2), True),
        (Camera(id=CameraId("x"), name="x", sessions=1), False),
        (Camera(id=CameraId("x"), name="x", sessions=2, priority=LOW), False),
        (Camera(id=CameraId("x"), name="x", sessions=2, priority=HIGH), True),
        (Camera(id=CameraId("x"), name="x", sessions=2, mode=RecordingMode.OFF), False),
        (analogue("A"), False),
    ],
    ids=["medium", "one session", "low", "high", "not recorded", "analogue"],
)
def test_only_cameras_of_the_priority_with_a_second_session_that_are_recorded(camera: Camera, expected: bool) -> None:
    site = site_with(preroll=MEDIUM, cameras=(camera,))
    assert (camera.id in kept(site, "F")) is expected


def test_without_the_setting_of_the_group_nothing_is_kept_and_switching_it_off_ends_it() -> None:
    assert orders(site_with(preroll=None), "F") == []
    site = site_with()
    site.ask(c.SaveGroup(group=Group(id=GROUP, name="Gate")))
    assert site.server("F").preroll == KeepPreroll(epoch=site.row("F").assignment.epoch, plan="")
    site.run(3_000)
    assert len(orders(site, "F")) == 2


def test_a_server_that_cannot_keep_any_gets_no_order() -> None:
    site = site_with(preroll_memory_mb=0)
    assert orders(site, "F") == orders(site, "H") == []


def test_short_memory_is_shared_and_no_camera_gets_less_than_is_of_use() -> None:
    site = site_with(preroll_memory_mb=7)  # 56,000 kbit: two cameras of 2,000 kbit/s for 14 s
    assert kept(site, "F") == {"A-c0": 14, "A-c1": 14}
    site = site_with(preroll_memory_mb=4, cameras=(*cameras_of("A", 1, priority=LOW), Camera(id=CameraId("z"), name="z", sessions=2)))
    assert kept(site, "F") == {"z": 16}, f"32,000 kbit are not {LEAST_S} s of both: the one of higher priority stays"
    site = site_with(preroll_memory_mb=1)
    assert kept(site, "F") == {}


def test_a_server_opens_no_more_cameras_than_it_takes() -> None:
    assert kept(site_with(camera_limit=1), "F") == {"A-c0": 17}
    assert kept(site_with(bitrate_limit_kbps=3_000), "F") == {"A-c0": 17}


def test_the_limit_of_seconds_of_one_camera() -> None:
    assert kept(site_with(preroll_limit_s=8), "F") == {"A-c0": 8, "A-c1": 8}


def test_who_could_not_take_over_keeps_nothing_of_it() -> None:
    site = site_with(disks={"X:": True})
    assert kept(site, "F") == kept(site, "H") == {}


def test_when_its_keeper_falls_silent_another_one_keeps_them() -> None:
    site = site_with()
    site.server("F").up = False
    site.run(5_000)
    assert kept(site, "H") == {"A-c0": 17, "A-c1": 17}


def test_a_server_that_restarted_is_told_again() -> None:
    site = site_with()
    site.server("F").preroll = None
    site.run(3_000)
    assert kept(site, "F") == {"A-c0": 17, "A-c1": 17}


def test_a_refusal_is_not_asked_for_again_before_the_server_says_something_new() -> None:
    site = site_with(preroll_refused=True)
    site.run(10_000)
    assert len(orders(site, "F")) == 1
    site.server("F").preroll_refused = False
    site.server("F").vca_channels = 1
    site.run(3_000)
    assert kept(site, "F") == {"A-c0": 17, "A-c1": 17}
    site.ask(c.RemoveRecorder(recorder=rid("H")))
    assert rid("H") not in site.core.seen.preroll


def test_who_holds_the_pre_roll_is_taken_first_and_the_verdict_says_so() -> None:
    site = site_with()
    site.ask(c.SaveGroup(group=Group(id=GROUP, name="Gate", preference=(rid("H"), rid("F")), preroll=LOW)))
    site.run(8_000)
    row = site.row("A")
    choice = choose(site.state, site.core.seen, failed=row, home=row, group=site.state.groups[GROUP])
    assert choice.server == "F"
    assert choice.preroll_s >= 8
    assert f"pre-roll of 2 of them, {choice.preroll_s} s" in choice.verdicts[0].sentence


def test_an_acting_servers_cameras_are_kept_by_the_next_standby_if_the_replaced_one_finds_a_session_too() -> None:
    site = site_with(cameras=(*cameras_of("A", 2, sessions=3), *cameras_of("B", 1)))
    site.fail_over("A")
    assert site.row("F").home == "A"
    site.run(5_000)
    assert kept(site, "H") == {"A-c0": 17, "A-c1": 17}


def test_an_order_to_stand_down_goes_before_pre_roll() -> None:
    site = site_with()
    site.server("F").mode, site.server("F").home = r.Mode.RECORDING, rid("A")
    site.server("F").answers = False
    site.run(2_000)
    found = [command.order for command in outstanding(site.state, site.core.seen) if getattr(command, "recorder", "") == "F"]
    assert [type(order) for order in found] == [r.StandDown]


def test_the_plan_names_its_content() -> None:
    site = site_with()
    group = site.state.groups[GROUP]
    first, again = plans(site.state, site.core.seen, group), plans(site.state, site.core.seen, group)
    assert first == again
    assert first[rid("F")].plan != first[rid("H")].plan == ""


def test_a_standby_with_little_memory_keeps_what_fits() -> None:
    cameras = cameras_of("A", 1, bitrate_kbps=200)
    assert kept(site_with(cameras=cameras, preroll_memory_mb=1), "F") == {"A-c0": 17}
    assert kept(site_with(cameras=cameras, preroll_memory_mb=0), "F") == {}
