"""A scripted VMS server that speaks the real protocol over any bus: beats, orders, documents with sealed secrets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.large import request_large, serve_large
from sysmanager.bus.port import Bus, Message
from sysmanager.documents.sealing import SiteKey, canonical_hash, matches_hash, seal
from sysmanager.domain import documents as d
from sysmanager.domain.camera import CameraKind
from sysmanager.domain.ids import CameraId, DocumentHash, Epoch, InstanceId, RecorderId
from sysmanager.protocol import recorders as r

SITE_KEY = SiteKey(bytes(range(32)))
PASSWORD = "rather-secret-4711"
FETCH_MS = 3_000


def settings_of(server: str, cameras: int, *, analogue: int = 0, disks: tuple[str, ...] = ("D:",)) -> d.SettingsDocument:
    """The settings of a server with so many IP cameras, each with a sealed password, and so many analogue ones."""
    sealed = seal(PASSWORD, SITE_KEY)
    secret = d.SealedSecret(hmac=sealed.hmac, sealed=sealed.sealed)
    made = [
        d.CameraSettings(
            id=CameraId(f"{server}-c{n}"),
            name=f"{server} camera {n}",
            url=f"rtsp://10.0.0.{n + 1}/stream",
            user="viewer",
            password=secret,
            sessions=2,
        )
        for n in range(cameras)
    ]
    made += [
        d.CameraSettings(id=CameraId(f"{server}-a{n}"), name=f"{server} analogue {n}", kind=CameraKind.ANALOGUE) for n in range(analogue)
    ]
    return d.SettingsDocument(name=server, disks=disks, cameras=tuple(made))


def stored(document: object) -> tuple[DocumentHash, bytes]:
    """Hash and content, as a document lies in a store."""
    content = msgspec.json.encode(document)
    return DocumentHash(canonical_hash(msgspec.json.decode(content))), content


class BusRecorder:
    """`open`, then `beat` whenever it shall be heard, or `live` for a beat a second.

    up: answers anything at all. gate: while it is cleared, orders to record wait. refusal: the answer to orders to record.
    serves: gives its documents. on_order: told of each order when it arrives.
    """

    def __init__(
        self,
        bus: Bus,
        server: str,
        *,
        cameras: int = 3,
        failover: bool = False,
        wall_ms: Callable[[], int] | None = None,
        analogue: int = 0,
    ) -> None:
        self.bus = bus
        self.id = RecorderId(server)
        self.instance = InstanceId(f"{server}-1")
        self.mode = r.Mode.STANDBY if failover else r.Mode.RECORDING
        self.home: RecorderId | None = None if failover else self.id
        self.epoch = Epoch(0)
        self.settings: d.SettingsDocument | None = None
        self.documents: d.DocumentSet | None = None
        self.store: dict[DocumentHash, bytes] = {}
        self.without: tuple[CameraId, ...] = ()
        self.disks = {"D:": True}
        self.version = "1.4.2"
        self.service: r.ServiceState | None = r.ServiceState.RUNNING
        self.up = True
        self.serves = True
        self.refusal: r.Refusal | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.orders: list[r.Order] = []
        self.beacons: list[r.Beacon] = []
        self.on_order: Callable[[r.Order], None] = lambda _: None
        self._sequence = 0
        self._since_ms = 0
        self._wall_ms = wall_ms or (lambda: time.time_ns() // 1_000_000)
        self._living: asyncio.Task[None] | None = None
        self._subscriptions: list[object] = []
        if not failover:
            self.configure(settings_of(server, cameras, analogue=analogue))

    def configure(self, settings: d.SettingsDocument, revision: int = 1) -> None:
        """Its own configuration, as an administrator left it on the recorder."""
        self.settings = settings
        named = [stored(settings), stored(d.MasksDocument()), stored(d.SchedulesDocument())]
        self.store.update(dict(named))
        hashes = [name for name, _ in named]
        self.documents = d.DocumentSet(revision=revision, settings=hashes[0], masks=hashes[1], schedules=hashes[2])

    async def open(self) -> None:
        await self.bus.serve(subjects.order(self.id), self._order)
        await serve_large(self.bus, subjects.documents(self.id), self._document)
        await self.bus.subscribe(subjects.BEACON, self._beacon)

    def live(self, every_s: float = 1.0) -> None:
        """Beat by itself until `close`."""
        self._living = asyncio.get_running_loop().create_task(self._live(every_s))

    async def _live(self, every_s: float) -> None:
        while True:
            await self.beat()
            await asyncio.sleep(every_s)

    async def close(self) -> None:
        if self._living is not None:
            self._living.cancel()
            await asyncio.gather(self._living, return_exceptions=True)
        await self.bus.close()

    # ------------------------------------------------------------ what it says

    async def beat(self) -> None:
        if not self.up:
            return
        self._sequence += 1
        if self.service is not None:
            watchdog = r.WatchdogBeat(recorder=self.id, instance=self.instance, wall_ms=self._wall_ms(), service=self.service)
            await self.bus.publish(subjects.watchdog(self.id), wire.encode(watchdog))
        await self.bus.publish(subjects.beat(self.id), wire.encode(self.report()))

    def report(self) -> r.Beat:
        now_ms = self._wall_ms()
        cameras = self.settings.cameras if self.settings is not None and self.mode is r.Mode.RECORDING else ()
        mine = [c.camera() for c in cameras if c.id not in self.without and (self.home == self.id or c.camera().moves)]
        return r.Beat(
            recorder=self.id,
            instance=self.instance,
            boot=1,
            sequence=self._sequence,
            wall_ms=now_ms,
            version=self.version,
            mode=self.mode,
            epoch=self.epoch,
            home=self.home,
            documents=self.documents,
            without=self.without,
            disks=tuple(r.DiskBeat(path, good, 900_000, 1_000_000) for path, good in self.disks.items()),
            cameras=tuple(r.CameraBeat(c.id, r.CameraState.RECORDING, self._since_ms or now_ms - 5_000, now_ms) for c in mine),
            practice=True,
        )

    # ------------------------------------------------------------ what it is asked

    def _beacon(self, message: Message) -> None:
        with suppress(wire.WireError):  # a test may send anything
            self.beacons.append(wire.decode(r.Beacon, message.body))

    async def _silence(self) -> None:
        """A machine that is off answers nothing; the asker gives up by itself."""
        await asyncio.get_running_loop().create_future()

    async def _order(self, message: Message) -> bytes:
        order: r.Order = wire.decode(r.Order, message.body)
        self.orders.append(order)
        self.on_order(order)
        if not self.up:
            await self._silence()
        return wire.encode(await self._obey(order))

    async def _obey(self, order: r.Order) -> r.OrderAnswer:
        match order:
            case r.Record():
                await self.gate.wait()
                if not self.up:
                    await self._silence()
                if self.refusal is not None:
                    return self.refusal
                if order.documents is not None:
                    await self._apply(order.documents)
                if (order.epoch, order.home) != (self.epoch, self.home):
                    self._since_ms = self._wall_ms()
                self.epoch, self.home, self.mode, self.without = order.epoch, order.home, r.Mode.RECORDING, order.without
                return r.Obeyed(epoch=order.epoch, documents=self.documents)
            case r.StandDown():
                self.epoch, self.home, self.mode, self.without = order.epoch, None, r.Mode.STANDBY, ()
                return r.Obeyed(epoch=order.epoch)
            case r.ReportFootage():
                now_ms = self._wall_ms()
                spans = [
                    r.FootageSpan(camera=c, first_frame_ms=now_ms - 9000, last_frame_ms=now_ms - 900, frames=9, segments=1)
                    for c in order.cameras
                ]
                return r.Footage(epoch=order.epoch, spans=tuple(spans))

    async def _apply(self, documents: d.DocumentSet) -> None:
        for kind in d.DocumentKind:
            wanted = documents.hash_of(kind)
            if wanted not in self.store:
                question = wire.encode(r.FetchDocument(kind=kind, hash=wanted))
                content = await request_large(self.bus, subjects.STORE, question, FETCH_MS)
                assert matches_hash(wanted, content), "the coordinator gives what was asked for"
                self.store[wanted] = content
        self.settings = msgspec.json.decode(self.store[documents.settings], type=d.SettingsDocument)
        self.documents = documents

    async def _document(self, message: Message) -> bytes:
        wanted: r.FetchDocument = wire.decode(r.FetchDocument, message.body)
        if not (self.up and self.serves) or wanted.hash not in self.store:
            await self._silence()
        return self.store[wanted.hash]
