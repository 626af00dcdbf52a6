"""The transitions of a failover, from its trigger to "failover ready" (SPEC 6, 7). This file owns them all."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.automatic_failback import held_after_commit
from sysmanager.coordinator.backup import begun_after_failover
from sysmanager.coordinator.detection import assess
from sysmanager.coordinator.gaps import worth_writing, written
from sysmanager.coordinator.inputs import DocumentsInCache, OrderAnswered
from sysmanager.coordinator.invariants import commit_objection
from sysmanager.coordinator.opening import reservation_of
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.selection import Choice, choose
from sysmanager.coordinator.state import baseline_holds, running_in_group, tasks_of
from sysmanager.coordinator.table import Case, On, Row, Then, always
from sysmanager.coordinator.undoing import cut_short
from sysmanager.domain.failover import DID_NOT_ANSWER, AttemptEnd, Failover, Phase, Reason, Trigger
from sysmanager.domain.ids import Epoch, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol.recorders import Obeyed, Record, Refusal

CACHE_MS = 20_000
"""All of step 3, with documents that have to be fetched once more: a cache that does not answer must not hold up its group for ever."""

ANSWER_MS = 5_000
"""All of step 4: settings fetched, saved, confirmed (SPEC 6)."""

DELIVERY_MS = 2_000
"""Nobody took the order, or the server gave no sign of life since, for so long: it is lost (SPEC 6)."""

WAITING_LOOK_MS = 5_000
"""How often an entry that waits looks for a candidate without news: one may fit by what happened elsewhere."""

LOST_LIMIT = 2
"""So many candidates may be lost in one failover, so that poisonous settings cannot kill every standby (SPEC 6)."""

RETRY_MS = 60_000
"""When a server that refused, or was lost, may be tried again by an entry that waits; at once if it was started anew since."""

# ---------------------------------------------------------------- guards


def choice_of(case: Case) -> Choice:
    """Whom the entry would take now, without those that failed it in the last minute."""
    entry = case.failover
    failed, home = case.view.recorders.get(entry.recorder), case.view.recorders.get(entry.home)
    group = case.view.groups.get(entry.group)
    if failed is None or home is None or group is None:
        return Choice(server=None, verdicts=())
    tasks = tasks_of(failed, home)
    choice = choose(case.view, case.seen, failed=failed, home=tasks, group=group, tried=tried_in(case.seen, entry, case.now))
    return choice if tasks.documents is not None else Choice(server=None, verdicts=choice.verdicts)


def _tasks(case: Case) -> Recorder:
    return tasks_of(case.view.recorders[case.failover.recorder], case.view.recorders[case.failover.home])


def tried_in(seen: Seen, entry: Failover, now: Instant) -> frozenset[RecorderId]:
    """Servers that refused or were lost in this entry within the last minute, and were not started anew since."""
    return frozenset(
        attempt.server
        for attempt in entry.attempts
        if attempt.end in (AttemptEnd.REFUSED, AttemptEnd.LOST)
        and now.mono_ms - seen.failed_attempt_ms.get((entry.id, attempt.server), -RETRY_MS) < RETRY_MS
    )


def recorder_gone(case: Case) -> bool:
    return case.failover.recorder not in case.view.recorders or case.failover.home not in case.view.recorders


def recorder_back(case: Case) -> bool:
    """The trigger no longer holds and the recorder reports frames written (SPEC 6). What a person began is not cancelled by that."""
    row = case.view.recorders.get(case.failover.recorder)
    if row is None or case.failover.trigger in (Trigger.MANUAL, Trigger.PLANNED):
        return False
    well = case.seen.connected(row.id) and case.seen.of(row.id).reports_frames()
    return well and assess(case.view, case.seen, row).trigger is None


def tasks_gone(case: Case) -> bool:
    """The recorder does not have the tasks any more that were to be moved: a failback or a reconcile gave them to another server."""
    row = case.view.recorders.get(case.failover.recorder)
    return row is not None and row.home != case.failover.home


def _group_free(case: Case) -> bool:
    group = case.failover.group
    return running_in_group(case.view, group) is None and not baseline_holds(case.view, group) and _is_next(case)


def _is_next(case: Case) -> bool:
    """The queue is worked off in order: entries of the group that were opened earlier and still stand in the queue go first."""
    queue = (earlier for earlier in case.view.open_in[case.failover.group] if case.view.failovers[earlier].phase is Phase.QUEUED)
    first = next(queue, case.failover.id)
    return first == case.failover.id or case.view.failovers[first].number > case.failover.number


def _candidate(case: Case) -> bool:
    return _group_free(case) and choice_of(case).server is not None


def _all_cached(case: Case) -> bool:
    found = case.input
    return isinstance(found, DocumentsInCache) and found.documents == case.failover.documents and not found.missing


def _some_missing(case: Case) -> bool:
    found = case.input
    return isinstance(found, DocumentsInCache) and found.documents == case.failover.documents and bool(found.missing)


def _cache_late(case: Case) -> bool:
    return case.waited_ms >= CACHE_MS


def _current_answer(case: Case) -> OrderAnswered | None:
    """The answer, if it is to the order of the present attempt."""
    answered = case.input
    if not isinstance(answered, OrderAnswered) or answered.recorder != case.failover.server:
        return None
    order = answered.order
    current = isinstance(order, Record) and order.key.step == 4 and order.key.attempt == case.failover.attempt
    return answered if current else None


def obeyed(case: Case) -> bool:
    """The server confirmed what it was given in the present attempt."""
    answered = _current_answer(case)
    return answered is not None and isinstance(answered.answer, Obeyed) and _applied_right(case, answered.answer)


def _obeyed_otherwise(case: Case) -> bool:
    answered = _current_answer(case)
    return answered is not None and isinstance(answered.answer, Obeyed) and not _applied_right(case, answered.answer)


def _applied_right(case: Case, answer: Obeyed) -> bool:
    wanted = case.failover.documents
    return (
        answer.epoch == case.failover.epoch
        and answer.documents is not None
        and wanted is not None
        and answer.documents.same_content(wanted)
    )


def _refused(case: Case) -> bool:
    answered = _current_answer(case)
    return answered is not None and isinstance(answered.answer, Refusal)


def _lost(case: Case) -> bool:
    undelivered_ms = case.seen.undelivered_ms.get(case.failover.id)
    unreachable = undelivered_ms is not None and case.now.mono_ms - undelivered_ms >= DELIVERY_MS
    return unreachable or case.waited_ms >= ANSWER_MS or (case.waited_ms >= DELIVERY_MS and _no_sign_of_life(case))


def _no_sign_of_life(case: Case) -> bool:
    """Nothing at all was heard of the server since it was given the order: its first answer is overdue."""
    server = case.failover.server
    return server is not None and case.seen.of(server).heard_ms <= case.now.mono_ms - case.waited_ms


def _lost_too_many(case: Case) -> bool:
    return _lost(case) and case.failover.lost + 1 >= LOST_LIMIT


def _contradiction(case: Case) -> bool:
    return commit_objection(case.view, case.failover) is not None


# ---------------------------------------------------------------- facts


def _take_up(case: Case) -> tuple[f.AnyFact, ...]:
    """A failback to the recorder's home that is being undone ends with it: its own failover server is replaced."""
    choice, ended = choice_of(case), cut_short(case.view, case.failover.recorder)
    reservation = reservation_of(Epoch(case.view.next_epoch + bool(ended)), choice, _tasks(case))
    return (*ended, f.ServerReserved(failover=case.failover.id, reservation=reservation, duration_ms=case.step_ms))


