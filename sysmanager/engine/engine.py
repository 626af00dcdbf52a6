"""The loop around the core: recovery, durability, dispatch, and the clients' requests. One asyncio loop, never Qt's."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from sysmanager import wire
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.commands import CheckCache, Command, Continue, FetchDocuments, SendOrder
from sysmanager.coordinator.facts import FactRecord
from sysmanager.coordinator.preview import answer
from sysmanager.coordinator.standing import answer_to
from sysmanager.domain.rights import Actor, Right, missing_right
from sysmanager.engine.cache import DocumentCache
from sysmanager.engine.clock import Clock
from sysmanager.engine.core import Batch, Core
from sysmanager.engine.field import Field
from sysmanager.engine.publisher import REFRESH_MS, Publisher
from sysmanager.journal.port import Journal, JournalError, JournalFailed
from sysmanager.protocol.clients import Answer, Question, Refused, Reply, Request, Snapshot
from sysmanager.protocol.recorders import BEACON_INTERVAL_MS, Ask, Standing

log = structlog.get_logger(__name__)

REBUILD_WAITS_S = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Pauses between attempts to open the journal again after it failed; the last one is repeated."""

BEACONS_KEPT = 64
LAG_WINDOW = 20


class EngineFailed(Exception):
    """The engine cannot go on. The text is one sentence."""


