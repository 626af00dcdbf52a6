"""The form of the tables of jobs: as those of failovers, with a job in the place of the entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.inputs import Input
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.jobs import CopyJob, Drill, JobPhase

J = TypeVar("J", CopyJob, Drill)


class JobOn(StrEnum):
    """Kinds of input that can move an open job."""

    REVIEW = "review"
    ANSWER = "order answered"
    PAUSE = "pause asked"
    RESUME = "going on asked"
    CANCEL = "cancel asked"


@dataclass(frozen=True, slots=True)
class JobCase(Generic[J]):
    """All that a row may look at: one frozen value with one `now` in it."""

    view: View
    seen: Seen
    job: J
    now: Instant
    input: Input

    @property
    def waited_ms(self) -> int:
        """How long this coordinator has seen the job in its present phase; anew after a restart."""
        return self.seen.jobs.waited_ms(self.job.id, self.now)

    def silent(self, server: RecorderId, limit_ms: int) -> bool:
        """Whether a server is not heard. One that was not heard yet since a restart gets until `limit_ms`."""
        return not self.seen.connected(server) and (self.seen.of(server).ever or self.waited_ms >= limit_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow(Generic[J]):
    """In one of `phases`, on input `on`, if `when`: the facts of `then`, which lead to `to`. Numbers are never used again."""

    number: int
    phases: tuple[JobPhase, ...]
    on: JobOn
    when: Callable[[JobCase[J]], bool]
    then: Callable[[JobCase[J]], tuple[f.AnyFact, ...]]
    to: tuple[JobPhase, ...]
    sentence: str


def find_row(rows: tuple[JobRow[J], ...], case: JobCase[J], on: JobOn) -> JobRow[J] | None:
    """The first row that holds; None if the input means nothing to the job now."""
    for row in rows:
        if row.on is on and case.job.phase in row.phases and row.when(case):
            return row
    return None


def any_case(_: object) -> bool:
    """The guard of rows that need none."""
    return True
