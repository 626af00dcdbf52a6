"""When a recorder gets its tasks back by itself, and what keeps it from that (SPEC 8, 13.5)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.automatic_failback import Outlook, _pause_s, held_after_commit, outlook
from sysmanager.domain.failover import Phase, Reason, Trigger
from sysmanager.domain.instant import Instant
from sysmanager.domain.maintenance import Scope, Target
from sysmanager.domain.recorder import Acting, Broken, edit_of
from sysmanager.domain.rights import COORDINATOR
from sysmanager.engine.alarms import undone_alarms
from sysmanager.engine.rows import system_row
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import WALL_MS, Site, contents, edit, rid, small_site

AFTER_S = 30
WINDOW_MS = 3_600_000
"""The usual time within which two failovers of one recorder hold its failback."""


def replaced_site(**changes: object) -> Site:
    """A was lost and is replaced by F; it has just come back."""
    site = small_site(**{"automatic_failback": True, "failback_after_s": AFTER_S, **changes})
    lose(site)
    site.server("A").up = True
    return site


def lose(site: Site) -> None:
    site.server("A").up = False
    site.run(30_000, until=lambda: isinstance(site.row("A").assignment, Broken) and site.entry.phase is Phase.READY)
    assert site.entry.phase is Phase.READY


def seen(site: Site) -> Outlook:
    return outlook(site.state, site.core.seen, site.entry, site.now)


def started(site: Site) -> list[int]:
    """When automatic failbacks started."""
    return [at_ms for at_ms, fact in site.times if isinstance(fact, f.FailbackStarted) and fact.automatic]


def test_it_fails_back_when_it_was_stable_for_its_time() -> None:
    site = replaced_site()
    site.run(60_000, until=lambda: site.core.seen.stable_ms(rid("A")) > 0)
    since_ms = site.mono_ms
    due_ms = seen(site).due_in_ms
    assert due_ms is not None
    assert abs(due_ms - AFTER_S * 1000) <= 1_000
    site.run(60_000, until=lambda: bool(started(site)))
    assert AFTER_S * 1000 - 1_500 <= site.mono_ms - since_ms <= AFTER_S * 1000 + 1_500
    site.run(5_000)
    assert site.entry.phase is Phase.RETURNED
    assert site.entry.failback is not None
    assert site.entry.failback.automatic
    assert site.entry.failback.actor == COORDINATOR
    assert contents(site.state) == contents(site.replayed())


def test_after_a_failback_nothing_is_to_be_expected() -> None:
    site = replaced_site()
    site.run(45_000)
    assert seen(site) == Outlook()


def crash(site: Site) -> None:
    """Its service starts anew, and is heard without a pause."""
    boots = site.server("A").beat
    site.server("A").beat = lambda now: msgspec.structs.replace(boots(now), boot=2)  # type: ignore[method-assign]


def lose_a_disk(site: Site) -> None:
    site.server("A").disks = {"D:": True, "E:": False}


def break_and_mend_disks(site: Site) -> None:
    site.server("A").disks = {"D:": False}
    site.run(1_500)
    site.server("A").disks = {"D:": True}


def fall_silent(site: Site) -> None:
    site.server("A").up = False
    site.run(4_000)
    site.server("A").up = True


def lose_the_service(site: Site) -> None:
    site.server("A").service = r.ServiceState.FAILED
    site.run(2_000)
    site.server("A").service = r.ServiceState.RUNNING


@pytest.mark.parametrize("trouble", [crash, lose_a_disk, break_and_mend_disks, fall_silent, lose_the_service], ids=lambda one: one.__name__)
def test_what_is_not_stable_begins_its_time_anew(trouble: Callable[[Site], None]) -> None:
    site = replaced_site(disks={"D:": True, "E:": True} if trouble is lose_a_disk else {"D:": True})
    site.run(20_000)
    assert site.core.seen.stable_ms(rid("A")) >= 15_000
    trouble(site)
    site.run(25_000)
    assert started(site) == []
    site.run(15_000)
    assert len(started(site)) == 1


def test_a_missed_beat_is_no_trouble() -> None:
    site = replaced_site()
    site.run(10_000)
    site.server("A").up = False
    site.run(1_500)
    site.server("A").up = True
    site.run(25_000)
    assert len(started(site)) == 1


def test_time_in_which_the_coordinator_could_not_hear_does_not_count() -> None:
    site = replaced_site()
    site.run(10_000)
    site.canary = False
    site.run(30_000)
    assert started(site) == []
    site.canary = True
    site.run(5_000)
    assert started(site) == []


def test_a_server_that_never_fell_silent_waits_from_the_failover_on() -> None:
    """Its disks were lost, or it could reach no camera: that it is connected all the time says nothing."""
    site = small_site(automatic_failback=True, failback_after_s=AFTER_S)
    site.server("A").disks = {"D:": False}
    site.run(10_000, until=lambda: isinstance(site.row("A").assignment, Broken))
    site.core.seen.of(rid("A")).sound = (0, 0)
    site.server("A").disks = {"D:": True}
    site.run(20_000)
    assert started(site) == []


def test_after_a_restart_of_the_coordinator_the_time_begins_anew() -> None:
    site = replaced_site()
    site.run(25_000)
    site.restart()
    site.run(25_000)
    assert started(site) == []
    site.run(10_000)
    assert len(started(site)) == 1


# ---------------------------------------------------------------- what stands in its way


def test_not_wanted_is_no_obstacle() -> None:
    site = replaced_site(automatic_failback=False)
    site.run(60_000)
    assert seen(site) == Outlook()
    assert started(site) == []


def test_a_failover_by_hand_is_given_back_by_hand() -> None:
    site = small_site(automatic_failback=True, failback_after_s=AFTER_S)
    site.fail_over("A")
    site.run(60_000)
    assert started(site) == []
    assert seen(site).obstacle == "the failover was started by hand, so only a person fails back"


def test_so_is_the_one_after_it_whatever_started_that() -> None:
    site = small_site(automatic_failback=True, failback_after_s=AFTER_S)
    site.fail_over("A")
    site.server("A").answers = False
    site.run(1_000)
    site.server("A").up = site.server("F").up = False
    site.run(15_000)
    assert (site.entry.recorder, site.entry.server, site.entry.trigger) == ("F", "H", Trigger.CONNECTION)
    assert site.entry.by_hand
    site.server("A").up = site.server("A").answers = True
    site.run(60_000)
    assert started(site) == []


def test_a_silent_failover_server_is_waited_for() -> None:
    site = replaced_site()
    site.run(20_000)
    site.server("F").up = False
    site.run(5_000)
    assert seen(site).obstacle == "F is not connected"


def test_a_server_out_of_system_data_acts_for_nobody() -> None:
    site = replaced_site()
    site.run(5_000)
    del site.state.recorders[rid("F")]
    assert seen(site).obstacle == "F no longer acts for A"


def test_steps_1_to_5_hold_for_it_as_for_one_by_hand() -> None:
    site = replaced_site()
    site.server("A").camera_limit = 1
    site.run(60_000)
    assert started(site) == []
    assert seen(site).obstacle == "A has room for 1 of 3 cameras"


def test_a_maintenance_stands_in_its_way_until_it_ends() -> None:
    site = replaced_site()
    target = Target(scope=Scope.RECORDER, id="A")
    site.ask(c.StartMaintenance(target=target, reason="new disks", until_wall_ms=site.now.wall_ms + 3_600_000))
    site.run(60_000)
    assert seen(site).obstacle == "A is in maintenance"
    assert started(site) == []
    site.ask(c.EndMaintenance(target=target))
    site.run(60_000)
    assert len(started(site)) == 1


def test_a_reconcile_that_is_not_confirmed_stands_in_its_way() -> None:
    site = replaced_site()
    site.run(10_000)
    site.server("B").epoch = 900
    site.restart(damage="The journal lost its tail.")
    site.run(10_000)
    assert seen(site).obstacle == "the reconcile is not confirmed yet"


def test_it_waits_for_its_hours() -> None:
    """The site's day begins at 08:53:20 UTC, and local time is two hours later."""
    assert WALL_MS % 86_400_000 == 32_000_000
    site = replaced_site(failback_hours="09:00-10:00")
    site.run(60_000)
    assert started(site) == []
    waits = seen(site)
    assert waits.hours
    assert waits.due_in_ms is not None
    assert (site.now.wall_ms + waits.due_in_ms) % 86_400_000 == 9 * 3_600_000
    site.run(waits.due_in_ms + 60_000)
    assert len(started(site)) == 1


