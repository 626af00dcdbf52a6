"""What a material copy waits for, although it could go on (SPEC 9): it yields to people, to take-overs, to hours, and to its elders."""

from __future__ import annotations

from collections.abc import Iterator

from sysmanager.coordinator.state import View
from sysmanager.domain.failover import Failover
from sysmanager.domain.hours import parse_hours, wait_ms
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.jobs import CopyJob, JobPhase


def why_quiet(view: View, job: CopyJob) -> str | None:
    """Why the servers of the job are not even asked anything; None if they may be."""
    if view.reconcile is not None and not view.reconcile.confirmed:
        return "waits until the reconcile is confirmed"
    if job.paused:
        return "paused by hand"
    entry = taking_over(view, job.servers)
    return f"waits for {entry.id}, in which {job.source} or {job.home} takes part" if entry is not None else None


def why_resting(view: View, job: CopyJob, now: Instant) -> str | None:
    """Why nothing is copied for the job at the moment, in a few words; None if it is its turn."""
    why = why_quiet(view, job) or _why_by_itself(view, job, now)
    if why is not None:
        return why
    for elder in _elders(view, job):
        if why_quiet(view, elder) is None and _why_by_itself(view, elder, now) is None:
            return f"waits for {elder.id}, which copies to the same server"
    return None


def taking_over(view: View, servers: tuple[RecorderId, ...]) -> Failover | None:
    """The failover or failback under way in which one of these servers takes part."""
    for server in servers:
        for failover_id in view.open_with.get(server, ()):
            if view.failovers[failover_id].phase.hands_over:
                return view.failovers[failover_id]
    return None


def _why_by_itself(view: View, job: CopyJob, now: Instant) -> str | None:
    home = view.recorders.get(job.home)
    if home is None or home.home != home.id:
        return f"waits until {job.home} records its own cameras"
    if hours_wait_ms(job, now):
        return f"waits for its hours ({job.hours})"
    return None


def hours_wait_ms(job: CopyJob, now: Instant) -> int:
    """How long until the hours of the job allow it; 0 if they do now."""
    return wait_ms(parse_hours(job.hours), now.wall_ms, now.offset_min)


def _elders(view: View, job: CopyJob) -> Iterator[CopyJob]:
    """Copies to the same server that began earlier and have something to copy."""
    for job_id in view.jobs_with.get(job.home, ()):
        other = view.jobs[job_id]
        if isinstance(other, CopyJob) and other.home == job.home and other.number < job.number and other.phase is JobPhase.COPYING:
            yield other
