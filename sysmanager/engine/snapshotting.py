"""When snapshots of the tables are taken: daily, after many facts, and at a clean stop."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from sysmanager.coordinator.state import State
from sysmanager.engine.recovery import Snapshots, take
from sysmanager.engine.snapshot import Position, copied
from sysmanager.journal.port import Journal, JournalError

log = structlog.get_logger(__name__)

DAY_MS = 86_400_000
SOON_MS = 60_000
"""After a start that replayed much, the next one shall not."""

MANY_FACTS = 20_000
"""So many more facts are reason for a snapshot before its day: a start replays them in less than a second."""


STOP_WAIT_S = 2.0


class Snapshotting:
    """The engine's snapshots. at: the record of the last one; 0 if there is none that counts.

    Records that were trusted by this start are looked at again by the daily one, and not at a stop.
    """

    def __init__(self, snapshots: Snapshots | None, journal: Journal) -> None:
        self.snapshots = snapshots
        self._journal = journal
        self.at = 0
        self._verified = False
        self._due_ms = 0

    def begin(self, at: int, last: int, now_ms: int, *, verified: bool) -> None:
        """A start found the tables at record `last`, from the snapshot at record `at`."""
        self.at, self._verified = at, verified
        self._due_ms = now_ms + (SOON_MS if last - at >= MANY_FACTS else DAY_MS)

    def is_due(self, last: int, now_ms: int) -> bool:
        """Whether one is to be taken now, on tables that are those of record `last`."""
        return self.snapshots is not None and last > self.at and (now_ms >= self._due_ms or last - self.at >= MANY_FACTS)

    async def until_settled(self, settled: asyncio.Event) -> None:
        """At a stop: wait for the append that is under way, if a snapshot is to be taken; a disk that hangs is not waited for."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_WAIT_S):
                while self.snapshots is not None and not settled.is_set():
                    await settled.wait()

    async def take(self, state: State, last: int, now_ms: int, *, at_stop: bool = False) -> None:
        """Take one of these tables, which are those of record `last`; they are copied before anything else happens."""
        if self.snapshots is None or last <= self.at:
            return
        tables = copied(state)
        before, self.at, self._due_ms = self.at, last, now_ms + DAY_MS
        try:
            (record,) = await self._journal.read(last - 1, 1)
        except (JournalError, ValueError) as error:
            log.warning("snapshot not taken", why=str(error))
            self.at = before
            return
        position = Position(sequence=last, hash=record.hash, body=record.body)
        verified = self._verified or at_stop
        why = await asyncio.to_thread(take, self._journal, self.snapshots, tables, position, verified=verified)
        if why is not None:
            log.warning("snapshot not taken", why=why)
            self.at = before
        else:
            log.info("snapshot taken", position=last)
