"""Rules about cameras that change hands: none is left dark that somebody records, and those with one session go one by one (SPEC 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sysmanager.coordinator import facts as f
from sysmanager.domain.failover import Failover, Phase, Trigger
from sysmanager.domain.ids import CameraId, Epoch

if TYPE_CHECKING:
    from sysmanager.simulation.checkers import Step
    from sysmanager.simulation.recorder import SimulatedRecorder
    from sysmanager.simulation.world import World

REPORT_STALE_MS = 3_500
"""A frame counts when the coordinator has had the time to hear of it: three beats, and half a second for their way."""

UNHEARD_MS = 3_000
"""Of a server that was silent for so long nobody can know what it records."""


def frames_before_failback(step: Step) -> str | None:
    """A camera goes back when the recorder has its first frame. A dark one only if a person accepts it: of these there are 10 % at most."""
    fact, entry = step.fact, step.before
    if not isinstance(fact, f.FailbackCommitted) or entry is None or entry.server is None or entry.failback is None:
        return None
    server, home = step.world.recorders[entry.server], step.world.recorders[entry.home]
    if entry.home in step.world.state_lost or home.persisted.epoch != entry.failback.epoch or server.persisted.home != entry.home:
        return None
    has = _has(home, entry.failback.epoch)
    recorded = server.capture.recorded_for(REPORT_STALE_MS)
    lost = recorded - has - set(fact.dark)
    if lost:
        return f"{entry.id} goes back to {home.id}, which has no frame of {', '.join(sorted(lost))}."
    if _unheard(step.world, server) or server.trouble.lied:
        return None
    dark = {camera for camera in fact.dark if camera in recorded or _let_go(server, entry.failback.handed, camera)} - has
    if dark and not entry.failback.leaves_dark:
        return f"{entry.id} goes back and leaves {', '.join(sorted(dark))} dark, which {server.id} would record."
    if len(dark) * 10 > max(1, len(entry.moved)):
        return f"{entry.id} goes back with {len(dark)} dark cameras of {len(entry.moved)}."
    return None


def frames_before_switch(step: Step) -> str | None:
    """A planned switch takes a camera from a recorder that records only when the server has its first frame."""
    fact, entry = step.fact, step.before
    if not isinstance(fact, f.TasksMoved) or entry is None or entry.trigger is not Trigger.PLANNED or entry.server is None:
        return None
    recorder, server = step.world.recorders[entry.recorder], step.world.recorders[entry.server]
    if server.persisted.epoch != entry.epoch or recorder.persisted.home != entry.home:
        return None
    has = _has(server, entry.epoch)
    lost = (recorder.capture.recorded_for(REPORT_STALE_MS) & set(entry.moved)) - has
    if _unheard(step.world, recorder) or not recorder.capture.recorded():
        # Nobody could know that it still recorded, or it broke down in the middle: what has saved the settings takes over at once.
        return None
    if lost - set(fact.dark):
        return f"{entry.id} relieves {recorder.id}, and {server.id} has no frame of {', '.join(sorted(lost - set(fact.dark)))}."
    if lost and not (recorder.trouble.leaving or recorder.trouble.lied):
        return f"{entry.id} relieves {recorder.id} and leaves {', '.join(sorted(lost))} dark, which it records."
    return None


def next_when_lit(step: Step) -> str | None:
    """A camera that allows one session changes hands when the one before has its first frame."""
    fact, entry, world = step.fact, step.before, step.world
    if not isinstance(fact, f.SessionsPassed) or entry is None or entry.server is None:
        return None
    failback = entry.failback if entry.phase is Phase.FAILBACK_SAVED else None
    giver, taker = (entry.server, entry.home) if failback is not None else (entry.recorder, entry.server)
    handed, epoch = (failback.handed, failback.epoch) if failback is not None else (entry.handed, entry.epoch)
    accepted = failback.leaves_dark if failback is not None else world.recorders[giver].trouble.leaving
    if accepted or taker in world.state_lost or world.recorders[taker].trouble.lied or _unheard(world, world.recorders[giver]):
        return None
    has = _has(world.recorders[taker], epoch)
    dark = set(handed) - has
    if dark or len(fact.cameras) > 1:
        return f"{', '.join(fact.cameras)} of {entry.id} change hands while {', '.join(sorted(dark)) or 'nobody is in their way'} is dark."
    return None


def dark_together(world: World) -> str | None:
    """Of the cameras that allow one session, and that change hands at the moment, at most one has no frame anywhere."""
    state = world.shadow
    for open_id in state.open:
        entry = state.failovers[open_id]
        waiting = _changing(world, entry)
        if len(waiting) > 1 and not _at_once(world, entry):
            return f"{', '.join(sorted(waiting))} of {entry.id} are dark together, and change hands one by one."
    return None


def _changing(world: World, entry: Failover) -> set[CameraId]:
    """Cameras with one session that one server let go, and of which the other never had a frame."""
    if entry.server is None:
        return set()
    if entry.phase is Phase.FAILBACK_SAVED and entry.failback is not None and not entry.failback.leaves_dark:
        giver, taker, epoch, expected = entry.server, entry.home, entry.failback.epoch, entry.failback.expected
    elif entry.phase is Phase.SAVED and entry.trigger is Trigger.PLANNED:
        giver, taker, epoch, expected = entry.recorder, entry.server, entry.epoch, entry.expected
    else:
        return set()
    server, plan = world.recorders[giver], world.recorders[giver].capture.plan
    if plan is None or server.persisted.home != entry.home or taker in world.state_lost:
        return set()
    single = {camera.id for camera in world.shadow.recorders[giver].settings.cameras if camera.sessions == 1}
    has = _has(world.recorders[taker], epoch)
    return (single & set(expected)) - {camera.id for camera in plan.cameras} - has


def _at_once(world: World, entry: Failover) -> bool:
    """Who had them was not heard, or is shut down: it cannot let them go one by one."""
    passed = (record.fact for record in world.facts if isinstance(record.fact, f.SessionsPassed))
    return any(fact.failover == entry.id and len(fact.cameras) > 1 for fact in passed) or world.recorders[entry.recorder].trouble.leaving


def _has(server: SimulatedRecorder, epoch: Epoch) -> set[CameraId]:
    """Cameras of which it has footage under this epoch, and those that may be off at the moment."""
    return {camera for camera, stamped in server.material.totals() if stamped == epoch} | server.capture.scheduled()


def _let_go(server: SimulatedRecorder, handed: tuple[CameraId, ...], camera: CameraId) -> bool:
    return camera in handed and server.up and server.capture.plan is not None


def _unheard(world: World, server: SimulatedRecorder) -> bool:
    return world.agenda.now_ms - world.hearing.heard_ms.get(server.id, 0) >= UNHEARD_MS