def _wait(case: Case) -> tuple[f.AnyFact, ...]:
    return (f.FailoverWaiting(failover=case.failover.id, verdicts=choice_of(case).verdicts),)


def _cancel(sentence: str, hold: bool = False) -> Then:
    def then(case: Case) -> tuple[f.AnyFact, ...]:
        release = case.view.next_epoch if case.failover.server is not None else Epoch(0)
        return (f.FailoverCancelled(failover=case.failover.id, sentence=sentence, release_epoch=release, hold=hold),)

    return then


def _fail(reason: Reason, note: str) -> Then:
    def then(case: Case) -> tuple[f.AnyFact, ...]:
        release = case.view.next_epoch if case.failover.server is not None else Epoch(0)
        # A planned switch leaves a healthy recorder behind, which stays protected.
        hold = case.failover.trigger is not Trigger.PLANNED
        return (f.FailoverFailed(failover=case.failover.id, reason=reason, note=note, release_epoch=release, hold=hold),)

    return then


def _next_attempt(end: AttemptEnd, case: Case, sentence: str) -> tuple[f.AnyFact, ...]:
    """Release the server under one epoch, and reserve the next candidate under the one after it."""
    choice = choice_of(case)
    following = None
    if choice.server is not None:
        following = reservation_of(Epoch(case.view.next_epoch + 1), choice, _tasks(case))
    return (
        f.AttemptEnded(
            failover=case.failover.id,
            end=end,
            sentence=sentence,
            release_epoch=case.view.next_epoch,
            next=following,
            verdicts=choice.verdicts,
        ),
    )


