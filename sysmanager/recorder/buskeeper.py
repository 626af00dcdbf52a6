"""A recorder's connection to the bus, made as soon as there is something to connect with, and never a reason not to record."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from sysmanager.bus.credentials import BusCredentials, BusUser, CredentialsUnusable, load_credentials
from sysmanager.bus.nats import NatsBus
from sysmanager.bus.port import Bus, NoAnswer, NoAnswerKind

log = structlog.get_logger(__name__)

LOOK_AGAIN_S = 2.0
CHANGED_LOOK_S = 10.0
"""While there is no connection, how often the credentials are read again: the coordinator may have been set up anew."""

CONNECT_MS = 500
"""How long who waits for a bus waits for its first connection too."""

Attach = Callable[[Bus], Awaitable[None]]
"""Makes all subscriptions on a new bus."""


class BusKeeper:
    """Keeps `bus` made from the credentials file; the connection itself is kept by `NatsBus`.

    tell: gets, once, what a person has to mend before there can be a bus.
    """

    def __init__(self, credentials: Path, name: str, attach: Attach, tell: Callable[[str], None] = lambda _: None) -> None:
        self._path = credentials
        self._name = name
        self._attach = attach
        self._bus: NatsBus | None = None
        self._made = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._said = ""
        self._tell = tell

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._bus is not None:
            await self._bus.close()

    @property
    def bus(self) -> Bus | None:
        return self._bus

    async def wait(self, limit_s: float) -> None:
        """Until there is a bus, or for so long: at a start it is there a moment later."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._made.wait()

    async def _keep(self) -> None:
        used: BusCredentials | None = None
        while True:
            if self._bus is None or not self._bus.connected:
                found = await self._load()
                if found is not None and found != used:
                    used = found
                    await self._make(found)
                elif self._bus is not None and self._bus.refused:
                    self._say(f"The coordinator refuses the bus credentials {self._path}; replace them by those of this site.")
            await asyncio.sleep(CHANGED_LOOK_S if used is not None else LOOK_AGAIN_S)

    async def _load(self) -> BusCredentials | None:
        try:
            return await asyncio.to_thread(load_credentials, self._path)
        except CredentialsUnusable as error:
            self._say(str(error))
            return None

    def _say(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            log.warning("no bus yet; it is tried again", why=sentence)
            self._tell(sentence)

    async def _make(self, credentials: BusCredentials) -> None:
        earlier, self._bus = self._bus, None
        if earlier is not None:
            await earlier.close()
        try:
            bus = NatsBus(credentials, BusUser.RECORDER, self._name)
        except CredentialsUnusable as error:
            self._say(str(error))
            return
        try:
            await bus.open()
            await self._attach(bus)
        except BaseException:
            await bus.close()  # nobody else knows it yet, and it would try on for ever
            raise
        self._bus = bus
        await bus.open(wait_ms=CONNECT_MS)
        self._made.set()


def connected_bus(bus: Bus | None, subject: str, timeout_ms: int) -> Bus:
    """The bus. Raises NoAnswer when there is none yet."""
    if bus is None:
        raise NoAnswer(NoAnswerKind.DISCONNECTED, subject, timeout_ms)
    return bus
