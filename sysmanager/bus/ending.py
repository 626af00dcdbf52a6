"""Ending tasks and giving up calls, also where a library swallows the cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

__all__ = ["Lost", "end_task", "heeding"]

T = TypeVar("T")

AGAIN_S = 0.1
"""How long a call that is cancelled may take before it is cancelled again."""


class Lost(Exception):
    """What the call relied on was lost before it came to an end."""


async def heeding(call: Awaitable[T], lost: asyncio.Future[None] | None = None) -> T:
    """Await a call of a library, and heed a cancellation whatever the library does with it.

    nats-py forgets one that meets it while it writes, and `asyncio.wait_for` on Python 3.11 one that comes together with the answer;
    whoever was told to end would go on for ever. So the call has a task of its own, which is cancelled until it is gone.
    Raises `Lost` as soon as `lost` is done.
    """
    work = asyncio.ensure_future(call)
    try:
        waits: set[asyncio.Future[Any]] = {work} if lost is None else {work, lost}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Lost
    finally:
        while not work.done():
            work.cancel()
            await asyncio.wait({work}, timeout=AGAIN_S)
        failure = None if work.cancelled() else work.exception()  # looked at, so that the loop does not report it
    if failure is not None:
        raise failure
    return work.result()


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel it and wait until it is gone, however it ends. A cancellation of the one who waits is not mistaken for the task's."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
