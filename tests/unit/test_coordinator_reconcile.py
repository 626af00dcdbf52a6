"""A journal that lost its tail, or was restored (SPEC 7): the higher epoch wins, nobody's cameras are left to nobody, a person confirms."""

from __future__ import annotations

import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.commands import SendOrder
from sysmanager.coordinator.decide import due_failover_ms
from sysmanager.coordinator.reconcile import findings
from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import Epoch
from sysmanager.domain.recorder import Acting, Broken, Recording, Standby
from sysmanager.engine.rows import recorder_row
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import GROUP, Site, contents, document_set, rid, small_site

DAMAGE = "The journal was damaged after record 17; what follows was set aside."


def amnesic() -> tuple[Site, int]:
    """A site, and where its journal stood before anything happened on it."""
    site = small_site()
    return site, len(site.journal)


def confirm(site: Site) -> c.Reply:
    return site.ask(c.ConfirmReconcile(findings=findings(site.state, site.core.seen)))


def sentences(site: Site) -> dict[str, str]:
    return {found.recorder: found.sentence for found in findings(site.state, site.core.seen)}


def settled(site: Site) -> None:
    """At the end: sound tables, everybody does what system data says, and a replay says the same."""
    site.run(3_000)
    assert contents(site.state) == contents(site.replayed())
    for server in site.servers.values():
        if server.up:
            row = site.row(server.id)
            assert server.home == row.home, server.id
            assert server.epoch >= row.assignment.epoch or isinstance(row.assignment, Standby)


def test_where_nothing_differs_the_reconcile_ends_by_itself() -> None:
    site = small_site()
    site.restart(damage=DAMAGE)
    assert site.state.reconcile is not None
    assert site.state.reconcile.sentence == DAMAGE
    site.run(2_000)
    assert site.state.reconcile is None
    assert len(site.of(f.RecorderReconciled)) == 4
    settled(site)


def test_a_lost_failover_is_found_and_confirmed_with_an_entry_to_fail_back_from() -> None:
    site, mark = amnesic()
    epoch = site.fail_over("A").epoch
    site.restart(keep=mark, damage=DAMAGE)
    assert site.state.failovers == {}
    site.run(2_000)
    assert site.state.reconcile is not None
    known = site.row("F").assignment.epoch
    sentence = f"F reports epoch {epoch}, newer than {known} in system data: it records for A, and will act for A."
    assert sentences(site)["F"] == sentence
    confirm(site)
    entry = site.entry
    assert (entry.phase, entry.recorder, entry.server, entry.epoch, entry.group) == (Phase.READY, "A", "F", epoch, GROUP)
    assert site.row("F").assignment == Acting(epoch=epoch, for_recorder=rid("A"), failover=entry.id)
    assert isinstance(site.row("A").assignment, Broken)
    assert site.state.reconcile is None
    settled(site)
    assert site.fail_back().sentence == "Failback of A started."
    site.run(3_000)
    assert site.entry.phase is Phase.RETURNED


def test_the_coordinator_continues_above_the_highest_epoch_that_anybody_reports() -> None:
    site, mark = amnesic()
    site.fail_over("A")
    site.server("H").epoch = 5_000
    site.restart(keep=mark, damage=DAMAGE)
    site.run(2_000)
    before = site.state.next_epoch
    confirm(site)
    assert before < 5_000
    confirmed = site.of(f.ReconcileConfirmed)[-1]
    assert confirmed.highest_epoch == max(5_000, *(one.assignment.epoch for one in confirmed.adjustments))
    assert site.state.next_epoch > 5_000


def test_without_a_report_of_a_higher_epoch_it_continues_above_what_the_journal_gave_out() -> None:
    site, mark = amnesic()
    site.fail_over("A")
    site.restart(keep=mark, damage=DAMAGE)
    for name in "ABFH":
        site.server(name).up = False
    site.run(2_000)
    before = site.state.next_epoch
    confirm(site)
    assert site.of(f.ReconcileConfirmed)[-1].highest_epoch == before - 1


