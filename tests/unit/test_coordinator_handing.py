"""Cameras that allow one session change hands one by one (SPEC 8): in a failback and in a planned switch."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.handing import held_back, let_go_by, not_let_go_yet, singles
from sysmanager.coordinator.seen import Seen
from sysmanager.domain.camera import Camera
from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import CameraId
from sysmanager.domain.recorder import Acting, Broken, Recording, Standby
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Site, cameras_of, rid, small_site

GIVER = {"failback": "F", "planned switch": "A"}
TAKER = {"failback": "A", "planned switch": "F"}
FLOWS = pytest.mark.parametrize("flow", GIVER)


def one_session(count: int, others: int = 0) -> tuple[Camera, ...]:
    return (*cameras_of("A", count, sessions=1), *cameras_of("A", count + others)[count:])


def begun(flow: str, cameras: tuple[Camera, ...], first_frame_ms: int = 1_500, *, lets_go: bool = True) -> Site:
    """The flow has just begun; cameras of who is to have them need `first_frame_ms` for their first frame. lets_go: who has them obeys."""
    site = small_site(cameras=cameras)
    if flow == "failback":
        site.fail_over("A")
        site.run(3_000)
    site.server(TAKER[flow]).first_frame_ms = first_frame_ms
    site.server(GIVER[flow]).answers = lets_go
    request = c.StartFailback(failover=site.entry.id) if flow == "failback" else c.SwitchOver(recorder=rid("A"))
    assert isinstance(site.ask(request), c.Done)
    return site


def turns(site: Site) -> list[tuple[CameraId, ...]]:
    return [fact.cameras for fact in site.facts if isinstance(fact, f.SessionsPassed)]


def recorded(site: Site, server: str) -> set[CameraId]:
    return {camera.camera for camera in site.server(server).beat(site.now).cameras if camera.state is r.CameraState.RECORDING}


@FLOWS
def test_at_most_one_of_them_is_dark_at_a_time(flow: str) -> None:
    site = begun(flow, one_session(4, others=2))
    every = {camera.id for camera in one_session(4, others=2)}
    worst = 0
    for _ in range(1_500):
        worst = max(worst, len(every - recorded(site, "A") - recorded(site, "F")))
        site.run(10)
    assert worst == 1
    assert turns(site) == [("A-c0",), ("A-c1",), ("A-c2",), ("A-c3",)]
    assert site.entry.phase is (Phase.RETURNED if flow == "failback" else Phase.READY)
    assert recorded(site, TAKER[flow]) == every


@FLOWS
def test_they_wait_until_those_with_two_sessions_have_their_first_frame(flow: str) -> None:
    site = begun(flow, one_session(1, others=2), first_frame_ms=4_000)
    site.run(3_000)
    assert turns(site) == []
    assert (site.server(GIVER[flow]).without, site.server(TAKER[flow]).without) == ((), ("A-c0",))
    site.run(2_000)
    assert turns(site) == [("A-c0",)]


@FLOWS
def test_nobody_knocks_at_a_camera_before_it_was_let_go(flow: str) -> None:
    site = begun(flow, one_session(2), lets_go=False)
    giver = site.server(GIVER[flow])
    site.run(3_000)
    assert turns(site) == [("A-c0",)]
    assert set(site.server(TAKER[flow]).without) == {"A-c0", "A-c1"}
    giver.answers = True
    site.run(1_500)
    assert site.server(TAKER[flow]).without == ("A-c1",)


@FLOWS
def test_who_is_not_heard_lets_go_all_that_are_left(flow: str) -> None:
    if flow == "planned switch":
        return  # a recorder that falls silent is replaced at once
    site = begun(flow, one_session(3))
    site.server("F").up = False
    site.run(5_000)
    assert turns(site)[-1] == ("A-c1", "A-c2") or turns(site)[-1] == ("A-c2",)
    site.run(5_000)
    assert site.entry.phase is Phase.RETURNED


@FLOWS
def test_one_that_stays_dark_undoes_it_and_all_are_where_they_were(flow: str) -> None:
    site = begun(flow, one_session(3))
    site.server(TAKER[flow]).dark = {CameraId("A-c1")}
    site.run(15_000)
    assert turns(site)[:2] == [("A-c0",), ("A-c1",)]
    if flow == "failback":
        assert turns(site)[2:] == [("A-c0",)], "the one that the recorder has goes back by itself"
        site.run(5_000)
    assert site.entry.phase is (Phase.READY if flow == "failback" else Phase.FAILED)
    assert "1 camera gave" in (site.entry.failback.note if site.entry.failback is not None else site.entry.note)
    site.run(2_000)
    assert site.server(GIVER[flow]).without == ()
    assert recorded(site, GIVER[flow]) == {"A-c0", "A-c1", "A-c2"}
    assert site.server(TAKER[flow]).mode is r.Mode.STANDBY


def test_one_that_a_person_leaves_dark_holds_the_others_up_for_its_ten_seconds_only() -> None:
    site = small_site(cameras=one_session(2, others=18))
    site.fail_over("A")
    site.run(3_000)
    site.server("A").dark = {CameraId("A-c0")}
    site.ask(c.StartFailback(failover=site.entry.id, leave_dark=True))
    site.run(10_000)
    assert turns(site) == [("A-c0",)]
    site.run(4_000)
    assert turns(site) == [("A-c0",), ("A-c1",)]
    site.run(12_000)
    failback = site.entry.failback
    assert failback is not None
    assert (site.entry.phase, failback.dark) == (Phase.RETURNED, ("A-c0",))


@FLOWS
def test_one_that_gives_no_frames_to_who_has_it_has_no_turn(flow: str) -> None:
    site = small_site(cameras=one_session(4))
    if flow == "failback":
        site.fail_over("A")
        site.run(2_000)
    site.server("F").dark = site.server("A").dark = {CameraId("A-c0")}
    site.run(2_000)
    site.ask(c.StartFailback(failover=site.entry.id) if flow == "failback" else c.SwitchOver(recorder=rid("A")))
    site.run(9_000)
    assert turns(site) == [("A-c1",), ("A-c2",), ("A-c3",)]
    assert site.entry.phase is (Phase.RETURNED if flow == "failback" else Phase.READY)


@FLOWS
def test_after_an_abort_they_are_where_they_were(flow: str) -> None:
    site = begun(flow, one_session(2), first_frame_ms=60_000)
    site.run(2_000)
    assert site.server(GIVER[flow]).without == ("A-c0",)
    site.ask(c.AbortFailover(failover=site.entry.id))
    site.run(3_000)
    assert (site.server(GIVER[flow]).without, site.server(GIVER[flow]).mode) == ((), r.Mode.RECORDING)
    assert site.server(TAKER[flow]).mode is r.Mode.STANDBY


@FLOWS
@pytest.mark.parametrize("kept", range(1, 4))
def test_after_a_restart_of_the_coordinator_the_next_one_goes(flow: str, kept: int) -> None:
    site = begun(flow, one_session(3))
    site.run(10_000, until=lambda: len(turns(site)) == kept)
    site.restart()
    site.run(12_000)
    assert site.entry.phase is (Phase.RETURNED if flow == "failback" else Phase.READY)
    assert turns(site) == [("A-c0",), ("A-c1",), ("A-c2",)]


@FLOWS
def test_after_a_restart_who_was_not_heard_yet_still_lets_them_go_one_by_one(flow: str) -> None:
    site = begun(flow, one_session(3, others=1))
    site.server(GIVER[flow]).up = False
    site.restart()
    site.run(10_000, until=lambda: bool(turns(site)))
    assert not site.core.seen.of(rid(GIVER[flow])).ever
    assert turns(site) == [("A-c0",)]
    site.server(GIVER[flow]).up = True
    site.run(10_000)
    assert turns(site) == [("A-c0",), ("A-c1",), ("A-c2",)]
    assert site.entry.phase is (Phase.RETURNED if flow == "failback" else Phase.READY)


def test_who_was_not_heard_for_long_enough_after_a_restart_lets_go_all_that_are_left() -> None:
    site = begun("failback", one_session(3, others=1), first_frame_ms=6_000)
    site.server("F").up = False
    site.restart()
    site.run(20_000)
    assert turns(site) == [("A-c0",), ("A-c1", "A-c2")]


def test_an_acting_server_is_relieved_in_the_same_way() -> None:
    site = small_site(cameras=one_session(2))
    site.fail_over("A")
    site.server("A").up = False
    site.run(4_000)
    site.server("H").first_frame_ms = 3_000
    assert isinstance(site.ask(c.SwitchOver(recorder=rid("F"))), c.Done)
    site.run(1_500)
    assert site.server("F").without == ("A-c0",)
    site.run(7_000)
    assert isinstance(site.row("H").assignment, Acting)
    assert isinstance(site.row("F").assignment, Broken | Standby)


def test_a_recorder_that_is_away_in_the_middle_is_told_again_which_ones_wait() -> None:
    site = begun("planned switch", one_session(2), first_frame_ms=60_000)
    site.run(1_000)
    assert isinstance(site.row("A").assignment, Recording)
    site.server("A").without = ()
    site.run(2_000)
    assert site.server("A").without == ("A-c0",)


def test_an_entry_without_its_server_hands_nothing_over() -> None:
    site = begun("failback", one_session(2))
    entry = replace(site.entry, server=None)
    assert (singles(site.state, entry), held_back(site.state, entry)) == ((), ())
    assert not not_let_go_yet(site.state, site.core.seen, entry)
    assert let_go_by(site.state, rid("H")) == ()
    assert not not_let_go_yet(site.state, Seen(site.now), site.entry)
    site.server("F").epoch -= 1
    site.run(1_000)
    assert not not_let_go_yet(site.state, site.core.seen, site.entry), "it does not even do what it was told before"
