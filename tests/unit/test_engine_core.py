"""The engine's core (DESIGN): nothing shown before it is durable, each step in a transaction of its own, deadlines, retries, restart."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.commands import SendOrder
from sysmanager.domain.failover import Phase
from sysmanager.domain.instant import Instant
from sysmanager.engine import core as core_module
from sysmanager.engine.core import BATCH_LIMIT, PROOF_INTERVAL_MS, Core
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import ADMIN, Site, contents, document_set, rid, small_site


def take(site: Site, request: c.Request, token: str = "t") -> None:
    site.core.take(i.Asked(actor=ADMIN, request=request), site.now, token=token)


def test_a_reply_comes_with_the_effects_and_not_before_the_batch_is_durable() -> None:
    site = small_site()
    take(site, c.HoldFailover(recorder=rid("A")), "mine")
    batch = site.core.decide(site.now)
    assert batch is not None
    assert [type(record.fact) for record in batch.records] == [f.HoldPlaced]
    effects = site.core.durable(batch, site.now)
    assert effects.replies == (("mine", c.Done(sentence="Failover of A is held.")),)


def test_facts_carry_the_term_the_moment_and_who_caused_them() -> None:
    site = small_site()
    take(site, c.HoldFailover(recorder=rid("A")))
    batch = site.core.decide(site.now)
    assert batch is not None
    (record,) = batch.records
    assert (record.term, record.wall_ms, record.actor) == (1, site.now.wall_ms, ADMIN)


def test_an_idle_core_has_nothing_to_decide() -> None:
    site = small_site()
    assert site.core.idle
    assert site.core.decide(site.now) is None
    assert site.core.next_due_ms is not None
    assert Core([], site.now).next_due_ms is None


def test_many_deadlines_are_looked_at_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    site = small_site()
    for name in ("A", "B"):
        site.server(name).up = False
    site.run(3_800)
    monkeypatch.setattr(core_module, "TICK_LIMIT", 1)
    late = Instant(mono_ms=site.now.mono_ms + 60_000, wall_ms=site.now.wall_ms)
    due_ms = site.core.next_due_ms
    assert due_ms is not None
    site.core.tick(late)
    assert site.core.next_due_ms is not None
    assert due_ms <= site.core.next_due_ms < late.mono_ms, "the others are still due"


def test_each_step_is_durable_before_the_next_begins() -> None:
    site = small_site()
    take(site, c.StartFailover(recorder=rid("A"), maintenance=False))
    steps: list[list[type]] = []
    for _ in range(20):
        batch = site.core.decide(site.now)
        if batch is None:
            break
        steps.append([type(record.fact) for record in batch.records])
        for command in site.core.durable(batch, site.now).commands:
            site._carry_out(command)
    moving = [step for step in steps if step]
    single = [[f.FailoverStarted], [f.DocumentsChecked], [f.SettingsSaved], [f.TasksMoved], [f.ResultWritten]]
    assert moving == [*single, [f.ClientsNotified, f.BackupStarted], [f.BackupMade]]


def test_inputs_that_wait_are_decided_on_the_tables_that_the_one_before_left() -> None:
    site = small_site()
    take(site, c.HoldFailover(recorder=rid("A")), "first")
    take(site, c.HoldFailover(recorder=rid("A")), "second")
    batch = site.core.decide(site.now)
    assert batch is not None
    assert [type(reply) for _, reply in batch.replies] == [c.Done, c.Refused]


def test_a_batch_is_limited_and_the_rest_waits_for_the_next() -> None:
    site = small_site()
    for number in range(BATCH_LIMIT + 3):
        take(site, c.ReleaseHold(recorder=rid("A")), str(number))
    first = site.core.decide(site.now)
    assert first is not None
    assert len(first.replies) == BATCH_LIMIT
    site.core.durable(first, site.now)
    second = site.core.decide(site.now)
    assert second is not None
    assert len(second.replies) == 3


def test_beats_are_heard_while_a_batch_is_being_written() -> None:
    site = small_site()
    take(site, c.HoldFailover(recorder=rid("B")))
    batch = site.core.decide(site.now)
    assert batch is not None
    site.mono_ms += 900
    site.hear("A")
    assert site.core.seen.of(rid("A")).heard_ms == site.mono_ms
    site.core.durable(batch, site.now)


def test_a_beat_without_news_costs_no_decision() -> None:
    site = small_site()
    site.hear("A")
    assert site.core.idle


def test_a_deadline_asks_for_proof_before_it_blames_and_not_more_often_than_its_interval() -> None:
    site = small_site()
    site.server("A").up = False
    site.canary = False
    silent = site.core.seen.of(rid("A"))
    while site.mono_ms < silent.heard_ms + 9_900:
        site.mono_ms += 100
        site.hear("B", "F", "H")
        site.core.take(i.CanaryReturned(sent_mono_ms=site.mono_ms), site.now)
        site.core.tick(site.now)
        site.settle()
    proofs = []
    for _ in range(30):
        site.mono_ms += 10
        if site.core.tick(site.now):
            proofs.append(site.mono_ms)
        site.settle()
    assert site.state.failovers == {}
    assert proofs[0] - silent.heard_ms <= 10_020
    assert all(later - earlier >= PROOF_INTERVAL_MS for earlier, later in pairwise(proofs))
    site.core.take(i.CanaryReturned(sent_mono_ms=proofs[-1]), site.now)
    site.settle()
    assert site.entry.recorder == "A"


def test_one_canary_proves_the_silence_of_all_who_are_due_together() -> None:
    site = small_site()
    site.server("A").up = site.server("B").up = False
    site.run(10_200)
    assert {entry.recorder for entry in site.state.failovers.values()} == {"A", "B"}


def test_recorders_that_are_due_one_after_the_other_do_not_ask_for_a_canary_each() -> None:
    site = small_site()
    site.mono_ms += 10
    site.hear("B")
    site.server("A").up = site.server("B").up = False
    site.run(9_970)
    site.canary = False
    asked = 0
    for _ in range(4):
        site.mono_ms += 10
        asked += site.core.tick(site.now)
    assert asked == 2


def test_documents_are_not_fetched_twice_at_once() -> None:
    site = small_site()
    site._carry_out = lambda command: None  # the fetch stays under way
    known = len(site.commands)
    for revision in (2, 2, 3):
        site.server("A").documents = document_set("A", revision)
        site.server("A").vca_channels += 1
        site.hear("A")
        site.settle()
    assert len(site.commands) - known == 2


def test_a_newer_order_does_not_wait_for_the_answer_to_an_older_one() -> None:
    site = small_site()
    site._carry_out = lambda command: None  # orders stay under way
    site.server("B").mode = r.Mode.STANDBY
    site.hear("B")
    site.settle()
    older = site.commands[-1][1]
    assert isinstance(older, SendOrder)
    site.hear("B")
    site.settle()
    assert site.commands[-1][1] is older, "it is not sent twice while it is under way"
    site.core.take(i.OrderUndelivered(recorder=rid("B"), order=r.ReportFootage(epoch=older.order.epoch)), site.now)
    site.settle()
    assert site.core.decide(site.now) is None


def test_documents_that_could_not_be_fetched_are_tried_again() -> None:
    site = Site()
    site.fetch_works = False
    site.add("A")
    site.run(3_000)
    tries = len(site.commands)
    assert 3 <= tries <= 10
    site.fetch_works = True
    site.run(1_000)
    assert site.row("A").documents is not None


def test_rows_that_may_have_changed_are_named() -> None:
    site = small_site()
    site.core.touched_recorders.clear()
    site.core.touched_failovers.clear()
    site.core.groups_changed = False
    site.fail_over("A")
    assert site.core.touched_recorders >= {"A", "F"}
    assert site.core.touched_failovers == {"F00001"}
    assert not site.core.groups_changed
    site.ask(c.RemoveRecorder(recorder=rid("B")))
    assert site.core.groups_changed


def test_a_removed_recorder_and_an_ended_entry_leave_nothing_to_look_at() -> None:
    site = small_site()
    site.server("B").up = False
    site.run(2_000)
    site.ask(c.RemoveRecorder(recorder=rid("B")))
    site.run(20_000)
    assert site.state.failovers == {}
    site.core.take(i.ReviewFailover(failover="F00077"), site.now)
    site.core.take(i.Review(recorder=rid("Z")), site.now)
    site.settle()
    assert site.core.idle


def test_what_waits_can_be_given_up_with_the_replies_that_were_promised() -> None:
    site = small_site()
    take(site, c.HoldFailover(recorder=rid("A")), "mine")
    site.core.take(i.Review(recorder=rid("A")), site.now)
    assert site.core.give_up_waiting() == ("mine",)
    assert site.core.decide(site.now) is None


def test_a_core_that_is_rebuilt_goes_on_with_what_was_heard() -> None:
    site = small_site()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    seen = site.core.seen
    rebuilt = Core([], site.now)
    rebuilt.state = site.state
    rebuilt.adopt(seen, site.now)
    assert rebuilt.seen is seen
    assert seen.step_ms(site.entry.id, site.now) == -1


def test_a_restart_asks_again_for_what_was_under_way() -> None:
    site = small_site()
    site.server("F").answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    site.server("F").answers = True
    site.restart()
    site.run(2_000)
    assert (site.entry.phase, site.state.term) == (Phase.READY, 2)
    assert contents(site.state) == contents(site.replayed())