def test_a_lost_failback_is_found_and_the_entry_is_closed() -> None:
    site = small_site()
    site.fail_over("A")
    site.run(2_000)
    mark = len(site.journal)
    site.fail_back()
    site.run(3_000)
    epoch = site.server("A").epoch
    site.restart(keep=mark, damage=DAMAGE)
    assert site.entry.phase is Phase.READY
    site.run(2_000)
    assert sentences(site)["A"].endswith("it records its own cameras, and will be a normal recorder.")
    assert sentences(site)["F"].endswith("it waits, and will be on standby.")
    confirm(site)
    assert site.row("A").assignment == Recording(epoch=Epoch(epoch))
    assert isinstance(site.row("F").assignment, Standby)
    assert site.entry.phase is Phase.SUPERSEDED
    reply = site.fail_back()
    assert isinstance(reply, c.Refused)
    assert "a reconcile, has ended this one" in reply.sentence
    settled(site)


def test_before_it_is_confirmed_nothing_is_ordered_decided_or_started() -> None:
    site, mark = amnesic()
    site.fail_over("A")
    site.restart(keep=mark, damage=DAMAGE)
    orders = len([command for _, command in site.commands if isinstance(command, SendOrder)])
    site.server("B").up = False
    site.run(60_000)
    assert site.state.failovers == {}
    later = [command for _, command in site.commands if isinstance(command, SendOrder)][orders:]
    assert {command.recorder for command in later} <= {"A"}, "only who agrees with system data gets an order"
    assert recorder_row(site.state, site.core.seen, site.row("F"), site.now).reconciled is False


def test_an_open_failover_does_not_move_and_does_not_hammer_its_server_before_the_confirmation() -> None:
    site, _ = amnesic()
    site.server("F").answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    assert site.entry.phase is Phase.FETCHED
    site.server("B").epoch = 900
    site.server("F").orders.clear()
    site.restart(damage=DAMAGE)
    site.server("F").answers = True
    site.run(5_000)
    assert site.entry.phase is Phase.FETCHED
    assert site.server("F").orders == []
    due = due_failover_ms(site.state, site.core.seen, site.entry, site.now)
    assert due is None, "looking at it every millisecond would keep the coordinator busy until somebody confirms"
    confirm(site)
    site.run(2_000)
    assert site.entry.phase is Phase.READY


def test_unheard_recorders_are_reconciled_when_they_come() -> None:
    site, mark = amnesic()
    epoch = site.fail_over("A").epoch
    site.server("F").up = False
    site.restart(keep=mark, damage=DAMAGE)
    site.run(2_000)
    assert sentences(site)["A"].endswith("it waits, and will be a normal recorder.")
    confirm(site)
    assert site.state.reconcile is not None
    assert site.state.reconcile.confirmed
    assert site.state.reconcile.waiting == {"F"}
    site.run(2_000)
    assert site.server("A").mode is r.Mode.RECORDING
    site.server("F").up = True
    site.run(2_000)
    assert site.row("A").assignment.epoch > epoch
    assert sentences(site)["F"].endswith("it records for A, and will be on standby.")
    confirm(site)
    assert site.state.reconcile is None
    settled(site)
    assert site.server("F").mode is r.Mode.STANDBY
    assert isinstance(site.row("A").assignment, Recording)


def test_after_the_confirmation_a_recorder_that_nobody_heard_is_protected_again() -> None:
    site, mark = amnesic()
    site.server("B").up = False
    site.server("H").epoch = 77
    site.restart(keep=mark, damage=DAMAGE)
    site.run(2_000)
    confirm(site)
    site.run(300_000)
    assert (site.entry.recorder, site.entry.phase) == ("B", Phase.READY)


def test_of_two_that_record_for_one_home_the_higher_epoch_wins_and_the_other_waits() -> None:
    site, mark = amnesic()
    for name, epoch in (("F", 30), ("H", 40)):
        server = site.server(name)
        server.mode, server.epoch, server.home = r.Mode.RECORDING, epoch, rid("A")
        server.settings, server.documents = site.server("A").settings, document_set("A")
    site.server("A").up = False
    site.restart(keep=mark, damage=DAMAGE)
    site.run(2_000)
    assert sentences(site)["H"].endswith("it records for A, and will act for A.")
    assert sentences(site)["F"].endswith("it records for A, and will be on standby.")
    confirm(site)
    assert isinstance(site.row("H").assignment, Acting)
    assert isinstance(site.row("F").assignment, Standby)
    assert site.row("F").assignment.epoch > 40
    settled(site)


def test_the_server_that_system_data_has_acting_is_displaced_by_a_newer_one() -> None:
    site = small_site()
    first = site.fail_over("A")
    server = site.server("H")
    server.mode, server.epoch, server.home = r.Mode.RECORDING, 50, rid("A")
    server.settings, server.documents = site.server("A").settings, document_set("A")
    site.restart(damage=DAMAGE)
    site.run(2_000)
    confirm(site)
    assert isinstance(site.row("F").assignment, Standby)
    assert isinstance(site.row("H").assignment, Acting)
    assert site.state.failovers[first.id].phase is Phase.SUPERSEDED
    settled(site)


