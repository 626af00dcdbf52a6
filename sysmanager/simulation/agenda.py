"""Virtual time: what happens when, in an order that the same seed always gives."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any


class Agenda:
    """Events of the future, by virtual millisecond; those of one millisecond in the order in which they were entered."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._heap: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._entered = 0

    def after(self, delay_ms: int, act: Callable[..., object], *args: Any) -> None:
        """Call `act(*args)` so much later; at once in virtual time, but never inside the caller, for 0."""
        self._entered += 1
        heapq.heappush(self._heap, (self.now_ms + delay_ms, self._entered, act, args))

    def run_until(self, end_ms: int) -> None:
        """Let everything happen up to and including this moment."""
        heap = self._heap
        while heap and heap[0][0] <= end_ms:
            when_ms, _, act, args = heapq.heappop(heap)
            self.now_ms = when_ms
            act(*args)
        self.now_ms = end_ms
