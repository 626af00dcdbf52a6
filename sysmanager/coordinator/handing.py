"""Cameras that allow one session change hands one by one, break before make (SPEC 8): in a failback, and in a planned switch.
`undoing` gives them back where a failback is undone.

Whoever is to have them leaves them out, and whoever has them goes on, until it is their turn: then the one lets the camera go, and the
other opens it when the first says that it did. The next one goes when that has its first frame: at most one of them is dark at a time.
"""

from __future__ import annotations

from collections.abc import Iterable

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.coordinator.table import Case
from sysmanager.domain.failover import Failover, Phase, Trigger
from sysmanager.domain.ids import CameraId, FailoverId, RecorderId
from sysmanager.domain.recorder import Acting, Recorder, Recording

FRAMES_MS = 10_000
"""How long cameras have for their first frame on whoever is to have them, each that changes hands by itself from its own turn (SPEC 8)."""


# ---------------------------------------------------------------- whose turn it is


def _giver(view: View, entry: Failover) -> Recorder | None:
    """Who has the cameras until the commit point: the recorder in a planned switch, else the failover server."""
    if entry.trigger is Trigger.PLANNED and entry.phase.before_commit:
        return view.recorders.get(entry.recorder)
    return view.recorders.get(entry.server) if entry.server is not None else None


def singles(view: View, entry: Failover) -> tuple[CameraId, ...]:
    """Cameras of the entry that allow one session only, in the order of the settings of who has them."""
    giver = _giver(view, entry)
    if giver is None:
        return ()
    left = {camera.camera for camera in entry.not_moved}
    return tuple(camera.id for camera in giver.settings.cameras if camera.moves and camera.sessions == 1 and camera.id not in left)


def held_back(view: View, entry: Failover) -> tuple[CameraId, ...]:
    """Of these, the ones whose turn has not come. One that gives no frames to who has it is not waited for.

    While a failback is undone: all but those that the recorder still has.
    """
    failback = entry.failback
    match entry.phase:
        case Phase.FAILBACK_TAKEN:
            return singles(view, entry)
        case Phase.FAILBACK_UNDOING if failback is not None:
            return tuple(camera for camera in singles(view, entry) if camera not in failback.kept)
        case Phase.FAILBACK_SAVED if failback is not None:
            expected, handed = failback.expected, failback.handed
        case Phase.FETCHED if entry.trigger is Trigger.PLANNED:
            return singles(view, entry)
        case Phase.SAVED if entry.trigger is Trigger.PLANNED:
            expected, handed = entry.expected, entry.handed
        case _:
            return ()
    return tuple(camera for camera in singles(view, entry) if camera in expected and camera not in handed)


def let_go(view: View, entry: Failover) -> tuple[CameraId, ...]:
    """What who has the cameras leaves out by now; while a failback is undone, what the recorder still has."""
    if entry.phase is Phase.FAILBACK_UNDOING:
        return entry.failback.kept if entry.failback is not None else ()
    if entry.phase is not Phase.FAILBACK_SAVED and not (entry.phase is Phase.SAVED and entry.trigger is Trigger.PLANNED):
        return ()
    waiting = set(held_back(view, entry))
    return tuple(camera for camera in singles(view, entry) if camera not in waiting)


def let_go_by(view: View, recorder: RecorderId) -> tuple[CameraId, ...]:
    """What this server leaves out, because another one is to have it."""
    for failover_id in view.open_with.get(recorder, ()):
        entry = view.failovers[failover_id]
        giver = _giver(view, entry)
        if giver is not None and giver.id == recorder:
            released = let_go(view, entry)
            if released:
                return released
    return ()


def not_let_go_yet(view: View, seen: Seen, entry: Failover) -> bool:
    """Whether who has the cameras still says that it records one whose turn has come: nobody else could open it."""
    giver = _giver(view, entry)
    if giver is None or not isinstance(giver.assignment, Acting | Recording) or not seen.connected(giver.id):
        return False
    heard = seen.of(giver.id)
    if heard.beat is None or not heard.service_heard() or heard.beat.epoch != giver.assignment.epoch:
        return False
    return not set(let_go(view, entry)) <= set(heard.beat.without)


def not_given_back_yet(view: View, seen: Seen, entry: Failover) -> bool:
    """Whether the recorder still says that it has one that is to go back: the failover server could not open it."""
    if entry.phase is not Phase.FAILBACK_UNDOING or entry.failback is None or not seen.connected(entry.home):
        return False
    heard = seen.of(entry.home)
    if heard.beat is None or not heard.service_heard() or heard.beat.epoch != entry.failback.epoch:
        return False
    return not set(held_back(view, entry)) <= set(heard.beat.without)


def waits_for_word(view: View, failover: FailoverId) -> tuple[RecorderId, ...]:
    """Who may be told more as soon as the other server says that it let a camera go."""
    entry = view.failovers.get(failover)
    if entry is None or not (entry.phase is Phase.FAILBACK_UNDOING or let_go(view, entry)):
        return ()
    taker = entry.home if entry.phase is Phase.FAILBACK_SAVED else entry.server
    return (taker,) if taker is not None else ()


# ---------------------------------------------------------------- the next one


def silent(case: Case, server: RecorderId) -> bool:
    """After its own restart the coordinator has heard nobody yet: that is no silence of the server, before it has lasted."""
    return not case.seen.connected(server) and (case.seen.of(server).ever or case.waited_ms >= FRAMES_MS)


def waited_ms(case: Case) -> int:
    """Since the step began, or since the last turn."""
    turn_ms = case.seen.turn_ms.get(case.failover.id)
    return case.waited_ms if turn_ms is None else max(0, min(case.waited_ms, case.now.mono_ms - turn_ms))


def time_over(case: Case) -> bool:
    return waited_ms(case) >= FRAMES_MS


def next_turn(case: Case) -> tuple[f.AnyFact, ...]:
    """The next one; all that are left if who has them is silent, and so cannot let them go one by one."""
    waiting = held_back(case.view, case.failover)
    giver = _giver(case.view, case.failover)
    assert giver is not None, "some are held back"
    return (f.SessionsPassed(failover=case.failover.id, cameras=waiting if silent(case, giver.id) else waiting[:1]),)


def without_held_back(case: Case, dark: Iterable[CameraId]) -> tuple[CameraId, ...]:
    """Of dark cameras, those that could have a frame by now."""
    waiting = set(held_back(case.view, case.failover))
    return tuple(camera for camera in dark if camera not in waiting)
