"""The system backup that is made as the new baseline after failovers (SPEC 7). This file owns its transitions.

One backup covers all failovers that ended before it began. It has 10 s, in which the queues of their groups wait; then these go on, an
alarm says that the baseline is missing, and it is tried again until it is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.commands import MakeBackup
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.backup import BackupKind, BaselineStage
from sysmanager.domain.instant import Instant

BASELINE_MS = 10_000
"""So long the failover queues wait for it (SPEC 7)."""

AGAIN_MS = 60_000
"""Pause before a baseline that could not be made is tried again."""


@dataclass(frozen=True, slots=True)
class BackupCase:
    """All that a row may look at."""

    view: View
    seen: Seen
    now: Instant
    ended: i.BackupEnded | None

    @property
    def waited_ms(self) -> int:
        """How long this coordinator has seen the baseline in its stage; counted anew after a restart."""
        return self.now.mono_ms - self.seen.baseline_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRow:
    """In one of `stages`, if `when`: the facts of `then`, which lead to `to`. Numbers are never used again."""

    number: int
    stages: tuple[BaselineStage, ...]
    when: Callable[[BackupCase], bool]
    then: Callable[[BackupCase], tuple[f.AnyFact, ...]]
    to: BaselineStage
    sentence: str


def begun_after_failover(view: View) -> tuple[f.AnyFact, ...]:
    """The fact that begins a baseline, for the transaction that ends a failover, so that no entry of the queue slips in between.

    Empty while one is being made or missing: it is followed by another.
    """
    return (_started(view),) if view.backups.baseline.stage is BaselineStage.DONE else ()


def _started(view: View) -> f.BackupStarted:
    return f.BackupStarted(number=view.backups.next_number, kind=BackupKind.BASELINE)


def _start(case: BackupCase) -> tuple[f.AnyFact, ...]:
    return (_started(case.view),)


def _made(case: BackupCase) -> tuple[f.AnyFact, ...]:
    assert case.ended is not None
    assert case.ended.file is not None
    return (f.BackupMade(kind=BackupKind.BASELINE, file=case.ended.file),)


def _failed(case: BackupCase) -> tuple[f.AnyFact, ...]:
    assert case.ended is not None
    return (f.BackupFailed(number=case.ended.number, kind=BackupKind.BASELINE, sentence=case.ended.sentence),)


def _late(case: BackupCase) -> tuple[f.AnyFact, ...]:
    return (f.BaselineLate(number=case.view.backups.baseline.number),)


def _uncovered(case: BackupCase) -> bool:
    return case.ended is None and bool(case.view.uncovered)


def _is_made(case: BackupCase) -> bool:
    return _is_present(case) and case.ended is not None and case.ended.file is not None


def _has_failed(case: BackupCase) -> bool:
    return _is_present(case) and case.ended is not None and case.ended.file is None


def _is_present(case: BackupCase) -> bool:
    return case.ended is not None and case.ended.number == case.view.backups.baseline.number


def _time_is_over(case: BackupCase) -> bool:
    return case.ended is None and case.waited_ms >= BASELINE_MS


def _pause_is_over(case: BackupCase) -> bool:
    return case.ended is None and case.waited_ms >= AGAIN_MS


BASELINE_TABLE: tuple[BackupRow, ...] = (
    BackupRow(
        number=600,
        stages=(BaselineStage.DONE,),
        when=_uncovered,
        then=_start,
        to=BaselineStage.RUNNING,
        sentence="a failover ended that no baseline covers: make one, for all that ended before it",
    ),
    BackupRow(
        number=601,
        stages=(BaselineStage.RUNNING, BaselineStage.LATE),
        when=_is_made,
        then=_made,
        to=BaselineStage.DONE,
        sentence="the baseline lies in its file: the queues go on, and an alarm ends",
    ),
    BackupRow(
        number=602,
        stages=(BaselineStage.RUNNING, BaselineStage.LATE),
        when=_has_failed,
        then=_failed,
        to=BaselineStage.MISSING,
        sentence="the baseline could not be made: the queues go on, an alarm says so, and it is tried again",
    ),
    BackupRow(
        number=603,
        stages=(BaselineStage.RUNNING,),
        when=_time_is_over,
        then=_late,
        to=BaselineStage.LATE,
        sentence="its 10 s are over: the queues go on, and an alarm says that the baseline is missing",
    ),
    BackupRow(
        number=604,
        stages=(BaselineStage.MISSING,),
        when=_pause_is_over,
        then=_start,
        to=BaselineStage.LATE,
        sentence="the pause is over: it is tried again, and no queue waits for it",
    ),
)


def review(view: View, seen: Seen, now: Instant, ended: i.BackupEnded | None = None) -> tuple[tuple[f.AnyFact, ...], int | None]:
    """The facts that follow for the baseline, and the row that was taken. Nothing while a reconcile waits for its confirmation."""
    if _held(view):
        return (), None
    case = BackupCase(view, seen, now, ended)
    for row in BASELINE_TABLE:
        if view.backups.baseline.stage in row.stages and row.when(case):
            return row.then(case), row.number
    return (), None


def decide_ended(view: View, seen: Seen, ended: i.BackupEnded, now: Instant) -> tuple[tuple[f.AnyFact, ...], int | None]:
    """A backup was made, or not."""
    if ended.kind is BackupKind.BASELINE:
        return review(view, seen, now, ended)
    manual = view.backups.manual
    if manual is None or manual.number != ended.number or not manual.being_made:
        return (), None
    if ended.file is not None:
        return (f.BackupMade(kind=BackupKind.MANUAL, file=ended.file),), None
    return (f.BackupFailed(number=ended.number, kind=BackupKind.MANUAL, sentence=ended.sentence),), None


def due_ms(view: View, seen: Seen, now: Instant) -> int | None:
    """When to look at the baseline without news, by the monotonic clock."""
    waits_ms = {BaselineStage.RUNNING: BASELINE_MS, BaselineStage.MISSING: AGAIN_MS}.get(view.backups.baseline.stage)
    return None if waits_ms is None or _held(view) else max(now.mono_ms, seen.baseline_ms + waits_ms)


def commands(view: View) -> tuple[MakeBackup, ...]:
    """The backups that are to be made now."""
    if _held(view):
        return ()
    known = view.backups
    found = []
    if known.baseline.being_made:
        found.append(MakeBackup(number=known.baseline.number, kind=BackupKind.BASELINE, recovery=known.recovery))
    if known.manual is not None and known.manual.being_made:
        found.append(MakeBackup(number=known.manual.number, kind=BackupKind.MANUAL, recovery=known.recovery))
    return tuple(found)


def _held(view: View) -> bool:
    return view.reconcile is not None and not view.reconcile.confirmed
