"""What only damage, or a race that no scenario has, could bring about: a decision stays a decision, and nothing raises."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.commands import Continue, FetchDocuments
from sysmanager.coordinator.decide import TABLE
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.failback import _documents_changed, current_documents, dark_cameras, expected_cameras
from sysmanager.coordinator.failover import choice_of
from sysmanager.coordinator.handing import singles
from sysmanager.coordinator.opening import open_entry
from sysmanager.coordinator.reconcile import findings
from sysmanager.coordinator.table import Case, On, find
from sysmanager.domain.documents import DocumentKind
from sysmanager.domain.failover import AttemptEnd, Failover, Phase, Trigger
from sysmanager.domain.ids import Epoch
from sysmanager.domain.recorder import Standby
from sysmanager.domain.rights import COORDINATOR
from sysmanager.engine.flights import flight_of
from sysmanager.engine.rows import recorder_row
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Site, cameras_of, document_set, rid, small_site


def case_of(site: Site, entry: Failover, taken: i.Input | None = None) -> Case:
    given = taken or i.ReviewFailover(failover=entry.id)
    return Case(view=site.state, seen=site.core.seen, failover=entry, now=site.now, input=given)


def stopped_site() -> Site:
    """F is reserved for A, and the cache does not answer."""
    site = small_site()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    return site


def test_no_entry_is_opened_for_a_recorder_without_a_group() -> None:
    site = small_site()
    row = msgspec.structs.replace(site.row("A"), group=None)
    assert open_entry(site.state, site.core.seen, row, Trigger.CONNECTION, site.now) == ()


def test_an_entry_whose_group_or_recorder_is_gone_has_no_candidate() -> None:
    site = stopped_site()
    entry = msgspec.structs.replace(site.entry, group="gone")
    assert choice_of(case_of(site, entry)).server is None


def test_an_entry_without_a_server_has_no_documents_no_cameras_and_nothing_to_hand_over() -> None:
    site = stopped_site()
    entry = msgspec.structs.replace(site.entry, server=None)
    case = case_of(site, entry)
    assert current_documents(site.state, site.core.seen, entry) is None
    assert not _documents_changed(case)
    assert (expected_cameras(case), dark_cameras(case), singles(site.state, entry)) == ((), (), ())


def test_a_failover_server_without_documents_is_waited_for() -> None:
    site = small_site()
    site.fail_over("A")
    site.state.recorders[rid("F")] = msgspec.structs.replace(site.row("F"), documents=None)
    assert current_documents(site.state, site.core.seen, site.entry) is None


def test_a_reserved_phase_without_a_server_ends_without_releasing_anybody() -> None:
    site = stopped_site()
    site.state.failovers[site.entry.id] = msgspec.structs.replace(site.entry, server=None)
    before = {row.id: row.assignment for row in site.state.recorders.values()}
    fact = f.AttemptEnded(failover=site.entry.id, end=AttemptEnd.LOST, sentence="x", release_epoch=Epoch(9))
    evolve(site.state, f.FactRecord(term=1, wall_ms=0, actor=COORDINATOR, fact=fact))
    assert {row.id: row.assignment for row in site.state.recorders.values()} == before
    assert site.entry.phase is Phase.WAITING


@pytest.mark.parametrize("server", ["A", "H"], ids=["not a failover server", "another one"])
def test_an_answer_of_somebody_else_moves_nothing(server: str) -> None:
    site = stopped_site()
    entry = msgspec.structs.replace(site.entry, phase=Phase.FETCHED)
    order = r.Record(key=r.OrderKey(failover=entry.id, step=4, attempt=1), epoch=entry.epoch, home=rid("A"))
    answered = i.OrderAnswered(recorder=rid(server), order=order, answer=r.Obeyed(epoch=entry.epoch))
    assert find(TABLE, case_of(site, entry, answered), On.ANSWER) is None


def test_a_look_into_the_cache_for_other_documents_moves_nothing() -> None:
    site = stopped_site()
    for missing in ((), ("settings",)):
        found = i.DocumentsInCache(failover=site.entry.id, documents=document_set("other"), missing=missing)
        assert find(TABLE, case_of(site, site.entry, found), On.CACHE) is None


def test_a_candidate_that_is_not_reconciled_is_not_taken() -> None:
    site = small_site()
    site.server("B").epoch = 3_000
    site.server("F").up = False
    site.restart(damage="The journal lost its tail.")
    site.run(2_000)
    reply = site.ask(c.ConfirmReconcile(findings=findings(site.state, site.core.seen)))
    assert isinstance(reply, c.Done)
    found = choice_of(case_of(site, msgspec.structs.replace(stopped_site().entry, attempts=())))
    assert {verdict.server: verdict.sentence for verdict in found.verdicts}["F"] == "has not been reconciled yet"


def test_documents_that_the_cache_lost_are_fetched_again_from_who_records_by_them() -> None:
    site = small_site()
    site.server("F").refusal = r.Refusal(reason=r.RefusalReason.DOCUMENTS_MISSING, sentence="not in the cache")
    fetched = [command for _, command in site.commands if isinstance(command, FetchDocuments) and command.recorder == "A"]
    site.ask(c.StartFailover(recorder=rid("A")))
    site.run(1_000)
    again = [command for _, command in site.commands if isinstance(command, FetchDocuments) and command.recorder == "A"]
    assert len(again) == len(fetched) + 1
    assert site.core.seen.doubted == set()


def test_a_failover_that_finds_documents_missing_has_them_fetched_as_soon_as_the_recorder_is_back() -> None:
    site = small_site()
    site.missing, site.server("A").up = (DocumentKind.SETTINGS,), False
    site.run(4_000)
    site.ask(c.StartFailover(recorder=rid("A"), maintenance=False))
    assert (site.entry.phase, site.core.seen.doubted) == (Phase.FAILED, {"A"})
    site.core.look_at_readiness(site.now)
    reasons = [reason.sentence for reason in site.core.readiness.known[rid("A")].reasons if reason.topic is c.Topic.DOCUMENTS]
    assert reasons == ["Settings of A are missing from the cache; they are fetched as soon as it is connected."]
    site.missing, site.server("A").up = (), True
    site.run(2_000)
    assert site.core.seen.doubted == set()
    site.core.look_at_readiness(site.now)
    assert all("missing" not in reason.sentence for reason in site.core.readiness.known[rid("A")].reasons)
    site.ask(c.ReleaseHold(recorder=rid("A")))
    assert site.fail_over().phase is Phase.READY


def test_a_stand_down_that_is_refused_for_missing_documents_doubts_no_cache() -> None:
    site = small_site()
    order = r.StandDown(key=r.OrderKey(), epoch=Epoch(1))
    refusal = r.Refusal(reason=r.RefusalReason.DOCUMENTS_MISSING, sentence="x")
    site.core.take(i.OrderAnswered(recorder=rid("B"), order=order, answer=refusal), site.now)
    assert site.core.seen.doubted == set()


def test_a_refusal_is_over_when_the_server_does_what_is_wanted() -> None:
    site = small_site()
    site.server("B").mode = r.Mode.STANDBY
    site.server("B").refusal = r.Refusal(reason=r.RefusalReason.CANNOT_SAVE, sentence="disk full")
    site.run(1_000)
    assert rid("B") in site.core.seen.refused_orders
    site.server("B").mode = r.Mode.RECORDING
    site.run(1_000)
    assert site.core.seen.refused_orders == {}


def test_a_continuation_is_nothing_to_send() -> None:
    assert flight_of(Continue(failover="F00001")) is None
    assert flight_of(Continue(failover="F00001")) is None


@pytest.mark.parametrize(
    ("mode", "cameras", "condition"), [(r.Mode.ASKING, 2, "starting to record"), (r.Mode.RECORDING, 0, "opening its cameras")]
)
def test_a_recorder_is_not_ready_before_its_cameras_are_open(mode: r.Mode, cameras: int, condition: str) -> None:
    site = small_site()
    site.server("A").answers = False
    site.server("A").mode = mode
    site.server("A").settings = msgspec.structs.replace(site.row("A").settings, cameras=cameras_of("A", cameras))
    site.hear("A")
    site.settle()
    assert recorder_row(site.state, site.core.seen, site.row("A"), site.now).condition == condition


def test_a_failover_that_cannot_even_be_opened_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    site = small_site()
    monkeypatch.setattr("sysmanager.coordinator.requests.failover.open_entry", lambda *given: ())
    refused = c.Refused(sentence="A cannot be failed over.", reason="server in the wrong state")
    assert site.ask(c.StartFailover(recorder=rid("A"))) == refused
    assert isinstance(site.row("F").assignment, Standby)
