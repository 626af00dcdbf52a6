"""The messages that wait for one subscription: bounded, oldest dropped first, delivered by the loop."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from sysmanager.bus.port import INBOX_LIMIT_MESSAGES

__all__ = ["Inbox"]

log = structlog.get_logger(__name__)

T = TypeVar("T")

DELIVERED_PER_TURN = 256
"""Then the loop's other work has its turn."""


class Inbox(Generic[T]):
    """`put` never blocks and never calls `receive` itself. Up to `at_once` awaitables that `receive` returned run at a time;
    with 1 each message waits for the one before it."""

    def __init__(
        self, subject: str, receive: Callable[[T], Awaitable[None] | None], *, at_once: int = 1, limit: int = INBOX_LIMIT_MESSAGES
    ) -> None:
        self.subject = subject
        self.dropped = 0
        self._receive = receive
        self._at_once = at_once
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[T] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._closed = False

    @property
    def waiting(self) -> int:
        """Messages that `receive` was not given yet."""
        return len(self._waiting)

    def put(self, message: T) -> None:
        if self._closed:
            return
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self.dropped += 1
            if self.dropped.bit_count() == 1:  # the 1st, 2nd, 4th, 8th...: said, without a flood
                log.warning("a slow receiver loses messages", subject=self.subject, dropped=self.dropped)
        self._waiting.append(message)
        self._schedule()

    def close(self) -> None:
        """What waits is forgotten, what runs is cancelled, except the task that is closing."""
        self._closed = True
        self._waiting.clear()
        for task in self._running:
            if task is not asyncio.current_task():
                task.cancel()

    def _schedule(self) -> None:
        if not self._scheduled and self._waiting and len(self._running) < self._at_once:
            self._scheduled = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        for _ in range(DELIVERED_PER_TURN):
            if not self._waiting or len(self._running) >= self._at_once:
                break
            try:
                pending = self._receive(self._waiting.popleft())
            except Exception:  # any fault of the receiver: the messages after this one must still reach it
                log.exception("a receiver failed", subject=self.subject)
                continue
            if pending is not None:
                task = self._loop.create_task(self._finish(pending))
                self._running.add(task)
                task.add_done_callback(self._finished)
        self._schedule()

    async def _finish(self, pending: Awaitable[None]) -> None:
        try:
            await pending
        except Exception:  # as above
            log.exception("a receiver failed", subject=self.subject)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not self._closed:
            self._schedule()