class Engine:
    """A running coordinator. `start`, then requests; `stop` ends it cleanly. Everything on the loop it was started on.

    journal: not yet open. field: not yet open. site: the name people see. practice: the servers are simulated or on one machine.
    """

    def __init__(self, journal: Journal, field: Field, cache: DocumentCache, clock: Clock, *, site: str, practice: bool = False) -> None:
        self._journal = journal
        self._field = field
        self._cache = cache
        self._clock = clock
        self.publisher = Publisher(site, practice=practice)
        self._core = Core((), clock.now())
        self._last = 0
        self._wake = asyncio.Event()
        self._durable = asyncio.Event()
        self._durable.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._beacons: dict[int, int] = {}
        self._sequence = 0
        self._lags: list[int] = []
        self._loop_task: asyncio.Task[None] | None = None
        self.failure: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    # ------------------------------------------------------------ life

    async def start(self) -> None:
        """Recover from the journal and begin to watch. Raises JournalError, WireError."""
        opened = await self._journal.open()
        self._core = Core(await self._read_all(), self._clock.now())
        self._last = opened.last
        if opened.damage is not None:
            log.error("journal damaged", damage=opened.damage)
        self._core.take(i.Started(damage=opened.damage), self._clock.now())
        await self._turn()
        self.publisher.restart(self._core)
        await self._field.open(self)
        self._loop_task = asyncio.create_task(self._run(), name="engine")
        self._spawn(self._send_beacons())

    async def stop(self) -> None:
        """Stop hearing, finish what is being written, close the journal."""
        if self._loop_task is not None:
            self._loop_task.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, *([self._loop_task] if self._loop_task is not None else []), return_exceptions=True)
        await self._field.close()
        await self._journal.close()

    async def _read_all(self) -> list[FactRecord]:
        records: list[FactRecord] = []
        after = 0
        while found := await self._journal.read(after):
            records += [wire.decode_fact(record.body) for record in found]
            after = found[-1].sequence
        return records

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
        if not self.failure.done():
            self.failure.set_result(f"The coordinator stopped on an internal error ({type(error).__name__}); see its log file.")

    # ------------------------------------------------------------ the loop

    async def _run(self) -> None:
        try:
            next_refresh_ms = 0
            while True:
                now = self._clock.now()
                if self._core.tick(now):
                    self._spawn(self._beacon())
                if await self._turn():
                    continue
                if now.mono_ms >= next_refresh_ms:
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
        if batch.records and not await self._append(batch):
            return True
        effects = self._core.durable(batch, self._clock.now())
        for token, reply in effects.replies:
            _settle(token, reply)
        if batch.records:
            self.publisher.publish(self._core, self._clock.now(), rows_only=True)
        for command in effects.commands:
            self._spawn(self._carry_out(command))
        return True

    async def _append(self, batch: Batch) -> bool:
        bodies = [wire.encode_fact(record) for record in batch.records]
        self._durable.clear()
        try:
            self._last = await self._journal.append(self._last, bodies)
        except JournalFailed as error:
            log.error("journal failed", why=str(error))
            await self._rebuild(batch, str(error))
            return False
        finally:
            self._durable.set()
        for record in batch.records:
            log.info("fact", fact=type(record.fact).__name__, actor=record.actor.name, failover=getattr(record.fact, "failover", None))
        return True

    async def _rebuild(self, batch: Batch, why: str) -> None:
        """Throw the tables away and read them from the journal again; nothing of the batch was shown or done (DESIGN)."""
        for token, _ in batch.replies:
            _settle(token, Refused(sentence=f"The change could not be saved and was not made: {why}"))
        attempt = 0
        while True:
            await asyncio.sleep(REBUILD_WAITS_S[min(attempt, len(REBUILD_WAITS_S) - 1)])
            attempt += 1
            try:
                opened = await self._journal.open()
                records = await self._read_all()
            except JournalError as error:
                log.error("journal still fails", why=str(error), attempt=attempt)
                continue
            core = Core(records, self._clock.now())
            core.adopt(self._core.seen, self._clock.now())
            self._core, self._last = core, opened.last
            core.take(i.Started(damage=opened.damage), self._clock.now())
            self.publisher.restart(core)
            return

    # ------------------------------------------------------------ work outside

    async def _carry_out(self, command: Command) -> None:
        match command:
            case SendOrder(recorder=recorder, order=order):
                self.hear(await self._field.order(recorder, order))
            case FetchDocuments(recorder=recorder, documents=documents):
                summary = await self._cache.take_in(recorder, documents)
                if summary is None:
                    self._core.fetch_failed(recorder, self._clock.now())
                    self._wake.set()
                else:
                    self.hear(i.DocumentsFetched(recorder=recorder, documents=documents, settings=summary))
            case CheckCache(failover=failover, documents=documents):
                entry = self._core.state.failovers[failover]
                reachable = entry.recorder if self._core.seen.connected(entry.recorder) else None
                missing = await self._cache.missing(reachable, documents)
                self.hear(i.DocumentsInCache(failover=failover, documents=documents, missing=missing))
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
        self._beacons[self._sequence] = now.mono_ms
        if len(self._beacons) > BEACONS_KEPT:
            del self._beacons[next(iter(self._beacons))]
        await self._field.beacon(self._core.state.term, self._sequence, now.wall_ms)

    # ------------------------------------------------------------ what the field tells

    def hear(self, taken: i.Input) -> None:
        """Take an input in now."""
        self._core.take(taken, self._clock.now())
        self._wake.set()

    def canary(self, term: int, sequence: int) -> None:
        """A beacon was heard; if it is our own, it proves that we could hear."""
        sent_ms = self._beacons.pop(sequence, None) if term == self._core.state.term else None
        if sent_ms is not None:
            self.hear(i.CanaryReturned(sent_mono_ms=sent_ms))

    async def standing(self, ask: Ask) -> Standing:
        """What a recorder may do that was away; answered from durable tables only."""
        await self._durable.wait()
        return answer_to(self._core.state, ask)

    # ------------------------------------------------------------ what clients ask

    async def snapshot(self) -> Snapshot:
        await self._durable.wait()
        return self.publisher.snapshot(self._core, self._clock.now())

    async def request(self, actor: Actor, request: Request) -> Reply:
        """Decide a request; the reply comes when it is durable or refused."""
        token: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._core.take(i.Asked(actor=actor, request=request), self._clock.now(), token)
        self._wake.set()
        return await token

    async def ask(self, actor: Actor, question: Question) -> Answer:
        """Answer a question from durable tables. Changes nothing."""
        missing = missing_right(actor.role, Right.MONITOR)
        if missing is not None:
            return Refused(sentence=missing)
        await self._durable.wait()
        return answer(self._core.state, self._core.seen, question)

    @property
    def protected(self) -> int:
        """How many servers lose their protection if this coordinator ends."""
        return sum(1 for row in self._core.state.recorders.values() if row.records and row.failover_enabled and row.group is not None)


def _settle(token: object, reply: Reply) -> None:
    if isinstance(token, asyncio.Future) and not token.done():
        token.set_result(reply)
