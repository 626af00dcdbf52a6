"""Thousands of servers around one engine in one process: they beat over the local bus, fall silent, answer probes and obey orders.

Nothing in them thinks; what they need of the processor is measured apart, so that the rest of the process is the engine.
"""

from __future__ import annotations

import asyncio
import time

from msgspec.structs import replace

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.large import request_large
from sysmanager.bus.local import LocalBus
from sysmanager.bus.port import Message
from sysmanager.coordinator import facts as f
from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.domain import documents as d
from sysmanager.domain.camera import Camera
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, DocumentHash, Epoch, GroupId, InstanceId, RecorderId
from sysmanager.domain.recorder import Recorder, Recording, Role, Standby
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.engine.cache import DocumentCache, store_of
from sysmanager.engine.clock import SystemClock
from sysmanager.engine.engine import Engine
from sysmanager.engine.field import Field
from sysmanager.journal.memory import MemoryJournal
from sysmanager.journal.port import MAX_APPEND_RECORDS
from sysmanager.protocol import recorders as r
from sysmanager.protocol.probes import CamerasProbed, Probe, ProbeAnswer, ProbeRecorder, RecorderProbed
from tests.helpers.bus_recorder import settings_of, stored

VERSION = "1.4.2"
SLOTS = 100
"""In so many groups the servers beat, one after the other within a second."""

SAVE_S = 0.05
"""How long a server takes to save settings: two syncs of a slow disk."""

TIMEOUT_S = 10
PEOPLE = Actor(name="Measurement", role=RoleName.ADMINISTRATOR)
_MARK = 1_111_111_111_111
"""Stands in a heartbeat wherever a wall clock of this moment belongs."""


Contents = tuple[tuple[d.DocumentKind, DocumentHash, bytes], ...]
"""The three documents of a recorder, with their hashes."""


class Server:
    """One server. body: its heartbeat in pieces, between which the present wall clock goes."""

    __slots__ = ("beat", "body", "last_ns", "silent")

    def __init__(self, beat: r.Beat) -> None:
        self.silent = False
        self.last_ns = 0
        self.says(beat)

    def body_at(self, wall_ms: int) -> bytes:
        """Its heartbeat at this moment."""
        return str(wall_ms).encode().join(self.body)

    def says(self, beat: r.Beat) -> None:
        self.beat = beat
        cameras = tuple(replace(camera, last_frame_ms=_MARK) for camera in beat.cameras)
        self.body = wire.encode(replace(beat, wall_ms=_MARK, cameras=cameras)).split(str(_MARK).encode())


