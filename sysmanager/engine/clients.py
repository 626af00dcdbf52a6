"""How clients reach an engine: in its own loop, from another loop of the same process, or over the bus."""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import structlog

from sysmanager import wire
from sysmanager.api.client import ClientError
from sysmanager.bus import subjects
from sysmanager.bus.large import serve_large
from sysmanager.bus.port import MAX_BODY_BYTES, Bus, Message, Subscription
from sysmanager.domain.rights import Actor
from sysmanager.engine.engine import Engine, EngineFailed
from sysmanager.protocol.clients import (
    Answer,
    Call,
    Changes,
    Question,
    Refused,
    Reply,
    Request,
    Returned,
    Snapshot,
)

log = structlog.get_logger(__name__)

T = TypeVar("T")

QUEUE_LIMIT = 1000
"""Changes that wait for one client; a client that is slower than that gets a new snapshot instead."""

BRIDGED_LIMIT = 100
"""Of these, how many may be on their way between two threads."""

STILL_MS = 2_000
"""After so long without a change clients elsewhere are told that there was none."""

UNKNOWN = Actor(name="unknown")
"""Who sent what cannot be read."""

GONE = "The coordinator has ended; start the program again."


class _Waiting:
    """Changes that wait for one client. When there are too many, or one is missing, they are forgotten and it needs a snapshot."""

    def __init__(self) -> None:
        self._changes: deque[Changes] = deque()
        self._after: int | None = None
        self.news = asyncio.Event()

    def receive(self, changes: Changes) -> None:
        self._changes.append(changes)
        if len(self._changes) > QUEUE_LIMIT:
            self.needs_snapshot()
        self.news.set()

    def needs_snapshot(self) -> None:
        self._after = None
        self._changes.clear()

    def begin(self, snapshot: Snapshot) -> None:
        self._after = snapshot.sequence

    def next(self) -> Changes | None:
        """The next change without a hole; None if there is none, or if a snapshot is needed first."""
        while self._after is not None and self._changes:
            changes = self._changes.popleft()
            if changes.sequence <= self._after:
                continue
            if changes.sequence == self._after + 1:
                self._after = changes.sequence
                return changes
            self.needs_snapshot()
        return None

    @property
    def complete(self) -> bool:
        """Whether what was given so far, with what waits, is without a hole."""
        return self._after is not None


