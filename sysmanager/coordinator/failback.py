"""The transitions of a failback, from the request to "failback ready" (SPEC 8). This file owns them all."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.automatic_failback import due_by_itself, held_after_abort
from sysmanager.coordinator.failback_checks import checks
from sysmanager.coordinator.frames import lit_cameras, settled_cameras, unlit_cameras
from sysmanager.coordinator.handing import FRAMES_MS, held_back, next_turn, silent, time_over, without_held_back
from sysmanager.coordinator.heard import Heard
from sysmanager.coordinator.inputs import Asked, OrderAnswered
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.coordinator.table import Case, On, Row, Then, always
from sysmanager.coordinator.undoing import undone
from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.failover import Failover, Phase, Reason
from sysmanager.domain.ids import CameraId, Epoch, RecorderId
from sysmanager.protocol.clients import Level, StartFailback
from sysmanager.protocol.recorders import Beat, Obeyed, Record, Refusal

DOCUMENTS_MS = 5_000
"""How long the failover server's present documents are waited for before the failback is given up."""

ANSWER_MS = 5_000
"""All of step 8, as in a failover."""

DARK_SHARE_PERCENT = 10
"""With more dark cameras than this share the failback is undone, whoever asked for it and whatever he accepts (SPEC 8)."""


# ---------------------------------------------------------------- guards


def _fit_to_start(case: Case) -> bool:
    return all(check.level is not Level.STOP for check in checks(case.view, case.seen, case.failover))


def _due_by_itself(case: Case) -> bool:
    return due_by_itself(case.view, case.seen, case.failover, case.now)


def _failover_waits(case: Case) -> bool:
    """A failover of the group never waits for a failback: before its commit the failback is put back (SPEC 7)."""
    others = case.view.open_in[case.failover.group]
    return any(case.view.failovers[failover_id].phase is Phase.QUEUED for failover_id in others)


def current_documents(view: View, seen: Seen, entry: Failover) -> DocumentSet | None:
    """The failover server's documents, if those that it reports now are in the cache; the cached ones if it is silent."""
    server = view.recorders.get(entry.server) if entry.server is not None else None
    if server is None or server.documents is None:
        return None
    beat = seen.of(server.id).beat
    if beat is not None and seen.connected(server.id) and beat.documents is not None and beat.documents != server.documents:
        return None
    return server.documents


def _documents_known(case: Case) -> bool:
    return current_documents(case.view, case.seen, case.failover) is not None


def _documents_late(case: Case) -> bool:
    return case.waited_ms >= DOCUMENTS_MS


def _current_answer(case: Case) -> OrderAnswered | None:
    answered = case.input
    if not isinstance(answered, OrderAnswered) or answered.recorder != case.failover.home or case.failover.failback is None:
        return None
    order = answered.order
    current = isinstance(order, Record) and order.key.step == 8 and order.epoch == case.failover.failback.epoch
    return answered if current else None


def _obeyed(case: Case) -> bool:
    answered = _current_answer(case)
    failback = case.failover.failback
    if answered is None or failback is None or not isinstance(answered.answer, Obeyed) or failback.documents is None:
        return False
    return answered.answer.documents is not None and answered.answer.documents.same_content(failback.documents)


def _not_obeyed(case: Case) -> bool:
    return _current_answer(case) is not None and not _obeyed(case)


def _documents_changed(case: Case) -> bool:
    """Somebody edits the settings on the failover server while they are given back: what was taken is no longer all of it."""
    entry = case.failover
    failback = entry.failback
    if failback is None or failback.documents is None or entry.server is None:
        return False
    server, acting = case.view.recorders.get(entry.server), case.seen.of(entry.server)
    cached = server.documents if server is not None else None
    reported = acting.beat.documents if acting.beat is not None and case.seen.connected(entry.server) else None
    return any(known is not None and not known.same_content(failback.documents) for known in (cached, reported))


def _answer_late(case: Case) -> bool:
    return case.waited_ms >= ANSWER_MS


def _recorder_silent(case: Case) -> bool:
    return silent(case, case.failover.home)


