"""What the servers shall do for the jobs now, against what they report: orders go where the two differ, again and again."""

from __future__ import annotations

from sysmanager.coordinator.commands import SendOrder
from sysmanager.coordinator.jobs.copying import after, next_unplanned, next_untold
from sysmanager.coordinator.jobs.drilling import DRILL_S
from sysmanager.coordinator.jobs.resting import why_quiet, why_resting
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, unreconciled
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.jobs import CopyJob, CopyProblem, Drill, JobPhase
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol.jobs import (
    BLOCK_HOURS,
    CopyMaterial,
    CopyReport,
    ForgetJob,
    JobOrder,
    ListHours,
    MarkCopied,
    PauseCopy,
    RunDrill,
)
from sysmanager.protocol.recorders import Mode

REFUSED_MS = 10_000
"""Pause before an order of a job is sent again that was refused for the moment."""


def for_jobs(view: View, seen: Seen, row: Recorder, now: Instant) -> tuple[SendOrder, ...]:
    """The orders of all jobs that are outstanding for one server, as target, as source, and in drills."""
    beat = seen.of(row.id).beat
    if beat is None or not seen.connected(row.id) or unreconciled(view, row.id):
        return ()
    if not view.jobs_with.get(row.id) and beat.copy is None and beat.drill is None:
        return ()  # as of nearly all servers: no job wants anything of it, and it has none to forget
    wanted = [_as_target(view, seen, row, now), _in_drill(view, seen, row)]
    wanted += [_as_source(view, seen, row.id, view.jobs[job]) for job in view.jobs_with.get(row.id, ())]
    return tuple(SendOrder(recorder=row.id, order=order) for order in wanted if order is not None and not _waits(seen, row.id, order, now))


def _waits(seen: Seen, recorder: RecorderId, order: JobOrder, now: Instant) -> bool:
    """Whether the server accepted this very order and has not reported since, or refused an order of the job only just now."""
    refused_ms = seen.jobs.refused_ms.get((recorder, order.job))
    if refused_ms is not None and now.mono_ms - refused_ms < REFUSED_MS:
        return True
    accepted = seen.jobs.accepted.get((recorder, order.job))
    return accepted is not None and accepted[0] == order and seen.of(recorder).beat_ms <= accepted[1]


# ---------------------------------------------------------------- material copy


def _as_target(view: View, seen: Seen, row: Recorder, now: Instant) -> JobOrder | None:
    jobs = [job for job in map(view.jobs.__getitem__, view.jobs_with.get(row.id, ())) if isinstance(job, CopyJob) and job.home == row.id]
    beat = seen.of(row.id).beat
    report = beat.copy if beat is not None else None
    if report is not None and report.job not in {job.id for job in jobs}:
        return ForgetJob(job=report.job)
    turn = next((job for job in jobs if job.phase is JobPhase.COPYING and why_resting(view, job, now) is None), None)
    if turn is not None:
        wanted = copy_order(view, seen, turn)
        return None if report is not None and _does(report, wanted) and not _seeks(seen, turn, report) else wanted
    return PauseCopy(job=report.job) if report is not None and not report.paused and _unfinished(view, report) else None


def _unfinished(view: View, report: CopyReport) -> bool:
    job = view.jobs[report.job]
    return job.phase is JobPhase.COPYING


def copy_order(view: View, seen: Seen, job: CopyJob) -> CopyMaterial:
    """The next block of hours of the camera whose turn it is."""
    camera = next(camera for camera in job.cameras if camera.open_hours)
    first = camera.hours.index(camera.open_hours[0]) // BLOCK_HOURS * BLOCK_HOURS
    block = camera.hours[first : first + BLOCK_HOURS]
    source = seen.of(job.source).beat
    return CopyMaterial(
        job=job.id,
        source=job.source,
        address=source.material if source is not None else "",
        epoch=job.epoch,
        home=job.home,
        camera=camera.camera,
        hours=tuple(hour for hour in block if hour in camera.open_hours),
        limit_kbps=job.limit_kbps,
    )


def _does(report: CopyReport, wanted: CopyMaterial) -> bool:
    """Whether the target reports that it does, or has done, all that is wanted."""
    known = {hour.hour for hour in report.hours}
    same = (report.job, report.camera, report.limit_kbps, report.paused) == (wanted.job, wanted.camera, wanted.limit_kbps, False)
    return same and all(hour.hour in known for hour in wanted.hours)


def _seeks(seen: Seen, job: CopyJob, report: CopyReport) -> bool:
    """Whether the target does not reach a source that is there: perhaps it has another address since it was started again."""
    return report.problem is CopyProblem.SOURCE_LOST and seen.connected(job.source)


def _as_source(view: View, seen: Seen, server: RecorderId, job: CopyJob | Drill) -> JobOrder | None:
    if not isinstance(job, CopyJob) or job.source != server or why_quiet(view, job) is not None:
        return None
    if job.phase is JobPhase.PLANNING:
        beat = seen.of(server).beat
        if beat is not None and beat.mode is Mode.RECORDING and beat.epoch == job.epoch:
            # It has not heard yet that it is not wanted any more: what it holds is not complete.
            return None
        camera = next_unplanned(job)
        assert camera is not None, "it is planned until every camera is"
        return ListHours(job=job.id, epoch=job.epoch, home=job.home, camera=camera.camera, after_hour=after(camera))
    untold = next_untold(job) if job.phase is JobPhase.TELLING else None
    home = view.recorders.get(job.home)
    if untold is None or home is None:
        return None
    return MarkCopied(
        job=job.id,
        epoch=job.epoch,
        home=job.home,
        camera=untold.camera,
        hours=tuple(sorted(untold.copied)),
        retention_days=home.settings.retention_days,
    )


# ---------------------------------------------------------------- drill


def _in_drill(view: View, seen: Seen, row: Recorder) -> JobOrder | None:
    open_jobs = (view.jobs[job] for job in view.jobs_with.get(row.id, ()))
    drill = next((job for job in open_jobs if isinstance(job, Drill) and job.server == row.id), None)
    beat = seen.of(row.id).beat
    report = beat.drill if beat is not None else None
    if report is not None and (drill is None or report.job != drill.id):
        return ForgetJob(job=report.job)
    if drill is None or report is not None:
        return None
    return RunDrill(
        job=drill.id,
        epoch=row.assignment.epoch,
        home=drill.home,
        documents=drill.documents,
        cameras=drill.cameras,
        described=drill.described,
        seconds=DRILL_S,
    )
