"""How the processes of a recorder are told to end: by the signals of the system."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType


def on_end_signals(end: Callable[[], None]) -> None:
    """Call `end` on the running loop at SIGTERM, Ctrl+C and, on Windows, Ctrl+Break. Main thread only."""
    import asyncio  # not at the top: a Watchdog has none

    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        # The loop of Windows has no signal handlers; those of Python run in the main thread, between two of its steps.
        on_signals(lambda: loop.call_soon_threadsafe(end))
    else:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, end)


def on_signals(end: Callable[[], object]) -> None:
    """Call `end` in the main thread, in the middle of whatever that does, at the same signals. `end` must not wait for a lock."""

    def handle(number: int, frame: FrameType | None) -> None:
        end()

    wanted = [signal.SIGTERM, signal.SIGINT]
    if sys.platform == "win32":
        wanted.append(signal.SIGBREAK)
    for each in wanted:
        signal.signal(each, handle)
