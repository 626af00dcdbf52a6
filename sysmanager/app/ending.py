"""How a service is told to end: SIGTERM or Ctrl-C on Linux, Ctrl-Break or Ctrl-C on Windows; and, for children, the death of the parent."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from types import FrameType

import psutil

PARENT_LOOK_S = 1.0


def end_on_signals() -> asyncio.Event:
    """An event that is set when the process is asked to end. Call on the running loop of the main thread."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(asked.set)

    names = ["SIGINT", "SIGBREAK"] if sys.platform == "win32" else ["SIGINT", "SIGTERM"]
    for name in names:
        signal.signal(getattr(signal, name), ask)
    return asked


async def first_of(asked: asyncio.Event, failure: asyncio.Future[str]) -> None:
    """Wait until the end is asked for, or something failed."""
    failure.add_done_callback(lambda _: asked.set())
    await asked.wait()


async def end_others() -> None:
    """Cancel what is still under way on this loop, and wait until it is gone: as `asyncio.run` does, for loops that are run otherwise."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def end_with_parent(asked: asyncio.Event, parent: int) -> None:
    """Set the event when the process `parent` is gone, so that a killed parent leaves no child behind. Call on the running loop.

    A thread looks once a second: neither system tells a child of its parent's end in a way that both have.
    """
    loop = asyncio.get_running_loop()

    def watch() -> None:
        try:
            process = psutil.Process(parent)
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(PARENT_LOOK_S)
        except psutil.NoSuchProcess:
            pass
        if not loop.is_closed():
            loop.call_soon_threadsafe(asked.set)

    threading.Thread(target=watch, name="parent", daemon=True).start()
