"""What all sessions read is worked on together, a few times a second: by one thread, and each disk is woken once for it.

A camera gives a frame every 40 to 100 ms. Python that runs so seldom finds nothing of itself in the processor's caches and takes several
times as long as Python that goes on; and so does a disk's thread that is woken for each frame. So the threads of the sessions read, and
nothing else; the rest is done for all cameras one after another.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final, Protocol

import structlog

log = structlog.get_logger(__name__)

GATHER_S: Final = 0.09
"""So much a killed process may lose: a frame or two. 38 ms cost a tenth more at 8 cameras; longer than this saves little."""


class Source(Protocol):
    """A session that has read something."""

    def take_in(self) -> None:
        """Work on what was read. From any thread; waits for no disk and no camera."""


class Disks(Protocol):
    """Where it goes (`DiskSet`)."""

    def hold(self) -> None:
        """Much will be written now; disks need not be woken before `hand_over`."""

    def hand_over(self) -> None: ...


class Intake:
    """The thread. `start` once; `want` from any thread; `stop` leaves what was not taken in to the sessions, which do it as they end."""

    def __init__(self, disks: Disks) -> None:
        self._disks = disks
        self._waiting: deque[Source] = deque()
        self._idle = True
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        self._ending = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def want(self, source: Source) -> None:
        """Have it take in: at once after a pause, else with all others."""
        self._waiting.append(source)
        if self._idle:
            self._wake.set()

    # -- in the thread

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait()
            self._wake.clear()
            self._idle = False
            while self._waiting and not self._ending:
                self._take_in_all()
                time.sleep(GATHER_S)
            self._idle = True
            if self._waiting:  # it came between the two
                self._wake.set()

    def _take_in_all(self) -> None:
        self._disks.hold()
        for _ in range(len(self._waiting)):
            source = self._waiting.popleft()
            try:
                source.take_in()
            except Exception as error:
                log.error("a session's frames could not be taken in", exc_info=error)
        self._disks.hand_over()
