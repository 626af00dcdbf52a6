"""The loop around the core: recovery, durability, dispatch, and the clients' requests. One asyncio loop, never Qt's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import msgspec
import structlog

from sysmanager import wire
from sysmanager.backup.port import Backups
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.audit import kind_of
from sysmanager.coordinator.commands import AskProbe, CheckCache, Command, Continue, FetchDocuments, MakeBackup, SendOrder
from sysmanager.coordinator.facts import AnyFact
from sysmanager.coordinator.standing import answer_to
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import RecorderId, shown
from sysmanager.domain.instant import Instant
from sysmanager.domain.rights import Actor, Right, missing_right
from sysmanager.engine.answering import Answering
from sysmanager.engine.backing_up import BackingUp
from sysmanager.engine.batch import Batch
from sysmanager.engine.cache import FETCH_PAUSES_S, FETCHES_AT_ONCE, DocumentCache
from sysmanager.engine.clock import Clock
from sysmanager.engine.collector import collector_paused
from sysmanager.engine.core import Core
from sysmanager.engine.field import Field
from sysmanager.engine.figures import Figures, Tally, look
from sysmanager.engine.fitness import unfit
from sysmanager.engine.logbook import KEEP_DAYS, Logbook
from sysmanager.engine.publisher import REFRESH_MS, Publisher
from sysmanager.engine.recovery import Snapshots, load, open_journal, replay
from sysmanager.engine.rows import name_of
from sysmanager.engine.snapshotting import Snapshotting
from sysmanager.history.port import History
from sysmanager.history.sqlite import MemoryHistory
from sysmanager.journal.port import Journal, JournalError, JournalFailed, StaleAppend
from sysmanager.protocol.clients import (
    Answer,
    CommentEntry,
    Question,
    ReadBackup,
    Refused,
    Reply,
    Request,
    Snapshot,
    TickToDo,
)
from sysmanager.protocol.recorders import BEACON_INTERVAL_MS, Ask, Leaving, Standing

log = structlog.get_logger(__name__)

REBUILD_WAITS_S = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Pauses before the journal is opened again after it failed; the last one is repeated. They begin anew once an append succeeded."""

ENDED = "The coordinator has ended before it could answer; start it again and look whether the change was made."

BEACONS_KEPT = 64
LAG_WINDOW = 20


class EngineFailed(Exception):
    """The engine has ended and answers nothing any more; whether a request was carried out is not known. The text is one sentence."""