def _after_refusal(case: Case) -> tuple[f.AnyFact, ...]:
    answered = _current_answer(case)
    assert answered is not None
    assert isinstance(answered.answer, Refusal)
    return _next_attempt(AttemptEnd.REFUSED, case, f"Refused: {answered.answer.sentence}")


def _after_other_documents(case: Case) -> tuple[f.AnyFact, ...]:
    return _next_attempt(AttemptEnd.REFUSED, case, "Applied other documents than those it was given.")


def _after_loss(case: Case) -> tuple[f.AnyFact, ...]:
    return _next_attempt(AttemptEnd.LOST, case, DID_NOT_ANSWER)


def _documents_checked(case: Case) -> tuple[f.AnyFact, ...]:
    return (f.DocumentsChecked(failover=case.failover.id, duration_ms=case.step_ms),)


def _settings_saved(case: Case) -> tuple[f.AnyFact, ...]:
    return (f.SettingsSaved(failover=case.failover.id, duration_ms=case.step_ms),)


def _commit(case: Case) -> tuple[f.AnyFact, ...]:
    moved = f.TasksMoved(failover=case.failover.id, duration_ms=case.step_ms)
    return (moved, *held_after_commit(case.view, case.seen, case.failover, case.now))


def _contradicted(case: Case) -> tuple[f.AnyFact, ...]:
    return _fail(Reason.INTERNAL_ERROR, commit_objection(case.view, case.failover) or "")(case)


def _result(case: Case) -> tuple[f.AnyFact, ...]:
    return (f.ResultWritten(failover=case.failover.id, duration_ms=case.step_ms),)


def _notified(case: Case) -> tuple[f.AnyFact, ...]:
    return (f.ClientsNotified(failover=case.failover.id, duration_ms=case.step_ms), *begun_after_failover(case.view))


# ---------------------------------------------------------------- the table

_OPEN = (Phase.WAITING, Phase.QUEUED)
_UNDER_WAY = (Phase.RESERVED, Phase.FETCHED, Phase.SAVED)

