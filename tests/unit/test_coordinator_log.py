"""What is written on entries, which of them stay in memory, and the audit log (SPEC 11, 12)."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager import wire
from sysmanager.coordinator import audit, evolve, preview
from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.evolve.tables import patch_failover
from sysmanager.coordinator.requests import decide_request
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import LogState, Phase, Reason, Severity
from sysmanager.domain.ids import FailoverId, JobId
from sysmanager.domain.instant import Instant
from sysmanager.domain.maintenance import Scope, Target
from sysmanager.domain.remarks import COMMENT_LIMIT, COMMENTS_PER_ENTRY
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.engine.core import Core
from sysmanager.protocol import clients as c
from tests.helpers.coordination import ADMIN, Site, analogue, cameras_of, contents, rid, small_site

FIRST = FailoverId("F00001")


def with_to_do() -> Site:
    """A failover is ready, with one line on its to-do list: an analogue camera stayed behind."""
    site = small_site(cameras=(*cameras_of("A", 2), analogue("A")))
    site.fail_over()
    assert len(site.entry.to_do) == 1
    return site


# ---------------------------------------------------------------- enumerations


def test_states_and_severities_are_those_of_the_log() -> None:
    wanted = {
        Severity.INFORMATION: {"Failover in progress", "Failover ready", "Failback in progress", "Failback ready"},
        Severity.WARNING: {"Skipped because a failover of it is already running", "Waiting for a failover server", "Cancelled"},
        Severity.ERROR: {"Failover failed", "Failback failed"},
    }
    for severity, states in wanted.items():
        assert states <= {state.value for state in LogState if state.severity is severity}


def test_every_reason_says_what_to_do() -> None:
    assert {reason.value for reason in Reason} >= {
        "failover server in the wrong state",
        "incompatible",
        "internal error",
        "invalid log state",
        "no failover server",
        "no connection to the failover server",
        "no recorder",
        "no recorder settings",
        "cancelled",
        "server in the wrong state",
        "saving settings failed",
    }
    for reason in Reason:
        assert reason.sentence.endswith(".")
        assert len(reason.sentence) > 20


def test_a_failover_that_is_asked_for_while_one_runs_is_skipped_and_said_once() -> None:
    site = small_site()
    site.server("F").answers = site.server("H").answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    running = site.entry
    for _ in range(3):
        reply = site.ask(c.StartFailover(recorder=rid("A")))
        assert isinstance(reply, c.Refused)
        assert running.id in reply.sentence
    skipped = [entry for entry in site.state.failovers.values() if entry.phase is Phase.SKIPPED]
    (entry,) = skipped
    assert (entry.log_state, entry.log_state.severity, entry.recorder) == (LogState.SKIPPED, Severity.WARNING, "A")
    assert (entry.note, entry.actor, entry.ended_ms) == (f"{running.id} was running already.", ADMIN, site.now.wall_ms)
    assert site.state.failovers[running.id].skipped
    assert list(site.state.open) == [running.id]
    assert [fact.times for fact in site.of(f.RequestRefused)] == [1]
    assert contents(site.replayed()) == contents(site.state)
    assert "only what has not reached" in site.ask(c.AbortFailover(failover=entry.id)).sentence


# ---------------------------------------------------------------- remarks


def test_a_comment_and_a_tick_stand_in_the_entry_with_who_and_when() -> None:
    site = with_to_do()
    reply = site.ask(c.CommentEntry(failover=FIRST, text="  Disk changed.\nHall 2 "))
    assert reply == c.Done(sentence="The comment on F00001 was saved.", failover=FIRST)
    (comment,) = site.entry.comments
    assert (comment.text, comment.actor, comment.at_ms) == ("Disk changed.\nHall 2", ADMIN, site.now.wall_ms)
    line = site.entry.to_do[0]
    assert site.entry.to_do_left == (line,)
    assert isinstance(site.ask(c.TickToDo(failover=FIRST, item=0)), c.Done)
    assert site.entry.to_do_left == ()
    assert site.entry.ticks[0].actor == ADMIN
    again = site.ask(c.TickToDo(failover=FIRST, item=0))
    assert isinstance(again, c.Refused)
    assert "ticked off already" in again.sentence
    assert isinstance(site.ask(c.TickToDo(failover=FIRST, item=0, done=False)), c.Done)
    assert site.entry.to_do_left == (line,)
    assert len(site.entry.ticks) == 1
    assert "not ticked off already" in site.ask(c.TickToDo(failover=FIRST, item=0, done=False)).sentence
    assert contents(site.replayed()) == contents(site.state)


@pytest.mark.parametrize(
    ("request_", "part"),
    [
        (c.CommentEntry(failover=FIRST, text=" \n"), "the field text"),
        (c.CommentEntry(failover=FIRST, text="x" * (COMMENT_LIMIT + 1)), "the field text"),
        (c.CommentEntry(failover=FIRST, text="a\x00b"), "the field text"),
        (c.CommentEntry(failover=FailoverId("F00009"), text="x"), "There is no entry F00009"),
        (c.TickToDo(failover=FIRST, item=1), "no line 2"),
        (c.TickToDo(failover=FIRST, item=-1), "no line 0"),
    ],
)
def test_remarks_that_make_no_sense_are_refused(request_: c.Request, part: str) -> None:
    site = with_to_do()
    reply = site.ask(request_)
    assert isinstance(reply, c.Refused)
    assert part in reply.sentence


def test_an_entry_takes_so_many_comments_and_no_more() -> None:
    site = with_to_do()
    for _ in range(COMMENTS_PER_ENTRY):
        site.ask(c.CommentEntry(failover=FIRST, text="again"))
    assert len(site.entry.comments) == COMMENTS_PER_ENTRY
    assert "no room" in site.ask(c.CommentEntry(failover=FIRST, text="again")).sentence


# ---------------------------------------------------------------- what stays in memory


def ended(site: Site, count: int) -> None:
    """So many failovers, each aborted as soon as it has begun."""
    site.server("F").answers = site.server("H").answers = False
    for _ in range(count):
        reply = site.ask(c.StartFailover(recorder=rid("A")))
        assert isinstance(reply, c.Done), reply
        assert reply.failover is not None
        site.ask(c.AbortFailover(failover=reply.failover))
        site.ask(c.ReleaseHold(recorder=rid("A")))


def keeping(site: Site, kept: int) -> None:
    """From now on so many ended entries stay in memory."""
    site.core = Core([wire.decode_fact(record) for record in site.journal], site.now, ended_kept=kept)
    site.start()
    site.run(3_000)


def test_ended_entries_leave_memory_in_the_order_in_which_they_ended() -> None:
    site = small_site()
    keeping(site, 2)
    ended(site, 5)
    assert list(site.state.failovers) == ["F00004", "F00005"]
    assert list(site.state.ended) == ["F00004", "F00005"]
    assert {entry.phase for entry in site.state.failovers.values()} == {Phase.CANCELLED}
    assert site.state.next_number == 6
    state = State(2)
    for record in site.journal:
        evolve.evolve(state, wire.decode_fact(record))
    assert contents(state) == contents(site.state), "replay equals live"


def test_an_open_entry_stays_however_many_end_after_it() -> None:
    site = small_site()
    keeping(site, 1)
    first = site.fail_over("B")
    ended(site, 4)
    assert first.id in site.state.failovers
    assert len(site.state.failovers) == 2


def test_what_is_asked_about_an_entry_that_left_memory_is_answered_in_one_sentence() -> None:
    site = small_site()
    keeping(site, 1)
    ended(site, 3)
    for request in (c.AbortFailover(failover=FIRST), c.StartFailback(failover=FIRST), c.CommentEntry(failover=FIRST, text="x")):
        reply = site.ask(request)
        assert reply == c.Refused(
            sentence="F00001 ended long ago; only an entry that is open can be moved on.", reason=Reason.INVALID_LOG_STATE
        )
    answer = preview.answer(site.state, site.core.seen, c.PreviewFailback(failover=FIRST))
    assert isinstance(answer, c.Refused)
    assert "ended long ago" in answer.sentence
    for never in ("F00099", "F", "x", "F00000", "F\u0661"):
        assert "There is no entry" in site.ask(c.AbortFailover(failover=FailoverId(never))).sentence


def test_a_remark_on_an_entry_that_left_memory_is_a_fact_for_the_history() -> None:
    site = small_site()
    keeping(site, 1)
    ended(site, 1)
    kept = msgspec.structs.replace(site.entry, to_do=("Install the plug-in again.",))
    ended(site, 2)
    assert kept.id not in site.state.failovers
    for request in (c.CommentEntry(failover=kept.id, text="Seen."), c.TickToDo(failover=kept.id, item=0)):
        decision = decide_request(site.state, site.core.seen, i.Asked(actor=ADMIN, request=request, entry=kept), site.now)
        assert isinstance(decision.reply, c.Done), decision.reply
        assert len(decision.facts) == 1
        before = contents(site.state)
        evolve.evolve(site.state, f.FactRecord(term=1, wall_ms=1, actor=ADMIN, fact=decision.facts[0]))
        assert contents(site.state) == {**before, "news": {}}
    # What the history told of another entry is of no use.
    other = msgspec.structs.replace(kept, id=FailoverId("F00002"))
    asked = i.Asked(actor=ADMIN, request=c.CommentEntry(failover=kept.id, text="Seen."), entry=other)
    assert isinstance(decide_request(site.state, site.core.seen, asked, site.now).reply, c.Refused)


def test_what_changes_on_an_entry_that_left_memory_is_for_the_history_alone() -> None:
    site = small_site()
    keeping(site, 1)
    ended(site, 2)
    newest = site.entry
    patch_failover(site.state, newest.id, note="in memory")
    assert site.state.failovers[newest.id].note == "in memory"
    assert site.state.patches == {}
    patch_failover(site.state, FIRST, note="not in memory")
    assert site.state.patches == {FIRST: {"note": "not in memory"}}
    site.ask(c.HoldFailover(recorder=rid("A")))
    assert site.state.patches == {}, "they are those of the last fact"


# ---------------------------------------------------------------- the audit log


def test_what_was_done_stands_in_the_first_of_its_facts() -> None:
    site = small_site()
    before = len(site.journal)
    site.ask(c.HoldFailover(recorder=rid("A")))
    (record,) = [wire.decode_fact(body) for body in site.journal[before:]]
    assert record.actor == ADMIN
    assert record.answer == f.Answered(request="hold-failover", about="A", sentence="Failover of A is held.")
    before = len(site.journal)
    site.fail_over("B")
    answers = [wire.decode_fact(body).answer for body in site.journal[before:]]
    assert answers[0] == f.Answered(request="start-failover", about="B", sentence="Failover of B to F started.")
    assert set(answers[1:]) == {None}


def test_each_request_says_what_it_is_about() -> None:
    target = Target(scope=Scope.RECORDER, id="A")
    assert audit.about(c.StartMaintenance(target=target, reason="new disks", until_wall_ms=1)) == "A"
    assert audit.about(c.EndMaintenance(target=Target(scope=Scope.SYSTEM))) == ""
    assert audit.about(c.PauseJob(job=JobId("J00001"))) == "J00001"
    assert audit.about(c.AcknowledgeAlarm(key="brake")) == "brake"


def test_a_refusal_is_durable_before_its_answer() -> None:
    site = small_site()
    before = len(site.journal)
    reply = site.ask(c.RemoveRecorder(recorder=rid("A")), role=RoleName.OPERATOR)
    (record,) = [wire.decode_fact(body) for body in site.journal[before:]]
    assert isinstance(reply, c.Refused)
    assert record.fact == f.RequestRefused(
        actor=Actor(name="anna", role=RoleName.OPERATOR),
        request="remove-recorder",
        about="A",
        sentence=reply.sentence,
        first_ms=site.now.wall_ms,
    )


def test_equal_refusals_within_a_minute_are_one_more_line_with_their_number() -> None:
    site = small_site()
    for _ in range(50):
        site.ask(c.ReleaseHold(recorder=rid("A")))
    assert [fact.times for fact in site.of(f.RequestRefused)] == [1]
    first_ms = site.now.wall_ms
    site.run(audit.FOLD_MS - 100)
    assert len(site.of(f.RequestRefused)) == 1
    site.run(1_000)
    lines = site.of(f.RequestRefused)
    assert [(line.times, line.first_ms) for line in lines] == [(1, first_ms), (49, first_ms)]
    site.run(3 * audit.FOLD_MS)
    assert len(site.of(f.RequestRefused)) == 2, "nothing more was refused"


def test_each_refusal_has_a_minute_of_its_own() -> None:
    site = small_site()
    for server in ("A", "B"):
        for _ in range(3):
            site.ask(c.ReleaseHold(recorder=rid(server)))
        site.run(audit.FOLD_MS // 2)
    site.run(1_000)
    assert [(line.about, line.times) for line in site.of(f.RequestRefused)] == [("A", 1), ("B", 1), ("A", 2)]
    site.run(audit.FOLD_MS // 2)
    assert [(line.about, line.times) for line in site.of(f.RequestRefused)][3:] == [("B", 2)]
    site.run(3 * audit.FOLD_MS)
    site.ask(c.ReleaseHold(recorder=rid("A")))
    assert len(site.core.seen.refusals._written_ms) == 1, "what is over is forgotten"


def test_refusals_that_are_due_at_the_same_time_are_folded_together() -> None:
    """One of them was repeated: its second line forgets the other, which is due too."""
    refusals, start = audit.Refusals(), Instant(mono_ms=0, wall_ms=0)
    for about in ("A", "A", "B"):
        refusals.refused(ADMIN, "release-hold", about, "No.", start)
    lines = refusals.fold(start.after(audit.FOLD_MS))
    assert [(line.about, line.times) for line in lines] == [("A", 1)]
    assert refusals.refused(ADMIN, "release-hold", "B", "No.", start.after(audit.FOLD_MS)) is not None


def test_a_flood_of_different_refusals_is_counted_together() -> None:
    site = small_site()
    for number in range(audit.LINES_PER_SPAN + 40):
        site.ask(c.ReleaseHold(recorder=rid(f"Z{number}")))
    assert len(site.of(f.RequestRefused)) == audit.LINES_PER_SPAN
    site.ask(c.ReleaseHold(recorder=rid("Z0")))
    # That of Z0 is folded too, and there is still no room for a line of its own.
    site.run(audit.FOLD_MS + 1_000)
    lines = site.of(f.RequestRefused)[audit.LINES_PER_SPAN :]
    assert sum(line.times for line in lines) == 41
    assert {line.request for line in lines} == {""}
    assert "too many to keep each" in lines[0].sentence
    assert len(lines) == 1
    assert site.core.seen.refusals.due_ms is None
    site.run(audit.SPAN_MS)
    site.ask(c.ReleaseHold(recorder=rid("Z0")))
    assert site.of(f.RequestRefused)[-1].about == "Z0", "after a while there is room again"


def test_what_was_turned_away_before_it_was_decided_is_a_line_too() -> None:
    site = small_site()
    actor = Actor(name="?", role=None)
    site.core.take(i.TurnedAway(actor=actor, request="find-audit", sentence="No."), site.now)
    site.settle()
    (fact,) = site.of(f.RequestRefused)
    assert (fact.actor, fact.request, fact.about, fact.sentence) == (actor, "find-audit", "", "No.")


def test_a_line_names_what_it_is_about_and_never_what_was_in_the_request() -> None:
    assert audit.about(c.ConfirmReconcile(findings=())) == ""
    assert audit.about(c.RemoveGroup(group="g")) == "g"
    long = audit.about(c.ReleaseHold(recorder=rid("x" * 500)))
    assert len(long) < 70
    refusals = audit.Refusals()
    line = refusals.refused(ADMIN, "x", "", "y" * 5_000, Instant(mono_ms=0, wall_ms=0))
    assert line is not None
    assert len(line.sentence) == audit.SENTENCE_LIMIT
