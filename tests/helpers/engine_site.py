"""An engine on a local bus with scripted recorders, for tests in virtual time or real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sysmanager.bus.local import LocalBus, LocalEndpoint
from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.documents.port import DocumentStore
from sysmanager.domain.failover import Failover, Phase
from sysmanager.domain.group import Group
from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.domain.recorder import Recorder, RecorderEdit, Role
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.engine.cache import DocumentCache
from sysmanager.engine.clock import Clock
from sysmanager.engine.engine import Engine
from sysmanager.engine.field import Field
from sysmanager.journal.memory import MemoryJournal
from sysmanager.journal.port import Journal
from sysmanager.protocol import clients as c
from tests.helpers.bus_recorder import BusRecorder
from tests.helpers.memory_backups import MemoryBackups
from tests.helpers.virtual_time import VirtualClock

ADMIN = Actor(name="anna", role=RoleName.ADMINISTRATOR)
GATE = GroupId("gate")
T = TypeVar("T")


def rid(text: str) -> RecorderId:
    return RecorderId(text)


class EngineSite:
    """Recorders A and B and failover server F (and H, if asked) around an engine.

    The journal, the store and the recorders outlive the engine: `restart` ends it hard and starts another on them.
    """

    def __init__(self, *, journal: Journal | None = None, store: DocumentStore | None = None, clock: Clock | None = None) -> None:
        self.bus = LocalBus()
        self.journal: Journal = journal if journal is not None else MemoryJournal()
        self.store: DocumentStore = store if store is not None else MemoryDocumentStore()
        self.clock: Clock = clock if clock is not None else VirtualClock()
        self.recorders: dict[str, BusRecorder] = {}
        self.backups = MemoryBackups()
        self.endpoint: LocalEndpoint | None = None
        self.engine = self._make()

    def _make(self) -> Engine:
        self.endpoint = self.bus.endpoint()
        self.field = Field(self.endpoint, self.store)
        return Engine(
            self.journal, self.field, DocumentCache(self.store, self.field.document), self.clock, site="Test site", backups=self.backups
        )

    @property
    def memory(self) -> MemoryJournal:
        assert isinstance(self.journal, MemoryJournal)
        return self.journal

    async def start(self, *servers: str) -> None:
        """Engine and recorders, all taken into system data, their documents cached. servers: ids; those that begin with F or H stand by."""
        await self.engine.start()
        await self.ask(c.SaveGroup(group=Group(id=GATE, name="Gate")))
        for server in servers or ("A", "B", "F"):
            await self.add(server)
        await self.until(lambda: all(row.documents is not None for row in self.rows.values() if row.role is Role.STANDARD))

    async def add(self, server: str, *, cameras: int = 3) -> BusRecorder:
        failover = server[0] in "FH"
        made = BusRecorder(self.bus.endpoint(), server, failover=failover, cameras=cameras, wall_ms=lambda: self.clock.now().wall_ms)
        self.recorders[server] = made
        await made.open()
        made.live()
        role = Role.FAILOVER if failover else Role.STANDARD
        fields = RecorderEdit(name=f"Server {server}", address="", role=role, group=GATE, failover_enabled=True, detection_timeout_s=10)
        reply = await self.ask(c.AddRecorder(id=rid(server), fields=fields))
        assert isinstance(reply, c.Done), reply
        await self.until(lambda: self.engine_core.seen.connected(rid(server)))
        return made

    async def crash(self) -> None:
        """The coordinator's process is gone: nothing is finished, nothing is said."""
        assert self.endpoint is not None
        self.endpoint.set_connected(False)
        await self.engine.stop()
        await self.endpoint.close()

    async def restart(self) -> None:
        await self.crash()
        self.engine = self._make()
        await self.engine.start()

    async def close(self) -> None:
        await self.engine.stop()
        for recorder in self.recorders.values():
            await recorder.close()
        assert self.endpoint is not None
        await self.endpoint.close()

    # ------------------------------------------------------------ to look

    @property
    def engine_core(self):  # type: ignore[no-untyped-def]  # the engine's own
        return self.engine._core

    @property
    def rows(self) -> dict[RecorderId, Recorder]:
        rows: dict[RecorderId, Recorder] = self.engine_core.state.recorders
        return rows

    @property
    def entry(self) -> Failover:
        """The newest entry of the failover log."""
        entry: Failover = max(self.engine_core.state.failovers.values(), key=lambda entry: entry.number)
        return entry

    @property
    def phase(self) -> Phase | None:
        return self.entry.phase if self.engine_core.state.failovers else None

    async def ask(self, request: c.Request, actor: Actor = ADMIN) -> c.Reply:
        return await self.engine.request(actor, request)

    async def until(self, holds: Callable[[], T], within_s: float = 30.0, every_s: float = 0.01) -> T:
        """Wait, in the loop's own time, until something holds; what it gave."""
        async with asyncio.timeout(within_s):
            while not (found := holds()):  # noqa: ASYNC110  # whatever it looks at has no event
                await asyncio.sleep(every_s)
        return found

    async def until_phase(self, phase: Phase, within_s: float = 30.0) -> Failover:
        await self.until(lambda: self.phase is phase, within_s)
        return self.entry