def test_hours_are_those_of_the_sites_clock() -> None:
    site = replaced_site(failback_hours="11:00-12:00")
    site.run(20_000)
    there = msgspec.structs.replace(site.now, offset_min=120)
    later = outlook(site.state, site.core.seen, site.entry, there)
    assert later.due_in_ms is not None
    assert (there.wall_ms + later.due_in_ms) % 86_400_000 == 9 * 3_600_000


# ---------------------------------------------------------------- holds


def twice(site: Site) -> Site:
    """A is replaced for the second time, and back."""
    site.run(60_000, until=lambda: site.entry.phase is Phase.RETURNED)
    site.run(5_000)
    lose(site)
    site.server("A").up = True
    site.run(5_000)
    return site


def test_after_two_failovers_in_a_short_time_it_is_held_until_acknowledged_and_a_restart_changes_nothing() -> None:
    site = twice(replaced_site())
    hold = site.state.failback_holds[rid("A")]
    assert hold.cause is c.FailbackHoldCause.FLAPPING
    site.restart()
    site.run(60_000)
    assert len(started(site)) == 1
    assert seen(site).obstacle == "automatic failback is held after two failovers in a short time"
    assert site.ask(c.ReleaseFailback(recorder=rid("A"))) == c.Done(sentence="Automatic failback of A runs again.")
    site.run(10_000)
    assert len(started(site)) == 2
    assert contents(site.state) == contents(site.replayed())