FAILOVER_TABLE: tuple[Row, ...] = (
    Row(
        number=10,
        phases=(*_OPEN, *_UNDER_WAY),
        on=On.REVIEW,
        when=recorder_gone,
        then=_fail(Reason.NO_RECORDER, "The recorder was removed from system data."),
        to=(Phase.FAILED,),
        sentence="the recorder was removed from system data",
    ),
    Row(
        number=15,
        phases=(*_OPEN, *_UNDER_WAY),
        on=On.REVIEW,
        when=tasks_gone,
        then=_cancel("The recorder's tasks were given to another server meanwhile."),
        to=(Phase.CANCELLED,),
        sentence="the recorder does not have the tasks any more that were to be moved: cancelled",
    ),
    Row(
        number=11,
        phases=(*_OPEN, *_UNDER_WAY),
        on=On.REVIEW,
        when=recorder_back,
        then=_cancel("The recorder is back."),
        to=(Phase.CANCELLED,),
        sentence="the trigger no longer holds and the recorder reports frames: cancelled",
    ),
    Row(
        number=12,
        phases=_OPEN,
        on=On.REVIEW,
        when=_candidate,
        then=_take_up,
        to=(Phase.RESERVED,),
        sentence="the group is free and a candidate exists: reserve it, with the next epoch and the documents (steps 1, 2)",
    ),
    Row(
        number=13,
        phases=(Phase.QUEUED,),
        on=On.REVIEW,
        when=_group_free,
        then=_wait,
        to=(Phase.WAITING,),
        sentence="it is this entry's turn and there is no candidate: wait for one",
    ),
    Row(
        number=14,
        phases=(*_OPEN, *_UNDER_WAY),
        on=On.ABORT,
        when=always,
        then=_cancel("Aborted by hand.", hold=True),
        to=(Phase.CANCELLED,),
        sentence="a person aborted it before the commit point: cancelled, and automatic failover of the recorder held",
    ),
    Row(
        number=20,
        phases=(Phase.RESERVED,),
        on=On.CACHE,
        when=_all_cached,
        then=_documents_checked,
        to=(Phase.FETCHED,),
        sentence="all three documents are in the cache and sound (step 3)",
    ),
    Row(
        number=21,
        phases=(Phase.RESERVED,),
        on=On.CACHE,
        when=_some_missing,
        then=_fail(Reason.NO_SETTINGS, "A document of the recorder is missing from the cache or damaged."),
        to=(Phase.FAILED,),
        sentence="a document is missing or damaged and cannot be fetched: failed",
    ),
    Row(
        number=22,
        phases=(Phase.RESERVED,),
        on=On.REVIEW,
        when=_cache_late,
        then=_fail(Reason.NO_SETTINGS, "The cache did not say in time whether it has the recorder's documents."),
        to=(Phase.FAILED,),
        sentence="the cache does not answer: failed, so that others of the group do not wait for ever",
    ),
    Row(
        number=30,
        phases=(Phase.FETCHED,),
        on=On.ANSWER,
        when=obeyed,
        then=_settings_saved,
        to=(Phase.SAVED,),
        sentence="the server confirmed with the hashes of what it applied (step 4)",
    ),
    Row(
        number=31,
        phases=(Phase.FETCHED,),
        on=On.ANSWER,
        when=_obeyed_otherwise,
        then=_after_other_documents,
        to=(Phase.RESERVED, Phase.WAITING),
        sentence="the server confirmed other documents than it was given: the next candidate",
    ),
    Row(
        number=32,
        phases=(Phase.FETCHED,),
        on=On.ANSWER,
        when=_refused,
        then=_after_refusal,
        to=(Phase.RESERVED, Phase.WAITING),
        sentence="the server refused: the next candidate",
    ),
    Row(
        number=33,
        phases=(Phase.FETCHED,),
        on=On.REVIEW,
        when=_lost_too_many,
        then=_fail(Reason.NO_CONNECTION, "Two failover servers were lost in this failover."),
        to=(Phase.FAILED,),
        sentence="a second server is lost in this failover: stop, so that these settings cannot kill every standby",
    ),
    Row(
        number=34,
        phases=(Phase.FETCHED,),
        on=On.REVIEW,
        when=_lost,
        then=_after_loss,
        to=(Phase.RESERVED, Phase.WAITING),
        sentence="the server did not answer in time: the next candidate",
    ),
    Row(
        number=40,
        phases=(Phase.SAVED,),
        on=On.REVIEW,
        when=_contradiction,
        then=_contradicted,
        to=(Phase.FAILED,),
        sentence="the commit would break an invariant of system data: stop with an internal error",
    ),
    Row(
        number=41,
        phases=(Phase.SAVED,),
        on=On.REVIEW,
        when=lambda case: case.failover.trigger is not Trigger.PLANNED,
        then=_commit,
        to=(Phase.COMMITTED,),
        sentence="the server has the recorder's tasks and the recorder is broken, in one record (steps 5, 6)",
    ),
    Row(
        number=50,
        phases=(Phase.COMMITTED,),
        on=On.REVIEW,
        when=always,
        then=_result,
        to=(Phase.RECORDED,),
        sentence="the result is written into the log entry (step 7)",
    ),
    Row(
        number=51,
        phases=(Phase.RECORDED,),
        on=On.REVIEW,
        when=always,
        then=_notified,
        to=(Phase.READY, Phase.RETURNED),
        sentence="the clients have the change (step 8), and a baseline is begun; onto the home itself, nothing is left to fail back",
    ),
    Row(
        number=60,
        phases=(Phase.READY,),
        on=On.REVIEW,
        when=worth_writing,
        then=written,
        to=(Phase.READY,),
        sentence="first frames, or footage read from the disks, tell the gaps",
    ),
)
