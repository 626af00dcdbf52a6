"""A Watchdog's side of the bus: its heartbeat, refusals in the name of a service that cannot start, the announced shutdown (SPEC 4, 6)."""

from __future__ import annotations

import asyncio
import contextlib
import time

import structlog

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.port import Bus, BusError, Message, Subscription
from sysmanager.domain.ids import InstanceId
from sysmanager.protocol.recorders import BEAT_INTERVAL_MS, Farewell, Leaving, Refusal, RefusalReason, WatchdogBeat
from sysmanager.recorder.buskeeper import BusKeeper
from sysmanager.recorder.configuration import RecorderConfiguration
from sysmanager.recorder.supervision import Word

log = structlog.get_logger(__name__)

CONNECT_S = 1.5
"""How long a server that is shut down waits for a bus to say so."""

CONNECT_LOOK_S = 0.05

ANNOUNCE_MS = 1_000
"""How long an orderly end waits for the coordinator's word."""


class Speaker:
    """Says what it is told to, on one loop. `bus`: a connection that is there already; else it is made from the credentials."""

    def __init__(self, configuration: RecorderConfiguration, instance: InstanceId, *, bus: Bus | None = None) -> None:
        self._id = configuration.recorder
        self._instance = instance
        self._given_bus = bus
        self._keeper = BusKeeper(configuration.bus_credentials, f"watchdog {configuration.id}", self._attach)
        self._word: Word | None = None
        self._again = False
        self._news = asyncio.Event()
        self._beating: asyncio.Task[None] | None = None
        self._refusing: Subscription | None = None

    def begin(self) -> asyncio.Task[None]:
        """On the running loop. What speaks; it ends by an error only."""
        if self._given_bus is None:
            self._keeper.start()
        self._beating = asyncio.create_task(self._beat_for_ever())
        return self._beating

    async def close(self) -> None:
        await self._be_silent()
        await self._keeper.close()

    async def _be_silent(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)

    def say(self, word: Word, again: bool) -> None:
        """At once. again: and once a second, until the next word."""
        self._word, self._again = word, again
        self._news.set()

    async def leave(self) -> float:
        """Announce an orderly shutdown. For how many seconds the coordinator asks to record on; 0 if nobody answers.

        Nothing is said after it: any other word means that this server stays.
        """
        await self._be_silent()
        bus = await self._connected_bus()
        if bus is None:
            return 0.0
        leaving = Leaving(recorder=self._id, instance=self._instance, wall_ms=time.time_ns() // 1_000_000)
        try:
            answer: Farewell = wire.decode(Farewell, await bus.request(subjects.LEAVING, wire.encode(leaving), ANNOUNCE_MS))
        except (BusError, wire.WireError) as error:
            log.info("nobody heard that this server is shut down", recorder=self._id, why=str(error))
            return 0.0
        log.info("shutdown announced", recorder=self._id, answer=answer.sentence, wait_ms=answer.wait_ms)
        return answer.wait_ms / 1000

    @property
    def _bus(self) -> Bus | None:
        return self._given_bus if self._given_bus is not None else self._keeper.bus

    async def _connected_bus(self) -> Bus | None:
        """As a rule there was none until now."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_S):
                while True:
                    bus = self._bus
                    if bus is not None and bus.connected:
                        return bus
                    await asyncio.sleep(CONNECT_LOOK_S)
        return None

    async def _some_bus(self) -> Bus | None:
        """As soon as there is one, so that the first word does not wait for the second second; None if there is none in that time."""
        if self._bus is None:
            await self._keeper.wait(BEAT_INTERVAL_MS / 1000)
        return self._bus

    async def _attach(self, bus: Bus) -> None:
        """A new bus knows nothing of what was served on the last one, nor of the word before it."""
        self._refusing = None
        self._news.set()

    async def _beat_for_ever(self) -> None:
        while True:
            self._news.clear()
            bus, word = await self._some_bus(), self._word
            if bus is not None and word is not None:
                try:
                    await self._beat(bus, word)
                    await self._refuse_or_not(bus, wanted=word.refuses)
                except BusError as error:
                    log.warning("message not sent", why=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_INTERVAL_MS / 1000 if self._again else None):
                    await self._news.wait()

    async def _beat(self, bus: Bus, word: Word) -> None:
        beat = WatchdogBeat(
            recorder=self._id,
            instance=self._instance,
            wall_ms=time.time_ns() // 1_000_000,
            service=word.service,
            failed_starts=word.failed_starts,
            sentence=word.sentence,
            mono_ms=time.monotonic_ns() // 1_000_000,
        )
        await bus.publish(subjects.watchdog(self._id), wire.encode(beat))

    async def _refuse_or_not(self, bus: Bus, *, wanted: bool) -> None:
        """Orders to a service that cannot start get their refusal at once, so that the next candidate is tried at once."""
        if wanted and self._refusing is None:
            self._refusing = await bus.serve(subjects.order(self._id), self._refuse)
        elif not wanted and self._refusing is not None:
            refusing, self._refusing = self._refusing, None
            await refusing.end()

    async def _refuse(self, message: Message) -> bytes:
        why = self._word.sentence if self._word is not None else ""
        return wire.encode(Refusal(reason=RefusalReason.SERVICE_DOWN, sentence=f"The recording service can't be started: {why}"))
