"""The coordinator: what an input changes in what is seen (`absorb`), which facts follow (`decide`), and when to look again (`due_ms`)."""

from __future__ import annotations

from typing import assert_never

from sysmanager.coordinator import backup, maintenance
from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.automatic_failback import outlook
from sysmanager.coordinator.detection import assess
from sysmanager.coordinator.failback import ANSWER_MS as FAILBACK_ANSWER_MS
from sysmanager.coordinator.failback import DOCUMENTS_MS, FAILBACK_TABLE
from sysmanager.coordinator.failover import ANSWER_MS, CACHE_MS, DELIVERY_MS, FAILOVER_TABLE, RETRY_MS, WAITING_LOOK_MS
from sysmanager.coordinator.gaps import GAP_WAIT_MS, unmeasured
from sysmanager.coordinator.jobs.copying import automatic_copies
from sysmanager.coordinator.jobs.drilling import scheduled_drills
from sysmanager.coordinator.jobs.review import job_step, jobs_concerned, remember_job
from sysmanager.coordinator.jobs.table import JobOn
from sysmanager.coordinator.quarantine import release_answered
from sysmanager.coordinator.reconcile import agrees
from sysmanager.coordinator.requests import Decision, decide_request
from sysmanager.coordinator.seen import UNKNOWN_LIMIT, PrerollAnswer, RefusedOrder, Seen
from sysmanager.coordinator.standing import goal, satisfied
from sysmanager.coordinator.starting import announced, brake_released, on_trigger
from sysmanager.coordinator.state import View, governing
from sysmanager.coordinator.switching import RELIEF_MS, SWITCH_TABLE
from sysmanager.coordinator.table import Case, On, find
from sysmanager.coordinator.undoing import UNDO_TABLE
from sysmanager.domain.backup import BackupKind
from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.failover import AttemptEnd, Failover, Phase, Trigger
from sysmanager.domain.ids import Epoch, FailoverId, JobId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Broken, Recorder, Role, Standby
from sysmanager.protocol.clients import HoldCause
from sysmanager.protocol.jobs import JobOrder
from sysmanager.protocol.preroll import KeepPreroll
from sysmanager.protocol.recorders import (
    Beat,
    Footage,
    FromRecorder,
    LetOut,
    Mode,
    OrderAnswer,
    OrderKey,
    Record,
    Refusal,
    RefusalReason,
    ReportFootage,
    StandDown,
)

__all__ = [
    "TABLE",
    "Decision",
    "absorb",
    "absorb_heard",
    "decide",
    "due_failover_ms",
    "due_site_ms",
    "follow_ups",
    "neighbours",
    "remember",
]

BRAKE_LOOK_MS = 1_000
"""How often it is looked at whether the mass-loss brake still holds something (SPEC 13.3)."""

PROOF_MS = 500
"""So long it may take until time that is over by the clock is proven."""

HOURS_LOOK_MS = 60_000
"""How often an entry that waits for the hours of its failback is looked at."""

TABLE = SWITCH_TABLE + FAILOVER_TABLE + FAILBACK_TABLE + UNDO_TABLE


def absorb_heard(view: View, seen: Seen, message: FromRecorder, now: Instant) -> bool:
    """Take what a recorder says of itself into `seen`. True if a decision could come out differently for it."""
    recorder = message.recorder
    row = view.recorders.get(recorder)
    if row is None:
        if isinstance(message, Beat) and (recorder in seen.unknown or len(seen.unknown) < UNKNOWN_LIMIT):
            fresh = recorder not in seen.unknown
            seen.unknown[recorder] = message
            return fresh
        return False
    if seen.unknown:
        seen.unknown.pop(recorder, None)
    heard = seen.recorders.get(recorder)
    if heard is None or not heard.steady or heard.row is not row or heard.instance != message.instance:
        seen.keep_row(row, governing(view, row).detection_timeout_s, now)
    news = seen.observe(message, now)
    if (recorder in seen.withheld or recorder in seen.opinion_held_ms) and assess(view, seen, row).trigger is None:
        seen.withheld.discard(recorder)
        seen.opinion_held_ms.pop(recorder, None)
    if recorder in seen.refused_orders:
        _forget_settled_refusal(view, seen, recorder)
    return news


