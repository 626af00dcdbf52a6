"""Applies the facts of a material copy."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve.tables import forget_away, patch_failover, put_job
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import CopyMark
from sysmanager.domain.ids import CameraId, JobId
from sysmanager.domain.jobs import CameraCopy, CopyJob, JobPhase


def apply(state: State, record: f.FactRecord, fact: f.CopyingFact) -> None:
    match fact:
        case f.CopyStarted():
            put_job(state, _started(state, record, fact))
            _tried(state, fact)
            _mark(state, fact.job)
        case f.HoursPlanned():
            job = _job(state, fact.job)
            camera = _camera(job, fact.camera)
            job = _with(job, replace(camera, hours=(*camera.hours, *fact.hours), planned=fact.complete))
            put_job(state, replace(job, phase=_phase(job)))
        case f.HoursCopied():
            job = _job(state, fact.job)
            camera = _camera(job, fact.camera)
            job = _with(job, replace(camera, copied=(*camera.copied, *fact.copied), failed=(*camera.failed, *fact.failed)))
            put_job(state, replace(job, phase=_phase(job)))
        case f.SourceTold():
            job = _job(state, fact.job)
            put_job(state, _with(job, replace(_camera(job, fact.camera), told=True)))
        case f.CopyPaused():
            put_job(state, replace(_job(state, fact.job), paused=True, paused_ms=record.wall_ms))
        case f.CopyResumed():
            put_job(state, replace(_job(state, fact.job), paused=False))
        case f.CopyEnded():
            job = replace(
                _job(state, fact.job),
                phase=fact.phase,
                reason=fact.reason,
                note=fact.note,
                coverage=fact.coverage,
                # What its hours were stands in the journal; tables do not grow with footage that is dealt with.
                cameras=(),
                ended_ms=record.wall_ms,
            )
            put_job(state, job)
            if fact.phase is JobPhase.READY:
                forget_away(state, job.home, job.source, job.epoch)
            _mark(state, fact.job)
        case _:
            assert_never(fact)


def _started(state: State, record: f.FactRecord, fact: f.CopyStarted) -> CopyJob:
    job = CopyJob(
        id=fact.job,
        number=state.next_job,
        failover=fact.entry,
        source=fact.source,
        home=fact.home,
        epoch=fact.epoch,
        group=fact.group,
        actor=record.actor,
        phase=JobPhase.PLANNING,
        started_ms=record.wall_ms,
        cameras=tuple(CameraCopy(camera=camera) for camera in fact.cameras),
        limit_kbps=fact.limit_kbps,
        hours=fact.hours,
        holes=fact.holes,
    )
    return replace(job, phase=_phase(job))


def _tried(state: State, fact: f.CopyStarted) -> None:
    footage = state.away.get(fact.home, ())
    key = (fact.source, fact.epoch)
    if footage:
        state.away[fact.home] = tuple(replace(away, tried=True) if (away.source, away.epoch) == key else away for away in footage)


def _job(state: State, job_id: JobId) -> CopyJob:
    job = state.jobs[job_id]
    assert isinstance(job, CopyJob), "the fact is one of a material copy"
    return job


def _camera(job: CopyJob, camera: CameraId) -> CameraCopy:
    return next(one for one in job.cameras if one.camera == camera)


def _with(job: CopyJob, camera: CameraCopy) -> CopyJob:
    return replace(job, cameras=tuple(camera if one.camera == camera.camera else one for one in job.cameras))


def _phase(job: CopyJob) -> JobPhase:
    """Planned camera by camera, then copied, then told."""
    if not all(camera.planned for camera in job.cameras):
        return JobPhase.PLANNING
    return JobPhase.COPYING if any(camera.open_hours for camera in job.cameras) else JobPhase.TELLING


def _mark(state: State, job_id: JobId) -> None:
    """The entry of the failover log shows its newest copy, also where it left memory long ago."""
    job = _job(state, job_id)
    entry = state.failovers.get(job.failover)
    shown = entry.copy if entry is not None else None
    if shown is None or shown.job == job.id or state.jobs[shown.job].phase.ended:
        patch_failover(state, job.failover, copy=CopyMark(job=job.id, phase=job.phase, reason=job.reason))
