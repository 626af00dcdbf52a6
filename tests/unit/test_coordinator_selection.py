"""Choosing the failover server (SPEC 5): hard requirements, ranking, room, and a sentence for every candidate."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sysmanager.coordinator.selection import Choice, choose, held_preroll
from sysmanager.domain.camera import Camera, FailoverPriority, RecordingMode
from sysmanager.domain.failover import Phase, StayCause
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from sysmanager.protocol.hardware import Hardware
from sysmanager.protocol.preroll import PrerollBeat, PrerollReport
from sysmanager.protocol.selftest import SelfTestReport
from tests.helpers.coordination import GROUP, Site, analogue, cameras_of, document_set, never, rid, small_site


def chosen(site: Site, failed: str = "A", tried: tuple[str, ...] = ()) -> Choice:
    row = site.row(failed)
    home = site.state.recorders[row.home or row.id]
    return choose(site.state, site.core.seen, failed=row, home=home, group=site.state.groups[GROUP], tried={rid(name) for name in tried})


def verdict(choice: Choice, server: str) -> str:
    return next(found.sentence for found in choice.verdicts if found.server == server)


def site_with(
    *, partial: bool = False, cameras: tuple[Camera, ...] | int = 3, wanted: dict[str, object] | None = None, **changes: object
) -> Site:
    """A site whose failover server F differs by `changes`; H is as it should be."""
    site = Site(group=Group(id=GROUP, name="Gate", partial=partial))
    site.add("A", cameras=cameras, **(wanted or {}))
    site.add("F", failover=True, **changes)
    site.add("H", failover=True)
    site.run(3_000)
    return site


# ---------------------------------------------------------------- pre-roll


def test_pre_roll_is_held_in_whole_seconds_of_the_camera_with_the_least() -> None:
    beat = small_site().core.seen.of(rid("F")).beat
    assert beat is not None
    cameras = cameras_of("A", 3)

    def held(*held_ms: int) -> tuple[int, int]:
        rolls = tuple(PrerollBeat(camera.id, one) for camera, one in zip(cameras, held_ms, strict=False))
        return held_preroll(msgspec.structs.replace(beat, preroll=PrerollReport(cameras=rolls)), cameras)

    assert held() == (0, 0)
    assert held(0, 0) == (0, 0)
    assert held(20_000, 4_000) == (2, 4)
    assert held(3_999, 4_000, 0) == (2, 3)


# ---------------------------------------------------------------- hard requirements


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"up": False}, "is not connected"),
        ({"version": "1.5.0"}, "runs version 1.5.0, the settings are of version 1.4.2"),
        ({"version": "2.4.2"}, "runs version 2.4.2, the settings are of version 1.4.2"),
        ({"disks": {"D:": False, "E:": True}}, "cannot write to D:"),
        ({"disks": {"E:": True}}, "cannot write to D:"),
        ({"camera_limit": 2}, "has room for 2 of 3 cameras"),
        ({"bitrate_limit_kbps": 5_000}, "has room for 2 of 3 cameras"),
        ({"mode": r.Mode.ASKING, "answers": False}, "is not on standby yet"),
        ({"service": r.ServiceState.FAILED}, "its recording service cannot be started"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_candidate_that_misses_a_hard_requirement_is_not_taken_and_the_log_says_why(changes: dict[str, object], sentence: str) -> None:
    site = site_with(**changes)
    choice = chosen(site)
    assert choice.server == "H"
    assert verdict(choice, "F") == sentence
    assert {found.server: found.rank for found in choice.verdicts} == {"H": 1, "F": 0}


def test_the_patch_level_of_the_version_does_not_matter() -> None:
    assert chosen(site_with(version="1.4.9")).server == "F"


def test_a_recorder_without_disks_in_its_settings_still_needs_one_that_is_writable() -> None:
    site = site_with(wanted={"disks_wanted": ()}, disks={"D:": False})
    assert verdict(chosen(site), "F") == "has no writable material disk"


def test_a_candidate_whose_service_went_silent_behind_its_watchdog_is_not_taken() -> None:
    site = site_with(service=r.ServiceState.STARTING)
    site.server("F").beats = False
    site.run(4_000)
    assert verdict(chosen(site), "F") == "its recording service is not heard"


def test_a_candidate_that_knows_a_newer_epoch_would_refuse_every_order() -> None:
    site = site_with()
    site.server("F").epoch = 99
    site.run(1_000)
    assert verdict(chosen(site), "F") == "knows epoch 99, which is newer than system data; confirm what differs first"


def test_who_is_taken_already_is_no_candidate() -> None:
    site = small_site()
    site.fail_over("B")
    assert verdict(chosen(site), "F") == "is acting for B"
    site.server("H").answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    assert verdict(chosen(site), "H") == "is reserved for A"


def test_who_failed_in_this_failover_is_not_tried_again_at_once() -> None:
    assert verdict(chosen(small_site(), tried=("F",)), "F") == "was already tried in this failover"


def test_without_any_candidate_every_verdict_says_why() -> None:
    choice = chosen(small_site(), tried=("F", "H"))
    assert choice.server is None
    assert [found.rank for found in choice.verdicts] == [0, 0]


# ---------------------------------------------------------------- ranking


@pytest.mark.parametrize(
    ("cameras", "changes"),
    [
        (cameras_of("A", 3, vca=True), {"vca_channels": 1}),
        (3, {"free_mb": 100}),
        (3, {"hardware": Hardware(2, 64_000)}),
        (3, {"clock_offset_ms": 9_000}),
    ],
    ids=["VCA channels", "free disk against retention", "hardware", "clock offset"],
)
def test_the_better_candidate_comes_first_whatever_its_id(cameras: tuple[Camera, ...] | int, changes: dict[str, object]) -> None:
    site = site_with(cameras=cameras, **changes)
    site.server("H").vca_channels = 2
    site.server("H").hardware = Hardware(4, 8_000)
    site.run(1_000)
    choice = chosen(site)
    assert choice.server == "H"
    assert {found.server: found.rank for found in choice.verdicts} == {"H": 1, "F": 2}


def test_equals_are_taken_in_the_order_of_the_group_and_then_by_id() -> None:
    site = small_site()
    assert chosen(site).server == "F"
    site.ask(c.SaveGroup(group=Group(id=GROUP, name="Gate", preference=(rid("H"),))))
    assert chosen(site).server == "H"


def test_a_candidate_not_heard_for_two_beats_comes_last() -> None:
    site = small_site()
    site.server("F").up = False
    site.run(2_500)
    choice = chosen(site)
    assert [found.server for found in choice.verdicts] == ["H", "F"]
    assert "not heard for two heartbeats" in verdict(choice, "F")


def test_a_candidate_whose_self_test_failed_comes_after_those_whose_did_not_and_before_nobody() -> None:
    site = small_site()
    site.server("F").self_test = SelfTestReport(wall_ms=1, problems=("The disk rots.",))
    site.server("H").self_test = SelfTestReport(wall_ms=1)
    site.run(1_000)
    choice = chosen(site)
    assert [found.server for found in choice.verdicts] == ["H", "F"]
    assert verdict(choice, "F").endswith("its self-test failed")
    assert chosen(site, tried=("H",)).server == "F"


def test_the_sentence_tells_room_channels_and_retention() -> None:
    site = site_with(cameras=cameras_of("A", 2, vca=True), vca_channels=1)
    assert verdict(chosen(site), "F") == "room for 2 of 2 cameras; 1 of 2 VCA channels; 14 of 14 days of retention"


def test_the_sentence_tells_machine_and_clock_where_they_are_known_and_matter() -> None:
    site = site_with(hardware=Hardware(8, 32_768, "some"), clock_offset_ms=3_500)
    assert verdict(chosen(site), "F") == "room for 3 of 3 cameras; 14 of 14 days of retention; 8 cores, 32 GB; clock 3 s off"
    assert Hardware(0, 900).words == ""


def test_of_equal_machines_the_newer_documents_count_and_then_the_order() -> None:
    site = site_with()
    site.server("H").documents = document_set("old", revision=3)
    site.run(1_000)
    assert chosen(site).server == "H"


def test_the_home_itself_is_the_first_candidate_when_its_acting_server_breaks() -> None:
    site = small_site()
    site.fail_over("A")
    site.run(3_000)
    choice = chosen(site, "F")
    assert choice.server == "A"
    assert "is A itself, well again" in verdict(choice, "A")
    site.server("A").disks = {"D:": False}
    site.run(1_000)
    assert chosen(site, "F").server == "H"


# ---------------------------------------------------------------- room


def test_cameras_go_by_priority_where_partial_failover_is_allowed_and_the_rest_is_not_protected() -> None:
    cameras = (
        Camera(id=CameraId("low"), name="low", priority=FailoverPriority.LOW),
        Camera(id=CameraId("mid"), name="mid"),
        Camera(id=CameraId("high"), name="high", priority=FailoverPriority.HIGH),
        never("A"),
        analogue("A"),
    )
    site = site_with(partial=True, cameras=cameras, camera_limit=2)
    site.server("H").up = False
    site.run(4_000)
    choice = chosen(site)
    assert choice.moved == ("high", "mid")
    assert {stay.camera: stay.cause for stay in choice.not_moved} == {
        "low": StayCause.NO_ROOM,
        "A-c91": StayCause.NEVER,
        "A-c90": StayCause.ANALOGUE,
    }


def test_the_home_itself_has_room_for_its_own_cameras_whatever_its_limits_say() -> None:
    site = small_site()
    site.fail_over("A")
    site.server("A").camera_limit = 1
    site.run(3_000)
    choice = chosen(site, "F")
    assert (choice.server, len(choice.moved)) == ("A", 3)
    assert (choice.to_do, choice.vca_off) == ((), ())


def test_a_camera_that_is_not_recorded_needs_no_room() -> None:
    cameras = (
        Camera(id=CameraId("a"), name="a", mode=RecordingMode.OFF, priority=FailoverPriority.HIGH),
        Camera(id=CameraId("b"), name="b"),
        Camera(id=CameraId("c"), name="c"),
    )
    assert verdict(chosen(site_with(cameras=cameras, camera_limit=1)), "F") == "has room for 2 of 3 cameras"
    assert chosen(site_with(cameras=cameras, camera_limit=2)).moved == ("a", "b", "c")


def test_video_analysis_beyond_the_channels_stays_off_and_is_listed_for_the_cameras_that_move() -> None:
    cameras = cameras_of("A", 3, vca=True)
    site = site_with(partial=True, cameras=cameras, camera_limit=2, vca_channels=1)
    site.server("H").up = False
    site.run(4_000)
    choice = chosen(site)
    assert (choice.moved, choice.vca_off) == (("A-c0", "A-c1"), ("A-c1",))
    assert choice.to_do == ("Video content analysis of A camera 1 is off: F has 1 VCA channel.",)
    assert site.fail_over("A").vca_off == ("A-c1",)


def test_who_takes_all_cameras_goes_before_who_takes_some() -> None:
    assert chosen(site_with(partial=True, camera_limit=2)).server == "H"


def test_what_a_person_must_do_by_hand() -> None:
    cameras = (*cameras_of("A", 2, vca=True), analogue("A"))
    site = site_with(cameras=cameras, wanted={"plugins_wanted": ("plates", "faces")}, vca_channels=1, plugins=("faces",))
    choice = chosen(site)
    assert choice.to_do == (
        "Connect the analogue camera A analogue elsewhere, or repair A.",
        "Install the plug-in plates on F; it does not travel.",
        "Video content analysis of A camera 1 is off: F has 1 VCA channel.",
    )


# ---------------------------------------------------------------- determinism


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_selection_is_total_and_does_not_depend_on_the_order_in_which_servers_came(data: st.DataObject) -> None:
    """The same reports give the same ranking; every candidate has exactly one verdict, and ranks are 1, 2, 3 without holes."""
    names = ["P", "Q", "R", "S"]
    drawn = {
        name: {
            "free_mb": data.draw(st.sampled_from([10, 900_000])),
            "camera_limit": data.draw(st.sampled_from([1, 64])),
            "clock_offset_ms": data.draw(st.sampled_from([0, 5_000])),
            "version": data.draw(st.sampled_from(["1.4.0", "1.5.0"])),
        }
        for name in names
    }

    def outcome(order: list[str]) -> tuple[object, ...]:
        site = Site(group=Group(id=GROUP, name="Gate", partial=True))
        site.add("A")
        for name in order:
            site.add(name, failover=True, **drawn[name])
        site.run(1_000)
        choice = chosen(site)
        return choice.server, choice.verdicts, choice.moved

    first = outcome(names)
    assert outcome(data.draw(st.permutations(names))) == first
    verdicts = first[1]
    assert sorted(found.server for found in verdicts) == names
    ranks = sorted(found.rank for found in verdicts if found.rank)
    assert ranks == list(range(1, len(ranks) + 1))


def test_the_choice_is_the_one_that_then_happens() -> None:
    site = small_site()
    expected = chosen(site)
    entry = site.fail_over("A")
    assert (entry.server, entry.verdicts, entry.moved) == (expected.server, expected.verdicts, expected.moved)
    assert entry.phase is Phase.READY