def absorb(view: View, seen: Seen, taken: i.Input, now: Instant) -> bool:
    """Take what an input says into `seen`. True if a decision could come out differently for it."""
    match taken:
        case i.Heard(message=message):
            return absorb_heard(view, seen, message, now)
        case i.CanaryReturned(sent_mono_ms=sent_mono_ms, over_ms=over_ms):
            seen.listening.canary(sent_mono_ms, over_ms)
            return True
        case i.OrderAnswered(recorder=recorder, order=order, answer=answer):
            if isinstance(order, JobOrder):
                seen.jobs.answered(recorder, order, answer, now)
                return True
            _absorb_answer(view, seen, taken, now)
            if not isinstance(order, ReportFootage) or _spoken_for(answer):
                return True
            if order.off_since_ms:
                _absorb_off_times(view, seen, recorder, order, answer)
            else:
                # A refusal is an answer too: what lies on its disks stays unknown, and nobody asks without end.
                seen.footage[recorder, order.epoch] = answer if isinstance(answer, Footage) else Footage(epoch=order.epoch)
            return True
        case i.Probed(server=server, probe=probe, answer=answer):
            if answer is not None and probe.recorder in view.recorders:
                seen.opinions.note(probe.recorder, server, answer, (seen.listening.stamp_ms(now), seen.listening.generation))
            return True
        case i.Announced(message=leaving):
            row = view.recorders.get(leaving.recorder)
            if row is None:
                return False
            seen.keep_row(row, governing(view, row).detection_timeout_s, now)  # or, after a start, whoever speaks first is believed
            return seen.observe(leaving, now)
        case i.DocumentsFetched(recorder=recorder, documents=documents):
            # Whoever records by the same ones may have them from the cache again.
            seen.doubted -= {recorder, *(one for one in seen.doubted if _records_by(view, one, documents))}
            return True
        case i.DocumentsInCache(documents=documents, missing=missing) if missing:
            _doubt_cache(view, seen, documents)
            return True
        case i.OrderUndelivered(order=Record(key=key) | StandDown(key=key)):
            if key.failover in view.open:
                seen.undelivered_ms.setdefault(key.failover, now.mono_ms)
            return True
        case _:
            return True


def _absorb_off_times(view: View, seen: Seen, recorder: RecorderId, order: ReportFootage, answer: OrderAnswer) -> None:
    """When cameras were off, for the gap of the entry in which this server took them over. A refusal is an answer too."""
    for failover_id in view.open_with.get(recorder, ()):
        entry = view.failovers[failover_id]
        if entry.server == recorder and entry.epoch == order.epoch:
            seen.off_times[failover_id] = answer.off if isinstance(answer, Footage) else ()


def _spoken_for(answer: OrderAnswer) -> bool:
    """Whether a Watchdog refused in the name of a service that was not there: the service, once it speaks, may know better."""
    return isinstance(answer, Refusal) and answer.reason is RefusalReason.SERVICE_DOWN


def _forget_settled_refusal(view: View, seen: Seen, recorder: RecorderId) -> None:
    """What was refused is over when the recorder reports that it does what system data wants by now."""
    wanted, beat = goal(view, view.recorders[recorder]), seen.of(recorder).beat
    if wanted is None or (beat is not None and satisfied(beat, wanted)):
        del seen.refused_orders[recorder]


def _doubt_cache(view: View, seen: Seen, documents: DocumentSet) -> None:
    """These documents could not be had from the cache: whoever records by them is asked for them again, as soon as it is heard (SPEC 3)."""
    seen.doubted.update(row for row in view.recorders if _records_by(view, row, documents))


def _records_by(view: View, recorder: RecorderId, documents: DocumentSet) -> bool:
    """Whether it records by documents of this content, by system data."""
    row = view.recorders.get(recorder)
    return row is not None and row.records and row.documents is not None and row.documents.same_content(documents)