def test_failover_is_never_held_for_that() -> None:
    site = twice(replaced_site())
    site.fail_back()
    site.run(5_000)
    assert site.entry.phase is Phase.RETURNED
    assert rid("A") in site.state.failback_holds, "a person has to have seen it"
    lose(site)
    assert isinstance(site.row("F").assignment, Acting)


@pytest.mark.parametrize("restarted", [False, True])
def test_long_apart_they_are_two_failovers_and_no_flapping(restarted: bool) -> None:
    site = replaced_site()
    site.run(60_000, until=lambda: site.entry.phase is Phase.RETURNED)
    site.run(10_000)
    if restarted:
        site.restart()
    site.mono_ms += WINDOW_MS
    site.run(10_000)
    lose(site)
    assert site.state.failback_holds == {}


def test_the_window_of_flapping_is_as_many_whole_minutes_as_are_set() -> None:
    site = replaced_site()
    replaced_wall_ms = site.state.replaced_wall_ms[rid("A")]
    window_ms = site.state.settings.flap_window_min * 60_000

    def holds(after_ms: int) -> bool:
        at_ms = replaced_wall_ms - WALL_MS + after_ms
        now = Instant(mono_ms=at_ms + window_ms, wall_ms=WALL_MS + at_ms)
        return bool(held_after_commit(site.state, site.core.seen, site.entry, now))

    assert (holds(window_ms - 1), holds(window_ms)) == (True, False)


def test_the_time_is_a_setting_of_the_system() -> None:
    site = replaced_site()
    settings = msgspec.structs.replace(site.state.settings, flap_window_min=1)
    assert isinstance(site.ask(c.EditSystem(revision=site.state.settings_revision, settings=settings)), c.Done)
    site.run(60_000, until=lambda: site.entry.phase is Phase.RETURNED)
    site.run(60_000)
    lose(site)
    assert site.state.failback_holds == {}
    wrong = msgspec.structs.replace(settings, flap_window_min=0)
    refused = site.ask(c.EditSystem(revision=site.state.settings_revision, settings=wrong))
    assert "0 does not fit the field flap_window_min; give a number of minutes from 1 to 10080" in refused.sentence


