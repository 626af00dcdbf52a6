"""Alarms about footage that is not home yet (SPEC 9): a copy that rests for long, and footage that is about to be deleted uncopied."""

from __future__ import annotations

from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.jobs import HOUR_MS, Away, CopyJob
from sysmanager.engine.job_rows import job_row
from sysmanager.protocol import clients as c

DAY_MS = 24 * HOUR_MS

PAUSED_MS = HOUR_MS
"""A copy that a person paused is forgotten after so long."""

LATE_MS = DAY_MS
"""A copy that began so long ago, and does not move, needs a person."""

WARNING_MS = 2 * DAY_MS
"""So long before its retention ends footage without a copy is named; half of the retention where that is shorter."""


def copy_alarms(view: View, seen: Seen, now: Instant) -> list[c.Alarm]:
    """One for each copy that rests too long, and for the footage of each failover that ages away."""
    alarms = [alarm for job_id in view.open_jobs if (alarm := _resting(view, seen, view.jobs[job_id], now)) is not None]
    for home in view.away:
        for away in view.away[home]:
            alarm = _expiring(view, home, away, now)
            if alarm is not None:
                alarms.append(alarm)
    return alarms


def _resting(view: View, seen: Seen, job: object, now: Instant) -> c.Alarm | None:
    if not isinstance(job, CopyJob):
        return None
    stays = f"the footage of {_name(view, job.home)} in {job.failover} is still on {_name(view, job.source)}"
    if job.paused:
        if now.wall_ms - job.paused_ms < PAUSED_MS:
            return None
        sentence = f"The material copy {job.id} was paused by hand, and {stays}. Let it go on, or cancel it."
        return c.Alarm(key=f"paused {job.id}", sentence=sentence, since_wall_ms=job.paused_ms)
    row = job_row(view, seen, job, now)
    if now.wall_ms - job.started_ms < LATE_MS or row.rate_kbps:
        return None
    sentence = f"The material copy {job.id} began more than a day ago, and {stays}. {row.sentence.rstrip('.')}."
    return c.Alarm(key=f"late {job.id}", sentence=sentence, since_wall_ms=job.started_ms)


def _expiring(view: View, home: RecorderId, away: Away, now: Instant) -> c.Alarm | None:
    """The failover server keeps footage for as long as the recorder would, copied or not (SPEC 9)."""
    recorder = view.recorders.get(home)
    if recorder is None or not away.since_ms:
        return None
    kept_ms = recorder.settings.retention_days * DAY_MS
    job = _copy_of(view, home, away)
    oldest_ms = _oldest_ms(job) or away.since_ms
    if not kept_ms or now.wall_ms < oldest_ms + kept_ms - min(WARNING_MS, kept_ms // 2) or now.wall_ms >= away.until_ms + kept_ms:
        return None  # or all of it is gone
    left_ms = oldest_ms + kept_ms - now.wall_ms
    when = f"begins to delete it in {_span(left_ms)}" if left_ms > 0 else "deletes it now, the oldest first"
    days = "1 day" if recorder.settings.retention_days == 1 else f"{recorder.settings.retention_days} days"
    act = f"Let the material copy {job.id} go on." if job is not None else f"Start the material copy of {away.failover}."
    sentence = (
        f"Footage of {recorder.name} in {away.failover} has no copy at home. {_name(view, away.source)} {when}, "
        f"because {recorder.name} keeps footage for {days}. {act}"
    )
    health = c.Health.WARNING if left_ms > 0 else c.Health.BAD
    return c.Alarm(key=f"expiring {away.failover} {away.source}", sentence=sentence, since_wall_ms=oldest_ms, health=health)


def _copy_of(view: View, home: RecorderId, away: Away) -> CopyJob | None:
    for job_id in view.jobs_with.get(home, ()):
        job = view.jobs[job_id]
        if isinstance(job, CopyJob) and not job.phase.ended and (job.home, job.source, job.epoch) == (home, away.source, away.epoch):
            return job
    return None


def _oldest_ms(job: CopyJob | None) -> int:
    """Of what the copy has still to bring home; 0 while that is not known."""
    return min((hour.first_ms for camera in job.cameras for hour in camera.open_hours), default=0) if job is not None else 0


def _span(span_ms: int) -> str:
    hours = max(1, -(-span_ms // HOUR_MS))
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def _name(view: View, recorder: RecorderId) -> str:
    row = view.recorders.get(recorder)
    return row.name if row is not None else recorder
