"""The journal in an SQLite file: write-ahead log, synced at every commit, owned by one thread of its own."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from sysmanager.journal.file import JournalFile
from sysmanager.journal.pages import file_pages
from sysmanager.journal.port import (
    MAX_APPEND_RECORDS,
    READ_LIMIT_RECORDS,
    JournalError,
    JournalFailed,
    Opened,
    Record,
    Trusted,
    check_bodies,
)

__all__ = ["SqliteJournal"]

T = TypeVar("T")

MAX_WAITING_CALLS = 1024
HEAD_SYNC_MS = 1000
"""How long the head file may stay unsynced; see `journal.head` for why it may."""


class _Call:
    """One call on its way to the thread. `settle` may be used from any thread; a caller that went away is no matter."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[object] = self._loop.create_future()

    def settle(self, outcome: object) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settle, outcome)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    def _settle(self, outcome: object) -> None:
        if self.future.done():
            return
        if isinstance(outcome, JournalError):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class _Open(_Call):
    def __init__(self, trusted: Trusted | None) -> None:
        super().__init__()
        self.trusted = trusted


class _Close(_Call):
    pass


class _Read(_Call):
    def __init__(self, after: int, limit: int) -> None:
        super().__init__()
        self.after = after
        self.limit = limit


class _Append(_Call):
    def __init__(self, expected_last: int, bodies: Sequence[bytes]) -> None:
        super().__init__()
        self.expected_last = expected_last
        self.bodies = tuple(bodies)


class SqliteJournal:
    """Implements `Journal` in `path`, with its head file beside it (same name, suffix `.head`).

    The folder must belong to this process alone: see `DataFolderLock`. `sync_delay_ms` is added to every transaction, to
    measure what a slow disk does.
    """

    def __init__(self, path: Path, sync_delay_ms: int = 0) -> None:
        self._file = JournalFile(path, sync_delay_ms)
        self._calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(MAX_WAITING_CALLS)
        self._thread: threading.Thread | None = None
        self._failed: JournalFailed | None = None

    @property
    def last(self) -> int:
        return self._file.last

    async def open(self, trusted: Trusted | None = None) -> Opened:
        if self._thread is not None:
            if self._failed is None:
                raise JournalFailed(f"The journal {self._file.path} is open already.")
            await self.close()
        self._failed = None
        self._calls = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="journal", daemon=True)
        self._thread.start()
        call = _Open(trusted)
        try:
            opened = await self._submit(call)
        except JournalError:
            await self.close()
            raise
        assert isinstance(opened, Opened)
        return opened

    async def read(self, after: int = 0, limit: int = READ_LIMIT_RECORDS) -> list[Record]:
        records = await self._submit(_Read(after, min(limit, READ_LIMIT_RECORDS)))
        assert isinstance(records, list)
        return records

    def pages(self, last: int) -> Iterator[list[Record]]:
        return file_pages(self._file.path, last)

    async def append(self, expected_last: int, bodies: Sequence[bytes]) -> int:
        check_bodies(bodies)
        last = await self._submit(_Append(expected_last, bodies))
        assert isinstance(last, int)
        return last

    async def close(self) -> None:
        """Await it before the next `open`."""
        if self._thread is None:
            return
        thread, self._thread = self._thread, None
        call = _Close()
        self._calls.put(call)
        await call.future
        await asyncio.get_running_loop().run_in_executor(None, thread.join)

    async def _submit(self, call: _Call) -> object:
        async with self._room:
            if self._thread is None:
                raise JournalFailed(f"The journal {self._file.path} is not open.")
            self._calls.put(call)
            return await call.future

    def _serve(self) -> None:
        """The thread. It ends with `_Close`; until then every call gets an answer."""
        waiting: _Call | None = None
        head_synced_at = time.monotonic()
        while True:
            if self._file.head_unsynced and time.monotonic() - head_synced_at > HEAD_SYNC_MS / 1000:
                head_synced_at = time.monotonic()
                self._guarded(self._file.sync_head)
            if waiting is None:
                try:
                    waiting = self._calls.get(timeout=HEAD_SYNC_MS / 1000 if self._file.head_unsynced else None)
                except queue.Empty:
                    continue
            call, waiting = waiting, None
            if isinstance(call, _Append):
                batch, waiting = self._join(call)
                self._append(batch)
            elif isinstance(call, _Read):
                call.settle(self._guarded(partial(self._file.read, call.after, call.limit)))
            elif isinstance(call, _Open):
                call.settle(self._guarded(partial(self._file.open, call.trusted)))
            else:
                self._file.close()
                call.settle(None)
                return

    def _join(self, first: _Append) -> tuple[list[_Append], _Call | None]:
        """`first` and the appends that already wait behind it; then the call that was taken from the queue but is none."""
        batch, records = [first], len(first.bodies)
        while True:
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                return batch, None
            if not isinstance(call, _Append) or records + len(call.bodies) > MAX_APPEND_RECORDS:
                return batch, call
            batch.append(call)
            records += len(call.bodies)

    def _guarded(self, work: Callable[[], T]) -> T | JournalError:
        """After a failure the file is closed and stays so: whether the last transaction is there, only opening it tells."""
        if self._failed is not None:
            return JournalFailed(str(self._failed))
        try:
            return work()
        except JournalError as error:
            self._failed = JournalFailed(str(error))
            self._file.close()
            return error

    def _append(self, batch: list[_Append]) -> None:
        outcomes = self._guarded(lambda: self._file.append([(call.expected_last, call.bodies) for call in batch]))
        for number, call in enumerate(batch):
            call.settle(JournalFailed(str(outcomes)) if isinstance(outcomes, JournalError) else outcomes[number])