def _absorb_answer(view: View, seen: Seen, answered: i.OrderAnswered, now: Instant) -> None:
    if isinstance(answered.order, KeepPreroll):
        refusal = answered.answer.sentence if isinstance(answered.answer, Refusal) else ""
        seen.preroll[answered.recorder] = PrerollAnswer(answered.order.plan, now.mono_ms, refusal)
        return
    if isinstance(answered.order, ReportFootage | LetOut | JobOrder):
        return
    key = answered.order.key
    seen.undelivered_ms.pop(key.failover, None)
    if isinstance(answered.answer, Refusal):
        documents = answered.order.documents if isinstance(answered.order, Record) else None
        if answered.answer.reason is RefusalReason.DOCUMENTS_MISSING and documents is not None:
            _doubt_cache(view, seen, documents)
        if key.failover not in view.open:
            # Said once; the same order is repeated when the recorder reports something new, or after a while.
            known = seen.refused_orders.get(answered.recorder)
            since_ms = known.since_wall_ms if known is not None and known.order == answered.order else now.wall_ms
            seen.refused_orders[answered.recorder] = RefusedOrder(
                order=answered.order, reason=answered.answer.reason, sentence=answered.answer.sentence, since_wall_ms=since_ms
            )
    else:
        seen.refused_orders.pop(answered.recorder, None)
        seen.obeyed[answered.recorder] = (answered.order, now.mono_ms)


def decide(view: View, seen: Seen, taken: i.Input, now: Instant) -> Decision:
    """The facts that follow from an input, after `absorb`. Pure: the same view, reports, input and moment give the same facts."""
    match taken:
        case i.Started(damage=damage):
            facts: tuple[f.AnyFact, ...] = (f.CoordinatorStarted(term=view.term + 1),)
            if damage is not None:
                facts += (f.ReconcileStarted(sentence=damage),)
            return Decision(facts=facts)
        case i.Asked():
            return decide_request(view, seen, taken, now)
        case i.Heard(message=message):
            return _review(view, seen, message.recorder, now)
        case i.Review(recorder=recorder):
            return _review(view, seen, recorder, now)
        case i.ReviewSite():
            return Decision(facts=(*maintenance.ended(view, now), *brake_released(view, seen, now)))
        case i.Probed(probe=probe):
            return _review(view, seen, probe.recorder, now)
        case i.Announced(message=leaving):
            return announced(view, seen, leaving, now)
        case i.ReviewFailover(failover=failover):
            return _entry(view, seen, failover, taken, now, On.REVIEW)
        case i.DocumentsInCache(failover=failover):
            return _entry(view, seen, failover, taken, now, On.CACHE)
        case i.OrderAnswered(order=StandDown(epoch=epoch), answer=Refusal(reason=RefusalReason.OLD_EPOCH) as refusal):
            return Decision(facts=_above_lost(view, taken.recorder, epoch, refusal))
        case i.OrderAnswered(order=Record(key=key) | StandDown(key=key)):
            return _entry(view, seen, key.failover, taken, now, On.ANSWER)
        case i.OrderAnswered(recorder=recorder, order=LetOut(camera=camera), answer=answer):
            return Decision(facts=release_answered(view, recorder, camera, answer))
        case i.OrderUndelivered(order=Record(key=key) | StandDown(key=key)):
            return _entry(view, seen, key.failover, taken, now, On.REVIEW)
        case i.DocumentsFetched():
            return _fetched(view, seen, taken)
        case i.ReviewBackup() | i.BackupEnded():
            found, row = (
                backup.review(view, seen, now) if isinstance(taken, i.ReviewBackup) else backup.decide_ended(view, seen, taken, now)
            )
            return Decision(facts=found, row=row)
        case i.ReviewJob(job=job):
            return _job(view, seen, job, taken, now, JobOn.REVIEW)
        case i.OrderAnswered(order=order) if isinstance(order, JobOrder):
            return _job(view, seen, order.job, taken, now, JobOn.ANSWER)
        case i.LookAtDrills():
            return Decision(facts=scheduled_drills(view, seen, now))
        case i.CanaryReturned() | i.OrderAnswered() | i.OrderUndelivered() | i.TurnedAway() | i.RefusalsDue():
            return Decision()
        case _:
            assert_never(taken)


