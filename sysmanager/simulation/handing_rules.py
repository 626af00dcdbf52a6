"""Rules about cameras that change hands: none is left dark that somebody records, and those with one session go one by one (SPEC 8)."""

from __future__ import annotations

from collections.abc import Set
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

TURN_MS = 10_000
"""So long a camera that went back may be dark before the next one goes all the same."""

AWAY_MS = 4_000
"""A server that was silent for so long, while the coordinator could hear, is not connected."""

NOT_HEARD_YET_MS = 9_000
"""So long after its own start the coordinator waits for a recorder that it has not heard yet."""

LATE_MS = 500
"""What comes over a link that was ever so slow may be of the time before the last turn."""

SETTLED_MS = 5_000
"""A service that runs for so long has opened its cameras, and said so."""

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
    lost = _known(step.world, server, recorded - has - set(fact.dark), entry.failback.expected)
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
    unnamed = _known(step.world, recorder, lost - set(fact.dark), entry.expected)
    if unnamed:
        return f"{entry.id} relieves {recorder.id}, and {server.id} has no frame of {', '.join(sorted(unnamed))}."
    if lost and not (recorder.trouble.leaving or recorder.trouble.lied):
        return f"{entry.id} relieves {recorder.id} and leaves {', '.join(sorted(lost))} dark, which it records."
    return None


def next_when_lit(step: Step) -> str | None:
    """A camera that allows one session changes hands when the one before has its first frame."""
    fact, entry, world = step.fact, step.before, step.world
    if isinstance(fact, f.FailbackUndone) and entry is not None:
        return _given_back_at_once(world, entry)
    if not isinstance(fact, f.SessionsPassed) or entry is None or entry.server is None:
        return None
    if entry.phase is Phase.FAILBACK_UNDOING:
        return _next_back_when_lit(step, entry, fact)
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


def _given_back_at_once(world: World, entry: Failover) -> str | None:
    """A failback is undone when the recorder has none left of the cameras that were handed to it; or what it has nobody can know."""
    failback = entry.failback
    if failback is None or entry.server is None or entry.phase not in (Phase.FAILBACK_SAVED, Phase.FAILBACK_UNDOING):
        return None
    home, replaced = world.recorders[entry.home], any(world.shadow.failovers[one].recorder == entry.server for one in world.shadow.open)
    started_ms = world.agenda.now_ms - world.hearing.started_ms
    nobody_knows = _unheard(world, home) and (started_ms >= NOT_HEARD_YET_MS or home.id in world.hearing.heard_ms)
    if replaced or home.trouble.lied or nobody_knows or home.persisted.epoch != failback.epoch or not _settled(world, home):
        return None
    handed = failback.kept if entry.phase is Phase.FAILBACK_UNDOING else failback.handed
    left = home.capture.recorded_for(REPORT_STALE_MS) & set(handed) - world.recorders[entry.server].capture.recorded()
    return f"{entry.id} is undone, and {', '.join(sorted(left))} go back to {entry.server} all at once." if left else None


def _next_back_when_lit(step: Step, entry: Failover, fact: f.SessionsPassed) -> str | None:
    """Where a failback is undone, one that the recorder has goes back when the one before has its frame; several only if it has none."""
    world, failback = step.world, entry.failback
    assert failback is not None, "it is being undone"
    assert entry.server is not None, "to the failover server"
    home, server = world.recorders[entry.home], world.recorders[entry.server]
    if home.trouble.lied or server.trouble.lied or _unheard(world, home) or not _settled(world, home):
        return None
    late_ms = max(world.links[home.id].slowest_ms, world.links[server.id].slowest_ms)
    if late_ms >= LATE_MS or world.hearing.hearing_for_ms(world.agenda.now_ms) < SETTLED_MS:
        return None  # what comes now may have been said before
    if len(fact.cameras) == 1 and world.hearing.silence_ms(server.id, world.agenda.now_ms) >= AWAY_MS:
        return f"{fact.cameras[0]} of {entry.id} goes back to {server.id}, which is silent." if _records(home, fact) else None
    if not _settled(world, server):
        return None
    early = _let_go_early(world, entry)
    if early:
        return f"{', '.join(sorted(early))} of {entry.id} are dark: {home.id} let them go before their turn."
    recorded = _records(home, fact)
    if len(recorded) > 1:
        return f"{', '.join(sorted(recorded))} of {entry.id} go back together."
    dark = set(failback.returning) - server.capture.lit() - server.capture.scheduled()
    if recorded and dark and not _turn_is_over(step, entry):
        return f"{', '.join(sorted(recorded))} of {entry.id} goes back while {', '.join(sorted(dark))} is dark."
    return None


