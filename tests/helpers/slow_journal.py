"""A journal whose appends wait at a gate, to look at the world between deciding and durable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sysmanager.journal.memory import MemoryJournal
from sysmanager.journal.port import JournalFailed, StaleAppend


class GatedJournal(MemoryJournal):
    """gate: appends wait while it is cleared. fail_once: the next append that passes fails with this sentence. stale: the next is stale.

    waiting: appends that stand at the gate.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.fail_once: str | None = None
        self.stale = False
        self.waiting = 0

    async def append(self, expected_last: int, bodies: Sequence[bytes]) -> int:
        self.waiting += 1
        try:
            await self.gate.wait()
        finally:
            self.waiting -= 1
        if self.stale:
            raise StaleAppend(expected_last, expected_last + 1)
        if self.fail_once is not None:
            sentence, self.fail_once = self.fail_once, None
            await self.close()
            raise JournalFailed(sentence)
        return await super().append(expected_last, bodies)
