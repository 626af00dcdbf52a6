"""A failover from trigger to "Failover ready" (SPEC 6, 7): what is tried, what is undone, what waits, what goes on after a restart."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.commands import SendOrder
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.failover import RETRY_MS, WAITING_LOOK_MS
from sysmanager.coordinator.inputs import DocumentsInCache
from sysmanager.coordinator.state import State
from sysmanager.domain.documents import DocumentKind
from sysmanager.domain.failover import AttemptEnd, LogState, Phase, Reason, Severity, Trigger
from sysmanager.domain.group import Group
from sysmanager.domain.ids import Epoch
from sysmanager.domain.recorder import Acting, Broken, Recording, Reserved, Standby
from sysmanager.domain.rights import COORDINATOR
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import GROUP, Site, analogue, cameras_of, contents, document_set, rid, small_site

REFUSAL = r.Refusal(reason=r.RefusalReason.CANNOT_SAVE, sentence="the disk is full")


def assignment(site: Site, server: str) -> object:
    return site.row(server).assignment


# ---------------------------------------------------------------- the eight steps


def test_the_eight_steps_in_order_each_a_fact_of_its_own() -> None:
    site = small_site()
    before = len(site.facts)
    entry = site.fail_over("A")
    kinds = [type(fact) for fact in site.facts[before:]]
    assert kinds[:6] == [f.FailoverStarted, f.DocumentsChecked, f.SettingsSaved, f.TasksMoved, f.ResultWritten, f.ClientsNotified]
    assert [step.number for step in entry.steps] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (entry.log_state, entry.log_state.severity) == (LogState.FAILOVER_READY, Severity.INFORMATION)
    assert entry.documents == document_set("A")
    assert entry.moved == ("A-c0", "A-c1", "A-c2")
    assert isinstance(assignment(site, "F"), Acting)
    assert isinstance(assignment(site, "A"), Broken)
    assert site.row("F").settings == site.row("A").settings
    timeline = entry.timeline
    assert timeline.detected_ms <= timeline.decided_ms <= timeline.saved_ms <= timeline.committed_ms


def test_the_reservation_the_epoch_and_the_documents_are_fixed_in_one_record() -> None:
    site = small_site()
    site.cache_answers = False
    epoch = site.state.next_epoch
    site.ask(c.StartFailover(recorder=rid("A"), maintenance=False))
    assert site.of(f.FailoverStarted)[-1].reservation.documents == document_set("A")
    assert assignment(site, "F") == Reserved(epoch=epoch, for_recorder=rid("A"), failover=site.entry.id)
    assert site.state.next_epoch == epoch + 1
    assert not any(isinstance(order, r.Record) for order in site.server("F").orders)


def test_the_order_carries_failover_step_attempt_epoch_and_documents() -> None:
    site = small_site()
    entry = site.fail_over("A")
    order = next(order for order in site.server("F").orders if isinstance(order, r.Record))
    assert order.key == r.OrderKey(failover=entry.id, step=4, attempt=1)
    assert (order.epoch, order.home, order.documents) == (entry.epoch, "A", document_set("A"))


def test_a_camera_without_room_is_left_out_by_the_order_and_what_never_moves_is_not_named() -> None:
    site = Site(group=Group(id=GROUP, name="Gate", partial=True))
    site.add("A", cameras=(*cameras_of("A", 3), analogue("A")))
    site.add("F", failover=True, camera_limit=2)
    site.run(3_000)
    site.fail_over("A")
    site.run(3_000)
    orders = [order for order in site.server("F").orders if isinstance(order, r.Record)]
    assert {order.without for order in orders} == {("A-c2",)}


def test_after_the_commit_the_recorder_is_told_to_stand_down() -> None:
    site = small_site()
    site.fail_over("A")
    assert site.server("A").mode is r.Mode.STANDBY


# ---------------------------------------------------------------- candidates that fail


def test_a_refusal_leads_to_the_next_candidate_and_the_log_shows_it() -> None:
    site = small_site()
    site.server("F").refusal = REFUSAL
    entry = site.fail_over("A")
    assert entry.server == "H"
    assert [(attempt.server, attempt.end) for attempt in entry.attempts] == [("F", AttemptEnd.REFUSED), ("H", None)]
    assert entry.attempts[0].sentence == "Refused: the disk is full"
    assert isinstance(assignment(site, "F"), Standby)


def test_a_server_that_applied_other_documents_is_not_taken_again_in_a_circle() -> None:
    site = small_site()
    site.server("F").obeys_otherwise = site.server("H").obeys_otherwise = True
    site.ask(c.StartFailover(recorder=rid("A")))
    site.run(20_000)
    assert site.entry.phase is Phase.WAITING
    assert [(attempt.server, attempt.end) for attempt in site.entry.attempts] == [("F", AttemptEnd.REFUSED), ("H", AttemptEnd.REFUSED)]


def test_a_lost_candidate_leads_to_the_next_within_two_seconds() -> None:
    site = small_site()
    site.server("F").answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    site.run(2_500)
    assert site.entry.server == "H"
    assert site.entry.attempts[0].end is AttemptEnd.LOST


def test_the_second_lost_candidate_is_said_to_be_lost_and_not_what_became_of_the_failover() -> None:
    site = small_site()
    site.server("F").answers = site.server("H").answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    site.run(5_000)
    assert (site.entry.phase, site.entry.note) == (Phase.FAILED, "Two failover servers were lost in this failover.")
    assert [(attempt.end, attempt.sentence) for attempt in site.entry.attempts] == [(AttemptEnd.LOST, "Did not answer in time.")] * 2


def test_a_candidate_that_takes_the_order_and_does_not_answer_is_lost_after_five_seconds() -> None:
    site = small_site()
    site.ask(c.HoldFailover(recorder=rid("B")))
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    entry = site.entry
    site._carry_out = lambda command: None  # orders vanish, and nobody says so
    site.core.take(_cached(site), site.now)
    site.run(4_900)
    assert site.state.failovers[entry.id].phase is Phase.FETCHED
    site.run(300)
    assert site.state.failovers[entry.id].attempts[0].end is AttemptEnd.LOST


def _cached(site: Site) -> DocumentsInCache:
    assert site.entry.documents is not None
    return DocumentsInCache(failover=site.entry.id, documents=site.entry.documents)


def test_two_lost_candidates_stop_the_failover_and_hold_the_recorder() -> None:
    site = small_site()
    for name in "KL":
        site.add(name, failover=True)
    site.run(2_000)
    for name in "FHK":
        site.server(name).answers = False
    site.server("A").up = False
    site.run(30_000)
    entry = site.entry
    assert (entry.phase, entry.reason, entry.lost) == (Phase.FAILED, Reason.NO_CONNECTION, 2)
    assert entry.log_state.severity is Severity.ERROR
    assert {attempt.server for attempt in entry.attempts} == {"F", "H"}
    assert site.state.holds[rid("A")].cause is c.HoldCause.FAILURE
    assert len(site.state.failovers) == 1, "nothing starts by itself while it is held"
    site.server("A").up = True
    site.run(2_000)
    assert site.state.holds == {}


def test_a_cache_that_does_not_answer_does_not_hold_up_the_group_for_ever() -> None:
    site = small_site()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    site.ask(c.StartFailover(recorder=rid("B")))
    site.run(19_000)
    assert [entry.phase for entry in site.state.failovers.values()] == [Phase.RESERVED, Phase.QUEUED]
    site.cache_answers = True
    site.run(2_000)
    assert [entry.phase for entry in site.state.failovers.values()] == [Phase.FAILED, Phase.READY]
    assert site.state.failovers["F00001"].reason is Reason.NO_SETTINGS


def test_a_failed_entry_gives_its_servers_back() -> None:
    site = small_site()
    site.missing = (DocumentKind.SETTINGS,)
    site.ask(c.StartFailover(recorder=rid("A")))
    assert (site.entry.phase, site.entry.reason) == (Phase.FAILED, Reason.NO_SETTINGS)
    assert isinstance(assignment(site, "F"), Standby)
    assert site.entry.attempts[0].end is AttemptEnd.WITHDRAWN, "the server is not to blame for the cache"


# ---------------------------------------------------------------- waiting


def test_without_a_candidate_the_entry_waits_is_said_once_and_is_taken_up_when_one_appears() -> None:
    site = small_site()
    for name in "AFH":
        site.server(name).up = False
    site.run(60_000)
    assert site.entry.log_state is LogState.WAITING
    assert site.entry.reason is Reason.NO_FAILOVER_SERVER
    assert len(site.of(f.FailoverWaiting)) == 1
    site.server("H").up = True
    site.run(1_500)
    assert (site.entry.phase, site.entry.server) == (Phase.READY, "H")


def test_a_refusing_candidate_is_asked_again_after_a_minute() -> None:
    site = small_site()
    site.server("H").up = False
    site.server("F").refusal = REFUSAL
    site.run(4_000)
    site.ask(c.StartFailover(recorder=rid("A")))
    assert site.entry.phase is Phase.WAITING
    site.server("F").refusal = None
    site.run(RETRY_MS - 5_000)
    assert site.entry.phase is Phase.WAITING
    site.run(6_000)
    assert (site.entry.phase, site.entry.server, len(site.entry.attempts)) == (Phase.READY, "F", 2)


def test_a_waiting_entry_is_looked_at_again_without_news_because_a_candidate_may_fit_by_what_others_did() -> None:
    """The only candidate knows an epoch that was not given out; other failovers of the site give it out, and nobody says anything new."""
    site = small_site()
    site.server("H").up = False
    site.server("F").epoch = 50
    site.run(4_000)
    site.ask(c.StartFailover(recorder=rid("A")))
    assert site.entry.phase is Phase.WAITING
    site.state.next_epoch = Epoch(51)
    site.run(WAITING_LOOK_MS + 2_000)
    assert site.entry.phase is Phase.READY


def test_an_entry_without_cached_settings_waits_for_them() -> None:
    site = Site()
    site.fetch_works = False
    site.add("A")
    site.add("F", failover=True)
    site.run(2_000)
    reply = site.ask(c.StartFailover(recorder=rid("A")))
    assert isinstance(reply, c.Done)
    assert "waits for its settings" in reply.sentence
    assert (site.entry.phase, site.entry.reason) == (Phase.WAITING, Reason.NO_SETTINGS)
    site.fetch_works = True
    site.run(2_000)
    assert site.entry.phase is Phase.READY


# ---------------------------------------------------------------- cancel and abort


@pytest.mark.parametrize("step", [Phase.RESERVED, Phase.FETCHED])
def test_before_the_commit_a_recorder_that_is_back_cancels_the_failover(step: Phase) -> None:
    site = small_site()
    site.cache_answers = step is not Phase.RESERVED
    site.server("F").answers = site.server("H").answers = False
    site.server("A").up = False
    site.run(11_000, until=lambda: bool(site.state.open))
    assert site.entry.phase is step
    site.server("A").up = True
    site.hear("A")
    site.settle()
    assert (site.entry.phase, site.entry.note) == (Phase.CANCELLED, "The recorder is back.")
    assert isinstance(assignment(site, "A"), Recording)
    assert isinstance(assignment(site, "F"), Standby)
    assert site.state.holds == {}


def test_a_recorder_that_is_connected_again_but_writes_no_frames_does_not_cancel() -> None:
    site = small_site()
    site.cache_answers = False
    site.server("A").up = False
    site.run(11_000)
    site.server("A").up = True
    site.server("A").dark = {camera.id for camera in site.server("A").settings.cameras}
    site.run(1_000)
    assert site.entry.phase is Phase.RESERVED


def test_its_watchdog_alone_does_not_cancel_on_the_word_of_a_beat_from_before_the_crash() -> None:
    site = small_site()
    site.cache_answers = False
    site.server("A").up = False
    site.run(11_000)
    site.server("A").up, site.server("A").beats = True, False
    site.server("A").service = r.ServiceState.STARTING
    site.run(2_000)
    assert site.entry.phase is Phase.RESERVED


def test_a_manual_failover_is_not_cancelled_because_the_recorder_is_well() -> None:
    site = small_site()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    site.run(5_000)
    assert (site.entry.phase, site.entry.trigger) == (Phase.RESERVED, Trigger.MANUAL)


def test_an_abort_holds_automatic_failover_until_the_recorder_was_well() -> None:
    site = small_site()
    site.cache_answers = False
    site.server("A").up = False
    site.run(11_000)
    site.ask(c.AbortFailover(failover=site.entry.id))
    site.run(30_000)
    assert len(site.state.failovers) == 1
    assert site.state.holds[rid("A")].cause is c.HoldCause.ABORT
    site.server("A").up = True
    site.run(1_000)
    assert site.state.holds == {}
    site.server("A").up = False
    site.run(12_000)
    assert len(site.state.failovers) == 2


def test_a_release_by_hand_lets_an_aborted_failover_start_again() -> None:
    site = small_site()
    site.cache_answers = False
    site.server("A").up = False
    site.run(11_000)
    site.ask(c.AbortFailover(failover=site.entry.id))
    site.ask(c.ReleaseHold(recorder=rid("A")))
    assert len(site.state.failovers) == 2


def test_after_the_commit_nothing_can_be_aborted() -> None:
    site = small_site()
    entry = site.fail_over("A")
    reply = site.ask(c.AbortFailover(failover=entry.id))
    assert isinstance(reply, c.Refused)
    assert reply.reason is Reason.INVALID_LOG_STATE


# ---------------------------------------------------------------- the queue


def crowded_site() -> Site:
    """A, B, C in the group g; X in a group of its own; every failover server answers only when it is let."""
    site = Site()
    for name in "ABC":
        site.add(name)
    for name in "FHK":
        site.add(name, failover=True)
    site.ask(c.SaveGroup(group=Group(id="far", name="Far")))
    site.add("X", group="far")
    site.add("Y", failover=True, group="far")
    site.run(5_000)
    return site


def test_the_queue_is_worked_off_in_order_and_each_group_by_itself() -> None:
    site = crowded_site()
    site.cache_answers = False
    for name in "ACBX":
        site.ask(c.StartFailover(recorder=rid(name)))
    phases = {entry.recorder: entry.phase for entry in site.state.failovers.values()}
    assert phases == {"A": Phase.RESERVED, "C": Phase.QUEUED, "B": Phase.QUEUED, "X": Phase.RESERVED}
    site.cache_answers = True
    for failover in site.state.open:
        entry = site.state.failovers[failover]
        if entry.phase is Phase.RESERVED:
            site.core.take(DocumentsInCache(failover=failover, documents=entry.documents), site.now)
    site.run(3_000)
    assert {entry.phase for entry in site.state.failovers.values()} == {Phase.READY}
    reserved = [fact.failover for fact in site.of(f.ServerReserved)]
    assert [site.state.failovers[failover].recorder for failover in reserved] == ["C", "B"]


def test_an_entry_that_waits_for_a_candidate_does_not_block_the_queue() -> None:
    site = crowded_site()
    for name in "FHK":
        site.server(name).up = False
    site.server("A").up = False
    site.run(12_000)
    assert site.entry.phase is Phase.WAITING
    site.server("B").up = False
    site.run(12_000)
    site.server("H").up = site.server("K").up = True
    site.run(3_000)
    assert {entry.recorder: entry.phase for entry in site.state.failovers.values()} == {"A": Phase.READY, "B": Phase.READY}


# ---------------------------------------------------------------- an acting server breaks


def test_when_the_acting_server_breaks_the_home_is_first_and_nothing_is_left_to_fail_back() -> None:
    site = small_site()
    first = site.fail_over("A")
    site.run(3_000)
    site.server("F").up = False
    site.run(12_000)
    entry = site.entry
    assert (entry.recorder, entry.home, entry.server, entry.phase) == ("F", "A", "A", Phase.RETURNED)
    assert isinstance(assignment(site, "A"), Recording)
    assert isinstance(assignment(site, "F"), Broken)
    assert site.state.failovers[first.id].phase is Phase.SUPERSEDED
    site.server("F").up = True
    site.run(3_000)
    assert isinstance(assignment(site, "F"), Standby)
    assert site.of(f.ServerRestored)
    assert site.row("F").settings.cameras == ()


def test_without_the_home_another_server_acts_and_the_setting_timeout_and_group_of_the_home_hold() -> None:
    site = small_site(detection_timeout_s=20)
    first = site.fail_over("A")
    site.server("A").up = False
    site.run(5_000)
    site.server("F").up = False
    site.run(15_000)
    assert len(site.state.failovers) == 1, "the timeout of A is 20 s"
    site.run(6_000)
    entry = site.entry
    assert (entry.recorder, entry.home, entry.server, entry.group) == ("F", "A", "H", GROUP)
    assert assignment(site, "H") == Acting(epoch=entry.epoch, for_recorder=rid("A"), failover=entry.id)
    assert assignment(site, "A") == Broken(epoch=entry.epoch, failover=entry.id)
    assert site.state.failovers[first.id].phase is Phase.SUPERSEDED


def test_what_was_changed_on_the_acting_server_goes_with_the_cameras() -> None:
    site = small_site()
    site.fail_over("A")
    site.server("A").up = False
    site.server("F").documents = document_set("changed", 2)
    site.server("F").settings = msgspec.structs.replace(site.server("F").settings, cameras=cameras_of("A", 2))
    site.run(5_000)
    site.server("F").up = False
    site.run(12_000)
    assert site.entry.server == "H"
    assert site.entry.documents == document_set("changed", 2)
    assert site.entry.moved == ("A-c0", "A-c1")
    assert site.row("H").settings.cameras == cameras_of("A", 2)


def test_a_released_home_stays_broken() -> None:
    """The home refuses to take its cameras back: it is broken as before, and the next candidate acts."""
    site = small_site()
    site.fail_over("A")
    site.server("A").refusal = REFUSAL
    site.run(3_000)
    site.server("F").up = False
    site.run(12_000)
    assert [attempt.server for attempt in site.entry.attempts] == ["A", "H"]
    assert isinstance(assignment(site, "A"), Broken)
    assert isinstance(assignment(site, "H"), Acting)


# ---------------------------------------------------------------- gaps


def test_the_gap_is_measured_from_the_last_report_and_then_from_the_footage() -> None:
    site = small_site()
    site.server("A").up = False
    site.run(12_000)
    gaps = site.entry.gaps
    assert all(gap.first_after_ms and gap.last_before_ms and not gap.final for gap in gaps)
    assert site.entry.worst_gap_ms is not None
    assert site.entry.worst_gap_ms >= 10_000
    site.server("A").up = True
    site.run(3_000)
    assert all(gap.final for gap in site.entry.gaps)


def test_gaps_are_written_down_as_they_are_after_thirty_seconds() -> None:
    site = small_site()
    site.server("F").dark = {site.server("A").settings.cameras[0].id}
    site.server("A").up = False
    site.run(30_000)
    assert site.of(f.GapsMeasured) == []
    site.run(15_000)
    assert [bool(gap.first_after_ms) for gap in site.of(f.GapsMeasured)[-1].gaps] == [False, True, True]


def test_a_recorder_that_refuses_to_tell_its_footage_is_not_asked_without_end() -> None:
    site = small_site()
    site.server("A").footage = False
    site.fail_over("A")
    site.run(20_000)
    asked = [command for _, command in site.commands if isinstance(command, SendOrder) and isinstance(command.order, r.ReportFootage)]
    assert len(asked) == 1
    assert site.core.seen.refused_orders == {}


# ---------------------------------------------------------------- restart and replay


def test_a_coordinator_that_dies_after_any_fact_goes_on_with_the_same_failover() -> None:
    whole = small_site()
    before = len(whole.journal)
    whole.fail_over("A")
    steps = len(whole.journal) - before
    assert steps >= 6
    notified = [type(fact) for fact in whole.facts[before:]].index(f.ClientsNotified) + 1
    for kept in range(1, steps + 1):
        site = small_site()
        site.fail_over("A")
        site.restart(keep=before + kept)
        for server in site.servers.values():
            server.orders.clear()
        site.run(6_000)
        assert len(site.state.failovers) == 1
        assert site.entry.phase is Phase.READY, f"killed after fact {kept}"
        assert site.entry.server == "F"
        assert contents(site.state) == contents(site.replayed())
        if kept < notified:
            assert -1 in [step.duration_ms for step in site.entry.steps]


@pytest.mark.parametrize("prefix", range(1, 24))
def test_every_prefix_of_a_journal_is_a_state_to_go_on_from(prefix: int) -> None:
    site = small_site()
    site.fail_over("A")
    site.run(3_000)
    site.fail_back()
    site.run(3_000)
    site.restart(keep=min(prefix, len(site.journal)))
    site.run(12_000)
    assert contents(site.state) == contents(site.replayed())


def test_a_fact_about_something_that_is_not_there_is_an_unsound_journal() -> None:
    record = f.FactRecord(term=1, wall_ms=0, actor=COORDINATOR, fact=f.TasksMoved(failover="F00001", duration_ms=0))
    with pytest.raises(KeyError):
        evolve(State(), record)


def test_an_attempt_ends_without_taking_the_server_from_somebody_else() -> None:
    """A reconcile may have given the reserved server another assignment meanwhile: footage comes before tidiness."""
    site = small_site()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    acting = Acting(epoch=site.state.next_epoch, for_recorder=rid("B"), failover="F00099")
    site.state.recorders[rid("F")] = msgspec.structs.replace(site.row("F"), assignment=acting)
    fact = f.FailoverCancelled(failover=site.entry.id, sentence="x", release_epoch=site.state.next_epoch)
    evolve(site.state, f.FactRecord(term=1, wall_ms=0, actor=COORDINATOR, fact=fact))
    assert assignment(site, "F") == acting
    assert site.entry.attempts[0].end is AttemptEnd.WITHDRAWN
