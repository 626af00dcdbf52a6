"""Inputs that mean nothing to a job in a phase, each with its reason. With the rows of the tables they cover every input in every phase."""

from __future__ import annotations

from dataclasses import dataclass

from sysmanager.coordinator.jobs.table import JobOn
from sysmanager.domain.jobs import JobPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class JobIgnored:
    """In these phases these inputs change nothing."""

    phases: tuple[JobPhase, ...]
    on: tuple[JobOn, ...]
    sentence: str


_ENDED = JobIgnored(
    phases=tuple(phase for phase in JobPhase if phase.ended),
    on=tuple(JobOn),
    sentence="the job has ended; there is no way out of an end: a request is refused",
)

COPY_IGNORED: tuple[JobIgnored, ...] = (_ENDED,)
DRILL_IGNORED: tuple[JobIgnored, ...] = (
    _ENDED,
    JobIgnored(
        phases=(JobPhase.DRILLING,),
        on=(JobOn.PAUSE, JobOn.RESUME),
        sentence="a drill is over within a minute and cannot be paused: the request is refused",
    ),
)
