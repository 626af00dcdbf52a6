"""The planned switch (SPEC 14.3): no gap, no waiting, no delay for a failover, and a healthy recorder left as it was when it fails."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.opening import choice_for
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.switching import dark_on, expected_on, open_switch
from sysmanager.domain.failover import AttemptEnd, LogState, Phase, Reason, Trigger
from sysmanager.domain.group import Group
from sysmanager.domain.recorder import Acting, Recording, Standby
from sysmanager.engine.rows import recorder_row
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers import switches
from tests.helpers.coordination import GROUP, Site, analogue, cameras_of, edit, rid, small_site


def preview(site: Site, server: str = "A") -> c.Preview:
    from sysmanager.coordinator.preview import answer

    found = answer(site.state, site.core.seen, c.PreviewSwitch(recorder=rid(server)))
    assert isinstance(found, c.Preview)
    return found


def test_the_recorder_records_until_the_server_has_every_camera() -> None:
    site = switches.begun()
    site.run(2_500)
    assert site.entry.phase is Phase.SAVED
    assert site.entry.expected == ("A-c0", "A-c1", "A-c2")
    assert site.server("A").mode is r.Mode.RECORDING
    assert isinstance(site.row("A").assignment, Recording)
    site.run(2_500)
    assert (site.entry.phase, site.entry.trigger, site.entry.dark) == (Phase.READY, Trigger.PLANNED, ())
    assert isinstance(site.row("F").assignment, Acting)
    assert site.server("A").mode is r.Mode.STANDBY


def test_a_recorder_that_was_switched_over_is_no_alarm_and_is_failed_back_as_usual() -> None:
    site = switches.switched()
    row = recorder_row(site.state, site.core.seen, site.row("A"), site.now)
    assert (row.health, row.condition) == (c.Health.WARNING, "switched over")
    site.fail_back()
    site.run(3_000)
    assert site.entry.phase is Phase.RETURNED
    site = switches.switched()
    site.server("A").up = False
    site.run(90_000)
    row = recorder_row(site.state, site.core.seen, site.row("A"), site.now)
    assert (row.health, row.condition) == (c.Health.WARNING, "switched over, not connected")


def test_dark_cameras_that_the_recorder_records_undo_it_and_nothing_is_held() -> None:
    site = switches.too_dark()
    entry = site.entry
    assert (entry.phase, entry.log_state, entry.reason) == (
        Phase.FAILED,
        LogState.FAILOVER_FAILED,
        Reason.WRONG_STATE_OF_FAILOVER_SERVER,
    )
    assert "3 cameras gave the failover server no frame" in entry.note
    assert entry.attempts[0].end is AttemptEnd.WITHDRAWN
    assert (site.state.holds, site.server("A").mode) == ({}, r.Mode.RECORDING)
    site.run(2_000)
    assert isinstance(site.row("F").assignment, Standby)


def test_one_camera_is_enough_where_the_recorder_records_it() -> None:
    site = small_site(cameras=20)
    site.server("F").dark = {site.server("A").settings.cameras[0].id}
    site.ask(c.SwitchOver(recorder=rid("A")))
    site.run(11_000)
    assert (site.entry.phase, site.server("A").mode) == (Phase.FAILED, r.Mode.RECORDING)
    assert site.entry.note == "1 camera gave the failover server no frame within 10 s: A-c0; the recorder goes on."


def test_a_recorder_that_is_shut_down_is_relieved_of_what_can_be_recorded() -> None:
    site = small_site(cameras=20)
    site.server("F").dark = {camera.id for camera in site.server("A").settings.cameras[:15]}
    leaving = r.Leaving(recorder=rid("A"), instance=site.server("A").beat(site.now).instance, wall_ms=site.now.wall_ms)
    site.core.take(i.Announced(message=leaving), site.now, token="leaving")
    site.settle()
    site.run(11_000)
    assert (site.entry.phase, len(site.entry.dark)) == (Phase.READY, 15)


def test_a_camera_that_is_dark_on_the_recorder_does_not_count() -> None:
    assert switches.one_dark().entry.dark == ("A-c0",)
    site = small_site()
    site.server("A").dark = site.server("F").dark = {site.server("A").settings.cameras[1].id}
    site.run(1_000)
    switches.begun(site)
    assert site.entry.expected == ("A-c0", "A-c2")
    site.run(5_000)
    assert site.entry.phase is Phase.READY


def test_a_camera_that_is_dark_on_both_does_not_keep_those_with_one_session_from_their_turn() -> None:
    site = small_site(cameras=(*cameras_of("A", 1, sessions=1), *cameras_of("A", 3)[1:]))
    site.server("F").dark = {site.server("A").settings.cameras[1].id}
    site.ask(c.SwitchOver(recorder=rid("A")))
    site.run(5_000)
    site.server("A").dark = set(site.server("F").dark)
    assert site.of(f.SessionsPassed) == []
    site.run(10_000)
    assert [fact.cameras for fact in site.of(f.SessionsPassed)] == [("A-c0",)]
    assert site.server("A").mode is r.Mode.RECORDING
    site.run(10_000)
    assert (site.entry.phase, site.entry.dark) == (Phase.READY, ("A-c1",))


def test_a_recorder_that_breaks_in_the_middle_is_replaced_at_once_without_frames() -> None:
    site = switches.recorder_breaks()
    assert (site.entry.phase, site.entry.dark) == (Phase.READY, site.entry.expected)
    site = switches.begun()
    site.server("F").first_frame_ms = 60_000
    site.server("A").disks = {"D:": False}
    site.run(7_500)
    assert site.entry.phase is Phase.READY


def test_two_lost_servers_end_it_without_a_hold() -> None:
    site = small_site()
    site.server("F").answers = site.server("H").answers = False
    site.ask(c.SwitchOver(recorder=rid("A")))
    site.run(6_000)
    assert (site.entry.phase, site.state.holds) == (Phase.FAILED, {})
    assert site.of(f.HoldLifted) == [], "there was none, not even for a moment"


def test_after_a_restart_of_the_coordinator_it_goes_on() -> None:
    site = switches.begun()
    site.restart()
    assert site.entry.phase is Phase.SAVED
    site.run(5_000)
    assert site.entry.phase is Phase.READY


def test_after_a_restart_a_server_that_is_not_heard_ends_it_when_the_time_is_over() -> None:
    site = switches.begun()
    site.server("F").up = False
    site.restart()
    site.run(9_000)
    assert site.entry.phase is Phase.SAVED
    site.run(2_000)
    assert (site.entry.phase, site.entry.reason) == (Phase.FAILED, Reason.NO_CONNECTION)


def test_the_rows_judge_an_entry_whose_server_is_gone_as_dark() -> None:
    site = switches.begun()
    assert expected_on(site.state, Seen(site.now), site.entry) == site.entry.moved
    entry = msgspec.structs.replace(site.entry, server=None)
    assert dark_on(site.core.seen, entry) == entry.expected


def silent_recorder(site: Site) -> None:
    site.server("A").up = False
    site.run(4_000)


def busy_group(site: Site) -> None:
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("B")))


def backup_after_a_failover(site: Site) -> None:
    site.backup_ends = False
    site.fail_over("B")


def no_room(site: Site) -> None:
    for server in ("F", "H"):
        site.server(server).camera_limit = 1
    site.run(1_000)


def not_standby(site: Site) -> None:
    for server in ("F", "H"):
        site.server(server).up = False
    site.run(4_000)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (silent_recorder, "does not record at the moment"),
        (busy_group, "is running in the group"),
        (backup_after_a_failover, "The backup after the last failover of the group is being made"),
        (no_room, "No failover server of the group can take"),
        (not_standby, "No failover server of the group Gate is connected"),
    ],
)
def test_it_is_refused_with_a_sentence_and_the_preview_says_the_same(spoil: object, sentence: str) -> None:
    site = small_site()
    spoil(site)  # type: ignore[operator]  # a function of the site
    found = preview(site)
    reply = site.ask(c.SwitchOver(recorder=rid("A")))
    assert isinstance(reply, c.Refused)
    assert sentence in reply.sentence
    assert not found.allowed
    assert reply.sentence in [check.sentence for check in found.checks]
    assert open_switch(site.state, site.core.seen, site.row("A"), site.now) == ()


def test_the_preview_shows_what_will_happen_and_changes_nothing() -> None:
    site = small_site(cameras=cameras_of("A", 2, sessions=1))
    before = len(site.journal)
    found = preview(site)
    assert (found.allowed, found.target, found.moves, found.handed_over_singly) == (True, "F", ("A-c0", "A-c1"), ("A-c0", "A-c1"))
    assert "F would record 2 cameras first; then A would stop." in [check.sentence for check in found.checks]
    assert len(site.journal) == before
    staying = preview(small_site(cameras=(*cameras_of("A", 2), analogue("A"))))
    assert "1 cameras do not move; nobody records them until the failback." in [check.sentence for check in staying.checks]
    from sysmanager.coordinator.preview import answer

    assert isinstance(answer(site.state, site.core.seen, c.PreviewSwitch(recorder=rid("nobody"))), c.Refused)


def test_without_a_group_or_its_documents_nobody_can_be_chosen() -> None:
    site = Site(group=Group(id=GROUP, name="Gate"))
    site.add("A", group=None)
    site.add("F", failover=True)
    site.fetch_works = False
    site.add("B")
    site.run(2_000)
    assert choice_for(site.state, site.core.seen, site.row("A")).server is None
    choice = choice_for(site.state, Seen(site.now), site.row("B"))
    assert choice.server is None
    assert choice_for(site.state, site.core.seen, site.row("B")).server is None


def test_a_planned_switch_is_no_flapping() -> None:
    site = small_site()
    site.ask(c.EditRecorder(recorder=rid("A"), revision=1, fields=edit("A", automatic_failback=True)))
    switches.begun(site)
    site.run(5_000)
    assert (site.entry.phase, site.state.failback_holds) == (Phase.READY, {})


def test_a_camera_that_comes_back_on_the_recorder_meanwhile_counts() -> None:
    site = small_site(cameras=20)
    back, late = (camera.id for camera in site.server("A").settings.cameras[:2])
    site.server("A").dark, site.server("F").dark = {back}, {back, late}
    site.run(2_000)
    site.ask(c.SwitchOver(recorder=rid("A")))
    site.run(2_000)
    assert site.entry.phase is Phase.SAVED
    assert back not in site.entry.expected
    site.server("A").dark, site.server("F").dark = set(), {back}
    site.run(3_000)
    assert site.entry.phase is Phase.SAVED, "the recorder has it, and the server does not"
    site.run(7_000)
    assert site.entry.phase is Phase.FAILED
    assert site.entry.note == f"1 camera gave the failover server no frame within 10 s: {back}; the recorder goes on."