def test_a_wall_clock_that_was_set_forward_hides_nothing() -> None:
    site = replaced_site()
    site.run(60_000, until=lambda: site.entry.phase is Phase.RETURNED)
    site.state.replaced_wall_ms[rid("A")] -= 10 * WINDOW_MS
    site.run(10_000)
    lose(site)
    assert rid("A") in site.state.failback_holds


def test_who_does_not_fail_back_by_itself_is_not_held() -> None:
    site = replaced_site(automatic_failback=False)
    site.run(5_000)
    site.fail_back()
    site.run(5_000)
    lose(site)
    assert site.state.failback_holds == {}


def test_a_planned_switch_is_no_failure() -> None:
    site = replaced_site()
    site.run(60_000, until=lambda: site.entry.phase is Phase.RETURNED)
    site.run(5_000)
    assert isinstance(site.ask(c.SwitchOver(recorder=rid("A"))), c.Done)
    site.run(5_000)
    assert (site.entry.trigger, site.entry.phase) == (Trigger.PLANNED, Phase.READY)
    assert site.state.failback_holds == {}


def test_an_abort_holds_it_and_the_next_failback_by_hand_ends_that() -> None:
    site = replaced_site()
    site.server("A").first_frame_ms = 8_000
    site.run(60_000, until=lambda: site.entry.phase is Phase.FAILBACK_SAVED)
    site.ask(c.AbortFailover(failover=site.entry.id))
    assert site.state.failback_holds[rid("A")].cause is c.FailbackHoldCause.ABORT
    site.run(90_000)
    assert len(started(site)) == 1
    site.server("A").first_frame_ms = 300
    site.fail_back()
    site.run(5_000)
    assert site.entry.phase is Phase.RETURNED
    assert site.state.failback_holds == {}


def test_an_aborted_failback_by_hand_is_not_followed_by_one_by_itself_but_only_where_that_was_to_be_expected() -> None:
    for by_itself in (True, False):
        site = replaced_site(automatic_failback=by_itself)
        site.server("A").first_frame_ms = 8_000
        site.run(10_000)
        site.fail_back()
        site.run(500)
        site.ask(c.AbortFailover(failover=site.entry.id))
        assert (rid("A") in site.state.failback_holds) is by_itself


def test_tries_that_are_undone_are_repeated_after_ever_longer_waits_and_only_so_often() -> None:
    site = replaced_site()
    site.server("A").dark = {camera.id for camera in site.server("A").settings.cameras}
    site.run(60_000, until=lambda: bool(started(site)))
    site.run(12_000)
    note = "3 cameras gave the recorder no frame within 10 s: A-c0, A-c1, A-c2. The failover server goes on."
    assert site.entry.to_do_left == (f"Find out why A did not get its cameras back: {note}",)
    (alarm,) = undone_alarms(site.state)
    again = "It is tried again after a longer wait, 3 times in all."
    assert alarm.sentence == f"A did not get its cameras back by itself, and F goes on. {note} {again}"
    assert alarm in system_row(site.state, site.core.seen, site.now, site="S", practice=False, lag_ms=0, ready={}).alarms
    site.run(6 * 60_000)
    first, second, third = started(site)
    waits = (second - first - 10_000, third - second - 10_000)
    assert [round(wait / 1000) for wait in waits] == [2 * AFTER_S, 4 * AFTER_S]
    assert site.state.failback_holds[rid("A")].cause is c.FailbackHoldCause.FAILURE
    assert undone_alarms(site.state) == [], "the hold has its own"
    assert len(site.entry.to_do) == 1
    assert site.entry.failback is not None
    assert site.entry.failback.reason is Reason.WRONG_STATE_OF_SERVER
    assert contents(site.state) == contents(site.replayed())


