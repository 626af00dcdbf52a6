"""A job, looked at: which row of its table holds, when to look again, and which jobs a fact concerns."""

from __future__ import annotations

from collections.abc import Collection

from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.jobs.copying import COPY_TABLE, TELL_MS
from sysmanager.coordinator.jobs.drilling import DRILL_MS, DRILL_TABLE
from sysmanager.coordinator.jobs.resting import hours_wait_ms
from sysmanager.coordinator.jobs.table import JobCase, JobOn, find_row
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.ids import JobId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.jobs import CopyJob, Drill, Job, JobPhase

HOURS_LOOK_MS = 30_000
"""How often a copy with hours is looked at: they are those of the wall clock, which may be set."""

JOB_ROWS: dict[int, str] = {
    **{row.number: row.sentence for row in COPY_TABLE},
    **{row.number: row.sentence for row in DRILL_TABLE},
}
"""What each row of both tables says."""


def job_step(view: View, seen: Seen, job_id: JobId, taken: i.Input, now: Instant, on: JobOn) -> tuple[tuple[f.AnyFact, ...], int | None]:
    """The facts of the row that holds, and its number; nothing where the input means nothing to the job."""
    if job_id not in view.open_jobs or (on in (JobOn.REVIEW, JobOn.ANSWER) and view.reconcile is not None and not view.reconcile.confirmed):
        return (), None
    job = view.jobs[job_id]
    if isinstance(job, CopyJob):
        copying = JobCase(view=view, seen=seen, job=job, now=now, input=taken)
        copy_row = find_row(COPY_TABLE, copying, on)
        return (copy_row.then(copying), copy_row.number) if copy_row is not None else ((), None)
    drilling = JobCase(view=view, seen=seen, job=job, now=now, input=taken)
    drill_row = find_row(DRILL_TABLE, drilling, on)
    return (drill_row.then(drilling), drill_row.number) if drill_row is not None else ((), None)


def due_jobs(view: View, seen: Seen, jobs: Collection[JobId], now: Instant) -> tuple[tuple[JobId, int], ...]:
    """Of these jobs the open ones that are to be looked at without news, each with the moment."""
    dues = ((job, due_job_ms(seen, view.jobs[job], now)) for job in sorted(jobs) if job in view.open_jobs)
    return tuple((job, due_ms) for job, due_ms in dues if due_ms is not None)


def shown_by(view: View, job_id: JobId) -> tuple[RecorderId, ...]:
    """The recorder whose row shows the last drill of it."""
    job = view.jobs.get(job_id)
    return (job.recorder,) if isinstance(job, Drill) else ()


def due_job_ms(seen: Seen, job: Job, now: Instant) -> int | None:
    """When to look at an open job without news, by the monotonic clock."""
    began_ms = now.mono_ms - seen.jobs.waited_ms(job.id, now)
    if not isinstance(job, CopyJob):
        return max(now.mono_ms + 500, min(began_ms + DRILL_MS, now.mono_ms + 3_000))
    if job.phase is JobPhase.TELLING:
        return max(now.mono_ms + 500, began_ms + TELL_MS)
    wait = hours_wait_ms(job, now)
    return now.mono_ms + min(wait or HOURS_LOOK_MS, HOURS_LOOK_MS) if job.hours else None


def remember_job(view: View, seen: Seen, fact: f.AnyFact, now: Instant) -> None:
    """After a fact of a job was applied: when its present phase began."""
    job_id = getattr(fact, "job", None)
    if job_id is None:
        return
    job = view.jobs.get(job_id)
    if job is None or job.phase.ended:
        seen.jobs.ended(job_id)
    else:
        seen.jobs.in_phase(job_id, job.phase, now)


def jobs_concerned(view: View, fact: f.AnyFact) -> tuple[JobId, ...]:
    """Open jobs to look at once this fact is durable."""
    job_id = getattr(fact, "job", None)
    if job_id is not None:
        job = view.jobs.get(job_id)
        servers: tuple[RecorderId, ...] = job.servers if job is not None else ()
        return tuple(dict.fromkeys((*((job_id,) if job_id in view.open_jobs else ()), *jobs_of(view, servers))))
    if isinstance(fact, f.CoordinatorStarted | f.ReconcileConfirmed | f.RecorderReconciled):
        return tuple(view.open_jobs)
    failover = getattr(fact, "failover", None) or getattr(getattr(fact, "opening", None), "failover", None)
    entry = view.failovers.get(failover) if failover is not None else None
    if entry is not None:
        last = entry.attempts[-1].server if entry.attempts else None
        return jobs_of(view, tuple(server for server in (entry.recorder, entry.home, entry.server, last) if server is not None))
    recorder = getattr(fact, "recorder", None)
    recorder = getattr(recorder, "id", recorder)
    return jobs_of(view, (RecorderId(recorder),)) if isinstance(recorder, str) else ()


def jobs_of(view: View, servers: tuple[RecorderId, ...]) -> tuple[JobId, ...]:
    """Open jobs in which one of these servers takes part."""
    return tuple(dict.fromkeys(job for server in servers for job in view.jobs_with.get(server, ())))