def expected_cameras(case: Case) -> tuple[CameraId, ...]:
    """Cameras that must light up on the recorder: those that moved, without those that the failover server says it gets no frames of.

    One that it is only just opening counts, and all of them count while nobody hears it, or it began anew: in doubt no camera is left dark.
    """
    beat = _said(case.seen, case.failover.server)
    return tuple(sorted(_moving(case) - (unlit_cameras(beat.cameras) if beat is not None else set())))


def _moving(case: Case) -> set[CameraId]:
    """Cameras that are to go back, by the settings of the failover server; none once that has left system data."""
    entry = case.failover
    server = case.view.recorders.get(entry.server) if entry.server is not None else None
    if server is None:
        return set()
    left = {camera.camera for camera in entry.not_moved}
    return {camera.id for camera in server.settings.cameras if camera.moves and camera.id not in left}


def _said(seen: Seen, server: RecorderId | None) -> Beat | None:
    """What the service of a server said last; None if it is not heard."""
    if server is None or not seen.connected(server) or not seen.of(server).service_heard():
        return None
    return seen.of(server).beat


def lit_by(seen: Seen, server: RecorderId | None) -> set[CameraId]:
    """Cameras that a server says it gets frames of; none of one that is not heard to record."""
    beat = _said(seen, server)
    return lit_cameras(beat.cameras) if beat is not None else set()


def _counting(case: Case) -> tuple[CameraId, ...]:
    """Expected cameras, and those that gave the failover server no frames at first and do now: nobody may lose them unasked (SPEC 8)."""
    entry = case.failover
    expected = entry.failback.expected if entry.failback is not None else ()
    return (*expected, *sorted((lit_by(case.seen, entry.server) & _moving(case)) - set(expected)))


def dark_cameras(case: Case) -> tuple[CameraId, ...]:
    """Cameras that count and have no frame on the recorder under its new epoch."""
    failback = case.failover.failback
    if failback is None:
        return ()
    lit = with_frames(case.seen.of(case.failover.home), failback.epoch)
    return tuple(camera for camera in _counting(case) if camera not in lit)


def with_frames(heard: Heard, epoch: Epoch) -> set[CameraId]:
    """Cameras that the server reports frames of under this epoch, or that are off on it by their schedule."""
    if heard.beat is None or heard.beat.epoch != epoch:
        return set()
    return settled_cameras(heard.beat.cameras)


def _all_lit(case: Case) -> bool:
    beat = case.seen.of(case.failover.home).beat
    failback = case.failover.failback
    return beat is not None and failback is not None and beat.epoch == failback.epoch and not dark_cameras(case)


def _waited_for(case: Case) -> tuple[CameraId, ...]:
    """Dark cameras whose turn has come."""
    return without_held_back(case, dark_cameras(case))


def lost_by(case: Case, server: RecorderId | None, cameras: tuple[CameraId, ...]) -> tuple[CameraId, ...]:
    """Of these, the ones that `server` has, or let go a moment ago. One that gives it no frames either does not count (SPEC 8).

    None of one that is not heard to record: who else has most of the cameras is then better than nobody.
    """
    beat = _said(case.seen, server)
    if beat is None:
        return ()
    dead = unlit_cameras(beat.cameras)
    return tuple(camera for camera in cameras if camera not in dead)


def _may_stay_dark(case: Case) -> bool:
    """Whether the tasks go back although cameras stay dark on the recorder: footage comes first (SPEC, first law).

    Only a person may leave a few that the failover server records; and a recorder that has none at all gets nothing back.
    """
    entry, dark = case.failover, dark_cameras(case)
    failback = entry.failback
    assert failback is not None, "a failback is running"
    lost = lost_by(case, entry.server, _waited_for(case))
    few = len(lost) * 100 <= DARK_SHARE_PERCENT * max(1, len(entry.moved))
    return len(dark) < len(_counting(case)) and (not lost or (failback.leaves_dark and few))


def _next_may_go(case: Case) -> bool:
    """All whose turn came have their first frame, or may do without."""
    if not held_back(case.view, case.failover):
        return False
    return not _waited_for(case) or (time_over(case) and _may_stay_dark(case))


def _too_dark(case: Case) -> bool:
    return time_over(case) and bool(_waited_for(case)) and not _may_stay_dark(case)


# ---------------------------------------------------------------- facts


