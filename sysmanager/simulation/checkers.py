"""The rules that must hold at every step, each with a name. A broken one ends the simulation with `Broken`.

To add one: a function below, and its line in the table of its kind. What a function may look at is the world before the fact (`Step`),
or the world as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sysmanager import wire
from sysmanager.coordinator import facts as f
from sysmanager.coordinator.detection import START_GRACE_MS
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.failover import choice_of
from sysmanager.coordinator.inputs import ReviewFailover
from sysmanager.coordinator.invariants import broken_invariants
from sysmanager.coordinator.reconcile import findings
from sysmanager.coordinator.standing import goal, with_documents
from sysmanager.coordinator.state import State, baseline_holds, governing, running_in_group
from sysmanager.coordinator.table import Case
from sysmanager.domain.failover import AttemptEnd, Failover, Phase, Trigger
from sysmanager.domain.ids import CameraId, Epoch, FailoverId, GroupId, JobId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.engine.core import Core
from sysmanager.protocol.clients import Done, Reply
from sysmanager.protocol.jobs import MarkCopied
from sysmanager.protocol.preroll import KeepPreroll
from sysmanager.protocol.recorders import LetOut, Obeyed, Order, Record, StandDown
from sysmanager.recorder import machine as m
from sysmanager.simulation import (
    clone,
    failback_rules,
    handing_rules,
    history,
    job_rules,
    knowing,
    origins,
    poison_rules,
    promises,
    safety,
    waiting_rules,
)
from sysmanager.simulation.backup_rules import no_backup_by_hand_meanwhile, one_baseline_covers_all, overdue, queue_waits_for_baseline
from sysmanager.simulation.broken import Broken
from sysmanager.simulation.phases import ALLOWED
from sysmanager.simulation.recorder import SimulatedRecorder
from sysmanager.simulation.safety import REPORT_STALE_MS
from sysmanager.simulation.tables import SameTables

if TYPE_CHECKING:
    from sysmanager.simulation.world import World

TAKE_UP_MS = 10_000


@dataclass(slots=True)
class Step:
    """One durable fact. before: the entry that it is about, as it was; state: the tables before it."""

    world: World
    record: f.FactRecord
    fact: f.AnyFact
    before: Failover | None
    state: State


# ---------------------------------------------------------------- before a fact is applied


def allowed_transition(step: Step) -> str | None:
    """Steps in order; nothing happens to an entry that has ended."""
    rule = ALLOWED.get(type(step.fact))
    if rule is None:
        return None
    phase = step.before.phase if step.before is not None else None
    if phase is not None and phase.ended:
        return f"{type(step.fact).__name__} comes after the end of {step.before.id if step.before else ''} ({phase})."
    if isinstance(step.fact, f.FailoverWaiting) and step.fact.opening is not None:
        rule = (None,)
    if phase not in rule:
        return f"{type(step.fact).__name__} cannot follow {phase}."
    return None


def fresh_epochs(step: Step) -> str | None:
    """Every assignment gets a number that was not given out before."""
    fact = step.fact
    given: list[Epoch] = []
    match fact:
        case f.FailoverStarted(reservation=reservation) | f.ServerReserved(reservation=reservation):
            given = [reservation.epoch]
        case f.AttemptEnded():
            given = [fact.release_epoch, *([fact.next.epoch] if fact.next is not None else [])]
        case f.FailbackStarted():
            given = [fact.epoch]
        case f.ServerAdopted(epoch=first, standby_epoch=second) | f.ReplacedRemoved(epoch=first, retired_epoch=second):
            given = [first, second]
        case f.FailbackCommitted():
            given = [fact.release_epoch]
        case f.FailbackUndone():
            given = [fact.recorder_epoch]
        case f.FailoverCancelled() | f.FailoverFailed() if fact.release_epoch:
            given = [fact.release_epoch]
        case _:
            pass
    if any(epoch < step.state.next_epoch for epoch in given) or len(set(given)) < len(given):
        return f"{type(fact).__name__} gives out {given}, and the next free epoch is {step.state.next_epoch}."
    return None


def never_early(step: Step) -> str | None:
    """A failover starts when its trigger has really held for as long as it must."""
    opening = getattr(step.fact, "opening", None)
    if not isinstance(opening, f.Opening) or opening.recorder not in step.state.recorders:
        return None
    world, now_ms = step.world, step.world.agenda.now_ms
    recorder = world.recorders[opening.recorder]
    since = world.broken_since.get(opening.recorder, {})
    stale_ms = REPORT_STALE_MS + world.links[opening.recorder].slowest_ms
    match opening.trigger:
        case Trigger.CONNECTION:
            row = step.state.recorders[opening.recorder]
            needed_ms = governing(step.state, row).detection_timeout_s * 1000
            if opening.recorder not in world.hearing.heard_ms:
                needed_ms = max(needed_ms, START_GRACE_MS)
            silent_ms = world.hearing.silence_ms(opening.recorder, now_ms)
            if silent_ms < needed_ms:
                return f"{recorder.id} was silent for {silent_ms} ms, and its timeout is {needed_ms} ms."
        case Trigger.DISKS:
            lost_ms, mended_ms = recorder.trouble.disks_lost_ms, recorder.trouble.disks_mended_ms
            if lost_ms is None or now_ms - lost_ms < 5_000 or (mended_ms is not None and now_ms - mended_ms > stale_ms):
                return f"The disks of {recorder.id} were not lost for 5 s."
        case Trigger.SERVICE:
            if now_ms - since.get("service mended", now_ms) > stale_ms:
                return f"The service of {recorder.id} is not broken."
        case Trigger.NOT_RECORDING:
            return safety.early_not_recording(step, opening.recorder, world.links[opening.recorder].slowest_ms)
        case Trigger.MANUAL | Trigger.PLANNED:
            pass
    return None


def automatic_only_where_allowed(step: Step) -> str | None:
    """Failover off, a hold and a reconcile stop what starts by itself."""
    opening = getattr(step.fact, "opening", None)
    if not isinstance(opening, f.Opening) or opening.trigger in (Trigger.MANUAL, Trigger.PLANNED):
        return None
    row = step.state.recorders[opening.recorder]
    if not governing(step.state, row).failover_enabled:
        return f"A failover of {row.id} starts, although failover is off."
    if row.id in step.state.holds:
        return f"A failover of {row.id} starts, although it is held."
    if step.state.reconcile is not None and not step.state.reconcile.confirmed:
        return f"A failover of {row.id} starts before the reconcile is confirmed."
    return None


def queue_in_order(step: Step) -> str | None:
    """Entries of a group are taken up in the order in which they were queued (SPEC 7)."""
    if not isinstance(step.fact, f.ServerReserved) or step.before is None:
        return None
    for earlier_id in step.state.open:
        earlier = step.state.failovers[earlier_id]
        if earlier.id == step.before.id:
            break
        if earlier.group == step.before.group and earlier.phase is Phase.QUEUED:
            return f"{step.before.id} is taken up before {earlier.id}, which was queued earlier."
    return None


def committed_to_who_saved(step: Step) -> str | None:
    """The tasks move only to a server that has durably saved them."""
    entry = step.before
    if entry is None:
        return None
    match step.fact:
        case f.TasksMoved() if entry.server is not None:
            target, epoch = entry.server, entry.epoch
        case f.FailbackCommitted() if entry.failback is not None:
            target, epoch = entry.home, entry.failback.epoch
        case _:
            return None
    recorder = step.world.recorders[target]
    saved = recorder.persisted
    if target in step.world.state_lost or saved.epoch > epoch:
        return None
    if saved.epoch < epoch or saved.home != entry.home:
        return f"{entry.id} is committed to {target}, which has saved epoch {saved.epoch} for {saved.home}."
    return None


def two_lost_at_most(step: Step) -> str | None:
    """A third server is not tried after two were lost in one failover (SPEC 6)."""
    lost = step.before.lost if step.before is not None else 0
    match step.fact:
        case f.AttemptEnded(end=AttemptEnd.LOST, next=f.Reservation()):
            lost += 1
        case f.ServerReserved() | f.AttemptEnded(next=f.Reservation()):
            pass
        case _:
            return None
    return f"Another server is tried after {lost} were lost." if lost >= 2 else None


# ---------------------------------------------------------------- after a fact was applied


def system_data_sound(step: Step) -> str | None:
    """The invariants of system data: one owner, one failover, steps in order, epochs given out."""
    found = broken_invariants(step.state)
    return found[0] if found else None


def one_at_a_time(step: Step) -> str | None:
    """In a group one failover or failback runs at a time (SPEC 7)."""
    running: dict[GroupId, FailoverId] = {}
    for open_id in step.state.open:
        entry = step.state.failovers[open_id]
        if entry.phase.occupies_group:
            if entry.group in running:
                return f"{running[entry.group]} and {entry.id} run in group {entry.group} at the same time."
            running[entry.group] = entry.id
    return None


Rule = Callable[[Step], str | None]

BEFORE: dict[str, Rule] = {
    "steps by the table": allowed_transition,
    "epochs are fresh": fresh_epochs,
    "automatic only where allowed": automatic_only_where_allowed,
    "queue in order": queue_in_order,
    "committed to who saved": committed_to_who_saved,
    "first frames before a failback": handing_rules.frames_before_failback,
    "first frames before a switch": handing_rules.frames_before_switch,
    "one session after another": handing_rules.next_when_lit,
    "two lost at most": two_lost_at_most,
    "jobs go their way": job_rules.job_steps,
    "copied only when verified": job_rules.copied_is_verified,
    poison_rules.RELEASED: poison_rules.released_is_out,
    "no camera vanishes": failback_rules.no_camera_vanishes,
    "flapping is held": failback_rules.flapping_is_held,
    "nothing by itself in maintenance": safety.nothing_by_itself_in_maintenance,
    "nobody taken in maintenance": safety.nobody_taken_in_maintenance,
    "edits travel back": failback_rules.edits_travel_back,
    "no backup by hand meanwhile": no_backup_by_hand_meanwhile,
    "queue waits for the baseline": queue_waits_for_baseline,
    "episodes are noted": safety.note_durable,
}
DECIDED: dict[str, Rule] = {
    "never early": never_early,
    "nothing by itself under the brake": safety.nothing_by_itself_under_the_brake,
    "a second opinion holds": safety.second_opinion_holds,
    "nobody taken who is leaving": safety.nobody_taken_who_is_leaving,
    clone.MOVES_NOTHING: clone.moves_nothing,
    waiting_rules.FAILED_LAST: waiting_rules.failed_self_test_comes_last,
    "automatic failback where allowed": failback_rules.automatic_failback_where_allowed,
    "episodes begin": safety.note_decided,
}
"""Looked at when decided; durable it may be only when the world has changed."""

AFTER: dict[str, Rule] = {
    "system data sound": system_data_sound,
    "one at a time in a group": one_at_a_time,
    "log complete": history.log_complete,
    "one baseline covers all": one_baseline_covers_all,
}
OTHERS = (
    "waiting is taken up",
    "maintenance ends",
    "nothing to confirm unasked",
    "facts round-trip",
    "replay equals live",
    "durable before done",
    "no older epoch obeyed",
    "saved before recorded",
    "footage stays",
    "one recorder per epoch",
    *knowing.NAMES,
    *history.NAMES,
    "the baseline has its time",
    *promises.NAMES,
    *origins.NAMES,
    *poison_rules.NAMES,
    "never copied twice",
    "one session at a time",
    "a drill never delays a failover",
)
NAMES = (*DECIDED, *BEFORE, *AFTER, *OTHERS)


class Checkers:
    """All rules over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._obeyed: dict[RecorderId, Epoch] = {}
        self._footage: dict[RecorderId, dict[tuple[CameraId, Epoch], int]] = {}
        self._waiting_ms: dict[FailoverId, int] = {}
        self._needed_ms: dict[JobId, int] = {}
        self._stamped: dict[tuple[CameraId, Epoch], RecorderId] = {}
        self._tables = SameTables()
        self.knowing = knowing.Knowing(world, self._check)
        self._baseline: tuple[int, int] | None = None
        self.promises, self.origins = promises.Promises(world, self._check), origins.Origins(world, self._check)

    def _check(self, name: str, sentence: str | None, times: int = 1) -> None:
        self._world.counts["checker", name] += times
        if sentence is not None:
            raise Broken(name, sentence)

    # ------------------------------------------------------------ facts

    def decided(self, record: f.FactRecord) -> None:
        """A fact was decided, and is not durable yet."""
        step = Step(self._world, record, record.fact, None, self._world.shadow)
        for name, rule in DECIDED.items():
            self._check(name, rule(step))

    def fact(self, record: f.FactRecord, body: bytes) -> None:
        """One fact became durable; applies it to the shadow tables."""
        self._check("facts round-trip", None if wire.encode_fact(record) == body else f"{record.fact} does not come back as it was.")
        fact, state = record.fact, self._world.shadow
        failover = getattr(fact, "failover", None) or getattr(getattr(fact, "opening", None), "failover", None)
        before = state.failovers.get(failover) if failover is not None else None
        step = Step(self._world, record, fact, before, state)
        for name, rule in BEFORE.items():
            self._check(name, rule(step))
        if isinstance(fact, f.GapsMeasured) and before is not None:
            self.promises.measured(fact, before)
        evolve(state, record)
        self._world.history.applied(record, state)
        for name, rule in AFTER.items():
            self._check(name, rule(step))

    def tables(self) -> None:
        """The coordinator's tables are exactly what its journal gives."""
        core = self._world.coordinator.core
        if core is None:
            return
        found = self._tables.difference(core.state, self._world.shadow)
        self._check("replay equals live", f"The table {found} differs from a replay of the journal." if found else None)

    # ------------------------------------------------------------ what is shown and done

    def order(self, recorder: RecorderId, order: Order) -> None:
        """An order leaves the coordinator: the facts in the journal ask for it."""
        match order:
            case Record(epoch=epoch, key=key) | StandDown(epoch=epoch, key=key):
                shadow = self._world.shadow
                row = shadow.recorders.get(recorder)
                wanted = goal(shadow, row) if row is not None else None
                known = row is not None and wanted is not None and order in (wanted, with_documents(shadow, row, wanted))
                about = f"{type(order).__name__} under epoch {epoch} ({key.failover or 'no failover'})"
                self._check("durable before done", None if known else f"{recorder} is sent {about}, which the journal does not say.")
            case LetOut(camera=camera):
                asked = camera in self._world.shadow.releases.get(recorder, ())
                sentence = f"{recorder} is told to release {camera}, which the journal does not say."
                self._check("durable before done", None if asked else sentence)
            case KeepPreroll():
                self.knowing.preroll_order(recorder, order)
            case MarkCopied():
                self._check("copied only when verified", job_rules.marked_is_verified(self._world, order))
            case _:
                pass

    def history(self) -> None:
        """The failover log that people search agrees with the journal."""
        self._check("the log agrees with the journal", self._world.history.disagreement())

    def reply(self, reply: Reply, wall_ms: int) -> None:
        self._check("every answer is audited", self._world.history.unaudited(reply, self._world, wall_ms))
        if isinstance(reply, Done) and reply.failover is not None:
            known = reply.failover in self._world.history.all
            self._check("durable before done", None if known else f"{reply.failover} is told to a client before it is in the journal.")

    # ------------------------------------------------------------ over time

    @property
    def counting(self) -> bool:
        """Whether time alone may soon change what a rule says: something is counted that may last for so long only."""
        return bool(self._waiting_ms or self._needed_ms or self._baseline or self.origins.counting)

    def maintenance_ends(self) -> None:
        self._check("maintenance ends", safety.maintenance_ends(self._world))

    def waiting(self) -> None:
        """An entry that waits is taken up as soon as its group is free and a candidate exists; no queue waits too long for a baseline."""
        sentence, self._baseline = overdue(self._world, self._baseline)
        self._check("the baseline has its time", sentence)
        coordinator, now_ms = self._world.coordinator, self._world.agenda.now_ms
        core = coordinator.core
        waits = set() if core is None or not coordinator.listening else set(self._could_go_on(core, coordinator.now()))
        self._waiting_ms = {entry: self._waiting_ms.get(entry, now_ms) for entry in sorted(waits)}
        late = next((entry for entry, since_ms in self._waiting_ms.items() if now_ms - since_ms > TAKE_UP_MS), None)
        self._check("waiting is taken up", f"{late} waits, although a candidate has been there for 10 s." if late else None)

    def nothing_to_confirm(self) -> None:
        """Where no journal lost its tail and no server came with a past, no recorder is ahead of system data (SPEC 7)."""
        core = self._world.coordinator.core
        if core is None or self._world.journal_cut:
            return
        found = [one.sentence for one in findings(core.state, core.seen) if not self._world.recorders[one.recorder].trouble.ahead]
        self._check("nothing to confirm unasked", found[0] if found else knowing.unnoticed(core.state, core.seen))

    def handing(self) -> None:
        """Cameras with one session change hands one by one."""
        self._check("one session at a time", handing_rules.dark_together(self._world))

    def jobs(self) -> None:
        """No footage was written twice; a drill that a failover needs gone does not go on."""
        world, now_ms = self._world, self._world.agenda.now_ms
        twice = next((sentence for recorder in world.recorders.values() if (sentence := job_rules.never_twice(recorder)) is not None), None)
        self._check("never copied twice", twice, len(world.recorders))
        listening = world.coordinator.core is not None and world.coordinator.listening and world.shadow.reconcile is None
        drills = job_rules.open_drills(world.shadow) if listening else {}
        late = {job for job, drill in drills.items() if job_rules.needed(world.shadow, drill)}
        self._needed_ms = {job: self._needed_ms.get(job, now_ms) for job in sorted(late)}
        stuck = next((job for job, since_ms in self._needed_ms.items() if now_ms - since_ms > job_rules.DRILL_ENDS_MS), None)
        sentence = f"The drill {stuck} goes on, although a failover needs its servers." if stuck is not None else None
        self._check("a drill never delays a failover", sentence)

    def _could_go_on(self, core: Core, now: Instant) -> Iterator[FailoverId]:
        state = core.state
        for open_id in () if state.reconcile is not None else state.open:
            entry = state.failovers[open_id]
            free = running_in_group(state, entry.group) is None and not baseline_holds(state, entry.group)
            if entry.phase in (Phase.WAITING, Phase.QUEUED) and free:
                case = Case(view=state, seen=core.seen, failover=entry, now=now, input=ReviewFailover(failover=open_id))
                if choice_of(case).server is not None:
                    yield open_id

    # ------------------------------------------------------------ recorders

    def obeyed(self, recorder: SimulatedRecorder, answer: Obeyed) -> None:
        highest = self._obeyed.get(recorder.id, Epoch(0))
        sentence = f"{recorder.id} obeyed epoch {answer.epoch} after epoch {highest}." if answer.epoch < highest else None
        self._check("no older epoch obeyed", sentence)
        self._obeyed[recorder.id] = answer.epoch

    def state_lost(self, recorder: RecorderId) -> None:
        """From now on it knows only the epochs that its footage shows."""
        self._obeyed.pop(recorder, None)

    def effect(self, recorder: SimulatedRecorder, effect: m.Effect) -> None:
        self.knowing.effect(recorder, effect)
        match effect:
            case m.Persist(persisted=persisted):
                older = persisted.epoch < recorder.persisted.epoch
                sentence = f"{recorder.id} saves epoch {persisted.epoch} over epoch {recorder.persisted.epoch}." if older else None
                self._check("no older epoch obeyed", sentence)
            case m.StartCapture(plan=plan) | m.ChangeCapture(plan=plan):
                unsaved = plan.epoch != recorder.persisted.epoch or plan.home != recorder.persisted.home
                sentence = f"{recorder.id} records under epoch {plan.epoch}, which is not what it saved." if unsaved else None
                self._check("saved before recorded", sentence)
            case m.Answer() | m.StopCapture() | m.ForgetDocuments():
                self.footage(recorder)
                if isinstance(effect, m.Answer) and isinstance(effect.answer, Obeyed) and recorder.state.situation is m.Situation.RECORDING:
                    self._check("a drill never delays a failover", job_rules.drills_in_the_way(recorder))
            case _:
                pass

    def footage(self, recorder: SimulatedRecorder) -> None:
        """What lies on its disks only grows, and no other recorder has footage of the same camera under the same epoch."""
        now = dict(recorder.material.totals())
        earlier = self._footage.get(recorder.id, {})
        gone = next((key for key, total in earlier.items() if now.get(key, -1) < total), None)
        self._check("footage stays", f"{recorder.id} lost footage of {gone[0]} under epoch {gone[1]}." if gone is not None else None)
        self._footage[recorder.id] = now
        for key in now:
            owner = self._stamped.setdefault(key, recorder.id)
            if owner != recorder.id:
                raise Broken("one recorder per epoch", f"{owner} and {recorder.id} both recorded {key[0]} under epoch {key[1]}.")
        self._check("one recorder per epoch", None)
