"""What every client of a coordinator promises: in its loop, from another thread, over the local bus, over a NATS server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from sysmanager import api
from sysmanager.api import BusClient, Changes, Client, ClientError, Done, Refused, Snapshot
from sysmanager.api import bus_client as bus_client_module
from sysmanager.bus.credentials import BusCredentials, BusUser
from sysmanager.bus.local import LocalBus
from sysmanager.bus.nats import NatsBus
from sysmanager.bus.port import Bus
from sysmanager.bus.server import BusServer
from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.domain.group import Group
from sysmanager.domain.ids import FailoverId, GroupId, RecorderId
from sysmanager.domain.recorder import RecorderEdit, Role
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.engine import clients as clients_module
from sysmanager.engine.cache import DocumentCache
from sysmanager.engine.clients import BridgedClient, ClientService, LocalClient
from sysmanager.engine.clock import SystemClock
from sysmanager.engine.engine import Engine
from sysmanager.engine.field import Field
from sysmanager.journal.memory import MemoryJournal
from tests.helpers.memory_backups import MemoryBackups

WITHIN_S = 10.0


class Coordinator:
    """An engine with a service for clients elsewhere, on the running loop; the journal outlives it."""

    def __init__(self, bus: Callable[[], Bus], journal: MemoryJournal) -> None:
        self._make_bus = bus
        self._journal = journal

    async def start(self) -> None:
        self.bus = self._make_bus()
        if isinstance(self.bus, NatsBus):
            assert await self.bus.open(wait_ms=5_000)
        store = MemoryDocumentStore()
        field = Field(self.bus, store)
        cache = DocumentCache(store, field.document)
        self.engine = Engine(self._journal, field, cache, SystemClock(), site="Contract", backups=MemoryBackups())
        await self.engine.start()
        self.service = ClientService(self.engine, self.bus)
        await self.service.open()

    async def stop(self) -> None:
        await self.service.close()
        await self.engine.stop()
        await self.bus.close()


class World(Protocol):
    """Makes clients of one coordinator, and ends and starts it."""

    async def client(self, role: RoleName | None = RoleName.ADMINISTRATOR) -> Client: ...
    async def restart(self) -> None: ...
    async def stop(self) -> None: ...
    async def close(self) -> None: ...


class HereWorld:
    """The coordinator on the loop of the test. bus: makes the connections; None: clients are in its own loop."""

    def __init__(self, coordinator_bus: Callable[[], Bus], client_bus: Callable[[], Bus] | None) -> None:
        self._client_bus = client_bus
        self._coordinator = Coordinator(coordinator_bus, MemoryJournal())
        self._clients: list[Client] = []
        self._running = False

    async def open(self) -> None:
        await self._coordinator.start()
        self._running = True

    async def client(self, role: RoleName | None = RoleName.ADMINISTRATOR) -> Client:
        actor = Actor(name="anna", role=role)
        if self._client_bus is None:
            made: Client = LocalClient(self._coordinator.engine, actor)
        else:
            bus = self._client_bus()
            if isinstance(bus, NatsBus):
                assert await bus.open(wait_ms=5_000)
            made = BusClient(bus, actor)
        self._clients.append(made)
        return made

    async def stop(self) -> None:
        if self._running:
            self._running = False
            await self._coordinator.stop()

    async def restart(self) -> None:
        await self.stop()
        await self.open()

    async def close(self) -> None:
        for client in self._clients:
            await client.close()
        await self.stop()


class ThereWorld:
    """The coordinator on the loop of another thread."""

    def __init__(self) -> None:
        self._journal = MemoryJournal()
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        ready = threading.Event()

        def run() -> None:
            asyncio.run(self._live(ready))

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert await asyncio.to_thread(ready.wait, WITHIN_S)

    async def _live(self, ready: threading.Event) -> None:
        bus = LocalBus()
        self._coordinator = Coordinator(bus.endpoint, self._journal)
        await self._coordinator.start()
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        ready.set()
        await self._end.wait()
        await self._coordinator.stop()

    async def client(self, role: RoleName | None = RoleName.ADMINISTRATOR) -> Client:
        return BridgedClient(LocalClient(self._coordinator.engine, Actor(name="anna", role=role)), self._loop)

    async def stop(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            await asyncio.to_thread(self._thread.join, WITHIN_S)
            assert not self._thread.is_alive()

    async def restart(self) -> None:
        await self.stop()
        await self.open()

    async def close(self) -> None:
        await self.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nats(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable[[], BusServer]]:
    made: list[BusServer] = []

    def server() -> BusServer:
        if not made:
            made.append(BusServer(tmp_path_factory.mktemp("bus")))
        return made[0]

    yield server
    for started in made:
        await started.close()


@pytest_asyncio.fixture(loop_scope="module", params=["local", "bridged", "bus", pytest.param("nats", marks=pytest.mark.process)])
async def world(request: pytest.FixtureRequest, nats: Callable[[], BusServer]) -> AsyncIterator[World]:
    bus = LocalBus()
    made: HereWorld | ThereWorld
    match request.param:
        case "local":
            made = HereWorld(bus.endpoint, None)
        case "bridged":
            made = ThereWorld()
        case "bus":
            made = HereWorld(bus.endpoint, bus.endpoint)
        case _:
            credentials = await _credentials(nats())
            made = HereWorld(
                lambda: NatsBus(credentials, BusUser.COORDINATOR, "coordinator"), lambda: NatsBus(credentials, BusUser.CLIENT, "client")
            )
    await made.open()
    yield made
    await made.close()


_known: dict[int, BusCredentials] = {}


async def _credentials(server: BusServer) -> BusCredentials:
    if id(server) not in _known:
        _known[id(server)] = await server.start()
    return _known[id(server)]


class Follower:
    """Follows `changes` and keeps what a client would show. ended: how it ended."""

    def __init__(self, client: Client) -> None:
        self.snapshots = 0
        self.changes = 0
        self.groups: dict[GroupId, Group] = {}
        self.sequence = -1
        self.holes = 0
        self.ended: str | None = None
        self.pause = asyncio.Event()
        self.pause.set()
        self._moved = asyncio.Event()
        self._task = asyncio.create_task(self._follow(client))

    async def _follow(self, client: Client) -> None:
        try:
            async for update in client.changes():
                if isinstance(update, Snapshot):
                    self.snapshots += 1
                    self.groups = {group.id: group for group in update.groups}
                else:
                    assert isinstance(update, Changes)
                    self.changes += 1
                    self.holes += update.sequence != self.sequence + 1
                    self.groups.update({group.id: group for group in update.groups})
                    for gone in update.removed_groups:
                        self.groups.pop(gone, None)
                self.sequence = update.sequence
                self._moved.set()
                await self.pause.wait()
            self.ended = "closed"
        except ClientError as error:
            self.ended = str(error)
        self._moved.set()

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                self._moved.clear()
                await self._moved.wait()

    async def end(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


def group(number: int, name: str = "") -> api.SaveGroup:
    return api.SaveGroup(group=Group(id=GroupId(f"g{number}"), name=name or f"Group {number}"))


def server(name: str, role: Role = Role.STANDARD) -> api.AddRecorder:
    fields = RecorderEdit(name=name, address="", role=role, group=GroupId("g0"), failover_enabled=True, detection_timeout_s=10)
    return api.AddRecorder(id=RecorderId(name), fields=fields)


async def test_first_a_snapshot_then_changes_without_a_hole(world: World) -> None:
    client = await world.client()
    follower = Follower(client)
    await follower.until(lambda: follower.snapshots)
    for number in range(20):
        assert isinstance(await client.request(group(number)), Done)
    await follower.until(lambda: len(follower.groups) == 20)
    assert follower.snapshots == 1
    assert follower.holes == 0
    assert (await client.snapshot()).sequence >= follower.sequence
    await follower.end()


async def test_a_client_that_begins_in_the_middle_of_changes_misses_none(world: World) -> None:
    client, other = await world.client(), await world.client()
    asking = asyncio.create_task(_many(other, 60))
    await asyncio.sleep(0)
    follower = Follower(client)
    await asking
    await follower.until(lambda: len(follower.groups) == 60)
    assert follower.holes == 0
    await follower.end()


async def _many(client: Client, count: int, name: str = "") -> None:
    for number in range(count):
        assert isinstance(await client.request(group(number, f"{name}{number}" if name else "")), Done)


async def test_a_slow_client_gets_a_new_snapshot_instead_of_an_endless_queue(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients_module, "QUEUE_LIMIT", 10)
    monkeypatch.setattr(clients_module, "BRIDGED_LIMIT", 3)
    monkeypatch.setattr(bus_client_module, "WAITING_LIMIT", 10)
    client, other = await world.client(), await world.client()
    follower = Follower(client)
    await follower.until(lambda: follower.snapshots)
    follower.pause.clear()
    await _many(other, 60)
    follower.pause.set()
    await follower.until(lambda: len(follower.groups) == 60)
    assert isinstance(await other.request(group(60)), Done)
    await follower.until(lambda: len(follower.groups) == 61)
    assert 2 <= follower.snapshots <= 3, "what a snapshot holds already costs no other one"
    assert follower.changes < 40
    assert follower.holes == 0
    await follower.end()


async def test_close_ends_changes(world: World) -> None:
    client = await world.client()
    follower = Follower(client)
    await follower.until(lambda: follower.snapshots)
    await client.close()
    await follower.until(lambda: follower.ended)
    assert follower.ended == "closed"
    await client.close()


async def test_a_client_recovers_from_a_restart_of_the_coordinator(world: World) -> None:
    """Its changes either go on with a new snapshot, or end with a sentence, and can be begun again."""
    client = await world.client()
    assert isinstance(await client.request(group(0, "before")), Done)
    follower = Follower(client)
    await follower.until(lambda: follower.groups)
    await world.restart()
    again = client if isinstance(client, BusClient) else await world.client()
    for number in range(3):
        assert isinstance(await again.request(group(number, f"after {number}")), Done)
    await follower.until(lambda: follower.ended or len(follower.groups) == 3)
    if follower.ended:
        assert follower.ended != "closed"
        assert follower.ended.endswith((".", ".)"))
        await follower.end()
        follower = Follower(again)
        await follower.until(lambda: len(follower.groups) == 3)
    assert follower.holes == 0
    assert follower.groups[GroupId("g0")].name == "after 0"
    await follower.end()


async def test_without_a_coordinator_every_call_says_so_in_a_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_client_module, "ANSWER_MS", 500)
    monkeypatch.setattr(bus_client_module, "QUIET_MS", 500)
    client = await world.client()
    follower = Follower(client)
    await follower.until(lambda: follower.snapshots)
    await world.stop()
    with pytest.raises(ClientError, match="coordinator"):
        await client.snapshot()
    with pytest.raises(ClientError, match="coordinator"):
        await client.request(group(1))
    with pytest.raises(ClientError, match="coordinator"):
        await client.ask(api.PreviewFailover(recorder=RecorderId("X")))
    await follower.until(lambda: follower.ended)
    assert "coordinator" in (follower.ended or "")


@pytest.mark.parametrize("role", [RoleName.OPERATOR, RoleName.MONITORING, None])
async def test_what_the_role_lacks_is_refused_by_the_coordinator(world: World, role: RoleName | None) -> None:
    admin = await world.client()
    assert isinstance(await admin.request(group(0)), Done)
    assert isinstance(await admin.request(server("R1")), Done)
    client = await world.client(role)
    requests: list[api.Request] = [
        group(9),
        server("R2"),
        api.RemoveGroup(group=GroupId("g0")),
        api.RemoveRecorder(recorder=RecorderId("R1")),
        api.ConfirmReconcile(findings=()),
    ]
    if role is not RoleName.OPERATOR:
        requests += [
            api.StartFailover(recorder=RecorderId("R1")),
            api.HoldFailover(recorder=RecorderId("R1")),
            api.ReleaseHold(recorder=RecorderId("R1")),
            api.AbortFailover(failover=FailoverId("F00001")),
            api.StartFailback(failover=FailoverId("F00001")),
        ]
    before = await admin.snapshot()
    for request in requests:
        reply = await client.request(request)
        assert isinstance(reply, Refused), request
        assert "ask someone with the role" in reply.sentence
    after = await admin.snapshot()
    assert (after.groups, [row.id for row in after.recorders]) == (before.groups, [row.id for row in before.recorders])
    if role is RoleName.OPERATOR:
        assert isinstance(await client.request(api.HoldFailover(recorder=RecorderId("R1"))), Done)


async def test_an_unknown_server_and_a_group_without_failover_server_are_said_in_a_sentence(world: World) -> None:
    client = await world.client()
    assert isinstance(await client.request(group(0, "North gate")), Done)
    assert isinstance(await client.request(server("R1")), Done)
    unknown = await client.request(api.StartFailover(recorder=RecorderId("R9")))
    assert isinstance(unknown, Refused)
    assert unknown.sentence == "There is no server R9; known are R1."
    assert unknown.reason is api.Reason.NO_RECORDER
    alone = await client.request(api.StartFailover(recorder=RecorderId("R1")))
    assert isinstance(alone, Refused)
    assert alone.sentence == "The group North gate has no failover server; add one to it."
    preview = await client.ask(api.PreviewFailover(recorder=RecorderId("R1")))
    assert isinstance(preview, api.Preview)
    assert not preview.allowed


async def test_a_quiet_client_is_told_that_nothing_changed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a bus it must not ask for everything again and again."""
    monkeypatch.setattr(clients_module, "STILL_MS", 50)
    monkeypatch.setattr(bus_client_module, "QUIET_MS", 400)
    client = await world.client()
    follower = Follower(client)
    await follower.until(lambda: follower.snapshots)
    await asyncio.sleep(1.2)
    assert follower.snapshots == 1
    await follower.end()


@pytest.mark.process
async def test_connect_opens_a_session_from_a_credentials_file(nats: Callable[[], BusServer], tmp_path: Path) -> None:
    server = nats()
    credentials = await _credentials(server)
    coordinator = Coordinator(lambda: NatsBus(credentials, BusUser.COORDINATOR, "coordinator"), MemoryJournal())
    await coordinator.start()
    client = await api.connect(server.credentials_path, name="script", role=RoleName.MONITORING)
    assert client.actor == Actor(name="script", role=RoleName.MONITORING)
    assert (await client.snapshot()).system.site == "Contract"
    await client.close()
    await coordinator.stop()
    with pytest.raises(ClientError, match="start the coordinator"):
        await api.connect(tmp_path / "missing.json")
