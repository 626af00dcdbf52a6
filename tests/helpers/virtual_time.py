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
END_S = BEGIN_S + 1_800.0
"""No test lets more than half an hour pass: then it waits for something that does not come."""

WALL_MS = 1_760_000_000_000


MAIN = "the test"


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
            if self._virtual_s > END_S:
                stuck = [task for task in asyncio.all_tasks(self) if task.get_name() == MAIN]
                raise RuntimeError(f"half an hour of virtual time is over, and still waiting: {stuck}")
        super()._run_once()  # type: ignore[misc]  # as above


class VirtualClock:
    """Implements `engine.clock.Clock` on the running `VirtualTimeLoop`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> Instant:
        mono_ms = int(self._loop.time() * 1000 + 1e-6)
        return Instant(mono_ms=mono_ms, wall_ms=WALL_MS + mono_ms)


async def _named(test: Coroutine[Any, Any, None]) -> None:
    task = asyncio.current_task()
    assert task is not None, "inside a coroutine"
    task.set_name(MAIN)
    await test


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that runs on a `VirtualTimeLoop` of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(_named(test(*args, **kwargs)))

    return run
