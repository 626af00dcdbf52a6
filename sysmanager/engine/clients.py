"""How clients reach an engine: in its own loop, from another loop of the same process, or over the bus."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import CancelledError as FutureCancelled
from typing import Any, TypeVar

import structlog

from sysmanager import wire
from sysmanager.api.client import ClientError
from sysmanager.bus import subjects
from sysmanager.bus.large import serve_large
from sysmanager.bus.port import MAX_BODY_BYTES, Bus, Message, Subscription
from sysmanager.domain.rights import Actor
from sysmanager.engine.engine import Engine
from sysmanager.protocol.clients import (
    Answer,
    Call,
    Changes,
    PreviewFailback,
    PreviewFailover,
    Question,
    Refused,
    Reply,
    Request,
    Returned,
    Snapshot,
    WhoRecords,
)

log = structlog.get_logger(__name__)

T = TypeVar("T")

QUEUE_LIMIT = 1000
"""Changes that wait for one client; a client that is slower than that gets a new snapshot instead."""


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
        return await self._engine.snapshot()

    async def changes(self) -> AsyncIterator[Snapshot | Changes]:
        waiting: deque[Changes] = deque()
        news = asyncio.Event()

        def receive(changes: Changes) -> None:
            waiting.append(changes)
            news.set()

        end = self._engine.publisher.subscribe(receive)
        closed = asyncio.ensure_future(self._closed.wait())
        try:
            snapshot = await self._engine.snapshot()
            yield snapshot
            while not self._closed.is_set():
                while waiting:
                    if len(waiting) > QUEUE_LIMIT:
                        waiting.clear()
                        snapshot = await self._engine.snapshot()
                        yield snapshot
                        continue
                    changes = waiting.popleft()
                    if changes.sequence > snapshot.sequence:
                        yield changes
                news.clear()
                heard = asyncio.ensure_future(news.wait())
                await asyncio.wait({heard, closed}, return_when=asyncio.FIRST_COMPLETED)
                heard.cancel()
        finally:
            closed.cancel()
            end()

    async def request(self, request: Request) -> Reply:
        return await self._engine.request(self._actor, request)

    async def ask(self, question: Question) -> Answer:
        return await self._engine.ask(self._actor, question)

    async def close(self) -> None:
        self._closed.set()


class BridgedClient:
    """A session whose engine runs on the loop of another thread; every call is made there. Implements `api.Client`."""

    def __init__(self, client: LocalClient, engine_loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = engine_loop

    @property
    def actor(self) -> Actor:
        return self._client.actor

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed() or not self._loop.is_running():
            work.close()
            raise ClientError("The coordinator has ended; start the program again.")
        try:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
        except FutureCancelled:
            raise ClientError("The coordinator is ending; start the program again.") from None

    async def snapshot(self) -> Snapshot:
        return await self._there(self._client.snapshot())

    async def changes(self) -> AsyncIterator[Snapshot | Changes]:
        here = asyncio.get_running_loop()
        waiting: asyncio.Queue[Snapshot | Changes | None] = asyncio.Queue()

        def pass_on(item: Snapshot | Changes | None) -> None:
            if not here.is_closed():
                here.call_soon_threadsafe(waiting.put_nowait, item)

        async def pump() -> None:
            try:
                async for item in self._client.changes():
                    pass_on(item)
            finally:
                pass_on(None)

        pumping = asyncio.run_coroutine_threadsafe(pump(), self._loop)
        try:
            while (item := await waiting.get()) is not None:
                yield item
        finally:
            pumping.cancel()

    async def request(self, request: Request) -> Reply:
        return await self._there(self._client.request(request))

    async def ask(self, question: Question) -> Answer:
        return await self._there(self._client.ask(question))

    async def close(self) -> None:
        if self._loop.is_running():
            await self._there(self._client.close())


class ClientService:
    """Serves clients over the bus: requests, questions, snapshots, changes."""

    def __init__(self, engine: Engine, bus: Bus) -> None:
        self._engine = engine
        self._bus = bus
        self._subscriptions: list[Subscription] = []
        self._publishing: set[asyncio.Task[None]] = set()
        self._outgoing: asyncio.Queue[Changes] = asyncio.Queue()

    async def open(self) -> None:
        self._subscriptions = [
            await serve_large(self._bus, subjects.REQUEST, self._call),
            await serve_large(self._bus, subjects.SNAPSHOT, self._snapshot),
        ]
        self._end = self._engine.publisher.subscribe(self._outgoing.put_nowait)
        self._pump = asyncio.create_task(self._publish())

    async def close(self) -> None:
        self._end()
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        for subscription in self._subscriptions:
            await subscription.end()

    async def _publish(self) -> None:
        while True:
            changes = await self._outgoing.get()
            body = wire.encode(changes)
            if len(body) > MAX_BODY_BYTES:
                # Clients see the hole in the numbers and ask for a snapshot, which may be large.
                continue
            await self._bus.publish(subjects.CHANGES, body)

    async def _snapshot(self, _: Message) -> bytes:
        return wire.encode(await self._engine.snapshot())

    async def _call(self, message: Message) -> bytes:
        try:
            call: Call = wire.decode(Call, message.body)
        except wire.WireError as error:
            return wire.encode(Refused(sentence=str(error)))
        returned: Returned
        if isinstance(call.body, PreviewFailover | PreviewFailback | WhoRecords):
            returned = await self._engine.ask(call.actor, call.body)
        else:
            returned = await self._engine.request(call.actor, call.body)
        return wire.encode(returned)
