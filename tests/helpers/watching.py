"""A Watchdog in a thread of its own, whose voice is on the bus of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from sysmanager.bus.port import Bus
from sysmanager.recorder.configuration import RecorderConfiguration
from sysmanager.recorder.instance import instance_of
from sysmanager.recorder.speaker import Speaker
from sysmanager.recorder.supervision import Word
from sysmanager.recorder.watchdog import Watchdog

LEAVE_S = 30.0


class LoopVoice:
    """Speaks on the loop on which it was made, and keeps what was said."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._loop = asyncio.get_running_loop()
        self.said: list[tuple[Word, bool]] = []

    def say(self, word: Word, *, again: bool) -> None:
        if self.said[-1:] != [(word, again)]:
            self.said.append((word, again))
            self._loop.call_soon_threadsafe(self._speaker.say, word, again)

    def leave(self) -> float:
        return asyncio.run_coroutine_threadsafe(self._speaker.leave(), self._loop).result(LEAVE_S)

    def close(self) -> None:
        pass


@asynccontextmanager
async def watching(
    configuration: RecorderConfiguration,
    command: Sequence[str],
    bus: Bus,
    *,
    leave: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[tuple[Watchdog, LoopVoice]]:
    """It runs until the block is left. leave: then its service goes on."""
    speaker = Speaker(configuration, instance_of(configuration.data_folder), bus=bus)
    speaker.begin()
    voice = LoopVoice(speaker)
    watchdog = Watchdog(configuration, command, voice=voice, tell=tell)
    run = asyncio.create_task(asyncio.to_thread(watchdog.run))
    try:
        yield watchdog, voice
    finally:
        watchdog.end(leave_service=leave)
        await run
        await speaker.close()
