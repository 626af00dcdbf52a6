"""A session with a coordinator elsewhere, over the bus."""

from __future__ import annotations

import asyncio
import getpass
import zlib
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeVar

from sysmanager import wire
from sysmanager.api.client import ClientError
from sysmanager.bus import subjects
from sysmanager.bus.credentials import BusUser, load_credentials
from sysmanager.bus.large import request_large
from sysmanager.bus.port import Bus, BusError, Message
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.protocol.clients import Answer, Call, Changes, Question, Reply, Request, Returned, Snapshot

T = TypeVar("T")

ANSWER_MS = 15_000
CONNECT_MS = 5_000
QUIET_MS = 5_000
"""The coordinator says every 2 s at least where it stands: after so long without a word a client asks."""

ZLIB = b"\x78"
"""How a snapshot begins that was too large to be sent as it is; others begin with the digit of their version."""

SNAPSHOT_LIMIT_BYTES = 512 * 1024 * 1024

WAITING_LIMIT = 1_000
"""Changes that wait for a slow client; beyond that it gets a new snapshot instead."""


class _News:
    """Changes that arrived; None: one may be missing. When too many wait they are forgotten, and one is missing."""

    def __init__(self) -> None:
        self._waiting: deque[Changes | None] = deque()
        self._arrived = asyncio.Event()

    def put(self, changes: Changes | None) -> None:
        if len(self._waiting) >= WAITING_LIMIT:
            self._waiting.clear()
            changes = None
        self._waiting.append(changes)
        self._arrived.set()

    async def next(self) -> Changes | None:
        """The next; None also after a quiet time."""
        try:
            async with asyncio.timeout(QUIET_MS / 1000):
                while not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            return None
        return self._waiting.popleft()


class BusClient:
    """Implements `Client`. `close` also closes the bus connection."""

    def __init__(self, bus: Bus, actor: Actor) -> None:
        self._bus = bus
        self._actor = actor
        self._closed = asyncio.Event()
        self._following: set[_News] = set()
        bus.on_connection(self._wake)

    @property
    def actor(self) -> Actor:
        return self._actor

    async def snapshot(self) -> Snapshot:
        return _decode_snapshot(await self._answer(subjects.SNAPSHOT, b""))

    async def changes(self) -> AsyncIterator[Snapshot | Changes]:
        news = _News()

        def receive(message: Message) -> None:
            try:
                news.put(wire.decode(Changes, message.body))
            except wire.WireError:
                news.put(None)

        self._following.add(news)
        subscription = await self._bus.subscribe(subjects.CHANGES, receive)
        try:
            last = -1
            while not self._closed.is_set():
                changes = await news.next() if last >= 0 else None
                if self._closed.is_set():
                    return
                if changes is not None and changes.sequence == last + 1:
                    last = changes.sequence
                    yield changes
                elif changes is None or not last - WAITING_LIMIT <= changes.sequence <= last:
                    # A hole, a restart of the coordinator, a lost connection, or quiet: what is true now? (What arrived before the
                    # last snapshot, and is in it, is passed over.)
                    try:
                        snapshot = await self.snapshot()
                    except ClientError:
                        if self._closed.is_set():
                            return
                        raise
                    if snapshot.sequence != last or changes is not None:
                        last = snapshot.sequence
                        yield snapshot
        finally:
            self._following.discard(news)
            await subscription.end()

    def _wake(self, _: bool = False) -> None:
        for news in self._following:
            news.put(None)

    async def request(self, request: Request) -> Reply:
        returned = await self._call(request)
        if isinstance(returned, Reply):
            return returned
        raise ClientError("The coordinator answered something else than was asked; use the same version of the program on both sides.")

    async def ask(self, question: Question) -> Answer:
        returned = await self._call(question)
        if isinstance(returned, Answer):
            return returned
        raise ClientError("The coordinator answered something else than was asked; use the same version of the program on both sides.")

    async def _call(self, body: Request | Question) -> Returned:
        kind: Any = Returned
        returned: Returned = await self._exchange(subjects.REQUEST, wire.encode(Call(actor=self._actor, body=body)), kind)
        return returned

    async def _exchange(self, subject: str, body: bytes, kind: type[T]) -> T:
        return _decode(kind, await self._answer(subject, body))

    async def _answer(self, subject: str, body: bytes) -> bytes:
        try:
            return await request_large(self._bus, subject, body, ANSWER_MS)
        except BusError as error:
            raise ClientError(f"The coordinator does not answer; check that it runs and try again. ({error})") from error

    async def close(self) -> None:
        self._closed.set()
        self._wake()
        await self._bus.close()


def _decode_snapshot(body: bytes) -> Snapshot:
    if body.startswith(ZLIB):
        unpacking = zlib.decompressobj()
        try:
            body = unpacking.decompress(body, SNAPSHOT_LIMIT_BYTES)
        except zlib.error as error:
            raise ClientError(f"The coordinator's answer was not understood; use the same version on both sides. ({error})") from error
    return _decode(Snapshot, body)


def _decode(kind: type[T], body: bytes) -> T:
    try:
        return wire.decode(kind, body)
    except wire.WireError as error:
        raise ClientError(f"The coordinator's answer was not understood; use the same version on both sides. ({error})") from error


async def connect(credentials_file: Path, *, name: str | None = None, role: RoleName = RoleName.ADMINISTRATOR) -> BusClient:
    """Open a session with the coordinator that wrote this credentials file.

    name: who asks, for the log; the user of this machine by default. role: what the session may do; the file itself is the permission to
    be Administrator, a lesser role is a choice. Raises ClientError when the file is unusable or nobody answers within 5 s.
    """
    # The library for NATS takes a quarter of a second to import: programs with a coordinator of their own never need it.
    from sysmanager.bus.nats import NatsBus

    try:
        credentials = load_credentials(credentials_file)
        bus = NatsBus(credentials, BusUser.CLIENT, "client")
    except BusError as error:
        raise ClientError(str(error)) from error
    connected = False
    try:
        connected = await bus.open(wait_ms=CONNECT_MS)
    finally:
        if not connected:  # also when who waits is told to end: the bus tries on for ever until it is closed
            await bus.close()
    if not connected:
        raise ClientError(f"Nothing answers at {credentials.url}; check that the coordinator runs there.")
    return BusClient(bus, Actor(name=name or getpass.getuser(), role=role))