def _start(case: Case) -> tuple[f.AnyFact, ...]:
    asked = case.input.request if isinstance(case.input, Asked) else None
    leaves_dark = isinstance(asked, StartFailback) and asked.leave_dark
    return (f.FailbackStarted(failover=case.failover.id, epoch=case.view.next_epoch, duration_ms=0, leaves_dark=leaves_dark),)


def _start_by_itself(case: Case) -> tuple[f.AnyFact, ...]:
    return (f.FailbackStarted(failover=case.failover.id, epoch=case.view.next_epoch, duration_ms=0, automatic=True),)


def _take(case: Case) -> tuple[f.AnyFact, ...]:
    documents = current_documents(case.view, case.seen, case.failover)
    assert documents is not None, "guarded"
    return (f.FailbackDocumentsTaken(failover=case.failover.id, documents=documents, duration_ms=case.step_ms),)


def _saved(case: Case) -> tuple[f.AnyFact, ...]:
    return (f.FailbackSaved(failover=case.failover.id, duration_ms=case.step_ms, expected=expected_cameras(case)),)


def _commit(case: Case) -> tuple[f.AnyFact, ...]:
    return (
        f.FailbackCommitted(
            failover=case.failover.id, release_epoch=case.view.next_epoch, duration_ms=case.step_ms, dark=dark_cameras(case)
        ),
    )


def _performed(case: Case) -> tuple[f.AnyFact, ...]:
    return (f.FailbackPerformed(failover=case.failover.id, duration_ms=case.step_ms),)


def _notified(case: Case) -> tuple[f.AnyFact, ...]:
    return (f.FailbackNotified(failover=case.failover.id, duration_ms=case.step_ms),)


def _undo(reason: Reason, note: str) -> Then:
    return lambda case: undone(case, reason, note)


def _abort(case: Case) -> tuple[f.AnyFact, ...]:
    return (*undone(case, Reason.CANCELLED, "Aborted by hand."), *held_after_abort(case.view, case.failover))


def _undo_refused(case: Case) -> tuple[f.AnyFact, ...]:
    answered = _current_answer(case)
    refusal = answered.answer if answered is not None else None
    note = refusal.sentence if isinstance(refusal, Refusal) else "The recorder applied other documents than those it was given."
    return undone(case, Reason.SAVING_FAILED, note)


def _undo_dark(case: Case) -> tuple[f.AnyFact, ...]:
    dark = lost_by(case, case.failover.server, _waited_for(case)) or _waited_for(case)
    cameras = "1 camera" if len(dark) == 1 else f"{len(dark)} cameras"
    note = f"{cameras} gave the recorder no frame within {FRAMES_MS // 1000} s: {', '.join(dark[:5])}. The failover server goes on."
    return undone(case, Reason.WRONG_STATE_OF_SERVER, note, dark)


# ---------------------------------------------------------------- the table

_BEFORE_COMMIT = (Phase.FAILBACK_STARTED, Phase.FAILBACK_TAKEN, Phase.FAILBACK_SAVED)

