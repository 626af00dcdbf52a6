"""The mass-loss brake: when many recorders fall silent together, it may be the coordinator that is cut off (SPEC 13.3)."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.brake import TOGETHER_MS, _together, braked
from sysmanager.domain.failover import Trigger
from sysmanager.domain.maintenance import Scope, Target
from sysmanager.engine.rows import system_row
from sysmanager.protocol import clients as c
from tests.helpers.coordination import Site, contents, rid, small_site


def setting(site: Site, **changes: object) -> None:
    settings = msgspec.structs.replace(site.state.settings, **changes)
    assert isinstance(site.ask(c.EditSystem(revision=site.state.settings_revision, settings=settings)), c.Done)


def alarms(site: Site) -> dict[str, str]:
    row = system_row(site.state, site.core.seen, site.now, site="S", practice=False, lag_ms=0, ready={})
    return {alarm.key: alarm.sentence for alarm in row.alarms}


def wide_site(recorders: int = 6, spares: int = 6) -> Site:
    site = Site()
    for number in range(recorders):
        site.add(f"R{number}")
    for number in range(spares):
        site.add(f"S{number}", failover=True)
    site.run(5_000)
    return site


def lose(site: Site, count: int, *, reached: bool = False) -> None:
    for number in range(count):
        site.server(f"R{number}").up, site.server(f"R{number}").reached_by_peers = False, reached


def opened(site: Site) -> list[f.AnyFact]:
    return [fact for fact in site.facts if isinstance(fact, f.FailoverStarted | f.FailoverWaiting | f.FailoverQueued)]


def test_confirmed_by_a_candidate_it_goes_on_at_once() -> None:
    site = wide_site()
    lose(site, 4)
    site.run(11_000)
    assert len(opened(site)) == 4
    assert site.of(f.BrakeApplied) == []


def test_unconfirmed_it_holds_says_so_and_goes_on_after_its_time() -> None:
    site = wide_site()
    lose(site, 4, reached=True)
    site.run(11_000)
    assert opened(site) == []
    assert site.of(f.BrakeApplied) == [f.BrakeApplied(lost=4, watched=6)]
    assert site.state.brake is not None
    assert "4 of 6 recorders fell silent together" in alarms(site)["brake"]
    row = system_row(site.state, site.core.seen, site.now, site="S", practice=False, lag_ms=0, ready={})
    assert row.brake is not None
    assert (row.brake.lost, row.brake.watched, row.brake.waiting) == (4, 6, 4)
    assert row.brake.goes_on_in_ms is not None
    assert 57_000 <= row.brake.goes_on_in_ms <= 60_000
    asked = len(site.probes)
    site.run(10_000)
    assert len(site.probes) >= asked + 4 * 9, "asked again every second"
    site.run(46_000)
    assert opened(site) == []
    site.run(6_000)
    assert len(opened(site)) == 4
    site.run(3_000)
    assert site.of(f.BrakeReleased) != []
    assert site.state.brake is None
    assert contents(site.replayed()) == contents(site.state)


def test_a_confirmation_that_comes_later_lets_it_go_on() -> None:
    site = wide_site()
    lose(site, 4, reached=True)
    site.run(20_000)
    for number in range(4):
        site.server(f"R{number}").reached_by_peers = False
    site.run(3_000)
    assert len(opened(site)) == 4


@pytest.mark.parametrize("back", [True, False])
def test_a_word_from_before_the_coordinator_was_cut_off_confirms_nothing(back: bool) -> None:
    site = wide_site()
    system = Target(scope=Scope.SYSTEM)
    begin = c.StartMaintenance(target=system, reason="work on the network", until_wall_ms=site.now.wall_ms + 3_600_000)
    assert isinstance(site.ask(begin), c.Done)
    lose(site, 4)
    site.run(15_000)
    assert len(site.of(f.FailoverWithheld)) == 4
    site.canary = False
    for server in site.servers.values():
        server.up = False
    site.run(200_000)
    assert isinstance(site.ask(c.EndMaintenance(target=system)), c.Done)
    site.canary = True
    site.run(500)
    assert opened(site) == []
    assert len(site.of(f.BrakeApplied)) == 1
    for name, server in site.servers.items():
        server.up = server.reached_by_peers = back or name not in {f"R{number}" for number in range(4)}
    site.run(5_000)
    assert len(opened(site)) == (0 if back else 4)
    assert site.state.brake is None


def test_it_is_released_when_the_recorders_are_heard_again() -> None:
    site = wide_site()
    lose(site, 4, reached=True)
    site.run(20_000)
    for number in range(4):
        site.server(f"R{number}").up = True
    site.run(4_000)
    assert site.state.brake is None
    assert opened(site) == []
    assert "brake" not in alarms(site)


def test_never_is_never_and_a_failover_by_hand_works_all_the_same() -> None:
    site = wide_site()
    setting(site, brake_limit_s=None)
    lose(site, 4, reached=True)
    site.run(300_000)
    assert opened(site) == []
    row = system_row(site.state, site.core.seen, site.now, site="S", practice=False, lag_ms=0, ready={})
    assert row.brake is not None
    assert row.brake.goes_on_in_ms is None
    assert isinstance(site.ask(c.StartFailover(recorder=rid("R0"))), c.Done)


def test_without_a_server_that_is_heard_it_holds_on_after_its_time() -> None:
    site = wide_site(6, 1)
    lose(site, 6, reached=True)
    site.server("S0").up = False
    site.run(100_000)
    assert opened(site) == []
    site.server("S0").up = True
    site.run(3_000)
    assert {entry.recorder for entry in site.state.failovers.values()} == {f"R{number}" for number in range(6)}


@pytest.mark.parametrize("lost", [1, 2])
def test_few_are_no_mass_loss(lost: int) -> None:
    site = wide_site(3, 3)
    lose(site, lost, reached=True)
    site.run(11_000)
    assert len(opened(site)) == lost


def test_the_share_and_the_least_number_are_those_that_are_set() -> None:
    site = wide_site(6, 3)
    setting(site, brake_share_percent=60)
    lose(site, 3, reached=True)
    site.run(11_000)
    assert len(opened(site)) == 3
    other = wide_site(6, 3)
    setting(other, brake_minimum=2, brake_share_percent=30)
    lose(other, 2, reached=True)
    other.run(11_000)
    assert opened(other) == []


def test_together_is_within_ten_seconds_of_one_another() -> None:
    def found(*silences: int) -> set[str]:
        return set(_together([(silence, rid(str(number))) for number, silence in enumerate(silences)], 10, 29, 3))

    assert found(3_000, 9_000, 3_000 + TOGETHER_MS) == {"0", "1", "2"}
    assert found(3_000, 9_000, 3_001 + TOGETHER_MS) == set()
    assert found(3_000, 9_000, 12_000, 19_000, 22_000) == {"0", "1", "2", "3", "4"}
    assert found(3_000, 4_000) == set()
    assert _together([(1, rid("a")), (2, rid("b")), (3, rid("c"))], 10, 30, 3) == frozenset()


def test_other_triggers_are_not_braked() -> None:
    site = wide_site()
    lose(site, 4, reached=True)
    site.server("R5").disks = {"D:": False}
    site.run(11_000)
    assert [fact.opening.trigger for fact in opened(site) if isinstance(fact, f.FailoverStarted)] == [Trigger.DISKS]


def test_a_restart_ends_the_brake_as_everybody_has_the_grace_then() -> None:
    site = wide_site()
    lose(site, 4, reached=True)
    site.run(12_000)
    site.restart()
    assert site.state.brake is None
    assert site.core.seen.brake_since_ms is None


def test_who_never_fell_silent_is_not_braked() -> None:
    site = small_site()
    assert not braked(site.state, site.core.seen, site.row("A"), site.now)
