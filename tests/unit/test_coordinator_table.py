"""Every row of the tables of transitions fires in a scenario, and leads where it says; every input in every phase is accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

import msgspec
import pytest

from sysmanager.coordinator import decide as decide_module
from sysmanager.coordinator.decide import TABLE, remember
from sysmanager.coordinator.facts import AnyFact
from sysmanager.coordinator.ignored import IGNORED
from sysmanager.coordinator.requests import failover as requests_module
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.coordinator.table import Case, On, Row, find
from sysmanager.domain.documents import DocumentKind
from sysmanager.domain.failover import Failover, Phase
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Standby
from sysmanager.engine import core as core_module
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Site, cameras_of, contents, document_set, rid, small_site
from tests.helpers.switches import SWITCHES
from tests.helpers.undoings import UNDOINGS

REFUSAL = r.Refusal(reason=r.RefusalReason.CANNOT_SAVE, sentence="the disk is full")


def silent(site: Site, *servers: str) -> None:
    for server in servers:
        site.server(server).up = False


def waiting_site() -> Site:
    """A is lost and there is no candidate."""
    site = small_site()
    silent(site, "A", "F", "H")
    site.run(12_000)
    assert site.entry.phase is Phase.WAITING
    return site


def stopped_after(step: Phase) -> Site:
    """A failover of A by hand, held in the phase."""
    site = small_site()
    if step is Phase.RESERVED:
        site.cache_answers = False
    else:
        site.server("F").answers = site.server("H").answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    assert site.entry.phase is step
    return site


def acting_site() -> Site:
    """F acts for A, which is well again."""
    site = small_site()
    site.fail_over("A")
    site.run(2_000)
    return site


# ---------------------------------------------------------------- one scenario for each row


def row_10() -> Site:
    site = waiting_site()
    # Only damage can take away a recorder with an open entry: the request is refused.
    del site.state.recorders[rid("A")]
    site.server("F").up = True
    site.run(2_000)
    return site


def row_11() -> Site:
    site = waiting_site()
    site.server("A").up = True
    site.run(1_000)
    return site


def row_12() -> Site:
    site = waiting_site()
    site.server("H").up = True
    site.run(1_500)
    return site


def row_13() -> Site:
    site = stopped_after(Phase.RESERVED)
    site.ask(c.StartFailover(recorder=rid("B")))
    assert site.entry.phase is Phase.QUEUED
    silent(site, "F", "H")
    site.run(4_000)
    site.ask(c.AbortFailover(failover=next(iter(site.state.open))))
    return site


def row_14() -> Site:
    site = stopped_after(Phase.FETCHED)
    site.ask(c.AbortFailover(failover=site.entry.id))
    return site


def row_15() -> Site:
    """The acting server broke and nobody can take over; meanwhile a person fails back."""
    site = acting_site()
    site.server("A").mode = r.Mode.RECORDING  # it was cut off, and has not stood down yet
    silent(site, "H", "B")
    site.server("A").answers = False
    site.run(4_000)
    silent(site, "F")
    site.run(11_000)
    assert site.entry.phase is Phase.WAITING
    site.server("A").answers = True
    site.fail_back(next(iter(site.state.open)))
    site.run(12_000)
    return site


def row_20() -> Site:
    return acting_site()


def row_21() -> Site:
    site = small_site()
    site.missing = (DocumentKind.MASKS,)
    site.ask(c.StartFailover(recorder=rid("A")))
    return site


def row_22() -> Site:
    site = stopped_after(Phase.RESERVED)
    site.run(20_100)
    return site


def row_31() -> Site:
    site = small_site()
    site.server("F").obeys_otherwise = True
    site.fail_over()
    return site


def row_32() -> Site:
    site = small_site()
    site.server("F").refusal = REFUSAL
    site.fail_over()
    return site


def row_33() -> Site:
    site = stopped_after(Phase.FETCHED)
    site.run(5_000)
    return site


def row_60() -> Site:
    site = small_site()
    silent(site, "A")
    site.run(20_000)
    return site


def returned_site() -> Site:
    site = acting_site()
    site.fail_back()
    site.run(3_000)
    return site


def row_101() -> Site:
    site = acting_site()
    site.server("A").first_frame_ms = 60_000
    site.fail_back()
    site.run(1_000)
    site.ask(c.StartFailover(recorder=rid("B")))
    site.run(1_000)
    return site


def row_102() -> Site:
    site = acting_site()
    site.server("A").answers = False
    site.fail_back()
    site.ask(c.AbortFailover(failover=site.entry.id))
    return site


def row_103() -> Site:
    site = small_site(automatic_failback=True, failback_after_s=30)
    silent(site, "A")
    site.run(12_000)
    site.server("A").up = True
    site.run(40_000)
    return site


def row_134() -> Site:
    site = acting_site()
    site.server("A").first_frame_ms = 8_000
    site.fail_back()
    site.run(500)
    site.server("F").documents = document_set("changed", 2)
    site.run(2_000)
    return site


def row_111() -> Site:
    site = acting_site()
    site.server("F").documents = document_set("changed", 7)
    site.fetch_works = False
    site.hear("F")
    site.settle()
    site.fail_back()
    site.run(5_500)
    return site


def row_121() -> Site:
    site = acting_site()
    site.server("A").refusal = REFUSAL
    site.fail_back()
    return site


def row_122() -> Site:
    site = acting_site()
    site.server("A").answers = False
    site.fail_back()
    site.run(5_100)
    return site


def row_130() -> Site:
    site = acting_site()
    site.server("A").first_frame_ms = 60_000
    site.fail_back()
    silent(site, "A")
    site.run(9_000)
    return site


def row_132() -> Site:
    site = acting_site()
    site.server("A").dark = {camera.id for camera in site.server("A").settings.cameras}
    site.fail_back()
    site.run(11_000)
    return site


def row_133() -> Site:
    site = small_site(cameras=20)
    site.fail_over()
    site.server("A").dark = {site.server("A").settings.cameras[0].id}
    site.ask(c.StartFailback(failover=site.entry.id, leave_dark=True))
    site.run(11_000)
    return site


def row_135() -> Site:
    site = small_site(cameras=cameras_of("A", 3, sessions=1))
    site.fail_over("A")
    site.run(2_000)
    site.fail_back()
    site.run(4_000)
    return site


SCENARIOS: dict[int, Callable[[], Site]] = {
    10: row_10,
    11: row_11,
    12: row_12,
    13: row_13,
    14: row_14,
    15: row_15,
    20: row_20,
    21: row_21,
    22: row_22,
    30: row_20,
    31: row_31,
    32: row_32,
    33: row_33,
    34: row_33,
    41: row_20,
    50: row_20,
    51: row_20,
    60: row_60,
    100: returned_site,
    101: row_101,
    102: row_102,
    103: row_103,
    134: row_134,
    110: returned_site,
    111: row_111,
    120: returned_site,
    121: row_121,
    122: row_122,
    130: row_130,
    131: returned_site,
    132: row_132,
    133: row_133,
    135: row_135,
    140: returned_site,
    141: returned_site,
    **SWITCHES,
    **UNDOINGS,
}


@dataclass
class Fired:
    """The numbers of the rows that fired, and every row that led to a phase that it does not name."""

    numbers: list[int] = field(default_factory=list)
    astray: list[str] = field(default_factory=list)


@pytest.fixture
def fired(monkeypatch: pytest.MonkeyPatch) -> Fired:
    watched = Fired()
    pending: list[tuple[Row, str]] = []

    def finding(rows: tuple[Row, ...], case: Case, on: On) -> Row | None:
        row = find(rows, case, on)
        if row is not None:
            watched.numbers.append(row.number)
            pending.append((row, case.failover.id))
        return row

    def remembering(view: View, seen: Seen, fact: AnyFact, before: Failover | None, now: Instant) -> None:
        remember(view, seen, fact, before, now)
        while pending:
            row, failover = pending.pop()
            phase = view.failovers[failover].phase
            if phase not in row.to:
                watched.astray.append(f"row {row.number} led to {phase}, not to {row.to}")

    monkeypatch.setattr(decide_module, "find", finding)
    monkeypatch.setattr(requests_module, "find", finding)
    monkeypatch.setattr(core_module, "remember", remembering)
    return watched


def name(row: Row) -> str:
    return f"{row.number} {row.sentence}"


@pytest.mark.parametrize("row", [row for row in TABLE if row.number != 40], ids=name)
def test_row_fires_and_leads_where_it_says(row: Row, fired: Fired) -> None:
    site = SCENARIOS[row.number]()
    assert row.number in fired.numbers
    assert fired.astray == []
    if row.number != 10:
        assert contents(site.state) == contents(site.replayed())


def test_row_40_the_commit_would_break_an_invariant() -> None:
    site = small_site()
    site.ask(c.HoldFailover(recorder=rid("B")))
    site.server("F").answers = site.server("H").answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    row = next(row for row in TABLE if row.number == 40)
    site.state.recorders[rid("A")] = msgspec.structs.replace(site.row("A"), assignment=Standby(epoch=site.row("A").assignment.epoch))
    entry = msgspec.structs.replace(site.entry, phase=Phase.SAVED)
    case = Case(view=site.state, seen=site.core.seen, failover=entry, now=site.now, input=None)  # type: ignore[arg-type]  # a review
    assert row.when(case)
    (fact,) = row.then(case)
    assert fact.reason == "internal error"  # type: ignore[union-attr]  # a FailoverFailed
    assert "does not have the tasks" in fact.note  # type: ignore[union-attr]  # a FailoverFailed


# ---------------------------------------------------------------- completeness


def test_every_row_has_a_scenario() -> None:
    assert {row.number for row in TABLE} == set(SCENARIOS) | {40}


def test_numbers_are_given_once_and_sentences_too() -> None:
    assert max(Counter(row.number for row in TABLE).values()) == 1
    assert max(Counter(row.sentence for row in TABLE).values()) == 1


@pytest.mark.parametrize(("phase", "on"), list(product(Phase, On)), ids=lambda value: value.value)
def test_every_input_in_every_phase_has_a_row_or_is_ignored_with_a_reason(phase: Phase, on: On) -> None:
    rows = [row for row in TABLE if row.on is on and phase in row.phases]
    ignored = [ignore for ignore in IGNORED if on in ignore.on and phase in ignore.phases]
    assert len(ignored) == (0 if rows else 1)


@pytest.mark.parametrize("row", TABLE, ids=name)
def test_no_row_leaves_an_end(row: Row) -> None:
    assert not any(phase.ended for phase in row.phases)
