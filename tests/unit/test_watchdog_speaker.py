"""The Watchdog on the bus: what it repeats, what it says once, and that nothing follows an announced shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.local import LocalBus, LocalEndpoint
from sysmanager.bus.port import Message
from sysmanager.domain.ids import InstanceId
from sysmanager.protocol.recorders import Farewell, Leaving, OrderKey, Refusal, RefusalReason, StandDown, WatchdogBeat
from sysmanager.protocol.values import ServiceState
from sysmanager.recorder import speaker as speaker_module
from sysmanager.recorder.configuration import load_configuration
from sysmanager.recorder.speaker import Speaker
from sysmanager.recorder.supervision import Word
from tests.helpers.recorder_site import Coordinator, recorder_folder

RUNNING = Word(ServiceState.RUNNING)
FAILED = Word(ServiceState.FAILED, 3, "It ended.", True)


class Listening:
    """A coordinator that keeps all that it hears, and answers who leaves."""

    def __init__(self, bus: LocalBus) -> None:
        self.coordinator = Coordinator(bus.endpoint())
        self.heard: list[WatchdogBeat | Leaving] = []

    async def begin(self) -> None:
        await self.coordinator.bus.subscribe(subjects.EVERY_WATCHDOG, self._beat)
        await self.coordinator.bus.serve(subjects.LEAVING, self._leaving)

    def _beat(self, message: Message) -> None:
        self.heard.append(wire.decode(WatchdogBeat, message.body))

    async def _leaving(self, message: Message) -> bytes:
        self.heard.append(wire.decode(Leaving, message.body))
        return wire.encode(Farewell(wait_ms=2_500))


@pytest.fixture
async def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Speaker, Listening, LocalEndpoint]]:
    # So that what is repeated is so at each turn of the loop.
    monkeypatch.setattr(speaker_module, "BEAT_INTERVAL_MS", 0)
    monkeypatch.setattr(speaker_module, "CONNECT_LOOK_S", 0)
    bus = LocalBus()
    listening = Listening(bus)
    await listening.begin()
    endpoint = bus.endpoint()
    configuration = load_configuration(recorder_folder(tmp_path, "REC-1", {}, standby=True))
    speaker = Speaker(configuration, InstanceId("one"), bus=endpoint)
    speaker.begin()
    yield speaker, listening, endpoint
    await speaker.close()
    await endpoint.close()
    await listening.coordinator.bus.close()


async def until(listening: Listening, count: int) -> None:
    async with asyncio.timeout(20):
        while len(listening.heard) < count:  # noqa: ASYNC110 - the bus tells nobody else
            await asyncio.sleep(0)


async def turns() -> None:
    """Long enough for many words, if there were any."""
    for _ in range(200):
        await asyncio.sleep(0)


async def test_a_word_is_repeated_until_the_last_one_which_is_said_once(parts: tuple[Speaker, Listening, LocalEndpoint]) -> None:
    speaker, listening, _ = parts
    speaker.say(FAILED, again=True)
    await until(listening, 3)
    speaker.say(RUNNING, again=False)
    await turns()
    said = [beat.service for beat in listening.heard if isinstance(beat, WatchdogBeat)]
    assert said.count(ServiceState.RUNNING) == 1
    assert said[-1] is ServiceState.RUNNING


async def test_orders_are_refused_while_the_word_says_so(parts: tuple[Speaker, Listening, LocalEndpoint]) -> None:
    speaker, listening, _ = parts
    speaker.say(FAILED, again=True)
    await until(listening, 2)
    answer = await listening.coordinator.order("REC-1", StandDown(key=OrderKey(), epoch=3))  # type: ignore[arg-type]  # any number
    assert isinstance(answer, Refusal)
    assert answer.reason is RefusalReason.SERVICE_DOWN


async def test_nothing_is_said_after_an_announced_shutdown(parts: tuple[Speaker, Listening, LocalEndpoint]) -> None:
    """Any other word would mean that this server stays."""
    speaker, listening, _ = parts
    speaker.say(RUNNING, again=True)
    await until(listening, 2)
    assert await speaker.leave() == 2.5
    speaker.say(FAILED, again=True)
    await turns()
    assert isinstance(listening.heard[-1], Leaving)


async def test_a_shutdown_is_announced_when_the_bus_comes_a_moment_later(parts: tuple[Speaker, Listening, LocalEndpoint]) -> None:
    speaker, listening, endpoint = parts
    endpoint.set_connected(False)
    leaving = asyncio.create_task(speaker.leave())
    await turns()
    endpoint.set_connected(True)
    assert await leaving == 2.5
    assert len(listening.heard) == 1


async def test_without_a_bus_the_end_is_not_held_up(
    parts: tuple[Speaker, Listening, LocalEndpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaker_module, "CONNECT_S", 0.1)
    speaker, listening, endpoint = parts
    endpoint.set_connected(False)
    assert await speaker.leave() == 0.0
    assert listening.heard == []