def test_an_older_claim_than_system_data_loses() -> None:
    """A already records under a newer epoch; the failover server that was unheard for long gives way."""
    site = small_site()
    site.server("A").epoch = 60
    site.run(1_000)
    confirm(site)
    server = site.server("H")
    server.mode, server.epoch, server.home = r.Mode.RECORDING, 50, rid("A")
    server.settings, server.documents = site.server("A").settings, document_set("A")
    site.run(1_000)
    confirm(site)
    assert site.row("A").assignment == Recording(epoch=Epoch(60))
    assert isinstance(site.row("H").assignment, Standby)
    settled(site)


def test_a_server_that_acts_for_another_home_leaves_nobody_without_a_recorder() -> None:
    """System data has F acting for A; F says that it acts for B, and A is away: A's cameras are A's again, and its absence counts."""
    site = small_site()
    first = site.fail_over("A")
    site.server("A").up = False
    server = site.server("F")
    server.epoch, server.home = 50, rid("B")
    server.settings, server.documents = site.server("B").settings, document_set("B")
    site.restart(damage=DAMAGE)
    site.run(2_000)
    confirm(site)
    assert isinstance(site.row("A").assignment, Recording)
    assert isinstance(site.row("B").assignment, Broken)
    assert site.state.failovers[first.id].phase is Phase.SUPERSEDED
    site.run(300_000)
    assert (site.entry.recorder, site.entry.server) == ("A", "H")


def test_a_recorder_that_was_told_to_stand_down_stays_replaced_while_somebody_acts_for_it() -> None:
    site = small_site()
    site.fail_over("A")
    site.server("A").epoch = 70
    site.restart(damage=DAMAGE)
    site.run(2_000)
    assert sentences(site)["A"].endswith("it waits, and stays replaced by F.")
    confirm(site)
    assert isinstance(site.row("A").assignment, Broken)
    assert isinstance(site.row("F").assignment, Acting)
    settled(site)


def test_the_same_entry_goes_on_when_only_the_epoch_of_the_acting_server_is_newer() -> None:
    site = small_site()
    first = site.fail_over("A")
    site.server("F").epoch = 80
    site.restart(damage=DAMAGE)
    site.run(2_000)
    confirm(site)
    assert site.row("F").assignment == Acting(epoch=Epoch(80), for_recorder=rid("A"), failover=first.id)
    assert (site.entry.id, site.entry.epoch, site.entry.phase) == (first.id, 80, Phase.READY)
    settled(site)


def test_an_entry_before_its_commit_whose_server_does_something_else_is_cancelled() -> None:
    site = small_site()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    server = site.server("F")
    server.mode, server.epoch, server.home = r.Mode.RECORDING, 50, rid("B")
    server.settings, server.documents = site.server("B").settings, document_set("B")
    site.restart(damage=DAMAGE)
    site.run(2_000)
    confirm(site)
    assert site.state.failovers["F00001"].phase is Phase.CANCELLED
    assert isinstance(site.row("F").assignment, Acting)
    settled(site)


def test_a_waiting_entry_whose_recorder_turns_out_to_be_replaced_is_cancelled() -> None:
    site = small_site()
    site.server("A").up = site.server("F").up = site.server("H").up = False
    site.run(12_000)
    assert site.entry.phase is Phase.WAITING
    server = site.server("H")
    server.up, server.mode, server.epoch, server.home = True, r.Mode.RECORDING, 50, rid("A")
    server.settings, server.documents = site.server("A").settings, document_set("A")
    site.restart(damage=DAMAGE)
    site.run(2_000)
    confirm(site)
    site.run(2_000)
    assert site.state.failovers["F00001"].phase is Phase.CANCELLED
    settled(site)


def test_a_standard_recorder_that_claims_anothers_cameras_makes_no_sense() -> None:
    site = small_site()
    site.server("A").epoch, site.server("A").home = 90, rid("B")
    site.run(1_000)
    assert sentences(site)["A"].endswith("it waits, and will be a normal recorder.")
    confirm(site)
    assert isinstance(site.row("B").assignment, Recording)
    settled(site)


