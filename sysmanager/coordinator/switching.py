"""The planned switch (SPEC 14.3): the failover server records first, then the recorder stops, so that there is no gap.

A failover with its own trigger. It differs in three things: it is committed only when first frames are confirmed; it never waits for a
candidate and never delays a failover; and what ends it leaves a healthy recorder as it was, without a hold.
"""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.detection import assess, group_of
from sysmanager.coordinator.failback import lit_by, lost_by, with_frames
from sysmanager.coordinator.failover import obeyed
from sysmanager.coordinator.frames import unlit_cameras
from sysmanager.coordinator.handing import FRAMES_MS, held_back, next_turn, silent, time_over, without_held_back
from sysmanager.coordinator.invariants import commit_objection
from sysmanager.coordinator.opening import choice_for, open_entry
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, baseline_holds, running_in_group, undoing_with
from sysmanager.coordinator.table import Case, On, Row
from sysmanager.domain.failover import Failover, Phase, Reason, Trigger
from sysmanager.domain.ids import CameraId, Epoch
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder

RELIEF_MS = 500
"""How often the first frames of the failover server are looked at without news."""


# ---------------------------------------------------------------- opening


def why_not_switched(view: View, seen: Seen, row: Recorder) -> str | None:
    """What keeps a planned switch of this recorder from starting, beyond what keeps a failover by hand; None if nothing does."""
    if not seen.connected(row.id) or not seen.of(row.id).reports_frames():
        return f"{row.name} does not record at the moment; a planned switch relieves a server that does. Start a failover instead."
    undoing = undoing_with(view, row.id)
    if undoing is not None:
        return f"The failback in {undoing.id} is being undone; wait until {row.name} has all of its cameras again."
    group_id = group_of(view, row)
    running = running_in_group(view, group_id) if group_id is not None else None
    if running is not None:
        return f"{running.id} is running in the group; wait until it is done."
    if group_id is not None and baseline_holds(view, group_id):
        return "The backup after the last failover of the group is being made; wait until it is done, ten seconds at most."
    if choice_for(view, seen, row).server is None:
        return f"No failover server of the group can take the cameras of {row.name} now; see the candidates."
    return None


def open_switch(view: View, seen: Seen, row: Recorder, now: Instant) -> tuple[f.AnyFact, ...]:
    """The facts that begin a planned switch of a healthy recorder; empty where it cannot begin at once: it never waits and never queues."""
    if why_not_switched(view, seen, row) is not None:
        return ()
    return open_entry(view, seen, row, Trigger.PLANNED, now)


# ---------------------------------------------------------------- what it needs to know


def is_planned(case: Case) -> bool:
    return case.failover.trigger is Trigger.PLANNED


def expected_on(view: View, seen: Seen, entry: Failover) -> tuple[CameraId, ...]:
    """Cameras that must light up on the failover server: those that move, without those that give the recorder itself no frames."""
    heard = seen.of(entry.recorder)
    moving = set(entry.moved)
    if heard.beat is not None and seen.connected(entry.recorder) and heard.service_heard():
        moving -= unlit_cameras(heard.beat.cameras)
    return tuple(sorted(moving))


def dark_on(seen: Seen, entry: Failover) -> tuple[CameraId, ...]:
    """Cameras without a frame on the failover server under its new epoch: expected ones, and what the recorder gets frames of by now."""
    lit = with_frames(seen.of(entry.server), entry.epoch) if entry.server is not None else set()
    counting = (*entry.expected, *sorted((lit_by(seen, entry.recorder) & set(entry.moved)) - set(entry.expected)))
    return tuple(camera for camera in counting if camera not in lit)


def _server_silent(case: Case) -> bool:
    server = case.failover.server
    return is_planned(case) and server is not None and silent(case, server)


def _sound(case: Case) -> bool:
    return is_planned(case) and commit_objection(case.view, case.failover) is None


def _recorder_failed(case: Case) -> bool:
    """The recorder broke down while it was being relieved: whoever has saved its settings is to have its tasks now."""
    entry = case.failover
    row = case.view.recorders.get(entry.recorder)
    if row is None or not _sound(case) or entry.server is None or not case.seen.connected(entry.server):
        return False
    if silent(case, entry.recorder):
        return True
    return case.seen.connected(entry.recorder) and assess(case.view, case.seen, row).trigger is not None


def _all_lit(case: Case) -> bool:
    entry = case.failover
    beat = case.seen.of(entry.server).beat if entry.server is not None else None
    return _sound(case) and beat is not None and beat.epoch == entry.epoch and not dark_on(case.seen, entry)


def _lost(case: Case) -> tuple[CameraId, ...]:
    """Cameras that would stay dark after the switch, and that the recorder records."""
    entry = case.failover
    return lost_by(case, entry.recorder, without_held_back(case, dark_on(case.seen, entry)))


def _is_leaving(case: Case) -> bool:
    """The recorder announced its shutdown: what does not move now is dark anyway."""
    return case.seen.of(case.failover.recorder).leaving is not None


def _next_may_go(case: Case) -> bool:
    entry = case.failover
    if not _sound(case) or not held_back(case.view, entry):
        return False
    return not without_held_back(case, dark_on(case.seen, entry)) or (time_over(case) and (_is_leaving(case) or not _lost(case)))


def _too_dark(case: Case) -> bool:
    return is_planned(case) and time_over(case) and bool(_lost(case)) and not _is_leaving(case)


def _time_over(case: Case) -> bool:
    return _sound(case) and time_over(case)


def _obeyed(case: Case) -> bool:
    return is_planned(case) and obeyed(case)


