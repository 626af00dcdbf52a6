"""Who lands where (SPEC 14.1): one failure, and any two in a group."""

from __future__ import annotations

import pytest

from sysmanager.coordinator import landing
from sysmanager.coordinator.landing import who_lands_where
from sysmanager.coordinator.preview import answer
from sysmanager.domain.group import Group
from sysmanager.domain.ids import GroupId
from sysmanager.protocol import clients as c
from tests.helpers.coordination import GROUP, Site, rid, small_site


def lands(site: Site, *, two: bool = False) -> c.Landings:
    found = answer(site.state, site.core.seen, c.WhoLandsWhere(two=two))
    assert isinstance(found, c.Landings)
    assert found == who_lands_where(site.state, site.core.seen, two=two)
    return found


def test_each_recorder_lands_where_a_failover_would_take_it() -> None:
    site = small_site()
    found = lands(site)
    assert [(one.recorder, one.server, one.moved, one.unprotected) for one in found.single] == [("A", "F", 3, 0), ("B", "F", 3, 0)]
    assert found.pairs == ()
    expected = next(one for one in found.single if one.recorder == "A")
    assert site.fail_over("A").server == expected.server
    assert [one.server for one in lands(site).single] == ["H", "A"], (
        "B lands on the other one now, and from the acting server the cameras would go home"
    )


def test_nobody_takes_over_and_why() -> None:
    site = Site(group=Group(id=GROUP, name="Gate"))
    site.add("A")
    site.run(2_000)
    assert [one.sentence for one in lands(site).single] == ["The group has no failover server."]
    site.add("F", failover=True, version="9.0.0")
    site.add("N", group=None)
    site.add("O", failover_enabled=False)
    site.run(2_000)
    site.fetch_works = False
    site.add("P")
    site.run(2_000)
    assert {one.recorder: (one.server, one.unprotected, one.sentence) for one in lands(site).single} == {
        "A": (None, 3, "F runs version 9.0.0, the settings are of version 1.4.2."),
        "N": (None, 3, "N is in no failover group."),
        "O": (None, 3, "Failover is off for O."),
        "P": (None, 0, "The settings of P are not in the cache."),
    }


def test_any_two_failures_of_a_group_with_two_failover_servers_leave_nobody_unprotected() -> None:
    (pairs,) = lands(small_site(), two=True).pairs
    assert pairs == c.GroupLandings(group=GROUP, pairs=1 + 4, unprotected_pairs=0)


def test_with_one_failover_server_every_pair_leaves_cameras_unprotected_the_larger_ones_first() -> None:
    site = Site()
    site.add("A", cameras=2)
    site.add("B", cameras=5)
    site.add("C", cameras=1)
    site.add("F", failover=True)
    site.run(3_000)
    (pairs,) = lands(site, two=True).pairs
    assert (pairs.pairs, pairs.unprotected_pairs) == (3 + 3, 6)
    assert [(pair.first, pair.second, pair.unprotected) for pair in pairs.worst] == [
        ("B", "A", 5),
        ("B", "C", 5),
        ("B", "F", 5),
        ("A", "C", 2),
        ("A", "F", 2),
        ("C", "F", 1),
    ]


def test_what_counts_is_the_worse_order() -> None:
    site = Site(group=Group(id=GROUP, name="Gate", partial=True))
    site.add("A", cameras=3)
    site.add("B", cameras=3, disks_wanted=("D:", "E:"))
    site.add("F", failover=True, disks={"D:": True, "E:": True})
    site.add("H", failover=True)
    site.run(3_000)
    (pairs,) = lands(site, two=True).pairs
    assert [(pair.first, pair.second, pair.unprotected) for pair in pairs.worst] == [("A", "B", 3), ("B", "F", 3)]
    assert pairs.unprotected_pairs == 2


def test_recorders_without_cameras_that_move_leave_nothing_unprotected() -> None:
    site = Site()
    site.add("A", cameras=())
    site.add("B", cameras=())
    site.add("F", failover=True)
    site.run(3_000)
    (pairs,) = lands(site, two=True).pairs
    assert (pairs.pairs, pairs.unprotected_pairs) == (3, 0)


def test_kinds_of_recorders_are_paired_each_with_each() -> None:
    site = Site()
    for name, cameras in (("A", 1), ("B", 1), ("C", 1), ("X", ()), ("Y", ())):
        site.add(name, cameras=cameras)
    site.add("F", failover=True)
    site.run(3_000)
    (pairs,) = lands(site, two=True).pairs
    assert (pairs.pairs, pairs.unprotected_pairs) == (10 + 5, 3 + 6 + 3)


def test_all_pairs_are_counted_and_some_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "PAIRS_LIMIT", 2)
    site = Site()
    for number in range(8):
        site.add(f"A{number}", cameras=1)
    site.add("F", failover=True)
    site.run(3_000)
    (pairs,) = lands(site, two=True).pairs
    assert (pairs.pairs, pairs.unprotected_pairs, len(pairs.worst)) == (28 + 8, 36, 2)


def test_groups_do_not_help_one_another() -> None:
    site = small_site()
    site.ask(c.SaveGroup(group=Group(id=GroupId("e"), name="Else")))
    site.add("X", group=GroupId("e"))
    site.run(2_000)
    found = lands(site, two=True)
    assert [pairs.group for pairs in found.pairs] == ["e", GROUP]
    assert found.pairs[0] == c.GroupLandings(group=GroupId("e"), pairs=0, unprotected_pairs=0)


def test_an_acting_server_whose_recorder_is_gone_lands_like_any_other() -> None:
    site = small_site()
    site.fail_over("A")
    del site.state.recorders[rid("A")]
    site.state.members[GROUP].discard(rid("A"))
    assert [(one.recorder, one.server) for one in lands(site).single] == [("B", "H"), ("F", "H")]
