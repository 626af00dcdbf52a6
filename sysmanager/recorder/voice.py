"""The Watchdog's voice: nothing of it is loaded, and no connection made, before there is something to say.

While a recording service runs, its own heartbeats say that the machine is well. What a Watchdog needs to speak itself (asyncio, NATS) is
two thirds of its memory, and most never have a word to say.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Protocol

from sysmanager.domain.ids import InstanceId
from sysmanager.plainlog import plain_log
from sysmanager.recorder.configuration import RecorderConfiguration
from sysmanager.recorder.supervision import Word

if TYPE_CHECKING:
    import asyncio

    from sysmanager.recorder.speaker import Speaker

log = plain_log(__name__)

AGAIN_S = 10.0
"""A voice that failed is not begun anew before so long."""

LEAVE_LIMIT_S = 5.0
CLOSE_LIMIT_S = 5.0


class Voice(Protocol):
    """Says on the bus what it is told to. Not for several threads at once; no call waits for the bus, but `leave` and `close`."""

    def say(self, word: Word, *, again: bool) -> None:
        """again: once a second, until the next word. The same word once more changes nothing."""

    def leave(self) -> float:
        """Announce an orderly shutdown. For how many seconds the coordinator asks to record on."""

    def close(self) -> None:
        """Say no more."""


class BusVoice:
    """Speaks from a thread of its own, which begins with the first word.

    before: called in that thread, before anything is loaded.
    """

    def __init__(
        self,
        configuration: RecorderConfiguration,
        instance: InstanceId,
        *,
        before: Callable[[], object] = lambda: None,
    ) -> None:
        self._configuration = configuration
        self._instance = instance
        self._before = before
        self._lock = threading.Lock()
        self._said: tuple[Word, bool] | None = None
        self._line: _Line | None = None
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._begun_s: float | None = None
        self._closed = False

    def say(self, word: Word, *, again: bool) -> None:
        with self._lock:
            news, self._said, line = self._said != (word, again), (word, again), self._line
        if line is None:
            self._begin()
        elif news:
            line.call(line.speaker.say, word, again)

    def leave(self) -> float:
        until_s = time.monotonic() + LEAVE_LIMIT_S
        self._begin()
        if not self._ready.wait(LEAVE_LIMIT_S):
            return 0.0
        with self._lock:
            line = self._line
        return line.ask(line.speaker.leave, max(0.0, until_s - time.monotonic())) if line is not None else 0.0

    def close(self) -> None:
        with self._lock:
            self._closed, line, thread = True, self._line, self._thread
        if line is not None:
            line.call(line.end)
        if thread is not None:
            thread.join(CLOSE_LIMIT_S)

    def _begin(self) -> None:
        now_s = time.monotonic()
        alive = self._thread is not None and self._thread.is_alive()
        if self._closed or alive or (self._begun_s is not None and now_s - self._begun_s < AGAIN_S):
            return
        self._begun_s = now_s
        self._ready.clear()
        thread = threading.Thread(target=self._run, name="voice", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # a service that leaks threads may have left none; it is to be ended all the same
            log.error("the Watchdog can't speak", recorder=self._configuration.recorder, why=str(error))
            self._ready.set()
        else:
            self._thread = thread

    def _run(self) -> None:
        try:
            self._before()
            import asyncio

            asyncio.run(self._speak())
        except Exception as error:  # whatever it is, the service is supervised all the same
            log.error("the Watchdog can't speak", recorder=self._configuration.recorder, exc_info=error)
        finally:
            self._ready.set()  # whoever waits for it need not any longer

    async def _speak(self) -> None:
        import asyncio

        from sysmanager.recorder.speaker import Speaker

        speaker, ended = Speaker(self._configuration, self._instance), asyncio.Event()
        beating = speaker.begin()
        beating.add_done_callback(lambda done: None if done.cancelled() else ended.set())
        try:
            with self._lock:
                if self._closed:
                    return
                self._line = _Line(asyncio.get_running_loop(), speaker, ended.set)
                if self._said is not None:
                    speaker.say(*self._said)
            self._ready.set()
            await ended.wait()
        finally:
            with self._lock:
                self._line = None
            await speaker.close()
        if not beating.cancelled():
            beating.result()  # an error that nobody thought of; it is logged, and speaking begins anew


class _Line:
    """From the Watchdog's thread to the loop of its speaker."""

    def __init__(self, loop: asyncio.AbstractEventLoop, speaker: Speaker, end: Callable[[], None]) -> None:
        self._loop = loop
        self.speaker = speaker
        self.end = end

    def call(self, deed: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # it is over already
            self._loop.call_soon_threadsafe(deed, *args)

    def ask(self, question: Callable[[], Coroutine[object, object, float]], limit_s: float) -> float:
        """The answer; 0 if there is none in time."""
        import asyncio

        asked = asyncio.run_coroutine_threadsafe(question(), self._loop)
        try:
            return asked.result(limit_s)
        except Exception as error:  # an end must neither hang nor fail because nobody could be told of it
            log.error("the shutdown could not be announced", exc_info=error)
            return 0.0
