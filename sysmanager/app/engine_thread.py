"""A coordinator in a thread and loop of its own, for demo and self-test: a busy interface must not make it deaf (DESIGN)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from sysmanager import __version__
from sysmanager.app.ending import end_others
from sysmanager.backup.folder import BackupFolder
from sysmanager.bus.local import LocalBus
from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.engine.cache import DocumentCache
from sysmanager.engine.clients import BridgedClient, LocalClient
from sysmanager.engine.clock import SystemClock
from sysmanager.engine.engine import Engine
from sysmanager.engine.field import Field
from sysmanager.journal.memory import MemoryJournal
from sysmanager.simulation.live import SimulatedSite

T = TypeVar("T")

START_S = 30.0
END_S = 10.0


class PracticeSite:
    """A simulated site with its coordinator, in one thread. `start` and `end` from any other thread.

    site: whose servers live here; its levers are safe to use from any thread.
    """

    def __init__(self, site: SimulatedSite, *, name: str) -> None:
        self.site = site
        self._name = name
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._ready: Future[None] = Future()
        self._end: asyncio.Event | None = None
        self._engine: Engine | None = None

    def start(self) -> None:
        """Begin, and wait until the coordinator serves."""
        self._thread.start()
        self._ready.result(START_S)

    def client(self, role: RoleName, name: str = "admin") -> BridgedClient:
        """A session for the loop of another thread."""
        assert self._engine is not None, "started"
        return BridgedClient(LocalClient(self._engine, Actor(name=name, role=role)), self._loop)

    def end(self) -> None:
        """End coordinator and servers, and wait for the thread. Harmless the second time."""
        if self._thread.is_alive() and self._end is not None:
            with contextlib.suppress(RuntimeError):  # a start that failed has closed its loop, a moment before its thread is over
                self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(END_S)

    def call(self, work: Callable[[LocalClient], Coroutine[Any, Any, T]]) -> Future[T]:
        """Run something with an administrator's session on the engine's loop."""
        assert self._engine is not None, "started"
        client = LocalClient(self._engine, Actor(name="admin", role=RoleName.ADMINISTRATOR))
        return asyncio.run_coroutine_threadsafe(work(client), self._loop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            with TemporaryDirectory(prefix="sysmanager-", ignore_cleanup_errors=True) as folder:
                self._loop.run_until_complete(self._live(Path(folder)))
        finally:
            # What sessions of other threads still have under way here: nobody shall wait for a loop that is gone.
            self._loop.run_until_complete(end_others())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _live(self, folder: Path) -> None:
        """folder: for backups of this practice, gone with it."""
        self._end = asyncio.Event()
        try:
            bus = LocalBus()
            store = MemoryDocumentStore()
            field = Field(bus.endpoint(), store)
            cache = DocumentCache(store, field.document)
            journal = MemoryJournal()
            backups = BackupFolder(folder, journal, store, program=__version__)
            engine = Engine(journal, field, cache, SystemClock(), site=self._name, practice=True, backups=backups)
            await engine.start()
            self._engine = engine
            await self.site.start(bus)
        except BaseException as error:  # noqa: BLE001 - whatever it is, `start` raises it in the thread that waits
            if self._engine is not None:
                await self._engine.stop()
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        await self._end.wait()
        await self.site.stop()
        await engine.stop()
