"""A failback that is undone: cameras that allow one session go back to the failover server one by one, break before make (SPEC 8).

Whatever the recorder gets no frames of goes back first and at once, and all of it where the recorder is silent: nothing is lost by that.
Of the others the recorder lets one go, the failover server opens it, and the next one follows when that has its first frame there. The
group does not wait for it, so that no failover is delayed; the recorder stands down when it has none of them any more.
"""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.automatic_failback import held_after_undo
from sysmanager.coordinator.frames import GIVES_FRAMES, records_by_right, settled_cameras
from sysmanager.coordinator.handing import let_go, silent, time_over, waited_ms
from sysmanager.coordinator.state import View, undoing_with
from sysmanager.coordinator.table import Case, On, Row
from sysmanager.domain.failover import Failback, Failover, Phase, Reason
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.protocol.recorders import Beat

# ---------------------------------------------------------------- how it begins and ends


def undone(case: Case, reason: Reason, note: str, dark: tuple[CameraId, ...] = ()) -> tuple[f.AnyFact, ...]:
    """The facts that undo a failback before its commit point: at once, or with what the recorder still records one by one."""
    entry = case.failover
    if entry.phase is Phase.FAILBACK_SAVED:
        released = let_go(case.view, entry)
        recorded = _recorded(case, released)
        kept = tuple(camera for camera in released if camera in recorded)
        if kept:
            returning = tuple(camera for camera in released if camera not in recorded)
            undoing = f.FailbackUndoing(failover=entry.id, reason=reason, note=note, kept=kept, returning=returning, dark=dark)
            return (undoing,)
    return _ended(case.view, entry, reason, note, dark)


def _ended(view: View, entry: Failover, reason: Reason, note: str, dark: tuple[CameraId, ...]) -> tuple[f.AnyFact, ...]:
    ended = f.FailbackUndone(failover=entry.id, reason=reason, note=note, recorder_epoch=view.next_epoch, dark=dark)
    return (ended, *(held_after_undo(view, entry) if reason is not Reason.CANCELLED else ()))


def cut_short(view: View, server: RecorderId) -> tuple[f.AnyFact, ...]:
    """What ends the undoing of a failback, if one runs, because somebody takes the place of its failover server. It uses one epoch."""
    entry = undoing_with(view, server)
    return _finished(view, entry) if entry is not None else ()


def _finished(view: View, entry: Failover) -> tuple[f.AnyFact, ...]:
    failback = _running(entry)
    assert failback.reason is not None, "it is being undone"
    return _ended(view, entry, failback.reason, failback.note, failback.dark)


# ---------------------------------------------------------------- guards


def _running(entry: Failover) -> Failback:
    assert entry.failback is not None, "a failback is being undone"
    return entry.failback


def _recorded(case: Case, cameras: tuple[CameraId, ...]) -> set[CameraId]:
    """Of these, what the recorder says it gets frames of under the epoch of the failback. Nothing of one that is not heard to record.

    After its own restart the coordinator has heard nobody yet: in doubt it records them.
    """
    entry, heard = case.failover, case.seen.of(case.failover.home)
    if heard.beat is None and not silent(case, entry.home):
        return set(cameras)
    if heard.beat is None or not case.seen.connected(entry.home) or not heard.service_heard() or heard.beat.epoch != _running(entry).epoch:
        return set()
    return {camera.camera for camera in heard.beat.cameras if camera.state in GIVES_FRAMES}


def _lost_at_home(case: Case) -> tuple[CameraId, ...]:
    """Cameras that the recorder still has, and of which it gets no frames any more."""
    kept = _running(case.failover).kept
    recorded = _recorded(case, kept)
    return tuple(camera for camera in kept if camera not in recorded)


def _server_beat(case: Case) -> Beat | None:
    """What the failover server says, if it is heard to do its task, and could write what it is given."""
    entry = case.failover
    assert entry.server is not None, "a failover server acts"
    heard, epoch = case.seen.of(entry.server), case.view.recorders[entry.server].assignment.epoch
    beat = heard.beat
    if beat is None or not case.seen.connected(entry.server) or not heard.service_heard() or beat.epoch != epoch:
        return None
    return beat if any(disk.writable for disk in beat.disks) else None


def _arrived(case: Case, beat: Beat | None) -> bool:
    """Whether what went back last has its first frames on the failover server, by what that said since."""
    if beat is None or case.seen.of(beat.recorder).beat_ms <= case.now.mono_ms - waited_ms(case):
        return False
    return settled_cameras(beat.cameras).issuperset(_running(case.failover).returning)


def _recorder_silent(case: Case) -> bool:
    return silent(case, case.failover.home)


def _all_back(case: Case) -> bool:
    return not _running(case.failover).kept and (time_over(case) or _arrived(case, _server_beat(case)))


def _some_lost_at_home(case: Case) -> bool:
    return bool(_lost_at_home(case))


def _next_may_go(case: Case) -> bool:
    """When those that went back have their first frame. One that does not come holds the others up for its time only.

    Nothing more goes to a failover server that could not record it: what the recorder has it keeps until somebody replaces that server.
    """
    beat = _server_beat(case)
    if beat is None or not _running(case.failover).kept:
        return False
    return _arrived(case, beat) or (time_over(case) and records_by_right(beat))


# ---------------------------------------------------------------- facts


def _give_lost(case: Case) -> tuple[f.AnyFact, ...]:
    return (f.SessionsPassed(failover=case.failover.id, cameras=_lost_at_home(case)),)


def _give_next(case: Case) -> tuple[f.AnyFact, ...]:
    return (f.SessionsPassed(failover=case.failover.id, cameras=_running(case.failover).kept[:1]),)


def _end(case: Case) -> tuple[f.AnyFact, ...]:
    return _finished(case.view, case.failover)


# ---------------------------------------------------------------- the table

UNDO_TABLE: tuple[Row, ...] = (
    Row(
        number=150,
        phases=(Phase.FAILBACK_UNDOING,),
        on=On.REVIEW,
        when=_recorder_silent,
        then=_end,
        to=(Phase.READY,),
        sentence="being undone: the recorder fell silent, and the failover server opens all that are left at once: undone",
    ),
    Row(
        number=151,
        phases=(Phase.FAILBACK_UNDOING,),
        on=On.REVIEW,
        when=_all_back,
        then=_end,
        to=(Phase.READY,),
        sentence="being undone: the failover server has all cameras again: undone, and the recorder stands down",
    ),
    Row(
        number=152,
        phases=(Phase.FAILBACK_UNDOING,),
        on=On.REVIEW,
        when=_some_lost_at_home,
        then=_give_lost,
        to=(Phase.FAILBACK_UNDOING,),
        sentence="being undone: what the recorder gets no frames of any more goes back at once",
    ),
    Row(
        number=153,
        phases=(Phase.FAILBACK_UNDOING,),
        on=On.REVIEW,
        when=_next_may_go,
        then=_give_next,
        to=(Phase.FAILBACK_UNDOING,),
        sentence="being undone: the next camera that allows one session goes back, when the one before has its first frame",
    ),
)