def _records(home: SimulatedRecorder, fact: f.SessionsPassed) -> frozenset[CameraId]:
    return home.capture.recorded_for(REPORT_STALE_MS) & frozenset(fact.cameras)


def _turn_is_over(step: Step, entry: Failover) -> bool:
    """Whether what went back last had ten seconds for its frame, by the wall clock of the coordinator, which may have been set."""
    turns = (f.SessionsPassed, f.FailbackUndoing, f.CoordinatorStarted)
    last = next(
        record
        for record in reversed(step.world.facts)
        if isinstance(record.fact, turns) and getattr(record.fact, "failover", entry.id) == entry.id and record is not step.record
    )
    return bool(step.world.coordinator.wall_step_ms) or step.record.wall_ms - last.wall_ms >= TURN_MS


def _settled(world: World, server: SimulatedRecorder) -> bool:
    """Whether it runs for long enough for its sessions to be those that it speaks of."""
    since_ms = server.up_since_ms
    return server.up and not server.trouble.hung and since_ms is not None and world.agenda.now_ms - since_ms >= SETTLED_MS


def dark_together(world: World) -> str | None:
    """Of the cameras that allow one session, and that change hands at the moment, at most one has no frame anywhere."""
    state = world.shadow
    for open_id in state.open:
        entry = state.failovers[open_id]
        early = _let_go_early(world, entry)
        if early:
            return f"{', '.join(sorted(early))} of {entry.id} are dark: {entry.home} let them go before their turn."
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


def _let_go_early(world: World, entry: Failover) -> set[CameraId]:
    """Cameras that the recorder does not have any more whose failback is undone, although their turn to go back has not come."""
    failback, home = entry.failback, world.recorders[entry.home]
    plan = home.capture.plan
    if entry.phase is not Phase.FAILBACK_UNDOING or failback is None or plan is None or home.persisted.epoch != failback.epoch:
        return set()
    if world.journal_cut or home.trouble.lied or entry.home in world.state_lost or not _settled(world, home):
        return set()
    return set(failback.kept) - {camera.id for camera in plan.cameras}


def _at_once(world: World, entry: Failover) -> bool:
    """Who had them was not heard, or is shut down: it cannot let them go one by one."""
    passed = (record.fact for record in world.facts if isinstance(record.fact, f.SessionsPassed))
    return any(fact.failover == entry.id and len(fact.cameras) > 1 for fact in passed) or world.recorders[entry.recorder].trouble.leaving


def _has(server: SimulatedRecorder, epoch: Epoch) -> set[CameraId]:
    """Cameras of which it has footage under this epoch, and those that may be off at the moment."""
    return {camera for camera, stamped in server.material.totals() if stamped == epoch} | server.capture.scheduled()


def _known(world: World, giver: SimulatedRecorder, lost: Set[CameraId], expected: tuple[CameraId, ...]) -> Set[CameraId]:
    """Of these, without those that gave who has them no frames at first and do now: if that is not heard, lies, or is heard late over a
    slow way, nobody can know it in time."""
    link = world.links[giver.id]
    told = not (_unheard(world, giver) or giver.trouble.lied or link.slowest_ms or link.loss)
    return lost if told else lost & set(expected)


def _let_go(server: SimulatedRecorder, handed: tuple[CameraId, ...], camera: CameraId) -> bool:
    return camera in handed and server.up and server.capture.plan is not None


def _unheard(world: World, server: SimulatedRecorder) -> bool:
    return world.agenda.now_ms - world.hearing.heard_ms.get(server.id, 0) >= UNHEARD_MS
