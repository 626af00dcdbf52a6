"""How the processes of a recorder are told to end: by the signals of the system."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from types import FrameType


def on_end_signals(end: Callable[[], None]) -> None:
    """Call `end` on the running loop at SIGTERM, Ctrl+C and, on Windows, Ctrl+Break. Main thread only."""
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        # The loop of Windows has no signal handlers; those of Python run in the main thread, between two of its steps.
        def handle(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(end)

        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGBREAK):
            signal.signal(each, handle)
    else:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, end)