def test_a_home_without_a_group_is_found_too() -> None:
    site = Site()
    site.add("A", group=None)
    site.add("F", failover=True)
    server = site.server("F")
    server.mode, server.epoch, server.home = r.Mode.RECORDING, 50, rid("A")
    server.settings, server.documents = site.server("A").settings, document_set("A")
    site.run(1_000)
    confirm(site)
    assert site.entry.group == GROUP


# ---------------------------------------------------------------- the request


def test_what_changed_since_the_person_looked_is_not_confirmed() -> None:
    site, mark = amnesic()
    site.fail_over("A")
    site.restart(keep=mark, damage=DAMAGE)
    site.run(2_000)
    reply = site.ask(c.ConfirmReconcile(findings=()))
    assert isinstance(reply, c.Refused)
    assert reply.sentence == "What differs has changed since you looked; look at it again and confirm then."


def test_without_anything_to_reconcile_the_request_is_refused() -> None:
    site, mark = amnesic()
    assert confirm(site) == c.Refused(sentence="There is nothing to reconcile.")
    site.fail_over("A")
    site.server("F").up = False
    site.restart(keep=mark, damage=DAMAGE)
    site.run(2_000)
    confirm(site)
    reply = confirm(site)
    assert isinstance(reply, c.Refused)
    assert reply.sentence.startswith("This reconcile is confirmed already")


def test_a_site_that_lost_all_its_servers_can_be_confirmed() -> None:
    site = Site()
    site.restart(keep=1, damage=DAMAGE)
    assert isinstance(confirm(site), c.Done)
    assert site.state.reconcile is None


@pytest.mark.parametrize("server", ["A", "F"])
def test_a_server_that_is_removed_is_not_waited_for(server: str) -> None:
    site = small_site()
    for other in site.servers.values():
        other.up = other.id != server
    site.restart(damage=DAMAGE)
    site.run(2_000)
    assert site.state.reconcile is not None
    site.ask(c.RemoveRecorder(recorder=rid(server)))
    assert site.state.reconcile is None


def test_a_server_that_comes_later_in_a_reconcile_has_nothing_to_reconcile() -> None:
    site = small_site()
    site.server("B").up = False
    site.restart(damage=DAMAGE)
    site.add("C")
    site.run(2_000)
    assert site.state.reconcile is not None
    assert site.state.reconcile.waiting == {"B"}


def test_a_watchdog_alone_is_no_report_to_reconcile_by() -> None:
    site, mark = amnesic()
    site.server("B").service, site.server("B").beats = r.ServiceState.STARTING, False
    site.server("H").epoch = 70
    site.restart(keep=mark, damage=DAMAGE)
    site.run(2_000)
    confirm(site)
    assert site.state.reconcile is not None
    assert site.state.reconcile.waiting == {"B"}


def test_a_server_whose_release_settles_what_differed_is_reconciled_without_saying_anything_new() -> None:
    site = small_site()
    site.cache_answers = False
    site.server("A").up = False
    site.run(11_000)
    assert site.entry.server == "F"
    site.server("F").up = False
    site.server("F").epoch = site.entry.epoch + 1
    site.restart(damage=DAMAGE)
    site.run(2_000)
    confirm(site)
    site.server("F").up = True
    site.run(2_000)
    assert site.state.reconcile is not None
    assert site.state.reconcile.waiting == {"A", "F"}
    site.server("A").up = True
    site.run(2_000)
    assert site.entry.phase is Phase.CANCELLED
    assert site.state.reconcile is None
    settled(site)


def test_the_epoch_of_a_failback_under_way_is_not_news_that_a_person_must_confirm() -> None:
    site = small_site()
    site.fail_over("A")
    site.run(3_000)
    site.server("A").first_frame_ms = 4_000
    site.fail_back()
    site.run(2_000)
    assert site.entry.phase is Phase.FAILBACK_SAVED
    assert site.server("A").epoch > site.row("A").assignment.epoch
    assert findings(site.state, site.core.seen) == ()
    site.restart(damage=DAMAGE)
    site.run(6_000)
    assert (site.state.reconcile, site.entry.phase) == (None, Phase.RETURNED)
    settled(site)


def test_after_a_failback_was_undone_nothing_is_to_be_confirmed_either() -> None:
    site = small_site()
    site.fail_over("A")
    site.run(3_000)
    site.server("A").first_frame_ms = 60_000
    site.fail_back()
    seen: list[str] = []
    site.run(15_000, until=lambda: bool(seen.extend(sentences(site).values())))
    assert site.entry.phase is Phase.READY
    assert seen == []
