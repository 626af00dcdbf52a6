"""The rules of jobs: what is marked copied is there, nothing is copied twice, and no drill stands in the way (SPEC 9, 14.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.state import State
from sysmanager.domain.ids import CameraId, JobId
from sysmanager.domain.jobs import CopyJob, Drill, JobPhase, MaterialHour
from sysmanager.protocol.jobs import MarkCopied
from sysmanager.protocol.recorders import Order
from sysmanager.simulation.recorder import SimulatedRecorder

if TYPE_CHECKING:
    from sysmanager.simulation.checkers import Step
    from sysmanager.simulation.world import World

DRILL_ENDS_MS = 3_000
"""A drill that a failover needs gone is gone after so long, if the coordinator could act."""

ALLOWED: dict[type, tuple[JobPhase, ...]] = {
    f.HoursPlanned: (JobPhase.PLANNING,),
    f.HoursCopied: (JobPhase.COPYING,),
    f.SourceTold: (JobPhase.TELLING,),
    f.CopyPaused: (JobPhase.PLANNING, JobPhase.COPYING, JobPhase.TELLING),
    f.CopyResumed: (JobPhase.PLANNING, JobPhase.COPYING, JobPhase.TELLING),
    f.CopyEnded: (JobPhase.PLANNING, JobPhase.COPYING, JobPhase.TELLING),
    f.DrillEnded: (JobPhase.DRILLING,),
}
"""From which phases each fact may come: written down a second time, apart from the tables of the coordinator."""


def job_steps(step: Step) -> str | None:
    """A job goes its way; nothing happens to one that has ended, and each begins under a number of its own."""
    job_id = getattr(step.fact, "job", None)
    if job_id is None:
        return None
    if isinstance(step.fact, f.CopyStarted | f.DrillStarted):
        return f"{job_id} begins a second time." if job_id in step.state.jobs or int(job_id[1:]) != step.state.next_job else None
    job = step.state.jobs.get(job_id)
    phase = job.phase if job is not None else None
    return None if phase in ALLOWED[type(step.fact)] else f"{type(step.fact).__name__} cannot follow {phase} of {job_id}."


def copied_is_verified(step: Step) -> str | None:
    """What is written down as copied lies on the disks at home, exactly as the source has it (SPEC 9)."""
    match step.fact:
        case f.HoursCopied(job=job_id, camera=camera, copied=copied):
            job = step.state.jobs[job_id]
            wanted = [hour for hour in _hours(job, camera) if hour.hour in copied]
        case f.CopyEnded(job=job_id, phase=JobPhase.READY):
            job = step.state.jobs[job_id]
            assert isinstance(job, CopyJob), "a copy"
            for one in job.cameras:
                found = _missing(step.world, job, one.camera, list(one.hours))
                if found is not None:
                    return found
            return None
        case _:
            return None
    assert isinstance(job, CopyJob), "a copy"
    return _missing(step.world, job, camera, wanted)


def marked_is_verified(world: World, order: Order) -> str | None:
    """A source is told that footage may go only when its copy is there."""
    job = world.shadow.jobs.get(order.job) if isinstance(order, MarkCopied) else None
    if not isinstance(order, MarkCopied) or not isinstance(job, CopyJob):
        return None
    return _missing(world, job, order.camera, [hour for hour in _hours(job, order.camera) if hour.hour in order.hours])


def _hours(job: object, camera: CameraId) -> tuple[MaterialHour, ...]:
    assert isinstance(job, CopyJob), "a copy"
    return next(one.hours for one in job.cameras if one.camera == camera)


def _missing(world: World, job: CopyJob, camera: CameraId, hours: list[MaterialHour]) -> str | None:
    target = world.recorders[job.home].copies
    lost = next((hour.hour for hour in hours if not target.holds((camera, job.epoch, hour.hour), hour)), None)
    return f"{job.id} says that hour {lost} of {camera} is on {job.home}, where it is not." if lost is not None else None


def never_twice(recorder: SimulatedRecorder) -> str | None:
    """Footage that is there is not written again."""
    twice = recorder.copies.twice
    return f"{recorder.id} wrote {twice[0][0]}, hour {twice[0][2]}, although it was there." if twice else None


def drills_in_the_way(recorder: SimulatedRecorder) -> str | None:
    """A server that has been given cameras drills no more, and nothing of the drill is left on its disks."""
    left = recorder.drilling.running or recorder.drilling.scratch
    return f"{recorder.id} still drills, although it was given cameras to record." if left else None


def needed(state: State, drill: Drill) -> bool:
    """Whether a failover wants the server or the cameras of the drill."""
    entries = {**state.open_with.get(drill.server, {}), **state.open_with.get(drill.recorder, {})}
    return any(state.failovers[entry].phase.before_commit for entry in entries)


def open_drills(state: State) -> dict[JobId, Drill]:
    return {job_id: job for job_id in state.open_jobs if isinstance(job := state.jobs[job_id], Drill)}