def _entry(view: View, seen: Seen, failover: FailoverId, taken: i.Input, now: Instant, on: On) -> Decision:
    if failover not in view.open or (view.reconcile is not None and not view.reconcile.confirmed):
        return Decision()
    case = Case(view=view, seen=seen, failover=view.failovers[failover], now=now, input=taken)
    row = find(TABLE, case, on)
    if row is None:
        return Decision()
    return Decision(facts=row.then(case), row=row.number)


def _job(view: View, seen: Seen, job: JobId, taken: i.Input, now: Instant, on: JobOn) -> Decision:
    facts, row = job_step(view, seen, job, taken, now, on)
    return Decision(facts=facts, row=row)


def remember(view: View, seen: Seen, fact: f.AnyFact, before: Failover | None, now: Instant) -> None:
    """After a fact was applied: when the entry's next step began, and who failed it. `before`: the entry as it was."""
    remember_job(view, seen, fact, now)
    failover_id = getattr(fact, "failover", None) or getattr(getattr(fact, "opening", None), "failover", None)
    entry = view.failovers.get(failover_id) if failover_id is not None else None
    if isinstance(fact, f.RecorderAdded):
        seen.expect(fact.recorder.id, now)
    if isinstance(fact, f.RecorderRemoved):
        seen.forget(fact.recorder)
    if isinstance(fact, f.ReplacedRemoved):
        seen.forget(fact.removed)
    if isinstance(fact, f.FailoverWithheld) and fact.by is f.Withholding.MAINTENANCE:
        seen.withheld.add(fact.opening.recorder)
    if isinstance(fact, f.BackupStarted | f.BackupFailed) and fact.kind is BackupKind.BASELINE:
        seen.baseline_ms = now.mono_ms
    elif isinstance(fact, f.FailoverWithheld):
        seen.opinion_held_ms[fact.opening.recorder] = now.mono_ms
    if isinstance(fact, f.BrakeApplied):
        seen.brake_since_ms = now.start_ms
    if isinstance(fact, f.BrakeReleased):
        seen.brake_since_ms = None
    if entry is None:
        return
    if before is None and not entry.phase.ended:
        seen.entry_opens(entry.id, now)
    if isinstance(fact, f.AttemptEnded) and fact.end is not AttemptEnd.WITHDRAWN and before is not None and before.server is not None:
        seen.failed_attempt_ms[entry.id, before.server] = now.mono_ms
    if isinstance(fact, f.TasksMoved) and entry.trigger is not Trigger.PLANNED:
        seen.replaced_ms[entry.recorder] = now.start_ms
    if isinstance(fact, f.SessionsPassed):
        seen.turn_ms[entry.id] = now.mono_ms
    if entry.phase.ended:
        seen.entry_ended(entry.id)
        seen.footage.pop((entry.recorder, entry.previous_epoch), None)
    elif before is None or before.phase is not entry.phase or before.attempt != entry.attempt:
        seen.step_begins(entry.id, now)


def _fetched(view: View, seen: Seen, fetched: i.DocumentsFetched) -> Decision:
    row = view.recorders.get(fetched.recorder)
    if row is None or not row.records:
        return Decision()
    beat = seen.of(row.id).beat
    version, instance = (beat.version, beat.instance) if beat is not None else (row.version, row.instance)
    if row.documents == fetched.documents and row.instance in (None, instance):
        return Decision()
    fact = f.DocumentsCached(recorder=row.id, documents=fetched.documents, settings=fetched.settings, version=version, instance=instance)
    return Decision(facts=(fact,))


