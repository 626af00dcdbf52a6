"""Applies the facts of a drill."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve.tables import forget_drill, put_job
from sysmanager.coordinator.state import State
from sysmanager.domain.jobs import Drill, JobPhase


def apply(state: State, record: f.FactRecord, fact: f.DrillingFact) -> None:
    match fact:
        case f.DrillStarted():
            put_job(
                state,
                Drill(
                    id=fact.job,
                    number=state.next_job,
                    recorder=fact.recorder,
                    home=fact.home,
                    server=fact.server,
                    group=fact.group,
                    actor=record.actor,
                    phase=JobPhase.DRILLING,
                    started_ms=record.wall_ms,
                    documents=fact.documents,
                    cameras=fact.cameras,
                    described=fact.described,
                    scheduled=fact.scheduled,
                ),
            )
        case f.DrillEnded():
            job = state.jobs[fact.job]
            assert isinstance(job, Drill), "the fact is one of a drill"
            put_job(
                state,
                replace(job, phase=fact.phase, reason=fact.reason, note=fact.note, trials=fact.trials, ended_ms=record.wall_ms),
            )
            _keep_last(state, job)
        case _:
            assert_never(fact)


def _keep_last(state: State, drill: Drill) -> None:
    """Of each recorder the last drill is in the tables."""
    forget_drill(state, drill.recorder)
    if drill.recorder in state.recorders:
        state.last_drills[drill.recorder] = drill.id
    else:
        del state.jobs[drill.id]
