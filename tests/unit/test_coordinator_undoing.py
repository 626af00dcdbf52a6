"""A failback that is undone gives cameras that allow one session back one by one (SPEC 8)."""

from __future__ import annotations

import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.handing import not_given_back_yet
from sysmanager.coordinator.seen import Seen
from sysmanager.domain.failover import Phase, Reason
from sysmanager.domain.ids import CameraId
from sysmanager.domain.recorder import Acting, Broken, Recording
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Site, contents, document_set, rid
from tests.helpers.undoings import handed, one_session, undoing


def back(site: Site) -> list[tuple[CameraId, ...]]:
    """What went back, in order, since it is being undone."""
    begun = next(number for number, fact in enumerate(site.facts) if isinstance(fact, f.FailbackUndoing))
    return [fact.cameras for fact in site.facts[begun:] if isinstance(fact, f.SessionsPassed)]


def recorded(site: Site, server: str) -> set[CameraId]:
    one = site.server(server)
    if not one.up:
        return set()
    return {camera.camera for camera in one.beat(site.now).cameras if camera.state is r.CameraState.RECORDING}


def worst_dark(site: Site, duration_ms: int, besides: set[str]) -> int:
    """How many cameras were dark together at most, without those that are dark anyway."""
    every, worst = {camera.id for camera in site.server("F").settings.cameras} - besides, 0
    for _ in range(duration_ms // 10):
        worst = max(worst, len(every - recorded(site, "A") - recorded(site, "F")))
        site.run(10)
    return worst


def test_at_most_one_of_them_is_dark_at_a_time() -> None:
    site = handed(5, others=2)
    assert worst_dark(site, 30_000, besides={"A-c4"}) == 1
    undoing_fact = site.of(f.FailbackUndoing)[0]
    assert (undoing_fact.kept, undoing_fact.returning) == (("A-c0", "A-c1", "A-c2", "A-c3"), ("A-c4",))
    assert back(site) == [("A-c0",), ("A-c1",), ("A-c2",), ("A-c3",)]
    assert site.entry.phase is Phase.READY
    assert site.entry.failback is not None
    assert (site.entry.failback.reason, site.entry.failback.kept, site.entry.failback.returning) == (Reason.WRONG_STATE_OF_SERVER, (), ())
    assert "1 camera gave the recorder no frame" in site.entry.failback.note
    assert len(recorded(site, "F")) == 7
    assert site.server("A").mode is r.Mode.STANDBY
    assert contents(site.replayed()) == contents(site.state)


def test_what_was_dark_goes_back_first_and_before_any_that_the_recorder_has() -> None:
    site = undoing(3)
    site.run(1_000)
    assert (site.server("F").without, back(site)) == (("A-c0", "A-c1"), [])
    site.run(10_000, until=lambda: bool(back(site)))
    assert recorded(site, "F") == {"A-c2"}
    assert back(site) == [("A-c0",)]


def test_the_next_one_waits_until_the_failover_server_has_the_one_before() -> None:
    site = undoing(3, first_frame_ms=4_000)
    site.run(8_500)
    assert back(site) == [("A-c0",)]
    assert site.server("A").without == ("A-c0", "A-c2")
    site.run(8_000)
    assert back(site) == [("A-c0",), ("A-c1",)]


def test_nobody_knocks_at_a_camera_before_the_recorder_let_it_go() -> None:
    site = undoing(3)
    site.run(10_000, until=lambda: bool(back(site)))
    assert (site.server("A").without, site.server("F").without) == (("A-c0", "A-c2"), ("A-c0", "A-c1"))
    assert not_given_back_yet(site.state, site.core.seen, site.entry)
    site.run(1_000)
    assert site.server("F").without == ("A-c1",)
    assert not not_given_back_yet(site.state, site.core.seen, site.entry)


def test_a_recorder_that_does_not_let_go_holds_it_up_for_ten_seconds_each() -> None:
    site = handed(3)
    site.run(4_000)
    site.server("A").answers = False
    site.ask(c.AbortFailover(failover=site.entry.id))
    site.run(9_000)
    assert (back(site), site.server("F").without) == ([], ("A-c0", "A-c1", "A-c2")), "it would knock in vain"
    site.run(25_000)
    assert back(site) == [("A-c0",), ("A-c1",)]
    assert site.entry.phase is Phase.READY
    assert site.server("F").without == ()


def test_with_nothing_left_at_the_recorder_it_is_undone_at_once() -> None:
    site = handed(1, others=3)
    site.run(2_000)
    site.ask(c.AbortFailover(failover=site.entry.id))
    assert site.entry.phase is Phase.READY
    assert site.of(f.FailbackUndoing) == []


@pytest.mark.parametrize("step", ["started", "taken"])
def test_before_anything_was_handed_over_it_is_undone_at_once(step: str) -> None:
    site = undoing(2)
    site.run(20_000)
    site.server("A").answers = False
    if step == "started":
        site.server("F").documents = document_set("changed", 3)
        site.fetch_works = False
        site.hear("F")
        site.settle()
    site.fail_back()
    site.ask(c.AbortFailover(failover=site.entry.id))
    assert site.entry.phase is Phase.READY


def test_a_recorder_that_falls_silent_leaves_all_to_the_failover_server() -> None:
    site = undoing(4)
    site.run(3_000)
    site.server("A").up = False
    site.run(4_000)
    assert site.entry.phase is Phase.READY
    assert isinstance(site.row("A").assignment, Broken)
    site.run(2_000)
    assert recorded(site, "F") == {"A-c0", "A-c1", "A-c2", "A-c3"}


def test_a_recorder_whose_service_stops_has_none_of_them_any_more() -> None:
    site = undoing(4)
    site.server("A").beats = False
    site.server("A").service = r.ServiceState.STARTING
    site.run(6_000)
    assert len(back(site)[-1]) > 1
    site.run(4_000)
    assert site.server("F").without == ()


def test_one_that_another_life_of_the_recorder_does_not_know_goes_back_at_once() -> None:
    site = undoing(4)
    site.server("A").epoch += 50
    site.hear("A")
    site.settle()
    assert back(site) == [("A-c0", "A-c1", "A-c2")]


def test_one_that_the_failover_server_does_not_get_holds_the_others_up_for_its_time_only() -> None:
    site = undoing(4, others=1)
    site.server("F").dark = {CameraId("A-c3")}
    site.run(9_000)
    assert back(site) == []
    site.run(6_000)
    assert back(site)[0] == ("A-c0",)
    site.run(10_000)
    assert site.entry.phase is Phase.READY


def test_nothing_goes_to_a_failover_server_without_a_disk() -> None:
    site = undoing(3, others=1)
    site.ask(c.HoldFailover(recorder=rid("F")))
    site.server("F").disks = {"D:": False}
    site.run(60_000)
    assert back(site) == []
    assert recorded(site, "A") >= {"A-c0", "A-c1"}
    site.server("F").disks = {"D:": True}
    site.run(20_000)
    assert site.entry.phase is Phase.READY


def test_nothing_goes_to_a_failover_server_that_gets_no_frames() -> None:
    site = undoing(3)
    site.ask(c.HoldFailover(recorder=rid("F")))
    site.server("F").dark = {camera.id for camera in one_session(3)}
    site.run(60_000)
    assert back(site) == []
    assert recorded(site, "A") == {"A-c0", "A-c1"}
    site.server("F").dark = set()
    site.run(20_000)
    assert site.entry.phase is Phase.READY


def test_nothing_goes_to_a_failover_server_that_is_away_and_the_rest_when_it_is_back() -> None:
    site = undoing(3, others=1)
    site.ask(c.HoldFailover(recorder=rid("F")))
    site.server("F").up = False
    site.run(40_000)
    assert back(site) == []
    assert site.entry.phase is Phase.FAILBACK_UNDOING
    assert recorded(site, "A") >= {"A-c0", "A-c1"}
    site.server("F").up = True
    site.run(20_000)
    assert site.entry.phase is Phase.READY


def test_a_failover_of_the_failover_server_ends_it_and_the_recorder_goes_on_without_a_gap() -> None:
    site = undoing(3, others=1)
    site.server("F").up = False
    site.server("A").orders.clear()
    site.run(25_000)
    first, second = sorted(site.state.failovers.values(), key=lambda entry: entry.number)
    assert (first.phase, second.phase, second.server) == (Phase.SUPERSEDED, Phase.RETURNED, "A")
    assert site.row("A").assignment == Recording(epoch=second.epoch)
    assert {type(order) for order in site.server("A").orders} == {r.Record}
    assert site.server("A").without == ()


def test_while_nobody_can_replace_the_failover_server_the_recorder_keeps_what_it_has() -> None:
    site = undoing(3, others=1)
    site.server("H").up = site.server("F").up = False
    site.server("A").disks = {"E:": True}
    site.run(30_000)
    first, second = sorted(site.state.failovers.values(), key=lambda entry: entry.number)
    assert (first.phase, second.phase) == (Phase.FAILBACK_UNDOING, Phase.WAITING)
    assert recorded(site, "A") >= {"A-c0", "A-c1"}
    site.server("A").disks = {"D:": True}
    site.run(10_000)
    assert isinstance(site.row("A").assignment, Recording)


@pytest.mark.parametrize("moment_ms", range(0, 8_000, 700))
def test_after_a_restart_of_the_coordinator_it_goes_on_where_it_was(moment_ms: int) -> None:
    site = undoing(4)
    site.run(moment_ms)
    site.restart()
    assert worst_dark(site, 30_000, besides={"A-c3"}) <= 1
    assert site.entry.phase is Phase.READY
    assert back(site) == [("A-c0",), ("A-c1",), ("A-c2",)]


def test_after_a_restart_a_recorder_that_was_not_heard_yet_is_not_taken_for_one_that_has_none() -> None:
    site = handed(3)
    site.run(4_000)
    site.server("A").up = False
    site.restart()
    site.ask(c.AbortFailover(failover=site.entry.id))
    assert site.entry.phase is Phase.FAILBACK_UNDOING
    site.run(2_000)
    site.server("A").up = True
    assert worst_dark(site, 20_000, besides={"A-c2"}) <= 1
    assert site.entry.phase is Phase.READY


def test_a_failover_of_the_group_does_not_wait_for_it() -> None:
    site = undoing(4)
    assert isinstance(site.ask(c.StartFailover(recorder=rid("B"))), c.Done)
    site.run(1_000)
    assert site.entry.phase in (Phase.RECORDED, Phase.READY)
    site.run(20_000)
    assert {entry.phase for entry in site.state.failovers.values()} == {Phase.READY}
    assert back(site) == [("A-c0",), ("A-c1",), ("A-c2",)]


def test_a_failover_of_the_group_undoes_a_failback_that_gives_them_back_one_by_one() -> None:
    site = handed(4)
    site.run(4_000)
    site.ask(c.StartFailover(recorder=rid("B")))
    first = min(site.state.failovers.values(), key=lambda entry: entry.number)
    assert first.phase is Phase.FAILBACK_UNDOING
    assert site.entry.phase is not Phase.QUEUED
    assert worst_dark(site, 20_000, besides={"A-c3"}) == 1


def test_what_people_are_told_meanwhile() -> None:
    site = undoing(3)
    entry = site.entry.id
    refused = (
        (c.AbortFailover(failover=entry), "is being undone already"),
        (c.StartFailback(failover=entry), "is being undone; start it again"),
        (c.SwitchOver(recorder=rid("F")), "is being undone; wait until F has all of its cameras"),
        (c.BackUp(), "A failback is running"),
    )
    for request, words in refused:
        answer = site.ask(request)
        assert isinstance(answer, c.Refused)
        assert words in answer.sentence


def test_what_a_person_has_to_look_into_is_said_when_it_is_undone() -> None:
    site = handed(3)
    site.run(9_000, until=lambda: site.entry.phase is Phase.FAILBACK_UNDOING)
    assert (site.entry.to_do, site.entry.failback_tries) == ((), 0)
    site.run(15_000)
    assert "Find out why A did not get its cameras back" in site.entry.to_do[0]


def test_a_recorder_that_was_not_heard_keeps_nobody_from_its_cameras() -> None:
    site = undoing(2)
    assert isinstance(site.row("F").assignment, Acting)
    assert not_given_back_yet(site.state, site.core.seen, site.entry)
    assert not not_given_back_yet(site.state, Seen(site.now), site.entry)
    site.server("A").beats = False
    site.server("A").service = r.ServiceState.STARTING
    site.run(4_000)
    assert not not_given_back_yet(site.state, site.core.seen, site.entry)
