"""The form of a table of transitions: rows with number, phases, input, guard, facts, and a sentence for people (STYLE).

Numbers are never used again. The documentation and the names of the tests are made from these rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sysmanager.coordinator.facts import AnyFact
from sysmanager.coordinator.inputs import Input
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.failover import Failover, Phase
from sysmanager.domain.instant import Instant


class On(StrEnum):
    """Kinds of input that can move an open entry."""

    REVIEW = "review"
    CACHE = "documents looked up"
    ANSWER = "order answered"
    ABORT = "abort asked"
    FAILBACK = "failback asked"


@dataclass(frozen=True, slots=True)
class Case:
    """All that a row may look at: one frozen value with one `now` in it."""

    view: View
    seen: Seen
    failover: Failover
    now: Instant
    input: Input

    @property
    def step_ms(self) -> int:
        return self.seen.step_ms(self.failover.id, self.now)

    @property
    def waited_ms(self) -> int:
        return self.seen.waited_ms(self.failover.id, self.now)


Then = Callable[[Case], tuple[AnyFact, ...]]
"""What a row leads to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """In one of `phases`, on input `on`, if `when`: the facts of `then`, which lead to `to`."""

    number: int
    phases: tuple[Phase, ...]
    on: On
    when: Callable[[Case], bool]
    then: Then
    to: tuple[Phase, ...]
    sentence: str


def always(_: Case) -> bool:
    """The guard of rows that need none."""
    return True


def find(rows: tuple[Row, ...], case: Case, on: On) -> Row | None:
    """The first row that holds; None if the input means nothing in this phase now."""
    for row in rows:
        if row.on is on and case.failover.phase in row.phases and row.when(case):
            return row
    return None
