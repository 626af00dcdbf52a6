"""Looking at a camera's pictures for motion: decoding the few that are needed, small and grey, in threads of their own (SPEC 16).

What cannot be looked at counts as motion: evidence first. So a stream that no decoder understands is recorded all the time, and a machine
that is too slow to look records more and not less.
"""

from __future__ import annotations

import queue
import threading
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from sysmanager.domain.documents import MotionMask
from sysmanager.recorder.door import Door, Guest
from sysmanager.recorder.reconnect import Problem
from sysmanager.recorder.segments import Frame, StreamKind

if TYPE_CHECKING:
    from sysmanager.recorder.motion_sight import Sight

log = structlog.get_logger(__name__)

THREADS: Final = 2
"""One busy decoder leaves the others a way; more would take the processor from what is recorded."""

STOP_LIMIT_S: Final = 1.0

Tell = Callable[[int, bool, str], None]
"""Told of each picture that was to be looked at: capture time in µs, whether something moved, and why it could not be looked at."""


class CannotSee(Exception):
    """A picture could not be decoded. One short sentence, without secrets."""


class Look(msgspec.Struct, frozen=True, gc=False):
    """One frame for an eye. judge: whether its picture is looked at, and not only decoded for those that follow."""

    frame: Frame
    kind: StreamKind
    judge: bool


class Eye:
    """One camera as it is looked at. Of one thread, but for `forget`.

    every_frame: all frames are decoded, so that any of them can be looked at; else key frames only, each by itself.
    """

    def __init__(self, camera: Guest, mask: MotionMask, tell: Tell, *, every_frame: bool) -> None:
        self.camera = camera
        self.tell = tell
        self.every_frame = every_frame
        self._mask = mask
        self._sight: Sight | None = None
        self._anew = False

    def forget(self) -> None:
        """What is usual is learnt anew: the camera was not looked at for a while."""
        self._anew = True

    def see(self, look: Look) -> bool:
        """Whether something moves in this picture. Raises CannotSee."""
        if self._sight is None:
            # Here and not at the top: it brings numpy, 10 MB that most recorders need for no camera.
            from sysmanager.recorder.motion_sight import Sight

            self._sight = Sight(self._mask, every_frame=self.every_frame)
        if self._anew:
            self._anew = False
            self._sight.forget()
        return self._sight.see(look)


class MotionWatch:
    """The threads that look. Any thread may call; threads are there from the first look on. Each eye is of one of them."""

    def __init__(self, door: Door, threads: int = THREADS) -> None:
        self._door = door
        self._lock = threading.Lock()
        self._queues: list[queue.SimpleQueue[tuple[Eye, Look] | None]] = [queue.SimpleQueue() for _ in range(threads)]
        self._threads: list[threading.Thread] = []

    def look(self, eye: Eye, look: Look) -> None:
        """Have a frame looked at; `eye.tell` says what came of it, from another thread."""
        if not self._threads:
            self._start()
        self._queues[zlib.crc32(eye.camera.id.encode()) % len(self._queues)].put((eye, look))

    def stop(self) -> None:
        """What waits is not looked at any more."""
        with self._lock:
            threads, self._threads = self._threads, []
        for line in self._queues if threads else ():
            line.put(None)
        for thread in threads:
            thread.join(STOP_LIMIT_S)

    def _start(self) -> None:
        with self._lock:
            if not self._threads:
                self._threads = [
                    threading.Thread(target=self._run, args=(line,), name=f"motion {number}", daemon=True)
                    for number, line in enumerate(self._queues)
                ]
                for thread in self._threads:
                    thread.start()

    def _run(self, line: queue.SimpleQueue[tuple[Eye, Look] | None]) -> None:
        while (found := line.get()) is not None:
            eye, look = found
            moved, why = self._see(eye, look)
            if look.judge or why:
                try:
                    eye.tell(look.frame.pts_us, moved, why)
                except Exception as error:  # of one camera only: the thread looks for others, too
                    log.error("what was seen of a camera could not be told", camera=eye.camera.id, exc_info=error)

    def _see(self, eye: Eye, look: Look) -> tuple[bool, str]:
        visit = self._door.decode(eye.camera)
        if isinstance(visit, Problem):
            return True, visit.sentence
        try:
            return eye.see(look), ""
        except CannotSee as error:
            return True, str(error)
        except Exception as error:
            log.warning("a picture could not be looked at", camera=eye.camera.id, exc_info=error)
            return True, type(error).__name__
        finally:
            visit.leave()
