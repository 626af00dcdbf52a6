"""Jobs for people: what each does, waits for, or came to, in plain words. Pure; made from the view, never kept apart from it."""

from __future__ import annotations

from sysmanager.coordinator.jobs.resting import why_resting
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.jobs import CopyJob, CopyProblem, Drill, Job, JobKind, JobPhase
from sysmanager.protocol.clients import JobRow
from sysmanager.protocol.jobs import CopyReport, DrillReport, DrillState

_PROBLEMS: dict[CopyProblem, str] = {
    CopyProblem.DISK_FULL: "{home} has no space for it; recording goes first. Free some, or wait",
    CopyProblem.SOURCE_LOST: "{home} does not reach {source}; it tries again",
    CopyProblem.MISMATCH: "a piece came damaged; it is fetched again",
    CopyProblem.GONE: "a piece is no longer on {source}",
}


def job_row(view: View, seen: Seen, job: Job, now: Instant) -> JobRow:
    """One job as people see it now."""
    return _copy_row(view, seen, job, now) if isinstance(job, CopyJob) else _drill_row(view, seen, job)


def _name(view: View, recorder: RecorderId) -> str:
    row = view.recorders.get(recorder)
    return row.name if row is not None else recorder


# ---------------------------------------------------------------- material copy


def _copy_row(view: View, seen: Seen, job: CopyJob, now: Instant) -> JobRow:
    beat = seen.of(job.home).beat
    report = beat.copy if beat is not None and beat.copy is not None and beat.copy.job == job.id else None
    resting = None if job.phase.ended else why_resting(view, job, now)
    total = sum(hour.size_bytes for camera in job.cameras for hour in camera.hours)
    done = _done_bytes(job)
    if job.phase.ended:
        total = done = sum(camera.size_bytes for camera in job.coverage)
    moving = job.phase is JobPhase.COPYING and resting is None and report is not None and seen.connected(job.home)
    rate_kbps = report.rate_kbps if report is not None and moving else 0
    left_ms = (total - done) * 8 // rate_kbps if rate_kbps and job.phase is JobPhase.COPYING else None
    return JobRow(
        id=job.id,
        number=job.number,
        kind=JobKind.COPY,
        recorder=job.home,
        server=job.source,
        failover=job.failover,
        phase=job.phase,
        sentence=_copy_sentence(view, seen, job, report, resting),
        actor=job.actor,
        started_ms=job.started_ms,
        paused=job.paused,
        resting=resting is not None,
        percent=100 if job.phase is JobPhase.READY else (done * 100 // total if total else 0),
        copied_bytes=done,
        total_bytes=total,
        rate_kbps=rate_kbps,
        left_ms=left_ms,
        ended_ms=job.ended_ms,
        reason=job.reason,
        note=job.note,
        coverage=job.coverage,
    )


def _done_bytes(job: CopyJob) -> int:
    return sum(hour.size_bytes for camera in job.cameras for hour in camera.hours if hour.hour in camera.copied)


def _copy_sentence(view: View, seen: Seen, job: CopyJob, report: CopyReport | None, resting: str | None) -> str:
    home, source = _name(view, job.home), _name(view, job.source)
    if job.phase.ended:
        why = job.reason.sentence if job.reason is not None else ""
        return " ".join(part for part in (job.note, why) if part) or f"All footage of {job.failover} is on {home}, verified."
    if resting is not None:
        return resting[0].upper() + resting[1:]
    for server in (job.source, job.home):
        if not seen.connected(server):
            return f"Waits until {_name(view, server)} is connected"
    if job.phase is JobPhase.PLANNING:
        planned = sum(1 for camera in job.cameras if camera.planned)
        return f"{source} lists its footage: {planned} of {len(job.cameras)} cameras"
    if job.phase is JobPhase.TELLING:
        return f"{source} is told which of its footage has a copy"
    if report is not None and report.problem is not None:
        words = _PROBLEMS[report.problem].format(home=home, source=source)
        return words[0].upper() + words[1:]
    hours = sum(len(camera.hours) for camera in job.cameras)
    left = sum(len(camera.open_hours) for camera in job.cameras)
    return f"{home} copies from {source}: {hours - left} of {hours} camera-hours verified"


# ---------------------------------------------------------------- drill


def _drill_row(view: View, seen: Seen, job: Drill) -> JobRow:
    beat = seen.of(job.server).beat
    report = beat.drill if beat is not None and beat.drill is not None and beat.drill.job == job.id else None
    trials = job.trials if job.phase.ended else (report.trials if report is not None else ())
    wanted = len(job.cameras) + len(job.described)
    return JobRow(
        id=job.id,
        number=job.number,
        kind=JobKind.DRILL,
        recorder=job.recorder,
        server=job.server,
        phase=job.phase,
        sentence=_drill_sentence(view, job, report),
        actor=job.actor,
        started_ms=job.started_ms,
        percent=100 if job.phase.ended else (len(trials) * 100 // wanted if wanted else 0),
        ended_ms=job.ended_ms,
        reason=job.reason,
        note=job.note,
        trials=trials,
    )


def _drill_sentence(view: View, job: Drill, report: DrillReport | None) -> str:
    recorder, server = _name(view, job.recorder), _name(view, job.server)
    if job.phase.ended:
        if job.reason is not None:
            return " ".join(part for part in (job.note, job.reason.sentence) if part)
        slowest = f", the last after {job.slowest_ms / 1000:.1f} s" if job.slowest_ms is not None else ""
        return f"{server} can take over from {recorder}: {len(job.cameras)} cameras gave frames{slowest}. {job.note}".rstrip()
    if report is None or report.state is DrillState.PREPARING:
        return f"{server} takes the settings of {recorder}"
    lit = sum(1 for trial in report.trials if trial.first_frame_ms >= 0)
    return f"{server} has frames of {lit} of {len(job.cameras)} cameras of {recorder}"