def _review(view: View, seen: Seen, recorder: RecorderId, now: Instant) -> Decision:
    """One recorder, looked at again: reconciled, released from a hold, restored, failed, or with footage to be copied home."""
    row = view.recorders.get(recorder)
    if row is None:
        return Decision()
    heard = seen.of(recorder)
    if view.reconcile is not None and recorder in view.reconcile.waiting:
        if heard.beat is not None and seen.connected(recorder):
            agreed = (f.RecorderReconciled(recorder=recorder, epoch=heard.beat.epoch),)
            return Decision(facts=agreed if agrees(view, row, heard.beat) else ())
        if not view.reconcile.confirmed:
            return Decision()
        # Confirmed, and still not heard: its cameras are protected like any others.
    well = seen.connected(recorder) and heard.reports_frames()
    hold = view.holds.get(recorder)
    judged = assess(view, seen, row)
    if hold is not None and hold.cause is not HoldCause.PERSON and well and judged.trigger is None:
        return Decision(facts=(f.HoldLifted(recorder=recorder, sentence="The recorder is well again."),))
    if _restorable(row, heard.beat) and seen.connected(recorder):
        return Decision(facts=(f.ServerRestored(recorder=recorder, epoch=row.assignment.epoch),))
    over = maintenance.over_with_failover(view, row)
    if over is not None:
        return Decision(facts=(over,))
    # What is heard while the canary is overdue may be a backlog, and say what was true long ago: the canary comes after it.
    if judged.trigger is not None and not seen.listening.deaf(now):
        return Decision(facts=on_trigger(view, seen, row, judged.trigger, now))
    return Decision(facts=automatic_copies(view, row) if well and recorder in view.away else ())


def _restorable(row: Recorder, beat: Beat | None) -> bool:
    """A failover server that was replaced while acting, and obeyed: it waits, under an epoch at least as new."""
    if row.role is not Role.FAILOVER or not isinstance(row.assignment, Broken) or beat is None:
        return False
    return beat.mode is Mode.STANDBY and beat.epoch >= row.assignment.epoch


def _above_lost(view: View, recorder: RecorderId, epoch: Epoch, refusal: Refusal) -> tuple[f.AnyFact, ...]:
    """Who knows an order which the journal lost stands down under no older one: it gets a new epoch (SPEC 7, 13.1).

    What it knows it does not report: an order that it refused, or could not save, is not in its heartbeat.
    """
    row = view.recorders.get(recorder)
    if row is None or goal(view, row) != StandDown(key=OrderKey(), epoch=epoch) or not epoch < refusal.epoch < view.next_epoch:
        return ()
    renewed = f.ServerRestored if isinstance(row.assignment, Standby) else f.StandDownRenewed
    return (renewed(recorder=recorder, epoch=view.next_epoch),)


# ---------------------------------------------------------------- what to look at again, and when


def follow_ups(view: View, fact: f.AnyFact) -> tuple[i.Input, ...]:
    """What to review once this fact is durable: what may have waited for it."""
    jobs = tuple(i.ReviewJob(job=job) for job in jobs_concerned(view, fact))
    return (*_entries_and_recorders(view, fact), *jobs)


def _entries_and_recorders(view: View, fact: f.AnyFact) -> tuple[i.Input, ...]:
    if isinstance(fact, f.CopyingFact | f.DrillingFact):
        return ()
    if isinstance(fact, f.CoordinatorStarted | f.ReconcileConfirmed) or (isinstance(fact, f.RecorderReconciled) and view.reconcile is None):
        return (
            *(i.Review(recorder=recorder) for recorder in view.recorders),
            *(i.ReviewFailover(failover=failover) for failover in view.open),
            i.ReviewBackup(),
        )
    if isinstance(fact, f.BackupFact):
        queued = (
            i.ReviewFailover(failover=waiting) for waiting in view.open if view.failovers[waiting].phase in (Phase.QUEUED, Phase.WAITING)
        )
        return (i.ReviewBackup(), *queued)
    failover = getattr(fact, "failover", None) or getattr(getattr(fact, "opening", None), "failover", None)
    entry = view.failovers.get(failover) if failover is not None else None
    if entry is not None:
        waiting = [other for other in view.open_in.get(entry.group, ()) if other != entry.id]
        again = [i.ReviewFailover(failover=other) for other in (entry.id, *waiting) if other in view.open]
        last = entry.attempts[-1].server if entry.attempts else None
        concerned = dict.fromkeys(row for row in (entry.recorder, entry.home, entry.server, last) if row is not None)
        return (*again, *(i.Review(recorder=row) for row in concerned))
    if isinstance(fact, f.MaintenanceBegan | f.MaintenanceEnded):
        concerned_rows = tuple(maintenance.covered(view, fact.target))
        neighbouring = dict.fromkeys(open_id for row in concerned_rows for open_id in neighbours(view, row))
        return (*(i.Review(recorder=row) for row in concerned_rows), *(i.ReviewFailover(failover=open_id) for open_id in neighbouring))
    recorder = getattr(fact, "recorder", None)
    recorder = getattr(recorder, "id", recorder)
    if isinstance(recorder, str) and recorder in view.recorders:
        known = RecorderId(recorder)
        return (i.Review(recorder=known), *(i.ReviewFailover(failover=open_id) for open_id in neighbours(view, known)))
    return tuple(i.ReviewFailover(failover=open_id) for open_id in view.open) if isinstance(fact, f.GroupSaved) else ()


