"""How a service is told to end: SIGTERM or Ctrl-C on Linux, Ctrl-Break or Ctrl-C on Windows; and, for children, the death of the parent."""

from __future__ import annotations

import asyncio
import signal
import sys
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


async def end_with_parent(asked: asyncio.Event, parent: int) -> None:
    """Set the event when the process `parent` is gone, so that a killed parent leaves no child behind."""
    try:
        process = psutil.Process(parent)
    except psutil.NoSuchProcess:
        asked.set()
        return
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        await asyncio.sleep(PARENT_LOOK_S)
    asked.set()