def _failover_waits(case: Case) -> bool:
    others = (case.view.failovers[failover_id] for failover_id in case.view.open_in[case.failover.group])
    return is_planned(case) and any(other.phase is Phase.QUEUED for other in others)


# ---------------------------------------------------------------- facts


def _saved(case: Case) -> tuple[f.AnyFact, ...]:
    expected = expected_on(case.view, case.seen, case.failover)
    return (f.SettingsSaved(failover=case.failover.id, duration_ms=case.step_ms, expected=expected),)


def _commit(case: Case) -> tuple[f.AnyFact, ...]:
    return (f.TasksMoved(failover=case.failover.id, duration_ms=case.step_ms, dark=dark_on(case.seen, case.failover)),)


def _release(case: Case) -> Epoch:
    return case.view.next_epoch if case.failover.server is not None else Epoch(0)


def _end(case: Case, reason: Reason, note: str) -> tuple[f.AnyFact, ...]:
    return (f.FailoverFailed(failover=case.failover.id, reason=reason, note=note, release_epoch=_release(case), hold=False),)


def _nobody(case: Case) -> tuple[f.AnyFact, ...]:
    return _end(case, Reason.NO_FAILOVER_SERVER, "No failover server was left to switch to; the recorder goes on.")


def _fell_silent(case: Case) -> tuple[f.AnyFact, ...]:
    return _end(case, Reason.NO_CONNECTION, "The failover server fell silent before it had the cameras; the recorder goes on.")


def _dark(case: Case) -> tuple[f.AnyFact, ...]:
    dark = _lost(case)
    named, cameras = ", ".join(dark[:5]), "1 camera" if len(dark) == 1 else f"{len(dark)} cameras"
    note = f"{cameras} gave the failover server no frame within {FRAMES_MS // 1000} s: {named}; the recorder goes on."
    return _end(case, Reason.WRONG_STATE_OF_FAILOVER_SERVER, note)


def _give_way(case: Case) -> tuple[f.AnyFact, ...]:
    sentence = "A failover of the group came first; ask for the planned switch again after it."
    return (f.FailoverCancelled(failover=case.failover.id, sentence=sentence, release_epoch=_release(case)),)


def _aborted(case: Case) -> tuple[f.AnyFact, ...]:
    return (f.FailoverCancelled(failover=case.failover.id, sentence="Aborted by hand.", release_epoch=_release(case)),)


# ---------------------------------------------------------------- the table

_UNDER_WAY = (Phase.RESERVED, Phase.FETCHED, Phase.SAVED)

SWITCH_TABLE: tuple[Row, ...] = (
    Row(
        number=400,
        phases=(Phase.WAITING,),
        on=On.REVIEW,
        when=is_planned,
        then=_nobody,
        to=(Phase.FAILED,),
        sentence="planned switch: no candidate is left; it does not wait for one, and the recorder goes on",
    ),
    Row(
        number=401,
        phases=(Phase.SAVED,),
        on=On.REVIEW,
        when=_recorder_failed,
        then=_commit,
        to=(Phase.COMMITTED,),
        sentence="planned switch: the recorder broke down meanwhile; the server has its tasks at once (steps 5, 6)",
    ),
    Row(
        number=402,
        phases=_UNDER_WAY,
        on=On.REVIEW,
        when=_failover_waits,
        then=_give_way,
        to=(Phase.CANCELLED,),
        sentence="planned switch: a failover of the group waits; it gives way before its commit",
    ),
    Row(
        number=403,
        phases=(*_UNDER_WAY, Phase.WAITING, Phase.QUEUED),
        on=On.ABORT,
        when=is_planned,
        then=_aborted,
        to=(Phase.CANCELLED,),
        sentence="planned switch: a person aborted it; the recorder goes on, and nothing is held",
    ),
    Row(
        number=404,
        phases=(Phase.FETCHED,),
        on=On.ANSWER,
        when=_obeyed,
        then=_saved,
        to=(Phase.SAVED,),
        sentence="planned switch: the server confirmed the settings; which cameras must light up on it is fixed (step 4)",
    ),
    Row(
        number=405,
        phases=(Phase.SAVED,),
        on=On.REVIEW,
        when=_server_silent,
        then=_fell_silent,
        to=(Phase.FAILED,),
        sentence="planned switch: the server fell silent before the commit; the recorder goes on",
    ),
    Row(
        number=406,
        phases=(Phase.SAVED,),
        on=On.REVIEW,
        when=_all_lit,
        then=_commit,
        to=(Phase.COMMITTED,),
        sentence="planned switch: every camera that counts has its first frame on the server; the recorder may stop (steps 5, 6)",
    ),
    Row(
        number=409,
        phases=(Phase.SAVED,),
        on=On.REVIEW,
        when=_next_may_go,
        then=next_turn,
        to=(Phase.SAVED,),
        sentence="planned switch: the next camera that allows one session changes hands, when the one before has its first frame",
    ),
    Row(
        number=407,
        phases=(Phase.SAVED,),
        on=On.REVIEW,
        when=_too_dark,
        then=_dark,
        to=(Phase.FAILED,),
        sentence="planned switch: cameras stayed dark on the server that the recorder records; the recorder goes on",
    ),
    Row(
        number=408,
        phases=(Phase.SAVED,),
        on=On.REVIEW,
        when=_time_over,
        then=_commit,
        to=(Phase.COMMITTED,),
        sentence="planned switch: what stayed dark the recorder will not record either; the tasks move, it is named (steps 5, 6)",
    ),
)
