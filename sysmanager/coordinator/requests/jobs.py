"""Requests that concern jobs: material copy and drill (SPEC 9, 14.3)."""

from __future__ import annotations

from sysmanager.coordinator.evolve import job_id
from sysmanager.coordinator.jobs.copying import copies_to_start, start_copies
from sysmanager.coordinator.jobs.drilling import open_drill, why_no_drill
from sysmanager.coordinator.jobs.review import job_step
from sysmanager.coordinator.jobs.table import JobOn
from sysmanager.coordinator.requests.handling import Asking, Outcome, Rejected, recorder_row
from sysmanager.coordinator.state import View, was_entry
from sysmanager.domain.failover import Reason
from sysmanager.domain.ids import JobId, shown
from sysmanager.domain.jobs import CopyJob, Drill, Job
from sysmanager.protocol import clients as c


def start_copy(asking: Asking, request: c.StartCopy) -> Outcome:
    view, failover = asking.view, request.failover
    home_id = next((home for home, footage in view.away.items() if any(away.failover == failover for away in footage)), None)
    home = view.recorders.get(home_id) if home_id is not None else None
    if failover in view.open:
        entry = view.failovers[failover]
        sentence = f"{entry.id} is \u201c{entry.log_state}\u201d; footage is copied when it is over: fail back first."
        raise Rejected(sentence, Reason.INVALID_LOG_STATE)
    if home is None:
        if not was_entry(view, failover):
            raise Rejected(f"There is no entry {shown(failover)} in the failover log; see the list of entries.", Reason.INVALID_LOG_STATE)
        raise Rejected(f"No footage of {failover} is away from home; there is nothing to copy.", Reason.INVALID_LOG_STATE)
    if home.home != home.id:
        sentence = f"{home.name} does not record its own cameras; footage is copied when it does: fail back first."
        raise Rejected(sentence, Reason.WRONG_STATE_OF_SERVER)
    footage = copies_to_start(view, home.id, failover)
    if not footage:
        sentence = f"The footage of {failover} is on its way home already, or on a server that is no longer in system data."
        raise Rejected(sentence, Reason.INVALID_LOG_STATE)
    done = c.Done(sentence=f"The footage of {failover} is copied to {home.name}.", failover=failover, job=job_id(view.next_job))
    return start_copies(view, home, footage), done


def start_drill(asking: Asking, request: c.StartDrill) -> Outcome:
    row = recorder_row(asking.view, request.recorder)
    why = why_no_drill(asking.view, asking.seen, row)
    if why is not None:
        raise Rejected(why, Reason.WRONG_STATE_OF_SERVER)
    facts = open_drill(asking.view, asking.seen, row)
    (started,) = facts
    server = asking.view.recorders[getattr(started, "server")].name  # noqa: B009 - a DrillStarted
    sentence = f"{server} drills to take over from {row.name}, which goes on undisturbed."
    return facts, c.Done(sentence=sentence, job=getattr(started, "job", None))


def pause_job(asking: Asking, request: c.PauseJob) -> Outcome:
    job = _copy(asking.view, request.job)
    if job.paused:
        raise Rejected(f"{job.id} is paused already; let it go on when you want.")
    return _moved(asking, job, JobOn.PAUSE, f"The material copy {job.id} is paused.")


def resume_job(asking: Asking, request: c.ResumeJob) -> Outcome:
    job = _copy(asking.view, request.job)
    if not job.paused:
        raise Rejected(f"{job.id} is not paused.")
    return _moved(asking, job, JobOn.RESUME, f"The material copy {job.id} goes on.")


def cancel_job(asking: Asking, request: c.CancelJob) -> Outcome:
    job = _open_job(asking.view, request.job)
    what = "drill" if isinstance(job, Drill) else "material copy"
    return _moved(asking, job, JobOn.CANCEL, f"The {what} {job.id} was ended.")


def _open_job(view: View, job_id: JobId) -> Job:
    job = view.jobs.get(job_id)
    if job is None:
        raise Rejected(f"There is no job {shown(job_id)}; see the list of jobs.")
    if job.phase.ended:
        raise Rejected(f"{job.id} has ended: {job.phase.value}.")
    return job


def _copy(view: View, job_id: JobId) -> CopyJob:
    job = _open_job(view, job_id)
    if not isinstance(job, CopyJob):
        raise Rejected(f"{job.id} is a drill, which cannot be paused; it is over within a minute.")
    return job


def _moved(asking: Asking, job: Job, on: JobOn, sentence: str) -> Outcome:
    facts, _ = job_step(asking.view, asking.seen, job.id, asking.asked, asking.now, on)
    return facts, c.Done(sentence=sentence, job=job.id)
