"""An asyncio loop whose clock jumps to the next timer whenever nothing is ready: minutes of waiting take no time, in a fixed order.

Only for what runs on one loop. Work in threads or on sockets takes no virtual time, and may be overtaken by it.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from sysmanager.domain.instant import Instant

P = ParamSpec("P")

BEGIN_S = 1_000.0
WALL_MS = 1_760_000_000_000


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time` is virtual; asyncio's own timers, timeouts and sleeps follow it."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual_s = BEGIN_S

    def time(self) -> float:
        return self._virtual_s

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]  # what BaseEventLoop keeps
        if not ready and scheduled:
            self._virtual_s = max(self._virtual_s, scheduled[0].when())
        super()._run_once()  # type: ignore[misc]  # as above


class VirtualClock:
    """Implements `engine.clock.Clock` on the running `VirtualTimeLoop`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> Instant:
        mono_ms = int(self._loop.time() * 1000 + 1e-6)
        return Instant(mono_ms=mono_ms, wall_ms=WALL_MS + mono_ms)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that runs on a `VirtualTimeLoop` of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
