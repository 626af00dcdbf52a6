"""Applies the facts of system backups."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve.tables import patch_failover
from sysmanager.coordinator.state import State
from sysmanager.domain.backup import BackupKind, Backups, Baseline, BaselineStage, ManualBackup

LATE = "It is not ready after 10 s."


def apply(state: State, record: f.FactRecord, fact: f.BackupFact) -> None:
    known = state.backups
    match fact:
        case f.BackupStarted(kind=BackupKind.BASELINE):
            state.backups = replace(known, next_number=fact.number + 1, baseline=_begun(state, fact.number, record.wall_ms))
        case f.BackupStarted():
            manual = ManualBackup(number=fact.number, actor=record.actor, started_ms=record.wall_ms)
            recovery = fact.recovery or known.recovery
            state.backups = replace(known, next_number=fact.number + 1, manual=manual, recovery=recovery)
        case f.BackupMade():
            _made(state, fact, record.wall_ms)
        case f.BackupFailed(kind=BackupKind.BASELINE):
            missing = replace(known.baseline, stage=BaselineStage.MISSING, since_ms=_missing_since(known, record), sentence=fact.sentence)
            state.backups = replace(known, baseline=missing)
        case f.BackupFailed():
            assert known.manual is not None, "it was started"
            state.backups = replace(known, manual=replace(known.manual, sentence=fact.sentence))
        case f.BaselineLate():
            late = replace(known.baseline, stage=BaselineStage.LATE, since_ms=record.wall_ms, sentence=LATE)
            state.backups = replace(known, baseline=late)
        case _:
            assert_never(fact)


def _begun(state: State, number: int, wall_ms: int) -> Baseline:
    """One backup for all failovers that ended before it. One that is tried again has had its time: the queues do not wait once more."""
    old = state.backups.baseline
    covers = (*old.covers, *state.uncovered.items())
    state.uncovered.clear()
    if old.stage is BaselineStage.MISSING:
        return replace(old, stage=BaselineStage.LATE, number=number, covers=covers)
    return replace(old, stage=BaselineStage.RUNNING, number=number, covers=covers, since_ms=wall_ms, sentence="")


def _missing_since(known: Backups, record: f.FactRecord) -> int:
    """An alarm that stands already keeps its moment."""
    return record.wall_ms if known.baseline.stage is BaselineStage.RUNNING else known.baseline.since_ms


def _made(state: State, fact: f.BackupMade, wall_ms: int) -> None:
    known = state.backups
    if fact.kind is BackupKind.MANUAL:
        assert known.manual is not None, "it was started"
        state.backups = replace(known, manual=replace(known.manual, file=fact.file))
        return
    for failover, _ in known.baseline.covers:
        patch_failover(state, failover, backup=fact.file.name)
    done = Baseline(number=fact.file.number, since_ms=wall_ms, file=fact.file)
    state.backups = replace(known, baseline=done)
