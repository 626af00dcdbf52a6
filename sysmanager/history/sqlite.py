"""The two histories: one in a file, with threads of its own for writing and for reading, and one in memory for demo and tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import FailoverId, RecorderId
from sysmanager.history.file import HistoryFile
from sysmanager.history.port import Around, Damage, HistoryFailed, NameMatches, Position, Update
from sysmanager.protocol.clients import AuditFound, EntriesFound, FindAudit, FindEntries

__all__ = ["MemoryHistory", "SqliteHistory"]

T = TypeVar("T")


class SqliteHistory:
    """Implements `History` in `path`. A question never waits for writing, nor writing for a question."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing, self._reading = HistoryFile(path), HistoryFile(path)
        self._damaged = False
        self._threads: tuple[ThreadPoolExecutor, ...] | None = None

    async def open(self) -> Position:
        if self._threads is None:
            self._threads = tuple(ThreadPoolExecutor(1, name) for name in ("history", "history-questions", "history-check"))
        if self._damaged:
            await self._read(self._reading.close)
            await self._write(self._writing.set_aside)
            self._damaged = False
        try:
            return await self._write(self._writing.open)
        except Damage:
            return await self.open()

    async def _write(self, work: Callable[[], T]) -> T:
        return await self._run(0, work)

    async def _read(self, work: Callable[[], T]) -> T:
        return await self._run(1, work)

    async def _run(self, thread: int, work: Callable[[], T]) -> T:
        if self._threads is None:
            raise HistoryFailed("The history is not open.")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads[thread], work)
        except Damage:
            self._damaged = True
            raise

    def _opened(self) -> HistoryFile:
        """In the thread for questions: its connection, opened by the first."""
        self._reading.open()
        return self._reading

    async def write(self, updates: Sequence[Update], digest: bytes) -> None:
        await self._write(lambda: self._writing.write(updates, digest))

    async def check(self) -> None:
        """Beside writing and questions: reading a file takes its time."""
        await self._run(2, self._check)

    def _check(self) -> None:
        file = HistoryFile(self._path)
        try:
            file.open()
            file.check()
        finally:
            file.close()

    async def clear(self) -> None:
        await self._write(self._writing.clear)

    async def prune(self, before_wall_ms: int) -> int:
        return await self._write(lambda: self._writing.prune(before_wall_ms))

    async def find(self, question: FindEntries, names: NameMatches) -> EntriesFound:
        return await self._read(lambda: self._opened().find(question, names))

    async def entry(self, failover: FailoverId) -> Failover | None:
        return await self._read(lambda: self._opened().entry(failover))

    async def around(self, home: RecorderId, at_wall_ms: int) -> Around:
        return await self._read(lambda: self._opened().around(home, at_wall_ms))

    async def audit(self, question: FindAudit) -> AuditFound:
        return await self._read(lambda: self._opened().audit(question))

    async def size_bytes(self) -> int:
        return await self._read(self._reading.size_bytes)

    async def close(self) -> None:
        if self._threads is None:
            return
        await self._read(self._reading.close)
        await self._write(self._writing.close)
        await self._run(2, lambda: None)  # a check that nobody waits for any more still holds the file
        for thread in self._threads:
            thread.shutdown(wait=False)
        self._threads = None


class MemoryHistory:
    """Implements `History` in memory and without threads: it takes tenths of a millisecond. It lasts as long as the object."""

    def __init__(self) -> None:
        self._file = HistoryFile(None)

    async def open(self) -> Position:
        return self._file.open()

    async def write(self, updates: Sequence[Update], digest: bytes) -> None:
        self._file.write(updates, digest)

    async def check(self) -> None:
        self._file.check()

    async def clear(self) -> None:
        self._file.clear()

    async def prune(self, before_wall_ms: int) -> int:
        return self._file.prune(before_wall_ms)

    async def find(self, question: FindEntries, names: NameMatches) -> EntriesFound:
        return self._file.find(question, names)

    async def entry(self, failover: FailoverId) -> Failover | None:
        return self._file.entry(failover)

    async def around(self, home: RecorderId, at_wall_ms: int) -> Around:
        return self._file.around(home, at_wall_ms)

    async def audit(self, question: FindAudit) -> AuditFound:
        return self._file.audit(question)

    async def size_bytes(self) -> int:
        return self._file.size_bytes()

    async def close(self) -> None:
        """The database stays: another engine may go on with it."""
