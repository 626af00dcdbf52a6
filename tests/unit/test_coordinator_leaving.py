"""A server that announced its shutdown is given nothing until it is back (SPEC 4)."""

from __future__ import annotations

from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.failback_checks import checks
from sysmanager.coordinator.selection import choose
from sysmanager.domain.ids import InstanceId
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import GROUP, Site, rid, small_site


def announce(site: Site, server: str) -> None:
    leaving = r.Leaving(recorder=rid(server), instance=site.server(server).beat(site.now).instance, wall_ms=site.now.wall_ms)
    site.core.take(i.Announced(message=leaving), site.now, token="leaving")
    site.settle()


def test_a_failover_server_that_announced_its_shutdown_is_no_candidate_until_it_is_back() -> None:
    site = small_site()
    announce(site, "F")
    site.ask(c.StartFailover(recorder=rid("A")))
    assert site.entry.server == "H"
    assert {verdict.server: verdict.sentence for verdict in site.entry.verdicts}["F"] == "announced its shutdown"
    site.server("F").service = r.ServiceState.RUNNING
    site.run(2_000)
    assert choose(site.state, site.core.seen, failed=site.row("B"), home=site.row("B"), group=site.state.groups[GROUP]).server == "F"


def test_a_recorder_that_announced_its_shutdown_gets_nothing_back_until_it_is_back() -> None:
    site = small_site()
    site.ask(c.StartFailover(recorder=rid("A")))
    site.run(3_000)
    announce(site, "A")
    stops = [check.sentence for check in checks(site.state, site.core.seen, site.entry) if check.level is c.Level.STOP]
    assert stops == ["A announced its shutdown; wait until it is back."]


def test_a_second_server_of_the_same_id_may_go_and_nothing_is_switched_over() -> None:
    site = small_site()
    site.run(2_000)
    leaving = r.Leaving(recorder=rid("A"), instance=InstanceId("a copy"), wall_ms=site.now.wall_ms)
    site.core.take(i.Announced(message=leaving), site.now, token="leaving")
    site.settle()
    assert site.replies[-1] == c.Done(sentence="Another server with the id A is there, and records on.")
    assert not site.state.failovers
    announce(site, "A")
    assert site.entry.server == "F", "its own word counts"


def test_the_word_of_a_second_server_is_not_believed_either_where_it_is_the_first_after_a_restart() -> None:
    site = small_site()
    site.run(2_000)
    first = site.row("A").instance
    site.restart()
    leaving = r.Leaving(recorder=rid("A"), instance=InstanceId("a copy"), wall_ms=site.now.wall_ms)
    site.core.take(i.Announced(message=leaving), site.now, token="leaving")
    site.settle()
    assert site.replies[-1] == c.Done(sentence="Another server with the id A is there, and records on.")
    heard = site.core.seen.of(rid("A"))
    assert (heard.instance, heard.leaving, heard.rival) == (first, None, leaving.instance)


def test_who_is_not_in_system_data_may_go_and_nothing_is_kept_of_it() -> None:
    site = small_site()
    leaving = r.Leaving(recorder=rid("Z"), instance=InstanceId("z"), wall_ms=site.now.wall_ms)
    site.core.take(i.Announced(message=leaving), site.now, token="leaving")
    site.settle()
    assert site.replies[-1] == c.Done(sentence="Nothing takes over; the detection timeout runs.")
    assert rid("Z") not in site.core.seen.recorders