FAILBACK_TABLE: tuple[Row, ...] = (
    Row(
        number=100,
        phases=(Phase.READY,),
        on=On.FAILBACK,
        when=_fit_to_start,
        then=_start,
        to=(Phase.FAILBACK_STARTED,),
        sentence="a person asked and steps 1 to 5 hold: started, with the next epoch for the recorder (step 6)",
    ),
    Row(
        number=101,
        phases=_BEFORE_COMMIT,
        on=On.REVIEW,
        when=_failover_waits,
        then=_undo(Reason.CANCELLED, "A failover of the group came first; start the failback again after it."),
        to=(Phase.READY, Phase.FAILBACK_UNDOING),
        sentence="a failover of the group waits: the failback is undone before its commit and never delays it",
    ),
    Row(
        number=102,
        phases=_BEFORE_COMMIT,
        on=On.ABORT,
        when=always,
        then=_abort,
        to=(Phase.READY, Phase.FAILBACK_UNDOING),
        sentence="a person aborted it before its commit: the failover server goes on",
    ),
    Row(
        number=103,
        phases=(Phase.READY,),
        on=On.REVIEW,
        when=_due_by_itself,
        then=_start_by_itself,
        to=(Phase.FAILBACK_STARTED,),
        sentence="after an automatic failover the recorder was stable for its time, within its hours: started by itself (step 6)",
    ),
    Row(
        number=110,
        phases=(Phase.FAILBACK_STARTED,),
        on=On.REVIEW,
        when=_documents_known,
        then=_take,
        to=(Phase.FAILBACK_TAKEN,),
        sentence="the failover server's present documents are in the cache: take them (step 7)",
    ),
    Row(
        number=111,
        phases=(Phase.FAILBACK_STARTED,),
        on=On.REVIEW,
        when=_documents_late,
        then=_undo(Reason.NO_SETTINGS, "The failover server's documents could not be fetched in time."),
        to=(Phase.READY,),
        sentence="the failover server's documents did not come: undone",
    ),
    Row(
        number=134,
        phases=(Phase.FAILBACK_TAKEN, Phase.FAILBACK_SAVED),
        on=On.REVIEW,
        when=_documents_changed,
        then=_undo(Reason.CANCELLED, "The settings were changed on the failover server meanwhile; look at them and start it again."),
        to=(Phase.READY, Phase.FAILBACK_UNDOING),
        sentence="the settings were changed on the failover server since they were taken: undone, so that no change is lost",
    ),
    Row(
        number=120,
        phases=(Phase.FAILBACK_TAKEN,),
        on=On.ANSWER,
        when=_obeyed,
        then=_saved,
        to=(Phase.FAILBACK_SAVED,),
        sentence="the recorder confirmed the settings and opens its cameras (step 8)",
    ),
    Row(
        number=121,
        phases=(Phase.FAILBACK_TAKEN,),
        on=On.ANSWER,
        when=_not_obeyed,
        then=_undo_refused,
        to=(Phase.READY,),
        sentence="the recorder refused the settings: undone",
    ),
    Row(
        number=122,
        phases=(Phase.FAILBACK_TAKEN,),
        on=On.REVIEW,
        when=_answer_late,
        then=_undo(Reason.SAVING_FAILED, "The recorder did not answer in time."),
        to=(Phase.READY,),
        sentence="the recorder did not answer in time: undone",
    ),
    Row(
        number=130,
        phases=(Phase.FAILBACK_SAVED,),
        on=On.REVIEW,
        when=_recorder_silent,
        then=_undo(Reason.WRONG_STATE_OF_SERVER, "The recorder fell silent before it had its cameras."),
        to=(Phase.READY,),
        sentence="the recorder fell silent before the commit: undone",
    ),
    Row(
        number=131,
        phases=(Phase.FAILBACK_SAVED,),
        on=On.REVIEW,
        when=_all_lit,
        then=_commit,
        to=(Phase.FAILBACK_COMMITTED,),
        sentence="every camera that counts has its first frame on the recorder: the tasks go back, in one record (step 9)",
    ),
    Row(
        number=135,
        phases=(Phase.FAILBACK_SAVED,),
        on=On.REVIEW,
        when=_next_may_go,
        then=next_turn,
        to=(Phase.FAILBACK_SAVED,),
        sentence="cameras that allow one session: the next one changes hands, when the one before has its first frame",
    ),
    Row(
        number=132,
        phases=(Phase.FAILBACK_SAVED,),
        on=On.REVIEW,
        when=_too_dark,
        then=_undo_dark,
        to=(Phase.READY, Phase.FAILBACK_UNDOING),
        sentence="cameras stayed dark on the recorder that the failover server records: undone, so that it goes on with them",
    ),
    Row(
        number=133,
        phases=(Phase.FAILBACK_SAVED,),
        on=On.REVIEW,
        when=time_over,
        then=_commit,
        to=(Phase.FAILBACK_COMMITTED,),
        sentence="few cameras stayed dark, and a person accepted that, or nobody records them: the tasks go back, these are named (step 9)",
    ),
    Row(
        number=140,
        phases=(Phase.FAILBACK_COMMITTED,),
        on=On.REVIEW,
        when=always,
        then=_performed,
        to=(Phase.FAILBACK_PERFORMED,),
        sentence="the result is written into the log entry (step 10)",
    ),
    Row(
        number=141,
        phases=(Phase.FAILBACK_PERFORMED,),
        on=On.REVIEW,
        when=always,
        then=_notified,
        to=(Phase.RETURNED,),
        sentence="the clients have the change (step 11)",
    ),
)