class ManyServers:
    """Groups with one failover server each, and an engine that knows all of them from its journal.

    lost: servers that may be lost; only their documents are in the store, as the others' are not read. work_s: what the servers needed
    of the processor.
    """

    def __init__(self, recorders: int, groups: int, cameras: int) -> None:
        self.bus = LocalBus()
        self.journal = MemoryJournal()
        self.store = MemoryDocumentStore()
        self.servers: dict[RecorderId, Server] = {}
        self.work_s = 0.0
        self.late_ms = 0
        self._facts: list[f.AnyFact] = [f.CoordinatorStarted(term=1)]
        self._contents: dict[tuple[d.DocumentKind, DocumentHash], bytes] = {}
        epoch = 0
        for number in range(groups):
            group = GroupId(f"g{number}")
            self._facts.append(f.GroupSaved(group=Group(id=group, name=f"Group {number}")))
            epoch += 1
            self._add(RecorderId(f"F{number:05}"), group, epoch, (), 0)
        keep = set(self.one_of_each_group(recorders, groups))
        for number in range(recorders):
            epoch += 1
            name = RecorderId(f"R{number:05}")
            contents = _contents(name, cameras) if name in keep else ()
            self._add(name, GroupId(f"g{number % groups}"), epoch, contents, cameras)
        self._names = list(self.servers)
        self._endpoint = self.bus.endpoint()
        self.field = Field(self.bus.endpoint(), self.store)
        self.engine = Engine(self.journal, self.field, DocumentCache(self.store, self.field.document), SystemClock(), site="Measured")
        self._beating: asyncio.Task[None] | None = None

    @staticmethod
    def one_of_each_group(recorders: int, groups: int) -> list[RecorderId]:
        return [RecorderId(f"R{number:05}") for number in range(min(recorders, groups))]

    def _add(self, name: RecorderId, group: GroupId, epoch: int, contents: Contents, cameras: int) -> None:
        """cameras: 0 for a failover server."""
        standby = not cameras
        assignment = Standby(epoch=Epoch(epoch)) if standby else Recording(epoch=Epoch(epoch))
        role = Role.FAILOVER if standby else Role.STANDARD
        row = Recorder(id=name, name=name, group=group, role=role, assignment=assignment, detection_timeout_s=TIMEOUT_S, practice=True)
        self._facts.append(f.RecorderAdded(recorder=row))
        known = tuple(Camera(id=CameraId(f"{name}-c{n}"), name=f"{name} camera {n}", sessions=2) for n in range(cameras))
        documents = None
        if not standby:
            self._contents.update({(kind, hash_): content for kind, hash_, content in contents})
            hashes = [hash_ for _, hash_, _ in contents] or [DocumentHash(f"{epoch:064x}")] * 3
            documents = d.DocumentSet(revision=1, settings=hashes[0], masks=hashes[1], schedules=hashes[2])
            settings = d.SettingsSummary(disks=("D:",), cameras=known)
            instance = InstanceId(f"{name}-1")
            self._facts.append(f.DocumentsCached(recorder=name, documents=documents, settings=settings, version=VERSION, instance=instance))
        beat = r.Beat(
            recorder=name,
            instance=InstanceId(f"{name}-1"),
            boot=1,
            sequence=1,
            wall_ms=0,
            version=VERSION,
            mode=r.Mode.STANDBY if standby else r.Mode.RECORDING,
            epoch=Epoch(epoch),
            home=None if standby else name,
            documents=documents,
            disks=(r.DiskBeat("D:", True, 900_000_000, 1_000_000_000),),
            cameras=tuple(r.CameraBeat(camera.id, r.CameraState.RECORDING, 1, 1) for camera in known),
            practice=True,
        )
        self.servers[name] = Server(beat)

    async def start(self) -> None:
        """Fill the journal and the store, start the engine, and begin to beat."""
        for (kind, hash_), content in self._contents.items():
            await self.store.put(store_of(kind), hash_, content)
        bodies = [wire.encode_fact(record) for record in self.records()]
        await self.journal.open()
        for begin in range(0, len(bodies), MAX_APPEND_RECORDS):
            await self.journal.append(begin, bodies[begin : begin + MAX_APPEND_RECORDS])
        await self.journal.close()
        self._facts.clear()
        self._contents.clear()
        for name, server in self.servers.items():
            if server.beat.mode is r.Mode.STANDBY:
                await self._endpoint.serve(subjects.order(name), self._obeying(name))
                await self._endpoint.serve(subjects.probe(name), self._probed)
        await self.engine.start()
        self._beating = asyncio.create_task(self._beat())

    def records(self) -> list[f.FactRecord]:
        """What the journal begins with, until `start`."""
        wall_ms = time.time_ns() // 1_000_000
        return [f.FactRecord(term=1, wall_ms=wall_ms, actor=PEOPLE, fact=fact) for fact in self._facts]

    async def stop(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
        await self.engine.stop()

    async def _beat(self) -> None:
        """Every server once a second, for ever."""
        share = -(-len(self._names) // SLOTS)
        slot, begun = 0, time.monotonic()
        while True:
            due = begun + slot / SLOTS
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.late_ms = max(self.late_ms, int((time.monotonic() - due) * 1000))
            work = time.thread_time()
            now_ms = time.time_ns() // 1_000_000
            first = slot % SLOTS * share
            bodies = [
                (server, subjects.beat(name), server.body_at(now_ms))
                for name in self._names[first : first + share]
                if not (server := self.servers[name]).silent
            ]
            self.work_s += time.thread_time() - work
            for server, subject, body in bodies:
                server.last_ns = time.monotonic_ns()
                await self._endpoint.publish(subject, body)
            slot += 1

    def _obeying(self, name: RecorderId):  # type: ignore[no-untyped-def]  # an answer of the bus
        async def obey(message: Message) -> bytes:
            order: r.Order = wire.decode(r.Order, message.body)
            server = self.servers[name]
            documents = server.beat.documents
            if isinstance(order, r.Record):
                documents = order.documents or documents
                assert documents is not None
                contents = [
                    await request_large(
                        self._endpoint, subjects.STORE, wire.encode(r.FetchDocument(kind=kind, hash=documents.hash_of(kind))), 5_000
                    )
                    for kind in d.DocumentKind
                ]
                await asyncio.sleep(SAVE_S)
                now_ms = time.time_ns() // 1_000_000
                settings = wire.msgspec.json.decode(contents[0], type=d.SettingsDocument)
                cameras = tuple(r.CameraBeat(camera.id, r.CameraState.RECORDING, now_ms, now_ms) for camera in settings.cameras)
                server.says(
                    replace(server.beat, mode=r.Mode.RECORDING, epoch=order.epoch, home=order.home, documents=documents, cameras=cameras)
                )
            elif isinstance(order, r.StandDown):
                server.says(replace(server.beat, mode=r.Mode.STANDBY, epoch=order.epoch, home=None, cameras=()))
            return wire.encode(r.Obeyed(epoch=server.beat.epoch, documents=documents))

        return obey

    async def _probed(self, message: Message) -> bytes:
        """The truth: who is silent is not reached."""
        probe: Probe = wire.decode(Probe, message.body)
        reached = not self.servers[probe.recorder].silent
        answer: ProbeAnswer = RecorderProbed(reached=reached, records=reached) if isinstance(probe, ProbeRecorder) else CamerasProbed()
        return wire.encode(answer)


def _contents(name: str, cameras: int) -> Contents:
    made = (settings_of(name, cameras), d.MasksDocument(), d.SchedulesDocument())
    return tuple((kind, *stored(content)) for kind, content in zip(d.DocumentKind, made, strict=True))