def neighbours(view: View, recorder: RecorderId) -> tuple[FailoverId, ...]:
    """Open entries that news of this recorder may move: those that name it, and those of its group."""
    row = view.recorders.get(recorder)
    group = row.group if row is not None else None
    named = view.open_with.get(recorder, {})
    in_group = view.open_in.get(group, {}) if group is not None else {}
    return (*named, *(failover for failover in in_group if failover not in named))


def _gaps_due_ms(entry: Failover, began_ms: int, now: Instant) -> int | None:
    due_ms = began_ms + GAP_WAIT_MS
    return due_ms if unmeasured(entry.gaps, entry.moved) and now.mono_ms < due_ms else None


def _failback_due_ms(view: View, seen: Seen, entry: Failover, now: Instant) -> int | None:
    """When automatic failback is to be looked at again. The hours are the wall clock's, which may be set, or change over to summer."""
    due_in_ms = outlook(view, seen, entry, now).due_in_ms
    return None if due_in_ms is None else now.mono_ms + min(max(due_in_ms, PROOF_MS), HOURS_LOOK_MS)


def due_site_ms(view: View, now: Instant) -> int | None:
    """When to review the site as a whole, by the monotonic clock; None while nothing of it has a deadline."""
    dues = [maintenance.due_ms(view, now), now.mono_ms + BRAKE_LOOK_MS if view.brake is not None else None]
    return min((due for due in dues if due is not None), default=None)


def due_failover_ms(view: View, seen: Seen, entry: Failover, now: Instant) -> int | None:
    """When to review the entry without news, by the monotonic clock."""
    if view.reconcile is not None and not view.reconcile.confirmed:
        # No entry moves before that; its confirmation looks at all of them.
        return None
    began_ms = seen.step_began_ms.get(entry.id, now.mono_ms)
    match entry.phase:
        case Phase.RESERVED:
            return began_ms + CACHE_MS
        case Phase.FETCHED:
            undelivered_ms = seen.undelivered_ms.get(entry.id)
            dues = [began_ms + ANSWER_MS, began_ms + DELIVERY_MS] + ([] if undelivered_ms is None else [undelivered_ms + DELIVERY_MS])
            return min((due for due in dues if due > now.mono_ms), default=now.mono_ms + 1)
        case Phase.SAVED if entry.trigger is Trigger.PLANNED:
            return now.mono_ms + RELIEF_MS
        case Phase.FAILBACK_STARTED:
            return began_ms + DOCUMENTS_MS
        case Phase.FAILBACK_TAKEN:
            return began_ms + FAILBACK_ANSWER_MS
        case Phase.FAILBACK_SAVED | Phase.FAILBACK_UNDOING:
            return now.mono_ms + RELIEF_MS
        case Phase.WAITING:
            retries = [failed_ms + RETRY_MS for (failover, _), failed_ms in seen.failed_attempt_ms.items() if failover == entry.id]
            return min([retry for retry in retries if retry > now.mono_ms] + [now.mono_ms + WAITING_LOOK_MS])
        case Phase.READY:
            both = (_gaps_due_ms(entry, began_ms, now), _failback_due_ms(view, seen, entry, now))
            return min((due_ms for due_ms in both if due_ms is not None), default=None)
        case _:
            return None
