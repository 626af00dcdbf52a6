"""What each recorder shall do, the orders that say so, and what one may do that was away (SPEC 6, 13.1)."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.commands import CheckCache, Continue, FetchDocuments, SendOrder
from sysmanager.coordinator.decide import decide
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.gaps import measured
from sysmanager.coordinator.invariants import broken_invariants, commit_objection
from sysmanager.coordinator.outstanding import for_failover, outstanding
from sysmanager.coordinator.selection import describe_assignment
from sysmanager.coordinator.standing import answer_to, goal, satisfied, with_documents
from sysmanager.domain.failover import Failback, Phase, StepRecord, Trigger
from sysmanager.domain.ids import Epoch
from sysmanager.domain.recorder import Acting, Broken, Recording, Reserved, Standby
from sysmanager.domain.rights import COORDINATOR
from sysmanager.engine.planning import DARK_AGAIN_MS, REFUSED_AGAIN_MS
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Site, document_set, rid, small_site

PLAIN = r.OrderKey()


def orders_to(site: Site, server: str) -> list[r.Order]:
    return [command.order for _, command in site.commands if isinstance(command, SendOrder) and command.recorder == server]


def asked(site: Site, server: str, epoch: int, home: str | None) -> r.Standing:
    ask = r.Ask(recorder=rid(server), instance=f"{server}-1", epoch=Epoch(epoch), home=rid(home) if home else None)
    return answer_to(site.state, ask)


# ---------------------------------------------------------------- who was away


def test_who_was_not_replaced_goes_on() -> None:
    site = small_site()
    assert asked(site, "A", 0, "A") == r.GoOn()


def test_who_was_replaced_meanwhile_stands_down() -> None:
    site = small_site()
    entry = site.fail_over("A")
    assert asked(site, "A", 0, "A") == r.StandDown(key=PLAIN, epoch=entry.epoch)


def test_who_acts_still_goes_on_and_who_was_released_waits() -> None:
    site = small_site()
    entry = site.fail_over("A")
    assert asked(site, "F", entry.epoch, "A") == r.GoOn()
    site.run(2_000)
    site.fail_back()
    site.run(3_000)
    assert asked(site, "F", entry.epoch, "A") == r.StandDown(key=PLAIN, epoch=site.row("F").assignment.epoch)


@pytest.mark.parametrize(("server", "epoch"), [("Z", 1), ("A", 900)], ids=["unknown", "knows a newer epoch"])
def test_in_doubt_a_recorder_records_on(server: str, epoch: int) -> None:
    assert asked(small_site(), server, epoch, server) == r.GoOn()


def test_before_it_is_reconciled_a_recorder_does_what_it_last_did() -> None:
    site = small_site()
    site.fail_over("A")
    site.restart(damage="The journal lost its tail.")
    assert asked(site, "A", 0, "A") == r.GoOn()


def test_a_reserved_server_is_left_as_it_is_until_its_documents_are_checked() -> None:
    site = small_site()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    assert goal(site.state, site.row("F")) is None
    assert asked(site, "F", 1, None) == r.GoOn()


# ---------------------------------------------------------------- orders


def test_a_recorder_that_does_not_do_what_it_shall_is_told_so_once() -> None:
    site = small_site()
    site.server("B").mode = r.Mode.STANDBY
    site.hear("B")
    site.settle()
    site.run(3_000)
    assert orders_to(site, "B") == [r.Record(key=PLAIN, epoch=Epoch(0), home=rid("B"))]


def test_a_recorder_that_refuses_is_asked_again_when_it_reports_something_new() -> None:
    site = small_site()
    site.unreachable = {camera.id for camera in site.row("B").settings.cameras}
    site.server("B").mode = r.Mode.STANDBY
    site.server("B").refusal = r.Refusal(reason=r.RefusalReason.NO_WRITABLE_DISK, sentence="no disk")
    site.run(10_000)
    assert len(orders_to(site, "B")) == 1
    assert site.core.seen.refused_orders[rid("B")].sentence == "no disk"
    site.server("B").refusal = None
    site.server("B").disks = {"D:": True, "E:": True}
    site.run(2_000)
    assert site.server("B").mode is r.Mode.RECORDING
    assert site.core.seen.refused_orders == {}


def test_a_recorder_that_refuses_to_record_is_asked_again_soon_as_its_cameras_are_dark() -> None:
    site = small_site()
    site.unreachable = {camera.id for camera in site.row("B").settings.cameras}
    site.server("B").mode = r.Mode.STANDBY
    site.server("B").refusal = r.Refusal(reason=r.RefusalReason.CANNOT_SAVE, sentence="disk full")
    site.run(2_000)
    since_ms = site.core.seen.refused_orders[rid("B")].since_wall_ms
    site.run(DARK_AGAIN_MS + 2_000)
    assert len(orders_to(site, "B")) == 2
    assert site.core.seen.refused_orders[rid("B")].since_wall_ms == since_ms
    site.server("B").refusal = None
    site.run(DARK_AGAIN_MS)
    assert site.server("B").mode is r.Mode.RECORDING


def too_old(site: Site, server: str, order: int, knows: int, reason: r.RefusalReason = r.RefusalReason.OLD_EPOCH) -> tuple[f.AnyFact, ...]:
    """What follows when the server refuses to stand down under an epoch older than it knows."""
    refusal = r.Refusal(reason=reason, sentence="too old", epoch=Epoch(knows))
    answered = i.OrderAnswered(recorder=rid(server), order=r.StandDown(key=PLAIN, epoch=Epoch(order)), answer=refusal)
    return decide(site.state, site.core.seen, answered, site.now).facts


def test_a_standby_server_that_knows_an_order_which_the_journal_lost_is_given_a_newer_epoch() -> None:
    site = small_site()
    site.restart(damage="The journal lost its tail.")
    site.run(2_000)
    waits = site.row("F").assignment.epoch
    (fact,) = too_old(site, "F", waits, waits + 1)
    assert fact == f.ServerRestored(recorder=rid("F"), epoch=site.state.next_epoch)
    evolve(site.state, f.FactRecord(term=1, wall_ms=0, actor=COORDINATOR, fact=fact))
    assert site.row("F").assignment == Standby(epoch=fact.epoch)
    assert goal(site.state, site.row("F")) == r.StandDown(key=PLAIN, epoch=fact.epoch)
    assert site.state.next_epoch > fact.epoch
    assert too_old(site, "F", waits, waits + 1) == (), "the answer to the earlier order, once more"


def test_only_a_standby_server_that_knows_a_newer_epoch_of_this_site_is_given_another_one() -> None:
    site = small_site()
    site.restart(damage="The journal lost its tail.")
    site.run(2_000)
    waits, free = site.row("F").assignment.epoch, site.state.next_epoch
    assert too_old(site, "F", waits, waits) == (), "it knows no newer one"
    assert too_old(site, "F", waits, free) == (), "never given out"
    assert too_old(site, "F", waits, free + 5) == (), "of another site"
    assert too_old(site, "F", waits, waits + 1, r.RefusalReason.CANNOT_SAVE) == ()
    assert too_old(site, "A", site.row("A").assignment.epoch, 1) == (), "it does not wait"
    assert too_old(site, "unknown", waits, waits + 1) == ()


def test_a_replaced_recorder_that_knows_an_order_which_the_journal_lost_stands_down_under_a_newer_epoch() -> None:
    site = small_site()
    entry = site.fail_over("A")
    site.restart(damage="The journal lost its tail.")
    site.run(2_000)
    replaced = site.row("A").assignment.epoch
    (fact,) = too_old(site, "A", replaced, replaced + 1)
    assert fact == f.StandDownRenewed(recorder=rid("A"), epoch=site.state.next_epoch)
    evolve(site.state, f.FactRecord(term=1, wall_ms=0, actor=COORDINATOR, fact=fact))
    assert site.row("A").assignment == Broken(epoch=fact.epoch, failover=entry.id)
    assert goal(site.state, site.row("A")) == r.StandDown(key=PLAIN, epoch=fact.epoch)
    assert site.state.next_epoch > fact.epoch
    assert broken_invariants(site.state) == ()
    assert too_old(site, "A", replaced, replaced + 1) == (), "the answer to the earlier order, once more"


def test_a_replaced_recorder_that_is_just_given_its_tasks_back_is_not_told_to_stand_down() -> None:
    site = small_site()
    site.fail_over("A")
    site.run(2_000)
    site.fail_back()
    failback = site.entry.failback
    assert failback is not None
    assert isinstance(site.row("A").assignment, Broken)
    late = too_old(site, "A", site.row("A").assignment.epoch, failback.epoch)
    assert late == (), "the order of before the failback came late"


def test_a_recorder_that_refuses_to_stand_down_is_asked_again_after_a_minute() -> None:
    site = small_site()
    site.server("A").up = False
    site.fail_over("A")
    site.server("A").up = True
    refusal = r.Refusal(reason=r.RefusalReason.CANNOT_SAVE, sentence="disk full")
    site.server("A").obey = lambda order, settings, now: refusal
    site.run(2_000)
    asked_before = len(orders_to(site, "A"))
    site.run(REFUSED_AGAIN_MS - 5_000)
    assert len(orders_to(site, "A")) == asked_before
    site.run(6_000)
    assert len(orders_to(site, "A")) == asked_before + 1


def test_a_recorder_that_answers_and_does_nothing_is_not_asked_in_a_circle() -> None:
    site = small_site()
    server = site.server("B")
    server.mode = r.Mode.STANDBY
    server.obey = lambda order, settings, now: r.Obeyed(epoch=order.epoch)
    site.run(20_000)
    assert 2 <= len(orders_to(site, "B")) <= 25


def test_an_answer_of_the_wrong_kind_moves_nothing_and_is_not_asked_for_in_a_circle() -> None:
    site = small_site()
    for name in "FH":
        site.server(name).obey = lambda order, settings, now: r.Footage(epoch=Epoch(1))
    site.ask(c.StartFailover(recorder=rid("A")))
    site.run(4_000)
    assert site.entry.phase is Phase.FETCHED
    assert len(orders_to(site, "F")) <= 12
    site.run(8_000)
    assert site.entry.phase is Phase.FAILED


def test_an_order_that_nobody_takes_is_sent_again_after_a_pause() -> None:
    site = small_site()
    site.server("F").answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    site.run(1_900)
    assert 4 <= len([order for order in orders_to(site, "F") if isinstance(order, r.Record)]) <= 6


def test_who_knows_a_newer_epoch_gets_no_order() -> None:
    site = small_site()
    site.server("B").epoch, site.server("B").mode = 90, r.Mode.STANDBY
    site.run(3_000)
    assert orders_to(site, "B") == []


def beat(**changes: object) -> r.Beat:
    site = small_site()
    made = site.server("A").beat(site.now)
    return r.Beat(**{**{name: getattr(made, name) for name in made.__struct_fields__}, **changes})


@pytest.mark.parametrize(
    ("changes", "wanted", "good"),
    [
        ({}, r.Record(key=PLAIN, epoch=Epoch(0), home=rid("A")), True),
        ({}, r.Record(key=PLAIN, epoch=Epoch(1), home=rid("A")), False),
        ({}, r.Record(key=PLAIN, epoch=Epoch(0), home=rid("B")), False),
        ({}, r.Record(key=PLAIN, epoch=Epoch(0), home=rid("A"), without=("c",)), False),
        ({}, r.Record(key=PLAIN, epoch=Epoch(0), home=rid("A"), documents=document_set("A", 9)), True),
        ({}, r.Record(key=PLAIN, epoch=Epoch(0), home=rid("A"), documents=document_set("B")), False),
        ({"documents": None}, r.Record(key=PLAIN, epoch=Epoch(0), home=rid("A"), documents=document_set("A")), False),
        ({"mode": r.Mode.ASKING}, r.Record(key=PLAIN, epoch=Epoch(0), home=rid("A")), False),
        ({"mode": r.Mode.STANDBY, "epoch": 4}, r.StandDown(key=PLAIN, epoch=Epoch(4)), True),
        ({"mode": r.Mode.STANDBY, "epoch": 3}, r.StandDown(key=PLAIN, epoch=Epoch(4)), False),
        ({"epoch": 4}, r.StandDown(key=PLAIN, epoch=Epoch(4)), False),
    ],
)
def test_when_a_report_satisfies_an_order(changes: dict[str, object], wanted: r.Record | r.StandDown, good: bool) -> None:
    assert satisfied(beat(**changes), wanted) is good


# ---------------------------------------------------------------- outstanding


def test_a_quiet_site_has_nothing_outstanding_and_a_restart_finds_what_was() -> None:
    site = small_site()
    assert outstanding(site.state, site.core.seen) == ()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    entry = site.entry
    check = CheckCache(failover=entry.id, documents=document_set("A"))
    assert outstanding(site.state, site.core.seen) == (check,)
    site.restart()
    assert site.commands[-1][1] == check


def test_changed_documents_are_fetched() -> None:
    site = small_site()
    site.fetch_works = False
    site.server("A").documents = document_set("new", 2)
    site.run(1_000)
    assert FetchDocuments(recorder=rid("A"), documents=document_set("new", 2)) in outstanding(site.state, site.core.seen)
    site.fetch_works = True
    site.run(1_000)
    assert site.row("A").documents == document_set("new", 2)


@pytest.mark.parametrize("server", ["Z", "F", "A"], ids=["unknown", "on standby", "the same again"])
def test_documents_that_nobody_needs_change_nothing(server: str) -> None:
    site = small_site()
    known = len(site.facts)
    fetched = i.DocumentsFetched(recorder=rid(server), documents=document_set("A"), settings=site.row("A").settings)
    site.core.take(fetched, site.now)
    site.settle()
    assert len(site.facts) == known


# ---------------------------------------------------------------- invariants


def spoiled(**assignments: object) -> Site:
    site = small_site()
    site.fail_over("A")
    for server, assignment in assignments.items():
        site.state.recorders[rid(server)] = msgspec.structs.replace(site.row(server), assignment=assignment)
    return site


def test_no_camera_belongs_to_two() -> None:
    site = spoiled(A=Recording(epoch=Epoch(1)))
    assert broken_invariants(site.state) == ("The cameras of A belong to both A and F.",)
    site = small_site()
    site.state.recorders[rid("B")] = msgspec.structs.replace(site.row("B"), settings=site.row("A").settings)
    assert broken_invariants(site.state)[0] == "Camera A-c0 is in the settings of both A and B."


def test_an_assignment_names_an_entry_that_says_so() -> None:
    site = spoiled(H=Reserved(epoch=Epoch(1), for_recorder=rid("B"), failover="F00001"))
    assert broken_invariants(site.state) == ("H is reserved in F00001, which does not say so.",)


def test_epochs_are_given_out_before_they_are_used() -> None:
    assert broken_invariants(spoiled(H=Standby(epoch=Epoch(99))).state) == ("H has epoch 99, which was not given out yet.",)


def test_entries_have_one_failover_each_a_server_and_their_steps_in_order() -> None:
    site = small_site()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    entry = site.entry
    twin = msgspec.structs.replace(entry, id="F00002", number=2, server=None)
    site.state.failovers["F00002"] = twin
    site.state.open["F00002"] = None
    steps = tuple(StepRecord(number=number, done_wall_ms=0, duration_ms=0) for number in (1, 3, 2))
    failback = Failback(actor=COORDINATOR, started_ms=0, epoch=Epoch(1), steps=steps)
    site.state.failovers[entry.id] = msgspec.structs.replace(entry, steps=steps, failback=failback)
    assert broken_invariants(site.state) == (
        "A has two failovers, F00001 and F00002.",
        "F00002 is reserved without a failover server.",
        "Step 2 of F00001 follows step 3.",
        "The steps of the failback in F00001 are not in order.",
    )


@pytest.mark.parametrize(
    ("server", "row", "sentence"),
    [
        ("none", {}, "F00001 has no failover server to commit to."),
        ("F", {"F": Standby(epoch=Epoch(1))}, "F is not reserved for F00001."),
        ("F", {"A": Broken(epoch=Epoch(1), failover="F00001")}, "A does not have the tasks that F00001 is to move."),
        ("F", {"A": Acting(epoch=Epoch(1), for_recorder=rid("B"), failover="x")}, "A does not record for A, as F00001 says."),
    ],
)
def test_why_a_commit_would_be_contradictory(server: str, row: dict[str, object], sentence: str) -> None:
    site = small_site()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    assert commit_objection(site.state, site.entry) is None
    for name, assignment in row.items():
        site.state.recorders[rid(name)] = msgspec.structs.replace(site.row(name), assignment=assignment)
    entry = site.entry if server != "none" else msgspec.structs.replace(site.entry, server=None)
    assert commit_objection(site.state, entry) == sentence


def test_a_home_that_records_again_contradicts_a_commit_to_a_third() -> None:
    site = small_site()
    site.fail_over("A")
    site.server("A").up = False
    site.run(4_000)
    site.server("H").answers = False
    site.ask(c.StartFailover(recorder=rid("F")))
    site.state.recorders[rid("A")] = msgspec.structs.replace(site.row("A"), assignment=Recording(epoch=Epoch(1)))
    assert commit_objection(site.state, site.entry) == "A is not broken, although F acts for it."


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        (Recording(epoch=Epoch(1)), "recording"),
        (Standby(epoch=Epoch(1)), "on standby"),
        (Broken(epoch=Epoch(1), failover="x"), "broken"),
        (Acting(epoch=Epoch(1), for_recorder=rid("A"), failover="x"), "acting for A"),
        (Reserved(epoch=Epoch(1), for_recorder=rid("A"), failover="x"), "reserved for A"),
    ],
)
def test_an_assignment_in_a_few_words(assignment: object, words: str) -> None:
    assert describe_assignment(msgspec.structs.replace(small_site().row("F"), assignment=assignment)) == words


def test_an_entry_without_a_server_measures_nothing() -> None:
    site = small_site()
    entry = msgspec.structs.replace(site.fail_over("A"), server=None)
    assert measured(site.core.seen, entry, site.now) == entry.gaps


def test_an_acting_server_that_lost_its_documents_before_the_cache_had_its_present_ones_gets_those_it_was_given() -> None:
    """Edited in the middle of the failover, they are not in the cache yet under the server's name; without any it could record nothing."""
    site = small_site()
    entry = site.fail_over("A")
    acting = msgspec.structs.replace(site.row("F"), documents=None)
    site.state.recorders[rid("F")] = acting
    wanted = goal(site.state, acting)
    assert isinstance(wanted, r.Record)
    sent = with_documents(site.state, acting, wanted)
    assert isinstance(sent, r.Record)
    assert sent.documents == entry.documents
    del site.state.failovers[entry.id]
    assert with_documents(site.state, acting, wanted) == wanted, "nothing is known of it at all"
    leave = r.StandDown(key=PLAIN, epoch=Epoch(9))
    assert with_documents(site.state, acting, leave) == leave, "who is to stand down needs none"


@pytest.mark.parametrize("trigger", list(Trigger))
def test_what_needs_nothing_from_outside_goes_on_and_a_planned_switch_waits_for_frames(trigger: Trigger) -> None:
    site = small_site()
    site.fail_over("A")
    entry = msgspec.structs.replace(site.entry, trigger=trigger)
    going_on = {
        phase
        for phase in Phase
        if for_failover(site.state, site.core.seen, msgspec.structs.replace(entry, phase=phase)) == (Continue(failover=entry.id),)
    }
    always = {Phase.COMMITTED, Phase.RECORDED, Phase.FAILBACK_STARTED, Phase.FAILBACK_COMMITTED, Phase.FAILBACK_PERFORMED}
    assert going_on == (always if trigger is Trigger.PLANNED else always | {Phase.SAVED})