class Engine:
    """A running coordinator. `start`, then requests; `stop` ends it cleanly. Everything on the loop it was started on.

    journal: not yet open. field: not yet open. site: the name people see. practice: the servers are simulated or on one machine.
    history: not yet open, one in memory by default. keep_days: for so long it keeps what ended.
    machine: on which it runs, as recorders report theirs; empty on a practice site, where servers share one.
    snapshots: where the tables are kept for a quick start; without it every start replays the journal.
    backups: where system backups are kept; without it none can be made, and an alarm says so.
    failure: gets one sentence when the engine cannot go on; its owner then stops it. ended: set when it was stopped or failed.
    """

    def __init__(
        self,
        journal: Journal,
        field: Field,
        cache: DocumentCache,
        clock: Clock,
        *,
        site: str,
        practice: bool = False,
        history: History | None = None,
        keep_days: int = KEEP_DAYS,
        machine: str = "",
        backups: Backups | None = None,
        snapshots: Snapshots | None = None,
    ) -> None:
        self._journal = journal
        self.logbook = Logbook(history if history is not None else MemoryHistory(), journal, clock, keep_days=keep_days)
        self._field = field
        self._cache = cache
        self._clock = clock
        self._backing_up = BackingUp(backups, site)
        self._answering = Answering(
            lambda: self._core,
            self._until_durable,
            backing_up=self._backing_up,
            logbook=self.logbook,
            cache=cache,
            field=field,
            clock=clock,
        )
        self._snapshotting = Snapshotting(snapshots, journal)
        self._settled = asyncio.Event()
        self._settled.set()
        self.publisher = Publisher(site, practice=practice)
        self._machine = machine
        self._core = Core((), clock.now(), machine=machine)
        self._last = 0
        self._wake = asyncio.Event()
        self._durable = asyncio.Event()
        self._durable.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._beacons: dict[int, Instant] = {}
        self._sequence = 0
        self._lags: list[int] = []
        self._tally = Tally()
        self._loop_task: asyncio.Task[None] | None = None
        self._replies: set[asyncio.Future[Reply]] = set()
        self._trouble: str | None = None
        self._failures = 0
        self._fetching = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._unfetched: dict[RecorderId, int] = {}
        self._end: str | None = None
        self.damage: str | None = None
        self.ended = asyncio.Event()
        self.failure: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    # ------------------------------------------------------------ life

    async def start(self) -> None:
        """Recover from the journal and begin to watch. Raises JournalError, WireError, also when the start itself cannot be saved."""
        snapshot = await load(self._snapshotting.snapshots)
        opened = await open_journal(self._journal, snapshot)
        history_last = await self.logbook.open(opened.last)
        with collector_paused():
            found = await replay(self._journal, opened, snapshot, history_last=history_last)
            self._core = Core((), self._clock.now(), machine=self._machine, state=found.state)
        self._last = opened.last
        if history_last is not None and history_last < found.begun_at:
            self.logbook.catch_up()
        self.logbook.begin(found.replayed, opened.last, found.last_body)
        self._snapshotting.begin(found.begun_at, opened.last, self._clock.now().mono_ms, verified=opened.verified_from == 0)
        if opened.damage is not None:
            log.error("journal damaged", damage=opened.damage)
        self.damage = opened.damage
        self._core.take(i.Started(damage=opened.damage), self._clock.now())
        batch = self._core.decide(self._clock.now())
        assert batch is not None, "a start always leaves a fact"
        await self._save(batch)
        self._follow(batch)
        self.publisher.restart(self._core)
        self.publisher.publish(self._core, self._clock.now())
        await self._field.open(self)
        self._loop_task = asyncio.create_task(self._run(), name="engine")
        self._spawn(self._send_beacons())

    async def stop(self) -> None:
        """Stop hearing, finish what is being written, close the journal. Harmless the second time."""
        self._answer_no_more(ENDED)
        await self._snapshotting.until_settled(self._settled)
        if self._loop_task is not None:
            self._loop_task.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, *([self._loop_task] if self._loop_task is not None else []), return_exceptions=True)
        await self._field.close()
        await self.logbook.close()
        if self._settled.is_set() and not self.failure.done():
            await self._snapshotting.take(self._core.state, self._last, self._clock.now().mono_ms, at_stop=True)
        await self._journal.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """A bug: said once, with its traceback in the log. The owner of the engine ends it."""
        log.error("engine stopped", error=repr(error), exc_info=error)
        sentence = f"The coordinator stopped on an internal error ({type(error).__name__}); see its log file."
        if isinstance(error, StaleAppend):
            sentence = "Some other coordinator writes to the same journal; end one of the two, and start the other again."
        if not self.failure.done():
            self.failure.set_result(sentence)
        self._answer_no_more(sentence)

    def _answer_no_more(self, sentence: str) -> None:
        if self._end is not None:
            return
        self._end = sentence
        self.ended.set()
        self._durable.set()
        for reply in tuple(self._replies):
            if not reply.done():
                reply.set_exception(EngineFailed(sentence))

    # ------------------------------------------------------------ the loop

    async def _run(self) -> None:
        try:
            next_refresh_ms = 0
            while True:
                now = self._clock.now()
                if self._core.tick(now):
                    self._spawn(self._beacon())
                if await self._turn():
                    await asyncio.sleep(0)  # however much there is to decide: what the bus brings is heard in between
                    continue
                if self._snapshotting.is_due(self._last, now.mono_ms):
                    self._spawn(self._snapshotting.take(self._core.state, self._last, now.mono_ms))
                    await asyncio.sleep(0)  # the tables are copied before they change
                if now.mono_ms >= next_refresh_ms:
                    self.publisher.history_trouble = self.logbook.trouble
                    self.publisher.refresh(self._core, now)
                    next_refresh_ms = now.mono_ms + REFRESH_MS
                await self._sleep(min(next_refresh_ms, self._core.next_due_ms or next_refresh_ms))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a bug, and the owner must hear of it instead of waiting for ever
            self._fail(error)

    async def _sleep(self, until_mono_ms: int) -> None:
        pause_ms = until_mono_ms - self._clock.now().mono_ms
        if pause_ms <= 0 or self._wake.is_set():
            self._wake.clear()
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(pause_ms / 1000):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _turn(self) -> bool:
        """One transaction: decide, make durable, then show and do. False if nothing waited."""
        batch = self._core.decide(self._clock.now())
        if batch is None:
            return False
        if batch.records:
            try:
                await self._save(batch)
            except JournalFailed as error:
                log.error("journal failed", why=str(error))
                await self._rebuild(batch, str(error))
                return True
        self._follow(batch)
        return True

    async def _save(self, batch: Batch) -> None:
        """Append. Until then nobody may look at the tables, which hold the batch already; if it fails, not until they are rebuilt."""
        bodies = [wire.encode_fact(record) for record in batch.records]
        self._durable.clear()
        self._settled.clear()
        began_s = time.monotonic()
        self._last = await self._journal.append(self._last, bodies)
        self._settled.set()
        self._durable.set()
        self._tally.appended(batch.records, time.monotonic() - began_s)
        self.logbook.tell(self._last, batch.updates, bodies[-1])
        self._failures, self._trouble = 0, None
        for record in batch.records:
            concerned = {name: value for name in ("failover", "recorder") if isinstance(value := _named(record.fact, name), str)}
            log.info("fact", fact=type(record.fact).__name__, actor=record.actor.name, **concerned)

    def _follow(self, batch: Batch) -> None:
        """Show and do what a durable batch leads to."""
        effects = self._core.durable(batch, self._clock.now())
        for token, reply in effects.replies:
            _settle(token, reply)
        if batch.records:
            self.publisher.publish(self._core, self._clock.now(), rows_only=True)
        for command in effects.commands:
            self._spawn(self._carry_out(command))

    async def _rebuild(self, batch: Batch, why: str) -> None:
        """Throw the tables away and read them from the journal again; nothing of the batch was shown or done (DESIGN)."""
        self._trouble = f"The change could not be saved and was not made: {why}"
        for token in (*(token for token, _ in batch.replies), *self._core.give_up_waiting()):
            _settle(token, Refused(sentence=self._trouble))
        self.publisher.cannot_save(why, self._clock.now())
        while True:
            await asyncio.sleep(REBUILD_WAITS_S[min(self._failures, len(REBUILD_WAITS_S) - 1)])
            self._failures += 1
            try:
                snapshot = await load(self._snapshotting.snapshots)
                opened = await open_journal(self._journal, snapshot)
                found = await replay(self._journal, opened, snapshot, history_last=None)
            except JournalError as error:
                log.error("journal still fails", why=str(error), attempt=self._failures)
                continue
            core = Core((), self._clock.now(), machine=self._machine, state=found.state)
            core.adopt(self._core.seen, self._clock.now())
            self._core, self._last = core, opened.last
            self._settled.set()
            self.logbook.rebuilt(opened.last)
            core.take(i.Started(damage=opened.damage), self._clock.now())
            self.publisher.restart(core)
            self.publisher.publish(core, self._clock.now())
            self._durable.set()
            return

    # ------------------------------------------------------------ work outside

    async def _carry_out(self, command: Command) -> None:
        match command:
            case SendOrder(recorder=recorder, order=order):
                self.hear(await self._field.order(recorder, order))
            case AskProbe(server=server, probe=probe):
                self.hear(i.Probed(server=server, probe=probe, answer=await self._field.probe(server, probe)))
            case FetchDocuments(recorder=recorder, documents=documents):
                async with self._fetching:
                    summary = await self._cache.take_in(recorder, documents)
                if summary is None:
                    tried = self._unfetched[recorder] = self._unfetched.get(recorder, 0) + 1
                    await asyncio.sleep(FETCH_PAUSES_S[min(tried, len(FETCH_PAUSES_S)) - 1])
                    self._core.fetch_failed(recorder, self._clock.now())
                    self._wake.set()
                else:
                    self._unfetched.pop(recorder, None)
                    self.hear(i.DocumentsFetched(recorder=recorder, documents=documents, settings=summary))
            case CheckCache(failover=failover, documents=documents):
                entry = self._core.state.failovers.get(failover)
                reachable = entry.recorder if entry is not None and self._core.seen.connected(entry.recorder) else None
                missing = await self._cache.missing(reachable, documents)
                self.hear(i.DocumentsInCache(failover=failover, documents=documents, missing=missing))
            case MakeBackup():
                await self._durable.wait()
                made_ms = self._clock.now().wall_ms
                self.hear(await self._backing_up.make(command, self._core.state, self._last, made_ms))
            case Continue():
                raise AssertionError("the core continues by itself")

    async def _send_beacons(self) -> None:
        expected_ms = self._clock.now().mono_ms
        while True:
            await self._beacon()
            expected_ms += BEACON_INTERVAL_MS
            now = self._clock.now()
            await asyncio.sleep(max(0, expected_ms - now.mono_ms) / 1000)
            late_ms = max(0, self._clock.now().mono_ms - expected_ms)
            self._lags = [*self._lags[1 - LAG_WINDOW :], late_ms]
            self.publisher.lag_ms = max(self._lags) if max(self._lags) >= 50 else 0
            if late_ms > BEACON_INTERVAL_MS:
                expected_ms = self._clock.now().mono_ms

    async def _beacon(self) -> None:
        now = self._clock.now()
        self._sequence += 1
        self._beacons[self._sequence] = now
        if len(self._beacons) > BEACONS_KEPT:
            del self._beacons[next(iter(self._beacons))]
        await self._field.beacon(self._core.state.term, self._sequence, now.wall_ms)

    # ------------------------------------------------------------ what the field tells

    def hear(self, taken: i.Input) -> None:
        """Take an input in now."""
        self._core.take(taken, self._clock.now())
        if not self._core.idle:
            # Most heartbeats say nothing new: the loop is not woken for them.
            self._wake.set()

    def canary(self, term: int, sequence: int) -> None:
        """A beacon was heard; if it is our own, it proves that we could hear."""
        sent = self._beacons.pop(sequence, None) if term == self._core.state.term else None
        if sent is not None:
            self.hear(i.CanaryReturned(sent_mono_ms=sent.mono_ms, over_ms=sent.over_ms))

    async def standing(self, ask: Ask) -> Standing | None:
        """What a recorder may do that was away; answered from durable tables only. None: this coordinator cannot say any more."""
        await self._durable.wait()
        return None if self._end is not None else answer_to(self._core.state, ask)

    async def announced(self, leaving: Leaving) -> Reply | None:
        """A recorder is about to go; the word for it when what follows is durable. None: this coordinator cannot say any more."""
        if self._end is not None or self._trouble is not None:
            return None
        try:
            return await self._answered(i.Announced(message=leaving))
        except EngineFailed:
            return None

    def name_of(self, recorder: RecorderId) -> str:
        """The name under which people know a server; its id if system data does not have it."""
        return name_of(self._core.state, recorder)

    # ------------------------------------------------------------ what clients ask

    async def snapshot(self) -> Snapshot:
        """Everything as it was last published, which is durable; never waits for a disk. Raises EngineFailed."""
        if self._end is not None:
            raise EngineFailed(self._end)
        return self.publisher.snapshot()

    async def request(self, actor: Actor, request: Request) -> Reply:
        """Decide a request; the reply comes when it is durable or refused. Raises EngineFailed."""
        if self._end is not None:
            raise EngineFailed(self._end)
        refusal = unfit(actor, request)
        if refusal is not None:
            self.turned_away(actor, kind_of(request), refusal)
        refusal = refusal or self._trouble
        if refusal is not None:
            return Refused(sentence=refusal)
        entry = await self._left_entry(request)
        return await self._answered(i.Asked(actor=actor, request=request, entry=entry))

    async def _answered(self, taken: i.Input) -> Reply:
        """Take an input in, and wait for the reply to it. Raises EngineFailed."""
        token: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._replies.add(token)
        self._core.take(taken, self._clock.now(), token)
        self._wake.set()
        try:
            return await token
        finally:
            self._replies.discard(token)

    async def _left_entry(self, request: Request) -> Failover | None:
        """What the history has of an entry that left memory and that the request writes on."""
        if not isinstance(request, CommentEntry | TickToDo) or request.failover in self._core.state.failovers:
            return None
        return await self.logbook.entry(request.failover)

    def turned_away(self, actor: Actor, kind: str, sentence: str) -> None:
        """Something was refused before it came to a decision: a line for the audit log. Who asked is named as far as that can be shown."""
        if self._end is None and self._trouble is None:
            shown_actor = msgspec.structs.replace(actor, name=shown(actor.name) or "?")
            self._core.take(i.TurnedAway(actor=shown_actor, request=kind, sentence=sentence), self._clock.now())
            self._wake.set()

    async def ask(self, actor: Actor, question: Question) -> Answer:
        """Answer a question from durable tables and from the history. Changes nothing. Raises EngineFailed."""
        missing = missing_right(actor.role, Right.SETTINGS if isinstance(question, ReadBackup) else Right.MONITOR)
        if missing is not None:
            self.turned_away(actor, kind_of(question), missing)
            return Refused(sentence=missing)
        return await self._answering.answer(question)

    async def _until_durable(self) -> None:
        """Until the tables are what the journal has. Raises EngineFailed."""
        await self._durable.wait()
        if self._end is not None:
            raise EngineFailed(self._end)

    def figures(self) -> Figures:
        """What metrics tell, as of now. Raises EngineFailed."""
        if self._end is not None:
            raise EngineFailed(self._end)
        return look(
            self._core,
            self.publisher.snapshot(),
            self._tally,
            self._clock.now(),
            lag_ms=max(self._lags, default=0),
            replies=len(self._replies),
            journal_records=self._last,
            journal_failing=self._trouble is not None,
            history=(self.logbook.missing, self.logbook.trouble is not None),
        )

    @property
    def protected(self) -> int:
        """How many servers lose their protection if this coordinator ends."""
        return sum(1 for row in self._core.state.recorders.values() if row.records and row.failover_enabled and row.group is not None)


def _named(fact: AnyFact, name: str) -> object:
    """The id of what a fact is about, for the log: its own, or that of the entry that it opens."""
    return getattr(fact, name, None) or getattr(getattr(fact, "opening", None), name, None)


def _settle(token: object, reply: Reply) -> None:
    if isinstance(token, asyncio.Future) and not token.done():
        token.set_result(reply)
