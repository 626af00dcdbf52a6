"""Maintenance (SPEC 13.6) and system settings: what is stopped, what goes on, and how it ends."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.maintenance import LOOK_MS, due_ms, maintenance_of
from sysmanager.coordinator.preview import preview_failover
from sysmanager.coordinator.selection import choose
from sysmanager.domain.failover import LogState, Phase, Severity, Trigger
from sysmanager.domain.group import Group
from sysmanager.domain.instant import Instant
from sysmanager.domain.maintenance import LONGEST_MS, SYSTEM, Scope, Target
from sysmanager.domain.system import SystemSettings, objection_to
from sysmanager.engine.rows import recorder_row, system_row
from sysmanager.protocol import clients as c
from tests.helpers.coordination import ADMIN, GROUP, WALL_MS, Site, contents, edit, rid, small_site

HOUR_MS = 3_600_000
A = Target(scope=Scope.RECORDER, id="A")
GATE = Target(scope=Scope.GROUP, id=GROUP)


def begin(site: Site, target: Target = A, minutes: int = 60) -> c.Reply:
    return site.ask(c.StartMaintenance(target=target, reason="new disks", until_wall_ms=site.now.wall_ms + minutes * 60_000))


def refused(site: Site, request: c.Request) -> str:
    reply = site.ask(request)
    assert isinstance(reply, c.Refused), reply
    return reply.sentence


# ---------------------------------------------------------------- what it stops


@pytest.mark.parametrize("target", [A, GATE, SYSTEM], ids=lambda target: target.key)
def test_nothing_fails_over_by_itself_and_the_log_says_once_what_would_have_happened(target: Target) -> None:
    site = small_site()
    assert begin(site, target) == c.Done(
        sentence=f"{ {'recorder A': 'A', 'group g': 'The group Gate', 'system': 'The system'}[target.key] } is in maintenance: "
        "nothing fails over by itself there."
    )
    site.server("A").up = False
    site.run(60_000)
    entry = site.entry
    assert len(site.state.failovers) == 1
    assert (entry.recorder, entry.phase, entry.trigger, entry.server) == ("A", Phase.WITHHELD, Trigger.CONNECTION, None)
    assert (entry.log_state, entry.log_state.severity) == (LogState.WITHHELD, Severity.WARNING)
    assert entry.note == "It would have failed over to F now. In maintenance (new disks)."
    assert [verdict.server for verdict in entry.verdicts if verdict.rank] == ["F", "H"]
    assert entry.ended_ms == entry.started_ms
    assert entry.id not in site.state.open
    assert contents(site.replayed()) == contents(site.state)


def test_the_nearest_maintenance_is_the_one_that_is_told() -> None:
    site = small_site()
    for target in (SYSTEM, GATE, A):
        begin(site, target)
    told = []
    for target in (A, GATE, SYSTEM):
        found = maintenance_of(site.state, site.row("A"))
        told.append(found.target if found is not None else None)
        site.ask(c.EndMaintenance(target=target))
    assert told == [A, GATE, SYSTEM]
    assert maintenance_of(site.state, site.row("A")) is None


def test_what_would_have_happened_is_said_again_after_the_recorder_was_well() -> None:
    site = small_site()
    begin(site)
    for _ in range(2):
        site.server("A").up = False
        site.run(15_000)
        site.server("A").up = True
        site.run(5_000)
    assert [entry.phase for entry in site.state.failovers.values()] == [Phase.WITHHELD, Phase.WITHHELD]


def test_without_a_candidate_the_word_says_so() -> None:
    site = small_site()
    begin(site)
    for name in "AFH":
        site.server(name).up = False
    site.run(15_000)
    assert site.entry.note == "It would have failed over and waited for a failover server now. In maintenance (new disks)."


def test_lost_disks_are_told_too_and_a_hold_is_told_by_itself() -> None:
    site = small_site()
    begin(site)
    site.server("A").disks = {"D:": False}
    site.run(10_000)
    assert site.entry.trigger is Trigger.DISKS
    held = small_site()
    begin(held)
    held.ask(c.HoldFailover(recorder=rid("A")))
    held.server("A").up = False
    held.run(20_000)
    assert held.state.failovers == {}


def test_a_failover_by_hand_works_in_every_maintenance_but_that_of_the_candidates() -> None:
    site = small_site()
    for target in (A, GATE, SYSTEM, Target(scope=Scope.RECORDER, id="F")):
        begin(site, target)
    choice = choose(site.state, site.core.seen, failed=site.row("A"), home=site.row("A"), group=site.state.groups[GROUP])
    assert {verdict.server: verdict.sentence for verdict in choice.verdicts}["F"] == "is in maintenance"
    assert site.fail_over("A").server == "H"


def test_the_maintenance_of_the_home_does_not_cover_who_acts_for_it_and_that_of_the_group_does() -> None:
    site = small_site()
    site.fail_over("A")
    begin(site)
    assert maintenance_of(site.state, site.row("F")) is None
    begin(site, GATE)
    found = maintenance_of(site.state, site.row("F"))
    assert found is not None
    assert found.target == GATE
    site.ask(c.EndMaintenance(target=GATE))
    site.run(2_000)
    site.server("F").up = False
    site.run(15_000)
    assert (site.entry.recorder, site.entry.server) == ("F", "H")


def test_a_server_of_no_group_is_covered_by_its_own_and_the_systems() -> None:
    site = small_site()
    site.ask(c.EditRecorder(recorder=rid("A"), revision=1, fields=edit("A", group=None)))
    begin(site, GATE)
    assert maintenance_of(site.state, site.row("A")) is None
    begin(site, SYSTEM)
    assert maintenance_of(site.state, site.row("A")) == site.state.maintenance["system"]


# ---------------------------------------------------------------- how it ends


def test_it_ends_by_itself_and_what_waits_is_failed_over_then() -> None:
    site = small_site()
    begin(site, minutes=2)
    site.server("A").up = False
    site.run(119_000)
    assert site.entry.phase is Phase.WITHHELD
    site.run(2_000)
    assert site.of(f.MaintenanceEnded) == [f.MaintenanceEnded(target=A, sentence="Its time is over.")]
    assert site.state.maintenance == {}
    assert (site.entry.number, site.entry.phase) == (2, Phase.READY)


def test_the_end_is_looked_for_at_least_once_a_minute_as_the_wall_clock_may_be_set() -> None:
    site = small_site()
    assert due_ms(site.state, site.now) is None
    begin(site, minutes=180)
    begin(site, GATE, minutes=240)
    assert due_ms(site.state, site.now) == site.mono_ms + LOOK_MS
    set_forward = Instant(mono_ms=site.mono_ms, wall_ms=site.now.wall_ms + 4 * HOUR_MS)
    assert due_ms(site.state, set_forward) == site.mono_ms + 1
    near = Instant(mono_ms=site.mono_ms, wall_ms=site.now.wall_ms + 3 * HOUR_MS - 5_000)
    assert due_ms(site.state, near) == site.mono_ms + 5_000


def test_it_survives_a_restart_and_ends_after_it() -> None:
    site = small_site()
    begin(site, minutes=1)
    site.restart()
    site.run(2_000)
    assert A.key in site.state.maintenance
    site.run(60_000)
    assert site.state.maintenance == {}


def test_it_is_ended_by_hand_and_changed_by_another_one() -> None:
    site = small_site()
    begin(site)
    site.ask(c.StartMaintenance(target=A, reason="new fans", until_wall_ms=WALL_MS + 2 * HOUR_MS))
    assert site.state.maintenance[A.key].reason == "new fans"
    assert site.ask(c.EndMaintenance(target=A)) == c.Done(sentence="The maintenance of A has ended.")
    begin(site, GATE)
    assert site.ask(c.EndMaintenance(target=GATE)) == c.Done(sentence="The maintenance of the group Gate has ended.")
    site.server("A").up = False
    site.run(12_000)
    assert site.entry.recorder == "A"
    assert site.entry.phase is Phase.READY


def test_a_removed_server_or_group_takes_its_maintenance_along() -> None:
    site = small_site()
    site.ask(c.SaveGroup(group=Group(id="n", name="North")))
    begin(site, Target(scope=Scope.GROUP, id="n"))
    begin(site, Target(scope=Scope.RECORDER, id="B"))
    site.ask(c.RemoveGroup(group="n"))
    site.ask(c.RemoveRecorder(recorder=rid("B")))
    assert site.state.maintenance == {}


def test_requests_that_make_no_sense_are_refused() -> None:
    site = small_site()
    soon = site.now.wall_ms + HOUR_MS
    start = c.StartMaintenance(target=A, reason="x", until_wall_ms=soon)
    replace = msgspec.structs.replace
    assert refused(site, replace(start, reason=" ")) == (
        "The reason of a maintenance has 1 to 200 printable characters; correct the field reason."
    )
    assert refused(site, replace(start, until_wall_ms=site.now.wall_ms)) == (
        "The end of a maintenance lies in the future; correct the field until."
    )
    assert "more than a year ahead" in refused(site, replace(start, until_wall_ms=site.now.wall_ms + LONGEST_MS + 1))
    assert refused(site, replace(start, target=Target(scope=Scope.RECORDER, id="Z"))).startswith("There is no server Z;")
    assert refused(site, replace(start, target=Target(scope=Scope.GROUP, id="Z"))) == "There is no group Z; see the list of groups."
    assert refused(site, replace(start, target=Target(scope=Scope.SYSTEM, id="Z"))).startswith("The system has no id;")
    assert refused(site, c.EndMaintenance(target=A)) == "A is not in maintenance."


# ---------------------------------------------------------------- with a failover by hand


def test_a_failover_by_hand_puts_the_recorder_into_maintenance_until_it_is_given_back() -> None:
    site = small_site()
    site.ask(c.StartFailover(recorder=rid("A")))
    site.run(5_000)
    found = site.state.maintenance[A.key]
    assert (found.reason, found.failover, found.actor) == ("Failed over by hand", site.entry.id, ADMIN)
    assert found.until_wall_ms == found.since_wall_ms + 8 * HOUR_MS
    assert recorder_row(site.state, site.core.seen, site.row("A"), site.now).maintenance == found
    assert isinstance(site.fail_back(), c.Done)
    site.run(10_000)
    assert site.entry.phase is Phase.RETURNED
    assert site.of(f.MaintenanceEnded) == [f.MaintenanceEnded(target=A, sentence="The failover by hand that it came with is over.")]
    assert A.key not in site.state.maintenance


def test_an_aborted_failover_by_hand_takes_its_maintenance_along() -> None:
    site = small_site()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    site.ask(c.AbortFailover(failover=site.entry.id))
    site.run(2_000)
    assert site.state.maintenance == {}


def test_a_maintenance_that_was_there_before_stays_as_it_is() -> None:
    site = small_site()
    begin(site)
    before = site.state.maintenance[A.key]
    site.ask(c.StartFailover(recorder=rid("A")))
    site.run(5_000)
    site.fail_back()
    site.run(10_000)
    assert site.state.maintenance == {A.key: before}


def test_unticked_there_is_none() -> None:
    site = small_site()
    site.ask(c.StartFailover(recorder=rid("A"), maintenance=False))
    site.run(5_000)
    assert site.state.maintenance == {}


# ---------------------------------------------------------------- what people see


def test_rows_say_so() -> None:
    site = small_site()
    begin(site, GATE)
    row = recorder_row(site.state, site.core.seen, site.row("A"), site.now)
    assert (row.condition, row.health) == ("in maintenance", c.Health.WARNING)
    system = system_row(site.state, site.core.seen, site.now, site="S", practice=False, lag_ms=0, ready={})
    assert [found.target for found in system.maintenance] == [GATE]
    assert system.settings == SystemSettings()
    preview = preview_failover(site.state, site.core.seen, site.row("A"))
    assert preview.allowed


# ---------------------------------------------------------------- system settings


def test_system_settings_are_edited_once_at_a_time() -> None:
    site = small_site()
    careful = SystemSettings(brake_limit_s=None, opinion_holds=True, announced_timeout_s=600)
    assert site.ask(c.EditSystem(revision=1, settings=careful)) == c.Done(sentence="The system settings were saved.")
    assert (site.state.settings, site.state.settings_revision) == (careful, 2)
    assert "changed by someone else" in refused(site, c.EditSystem(revision=1, settings=careful))
    assert refused(site, c.EditSystem(revision=2, settings=SystemSettings(brake_minimum=0))).startswith("0 does not fit the field")
    assert contents(site.replayed()) == contents(site.state)


@pytest.mark.parametrize(
    "wrong",
    [{"brake_share_percent": 0}, {"brake_minimum": 1}, {"brake_limit_s": -1}, {"manual_maintenance_min": 0}, {"announced_timeout_s": 11}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_setting_that_does_not_fit_is_named(wrong: dict[str, int]) -> None:
    sentence = objection_to(SystemSettings(**wrong))
    assert sentence is not None
    assert next(iter(wrong)) in sentence


def test_settings_that_fit() -> None:
    assert objection_to(SystemSettings()) is None
    assert objection_to(SystemSettings(brake_limit_s=None, announced_timeout_s=600)) is None
