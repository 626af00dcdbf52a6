"""A failover from trigger to "Failover ready" (SPEC 6, 7): what is tried, what is undone, what waits, what goes on after a restart."""

from __future__ import annotations

import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.failover import RETRY_MS, WAITING_LOOK_MS
from sysmanager.coordinator.inputs import DocumentsInCache
from sysmanager.domain.documents import DocumentKind
from sysmanager.domain.failover import AttemptEnd, LogState, Phase, Reason, Severity, Trigger
from sysmanager.domain.group import Group
from sysmanager.domain.ids import Epoch
from sysmanager.domain.recorder import Acting, Broken, Recording, Reserved, Standby
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import GROUP, Site, analogue, cameras_of, document_set, rid, small_site

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


def test_a_candidate_that_was_lost_is_tried_again_as_soon_as_it_was_started_anew() -> None:
    site = small_site()
    site.server("H").up = False
    site.run(4_000)
    site.server("F").answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    site.server("F").up = False
    site.run(6_000)
    assert (site.entry.phase, site.entry.attempts[0].end) == (Phase.WAITING, AttemptEnd.LOST)
    site.server("F").answers = site.server("F").up = True
    site.server("F").boot = 2
    site.run(2_000)
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