class LocalClient:
    """A session on the engine's own loop. Implements `api.Client`."""

    def __init__(self, engine: Engine, actor: Actor) -> None:
        self._engine = engine
        self._actor = actor
        self._closed = asyncio.Event()

    @property
    def actor(self) -> Actor:
        return self._actor

    @property
    def engine(self) -> Engine:
        """Whose session this is."""
        return self._engine

    async def snapshot(self) -> Snapshot:
        with _as_client_error():
            return await self._engine.snapshot()

    async def changes(self) -> AsyncIterator[Snapshot | Changes]:
        waiting = _Waiting()
        end = self._engine.publisher.subscribe(waiting.receive)
        endings = {asyncio.ensure_future(event.wait()) for event in (self._closed, self._engine.ended)}
        try:
            while not self._closed.is_set():
                if not waiting.complete:
                    snapshot = await self.snapshot()
                    waiting.begin(snapshot)
                    yield snapshot
                    continue
                changes = waiting.next()
                if changes is not None:
                    yield changes
                elif waiting.complete:
                    if self._engine.ended.is_set():
                        await self.snapshot()  # which says why
                    waiting.news.clear()
                    heard = asyncio.ensure_future(waiting.news.wait())
                    try:
                        await asyncio.wait({heard, *endings}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        heard.cancel()
        finally:
            for ending in endings:
                ending.cancel()
            end()

    async def request(self, request: Request) -> Reply:
        with _as_client_error():
            return await self._engine.request(self._actor, request)

    async def ask(self, question: Question) -> Answer:
        with _as_client_error():
            return await self._engine.ask(self._actor, question)

    async def close(self) -> None:
        self._closed.set()


@contextmanager
def _as_client_error() -> Iterator[None]:
    try:
        yield
    except EngineFailed as error:
        raise ClientError(str(error)) from error


class BridgedClient:
    """A session whose engine runs on the loop of another thread; every call is made there. Implements `api.Client`."""

    def __init__(self, client: LocalClient, engine_loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = engine_loop
        self._closed = False

    @property
    def actor(self) -> Actor:
        return self._client.actor

    def _begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start something on the engine's loop. Raises ClientError when that has ended."""
        try:
            if self._loop.is_running():
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # closed between the question and the call
            pass
        work.close()
        raise ClientError(GONE)

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        begun = self._begin(work)
        here = asyncio.wrap_future(begun)
        try:
            return await here
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ClientError(GONE) from None

    async def snapshot(self) -> Snapshot:
        return await self._there(self._client.snapshot())

    async def changes(self) -> AsyncIterator[Snapshot | Changes]:
        here = asyncio.get_running_loop()
        waiting: asyncio.Queue[Snapshot | Changes | None] = asyncio.Queue()

        def pass_on(item: Snapshot | Changes | None) -> None:
            try:
                here.call_soon_threadsafe(waiting.put_nowait, item)
            except RuntimeError:  # this loop is closed: nobody waits any more
                return

        async def pump(room: asyncio.Semaphore) -> None:
            try:
                async for item in self._client.changes():
                    # What the other loop does not take yet waits in the session, which has a limit and what to do beyond it.
                    await room.acquire()
                    pass_on(item)
            finally:
                pass_on(None)

        room = asyncio.Semaphore(BRIDGED_LIMIT)
        pumping = self._begin(pump(room))
        try:
            while (item := await waiting.get()) is not None:
                yield item
                with suppress(RuntimeError):  # the engine's loop is closed: the end comes next
                    self._loop.call_soon_threadsafe(room.release)
            if not self._closed:
                await self._there(self._client.snapshot())  # which says why it ended
                raise ClientError(GONE)
        finally:
            pumping.cancel()

    async def request(self, request: Request) -> Reply:
        return await self._there(self._client.request(request))

    async def ask(self, question: Question) -> Answer:
        return await self._there(self._client.ask(question))

    async def close(self) -> None:
        self._closed = True
        with suppress(ClientError):  # an engine that is gone has closed it
            await self._there(self._client.close())


class ClientService:
    """Serves clients over the bus: requests, questions, snapshots, changes."""

    def __init__(self, engine: Engine, bus: Bus) -> None:
        self._engine = engine
        self._bus = bus
        self._subscriptions: list[Subscription] = []
        self._outgoing: asyncio.Queue[Changes] = asyncio.Queue(QUEUE_LIMIT)
        self._end: Callable[[], None] = lambda: None
        self._pump: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._subscriptions = [
            await serve_large(self._bus, subjects.REQUEST, self._call),
            await serve_large(self._bus, subjects.SNAPSHOT, self._snapshot),
        ]
        self._end = self._engine.publisher.subscribe(self._take)
        self._pump = asyncio.create_task(self._publish())

    def _take(self, changes: Changes) -> None:
        # Beyond the limit changes are dropped: clients see the hole in the numbers and ask for a snapshot.
        with suppress(asyncio.QueueFull):
            self._outgoing.put_nowait(changes)

    async def close(self) -> None:
        self._end()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        for subscription in self._subscriptions:
            await subscription.end()

    async def _publish(self) -> None:
        while True:
            try:
                async with asyncio.timeout(STILL_MS / 1000):
                    changes = await self._outgoing.get()
            except TimeoutError:
                # Says that nothing changed, so that clients need not ask for everything to know.
                changes = Changes(sequence=self._engine.publisher.sequence)
            body = wire.encode(changes)
            if len(body) > MAX_BODY_BYTES:
                # Clients see the hole in the numbers and ask for a snapshot, which may be large.
                continue
            await self._bus.publish(subjects.CHANGES, body)

    async def _snapshot(self, _: Message) -> bytes:
        try:
            body = wire.encode(await self._engine.snapshot())
        except EngineFailed:
            return await _no_answer()
        # Rows are alike: a large site fits a transfer only so, and the transfer is what would take the loop's time.
        return body if len(body) <= MAX_BODY_BYTES else await asyncio.to_thread(zlib.compress, body, 1)

    async def _call(self, message: Message) -> bytes:
        try:
            call: Call = wire.decode(Call, message.body)
        except wire.WireError as error:
            self._engine.turned_away(UNKNOWN, "", str(error))
            return wire.encode(Refused(sentence=str(error)))
        returned: Returned
        try:
            if isinstance(call.body, Question):
                returned = await self._engine.ask(call.actor, call.body)
            else:
                returned = await self._engine.request(call.actor, call.body)
        except EngineFailed:
            return await _no_answer()
        return wire.encode(returned)


async def _no_answer() -> bytes:
    """The engine has ended and nobody knows whether the request was carried out: the asker hears nothing, and the bus is about to close."""
    never: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    return await never
