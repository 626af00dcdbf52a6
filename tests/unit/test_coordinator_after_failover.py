"""What comes after a failover: the acting server breaks too, gaps are measured, and a restart goes on anywhere (SPEC 6, 7, 14.4)."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.commands import SendOrder
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import AttemptEnd, Phase
from sysmanager.domain.recorder import Acting, Broken, Recording, Standby
from sysmanager.domain.rights import COORDINATOR
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import GROUP, Site, cameras_of, contents, document_set, rid, small_site

REFUSAL = r.Refusal(reason=r.RefusalReason.CANNOT_SAVE, sentence="the disk is full")


def assignment(site: Site, server: str) -> object:
    return site.row(server).assignment


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