def test_no_wait_is_longer_than_an_hour() -> None:
    for after_s, pauses in ((300, [300, 600, 1_200, 2_400, 3_600]), (3_600, [3_600] * 5)):
        site = replaced_site(failback_after_s=after_s)
        entries = [msgspec.structs.replace(site.entry, failback_tries=tries) for tries in range(5)]
        assert [_pause_s(entry, site.row("A")) for entry in entries] == pauses


def test_a_failback_by_hand_that_was_undone_is_no_alarm_and_on_the_to_do_list() -> None:
    site = small_site()
    site.fail_over("A")
    site.run(2_000)
    site.server("A").answers = False
    site.fail_back()
    site.run(6_000)
    assert undone_alarms(site.state) == []
    assert site.entry.to_do_left == ("Find out why A did not get its cameras back: The recorder did not answer in time.",)


def test_when_it_is_switched_off_meanwhile_a_person_is_asked_to() -> None:
    site = replaced_site()
    site.server("A").dark = {camera.id for camera in site.server("A").settings.cameras}
    site.run(60_000, until=lambda: bool(started(site)))
    site.run(12_000)
    site.state.recorders[rid("A")] = msgspec.structs.replace(site.row("A"), automatic_failback=False)
    assert undone_alarms(site.state)[0].sentence.endswith("Start it by hand.")


def test_a_hold_that_is_there_already_stays_as_it_is() -> None:
    site = replaced_site()
    site.run(10_000)
    site.ask(c.HoldFailback(recorder=rid("A")))
    site.server("A").first_frame_ms = 8_000
    site.fail_back()
    site.run(500)
    site.ask(c.AbortFailover(failover=site.entry.id))
    assert site.state.failback_holds[rid("A")].cause is c.FailbackHoldCause.PERSON


def test_a_person_holds_it_and_lets_it_go() -> None:
    site = replaced_site()
    site.run(10_000)
    assert site.ask(c.HoldFailback(recorder=rid("A"))) == c.Done(sentence="Automatic failback of A is held.")
    assert site.ask(c.HoldFailback(recorder=rid("A"))) == c.Refused(
        sentence="Automatic failback of A is held already; acknowledge that to let it run again."
    )
    site.run(60_000)
    assert started(site) == []
    site.ask(c.ReleaseFailback(recorder=rid("A")))
    site.run(3_000)
    assert len(started(site)) == 1
    assert site.ask(c.ReleaseFailback(recorder=rid("A"))) == c.Refused(sentence="Automatic failback of A is not held.")


def test_there_is_nothing_to_hold_where_it_is_off() -> None:
    refused = small_site().ask(c.HoldFailback(recorder=rid("A")))
    assert isinstance(refused, c.Refused)
    assert refused.sentence == "A does not fail back by itself, so there is nothing to hold."


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"failback_after_s": 31}, "31 s is no time to be stable before a failback; choose one of 30 s, 1 min"),
        ({"failback_hours": "at night"}, "The field failback_hours is wrong: “at night” is no window of hours; write it as"),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, object], sentence: str) -> None:
    site = small_site()
    reply = site.ask(c.EditRecorder(recorder=rid("A"), revision=1, fields=edit("A", **changes)))
    assert isinstance(reply, c.Refused)
    assert reply.sentence.startswith(sentence)


def test_settings_are_kept() -> None:
    site = small_site()
    fields = edit("A", automatic_failback=True, failback_after_s=600, failback_hours="Mon-Fri 22:00-05:00")
    assert isinstance(site.ask(c.EditRecorder(recorder=rid("A"), revision=1, fields=fields)), c.Done)
    assert edit_of(site.row("A")) == fields


def test_a_server_that_is_removed_takes_its_holds_with_it() -> None:
    site = small_site(automatic_failback=True)
    site.ask(c.HoldFailback(recorder=rid("A")))
    site.ask(c.RemoveRecorder(recorder=rid("A")))
    assert site.state.failback_holds == {}
