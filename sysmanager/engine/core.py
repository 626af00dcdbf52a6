"""The engine without I/O: inputs go in, batches of facts come out to be made durable, and only then their effects.

    core.take(input, now)            hear at once: what is seen is never delayed by a slow disk
    batch = core.decide(now)         decide and evolve what waits, in private tables
    ... append batch.records to the journal, as one transaction ...
    effects = core.durable(batch)    replies, commands and changed rows: nothing is shown or done before it is durable

If the append fails the core is thrown away and rebuilt from the journal. Between `decide` and `durable` only `take` may be called.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable, Iterable

from sysmanager.coordinator import backup
from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.audit import Refusals, answered, audited
from sysmanager.coordinator.commands import AskProbe, Command, Continue, SendOrder
from sysmanager.coordinator.concerned import concerned
from sysmanager.coordinator.decide import (
    absorb,
    absorb_heard,
    decide,
    due_site_ms,
    follow_ups,
    neighbours,
    remember,
)
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.handing import waits_for_word
from sysmanager.coordinator.jobs.drilling import DRILLS, LOOK_MS
from sysmanager.coordinator.jobs.orders import for_jobs
from sysmanager.coordinator.jobs.review import due_jobs, jobs_concerned, shown_by
from sysmanager.coordinator.outstanding import for_failover, for_group, for_recorder
from sysmanager.coordinator.preroll import concerns_preroll
from sysmanager.coordinator.probing import probes
from sysmanager.coordinator.readiness_book import ReadinessBook
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import ENDED_KEPT, State
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import FailoverId, GroupId, JobId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.rights import COORDINATOR, Actor
from sysmanager.engine.batch import Batch, Effects, Waiting, steps
from sysmanager.engine.flights import flight_of
from sysmanager.engine.planning import PROOF_INTERVAL_MS, Planning
from sysmanager.history.port import Update, update_of
from sysmanager.protocol.clients import Reply
from sysmanager.protocol.recorders import FromRecorder, Order, Refusal

__all__ = ["Batch", "Core", "Effects"]

BATCH_LIMIT = 500
"""Inputs decided in one transaction at most."""

TICK_LIMIT = 500
"""Deadlines looked at in one go: some hundredths of a second, after which what came meanwhile is heard."""

BEAT_SOON_MS = 1500
"""By when a recorder that obeyed has shown it in a heartbeat; else the order is sent again."""

RETRY_MS = 400
"""Pause before an order that nobody took, or that was answered and is still outstanding, is sent again."""


class Core(Planning):
    """State, what is seen, what waits, what is in flight, and when to look again.

    touched: recorders and entries whose rows may have changed since they were last shown. last_rows: entries that changed
    since then, also those that left the tables. replayed: what the history lacks of the records that were read; it has those up
    to `history_last`. state: tables to go on with, of the first `after` records.
    """

    def __init__(
        self,
        records: Iterable[f.FactRecord],
        now: Instant,
        *,
        history_last: int | None = None,
        ended_kept: int = ENDED_KEPT,
        machine: str = "",
        state: State | None = None,
        after: int = 0,
    ) -> None:
        self.state = state if state is not None else State(ended_kept)
        self.replayed: list[Update] = []
        for sequence, record in enumerate(records, after + 1):
            evolve(self.state, record)
            if history_last is not None and sequence > history_last:
                self.replayed.append(update_of(sequence, record, self.state))
        self.seen = Seen(now, machine=machine)
        self._resume(now)
        self._waiting: deque[Waiting] = deque()
        self._heap = []
        self._due = {}
        self._in_flight: dict[tuple[str, str], Command] = {}
        self._answered: dict[tuple[str, str] | None, tuple[Order, int]] = {}
        self._proving = set()
        self._last_proof_ms = now.mono_ms - PROOF_INTERVAL_MS
        self._work_recorders = set()
        self._work_failovers: set[FailoverId] = set()
        self._work_groups: set[GroupId] = set()
        self._work_backups = False
        self.readiness = ReadinessBook()
        self._work_jobs: set[JobId] = set()
        self.touched_recorders: set[RecorderId] = set()
        self.touched_failovers: set[FailoverId] = set()
        self.last_rows: dict[FailoverId, Failover] = {}
        self.touched_jobs: set[JobId] = set()
        self.groups_changed = True

    def adopt(self, seen: Seen, now: Instant) -> None:
        """Go on with what was heard before the tables were rebuilt: the recorders did not fall silent because a disk did.

        What was noted as written into the audit log may not be: the next refusal is a line of its own again.
        """
        self.seen = seen
        self.seen.refusals = Refusals()
        # What was compared with tables that are thrown away is compared anew.
        self.seen.ahead.update(seen.recorders)
        self._resume(now)
        for recorder, refused in seen.refused_orders.items():
            # When it was to be sent again stood among the deadlines, which are thrown away with the tables.
            self._plan_again(recorder, refused.order, now)

    def _resume(self, now: Instant) -> None:
        for failover in self.state.open:
            self.seen.resume(failover, now)
        for job in self.state.open_jobs:
            self.seen.jobs.in_phase(job, self.state.jobs[job].phase, now)

    # ------------------------------------------------------------ in

    def take(self, taken: i.Input, now: Instant, token: Hashable = None) -> None:
        """Hear an input now; what it leads to is decided by the next `decide`."""
        if isinstance(taken, i.Heard):
            self.hear(taken.message, now)
            return
        was_deaf = self.seen.listening.deaf(now)
        doubted = frozenset(self.seen.doubted)
        absorb(self.state, self.seen, taken, now)
        if self.seen.doubted != doubted:
            for recorder in sorted(self.seen.doubted | doubted):
                self._touch_recorder(recorder)
        match taken:
            case i.CanaryReturned():
                for recorder in self.state.recorders if was_deaf else sorted(self._proving):
                    self._push(i.Review(recorder=recorder), now)
                self._proving.clear()
                for recorder in self.seen.fallen_silent():
                    # Nothing tells that but time, and rows, readiness and plans for others rest on it.
                    self._touch_recorder(recorder)
                return
            case i.OrderAnswered(recorder=recorder, order=order, answer=answer):
                self._landed(recorder, order)
                self._answered[flight_of(SendOrder(recorder=recorder, order=order))] = (order, now.mono_ms)
                self._touch_recorder(recorder)
                self._schedule(f"retry {recorder}", now.mono_ms + BEAT_SOON_MS)
                if isinstance(answer, Refusal):
                    self._plan_again(recorder, order, now)
                # The answer is decided before the reviews: one that came in time is not overtaken by its deadline.
                self._push(taken, now, token)
                for failover in neighbours(self.state, recorder):
                    self._work_failovers.add(failover)
                    self._push(i.ReviewFailover(failover=failover), now)
                self._review_jobs(recorder, now)
                return
            case i.OrderUndelivered(recorder=recorder, order=order):
                self._landed(recorder, order)
                self._schedule(f"retry {recorder}", now.mono_ms + RETRY_MS)
            case i.Probed(server=server, probe=probe):
                self._in_flight.pop(("probe", f"{server} {probe.recorder}"), None)
            case i.Announced(message=leaving):
                self._touch_recorder(leaving.recorder)
            case i.DocumentsFetched(recorder=recorder):
                self._in_flight.pop(("fetch", recorder), None)
                self._touch_recorder(recorder)
            case i.DocumentsInCache(failover=failover):
                self._in_flight.pop(("cache", failover), None)
                self._work_failovers.add(failover)
            case i.Started():
                self._schedule(DRILLS, now.mono_ms + LOOK_MS)
            case _:
                pass
        self._push(taken, now, token)

    def hear(self, message: FromRecorder, now: Instant) -> bool:
        """Take in a heartbeat: the short way of `take`, for what there is most of. True if it says something new."""
        news = absorb_heard(self.state, self.seen, message, now)
        if news:
            self._news(i.Heard(message=message), now)
        return news

    def _news(self, heard: i.Heard, now: Instant) -> None:
        """A heartbeat says something that a decision could rest on."""
        recorder = heard.message.recorder
        if recorder not in self.state.recorders:
            self.groups_changed = True
            return
        self._touch_recorder(recorder)
        self._push(heard, now)
        for failover in neighbours(self.state, recorder):
            self._push(i.ReviewFailover(failover=failover), now)
            self._work_failovers.add(failover)
        self._review_jobs(recorder, now)

    def _review_jobs(self, recorder: RecorderId, now: Instant) -> None:
        """Look at the jobs in which the server takes part, and at what all of their servers are to do."""
        for job in self.state.jobs_with.get(recorder, ()):
            self._push(i.ReviewJob(job=job), now)
            self._touch_job(job)

    def _touch_job(self, job: JobId) -> None:
        self._work_jobs.add(job)
        self.touched_jobs.add(job)
        if job in self.state.jobs:
            # An ended job too: its servers are to forget it.
            self._work_recorders.update(self.state.jobs[job].servers)

    def give_up_waiting(self) -> tuple[Hashable, ...]:
        """Forget the inputs that wait; whom a reply was promised for them."""
        tokens = tuple(waiting.token for waiting in self._waiting if waiting.token is not None)
        self._waiting.clear()
        return tokens

    def _landed(self, recorder: RecorderId, order: Order) -> None:
        """An order is no longer under way; a newer one to the same recorder still is."""
        command = SendOrder(recorder=recorder, order=order)
        key = flight_of(command)
        if key is not None and self._in_flight.get(key) == command:
            del self._in_flight[key]

    def fetch_failed(self, recorder: RecorderId, now: Instant) -> None:
        """Documents of a recorder could not be fetched; it is tried again."""
        self._in_flight.pop(("fetch", recorder), None)
        self._schedule(f"retry {recorder}", now.mono_ms + RETRY_MS)

    def _push(self, taken: i.Input, now: Instant, token: Hashable = None) -> None:
        self._waiting.append(Waiting(taken, now, token))

    @property
    def inbox(self) -> int:
        """How many inputs wait to be decided."""
        return len(self._waiting)

    # ------------------------------------------------------------ time

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be decided or dispatched."""
        return not (self._waiting or self._work_recorders or self._work_failovers or self._work_backups)

    def tick(self, now: Instant) -> bool:
        """Look at the deadlines that were reached, `TICK_LIMIT` of them at most: the others are still due then.

        True if a canary is to be sent at once, to prove that silence is silence.
        """
        prove = False
        for _ in range(TICK_LIMIT):
            if not self._heap or self._heap[0][0] > now.mono_ms:
                break
            due_ms, key = heapq.heappop(self._heap)
            if self._due.get(key) != due_ms:
                continue
            del self._due[key]
            kind, _, name = key.partition(" ")
            if kind == "recorder":
                prove |= self._recorder_due(RecorderId(name), now)
            elif kind == "probe":
                self._probe_due(RecorderId(name), now)
            elif kind == "refusals":
                self._push(i.RefusalsDue(), now)
            elif kind == "site":
                self._push(i.ReviewSite(), now)
            elif kind == "backup":
                self._push(i.ReviewBackup(), now)
                self._work_backups = True
            elif kind in ("job", "again"):
                job = JobId(name.partition(" ")[0])
                self._push(i.ReviewJob(job=job), now)
                self._touch_job(job)
            elif kind == DRILLS:
                self._push(i.LookAtDrills(), now)
                self._schedule(DRILLS, now.mono_ms + LOOK_MS)
            elif kind == "failover":
                self._push(i.ReviewFailover(failover=FailoverId(name)), now)
                self._work_failovers.add(FailoverId(name))
            else:
                if kind == "refused":
                    self.seen.refusal_may_change(RecorderId(name))
                self._work_recorders.add(RecorderId(name))
                for failover in neighbours(self.state, RecorderId(name)):
                    self._push(i.ReviewFailover(failover=failover), now)
                    self._work_failovers.add(failover)
        return prove

    # ------------------------------------------------------------ out

    def decide(self, now: Instant) -> Batch | None:
        """Decide what waits, in order, each on the tables that the one before left. None if nothing waits."""
        if self.idle:
            return None
        records: list[f.FactRecord] = []
        replies: list[tuple[Hashable, Reply]] = []
        follow: list[i.Input] = []
        rows: list[int] = []
        updates: list[Update] = []
        moved: set[FailoverId] = set()

        def apply(fact: f.AnyFact, actor: Actor, answer: f.Answered | None = None) -> None:
            term = fact.term if isinstance(fact, f.CoordinatorStarted) else self.state.term
            record = f.FactRecord(term=term, wall_ms=now.wall_ms, actor=actor, fact=fact, answer=answer)
            self._apply(record, now)
            records.append(record)
            updates.append(update_of(len(records), record, self.state))

        for _ in range(min(BATCH_LIMIT, len(self._waiting))):
            waiting = self._waiting.popleft()
            if steps(waiting.taken) in moved:
                # Each step is durable before the next begins: what could move the entry again waits for the next transaction.
                follow.append(waiting.taken)
                continue
            decision = decide(self.state, self.seen, waiting.taken, waiting.at if isinstance(waiting.taken, i.Heard) else now)
            actor = waiting.taken.actor if isinstance(waiting.taken, i.Asked) else COORDINATOR
            answer = answered(waiting.taken, decision.reply)
            for fact in decision.facts:
                apply(fact, actor, answer)
                answer = None
                step = getattr(fact, "failover", None)
                if step is not None:
                    moved.add(step)
                follow += follow_ups(self.state, fact)
            for line in audited(self.seen.refusals, waiting.taken, decision.reply, now):
                apply(line, COORDINATOR)
            if decision.row is not None:
                rows.append(decision.row)
            if decision.reply is not None:
                replies.append((waiting.token, decision.reply))
            self._looked_at(waiting.taken, now)
        self._plan_refusals()
        return Batch(records=tuple(records), replies=tuple(replies), follow=tuple(follow), rows=tuple(rows), updates=tuple(updates))

    def _plan_refusals(self) -> None:
        due_ms = self.seen.refusals.due_ms
        if due_ms is not None:
            self._schedule("refusals ", due_ms)

    def _apply(self, record: f.FactRecord, now: Instant) -> None:
        fact = record.fact
        failover = getattr(fact, "failover", None) or getattr(getattr(fact, "opening", None), "failover", None)
        before = self.state.failovers.get(failover) if failover is not None else None
        self.readiness.rests_on(self.state, fact)
        if isinstance(fact, f.RecorderRemoved) and fact.recorder in self.state.last_drills:
            self.touched_jobs.add(self.state.last_drills[fact.recorder])
        evolve(self.state, record)
        self.readiness.rests_on(self.state, fact)
        remember(self.state, self.seen, fact, before, now)
        self.groups_changed |= isinstance(
            fact, f.GroupSaved | f.GroupRemoved | f.RecorderAdded | f.RecorderRemoved | f.RecorderEdited | f.AdoptionFact
        )
        self.touched_failovers.update(self.state.news)
        self.last_rows.update(self.state.news)
        entry = self.state.failovers.get(failover) if failover is not None else None
        if entry is not None:
            if before is None or before.phase.occupies_group is not entry.phase.occupies_group:
                self.readiness.touch_group(entry.group)
            if entry.phase.ended:
                self._in_flight.pop(("cache", entry.id), None)
            self._touch_failover(entry.id)
            for row in (entry.recorder, entry.home, entry.server, before.server if before is not None else None):
                if row is not None:
                    self._touch_recorder(row)
        for recorder in concerned(self.state, fact):
            self._touch_recorder(recorder)
        job = getattr(fact, "job", None)
        for touched in (*jobs_concerned(self.state, fact), *((job,) if job is not None else ())):
            self._touch_job(touched)
            self.touched_recorders.update(shown_by(self.state, touched))
        anew = isinstance(fact, f.CoordinatorStarted | f.ReconcileStarted | f.ReconcileConfirmed | f.RecorderReconciled)
        self._work_backups |= anew or isinstance(fact, f.BackupFact)
        if anew:
            for open_id in self.state.failovers:
                self._touch_failover(open_id)
            self.touched_jobs.update(self.state.jobs)

    def _touch_recorder(self, recorder: RecorderId) -> None:
        self._work_recorders.add(recorder)
        self.touched_recorders.add(recorder)
        self.readiness.touch(recorder)

    def look_at_readiness(self, now: Instant, *, also: Iterable[RecorderId] = ()) -> None:
        """Compute anew the readiness of servers that a change may have touched; the rows follow. To be called now and then, when
        nothing waits to be made durable. also: to be looked at for what time alone changes."""
        self.touched_recorders.update(self.readiness.update(self.state, self.seen, now, also=also))

    def _touch_failover(self, failover: FailoverId) -> None:
        self._work_failovers.add(failover)
        self.touched_failovers.add(failover)

    def _looked_at(self, taken: i.Input, now: Instant) -> None:
        match taken:
            case i.Review(recorder=recorder):
                self._plan_recorder(recorder, now)
            case i.Heard(message=message):
                self._plan_recorder(message.recorder, now)
            case i.Probed(probe=probe):
                self._plan_recorder(probe.recorder, now)
            case i.ReviewFailover(failover=failover):
                self._plan_failover(failover, now)
                self._work_recorders.update(waits_for_word(self.state, failover))
            case i.BackupEnded(kind=kind):
                self._in_flight.pop(("backup", kind), None)
                self._work_backups = True
            case _:
                pass

    def durable(self, batch: Batch, now: Instant) -> Effects:
        """The batch is in the journal: what follows from it, and the work that is outstanding now."""
        for taken in batch.follow:
            self._push(taken, now)
        commands: list[Command] = []
        for recorder in sorted(self._work_recorders):
            probe = self._plan_recorder(recorder, now)
            row = self.state.recorders.get(recorder)
            if row is not None:
                commands += self._fresh((*for_recorder(self.state, self.seen, row), *for_jobs(self.state, self.seen, row, now)), now)
                commands += self._ask(probes(self.state, self.seen, row, probe, now), now)
                if row.group is not None and concerns_preroll(self.state, self.seen, row):
                    self._work_groups.add(row.group)
        for group_id in sorted(self._work_groups):
            group = self.state.groups.get(group_id)
            if group is not None:
                commands += self._fresh(for_group(self.state, self.seen, group), now)
        for failover in sorted(self._work_failovers):
            self._plan_failover(failover, now)
            if failover in self.state.open:
                for command in for_failover(self.state, self.seen, self.state.failovers[failover]):
                    if isinstance(command, Continue):
                        self._push(i.ReviewFailover(failover=command.failover), now)
                    else:
                        commands += self._fresh((command,), now)
        if self._work_backups:
            if (due_ms := backup.due_ms(self.state, self.seen, now)) is not None:
                self._schedule("backup", due_ms)
            commands += self._fresh(backup.commands(self.state), now)
        for job, due_ms in due_jobs(self.state, self.seen, self._work_jobs, now):
            self._schedule(f"job {job}", due_ms)
        self._work_recorders.clear()
        self._work_failovers.clear()
        self._work_groups.clear()
        site_due_ms = due_site_ms(self.state, now)
        if site_due_ms is not None:
            self._schedule("site", site_due_ms)
        self._work_backups = False
        self._work_jobs.clear()
        return Effects(replies=batch.replies, commands=tuple(commands))

    def _ask(self, asking: tuple[AskProbe, ...], now: Instant) -> list[Command]:
        """Questions about one recorder that go out now."""
        fresh = self._fresh(asking, now)
        for command in asking[:1] if fresh else ():
            self.seen.opinions.asked_ms[command.probe.recorder] = now.mono_ms
        return fresh

    def _fresh(self, commands: Iterable[Command], now: Instant) -> list[Command]:
        """Those that are not under way already. A newer order to a recorder does not wait for the answer to an older one.

        An order that was answered and is still outstanding rests first: an answer that moves nothing must not be asked for in a circle.
        """
        fresh = []
        for command in commands:
            key = flight_of(command)
            if isinstance(command, SendOrder) and self._rests(command, now):
                self._schedule(f"retry {command.recorder}", now.mono_ms + RETRY_MS)
                continue
            if key is not None and self._in_flight.get(key) != command:
                self._in_flight[key] = command
                fresh.append(command)
        return fresh

    def _rests(self, command: SendOrder, now: Instant) -> bool:
        order, answered_ms = self._answered.get(flight_of(command), (None, 0))
        return order == command.order and now.mono_ms - answered_ms < RETRY_MS
