"""A recorder with real files and synthetic cameras, and the coordinator's side of its bus."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.large import request_large, serve_large
from sysmanager.bus.port import Bus, Message
from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.documents.port import DocumentError
from sysmanager.documents.sealing import SiteKey
from sysmanager.domain.documents import DocumentKind
from sysmanager.domain.ids import CameraId, DocumentHash, RecorderId
from sysmanager.protocol.pictures import AskPicture, PictureAnswer
from sysmanager.protocol.recorders import Ask, Beat, FetchDocument, GoOn, Order, OrderAnswer, Standing, WatchdogBeat
from sysmanager.recorder.configuration import RecorderConfiguration, load_configuration
from sysmanager.recorder.documents import STORES

WAIT_S = 20.0


def recorder_folder(folder: Path, recorder: str, cameras: dict[str, str], *, standby: bool = False, password: str = "") -> Path:
    """Files of a recorder that records `cameras` (id to address); the path of its configuration."""
    home = folder / recorder
    (home / "disk").mkdir(parents=True)
    SiteKey.load_or_create(folder / "site.key")
    settings = {
        "name": recorder,
        "disks": ["D:"],
        "cameras": [
            {"id": camera, "name": camera, "url": url, "user": "viewer" if password else "", "password": password or None}
            for camera, url in cameras.items()
        ],
    }
    (home / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    path = home / "recorder.toml"
    path.write_text(
        f'id = "{recorder}"\ndata = "data"\nbus = "../bus.json"\nsite_key = "../site.key"\nsettings = "settings.json"\n'
        f'segment_seconds = 5\nstandby = {str(standby).lower()}\n[disks]\n"D:" = "disk"\n',
        encoding="utf-8",
    )
    return path


def configuration_of(
    folder: Path, recorder: str, cameras: dict[str, str], *, standby: bool = False, password: str = ""
) -> RecorderConfiguration:
    return load_configuration(recorder_folder(folder, recorder, cameras, standby=standby, password=password))


class Coordinator:
    """Hears beats, answers asks with `standing`, gives documents from `store`, sends orders."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.standing: Standing = GoOn()
        self.store = MemoryDocumentStore()
        self.beats: dict[str, Beat] = {}
        self.watchdogs: dict[str, WatchdogBeat] = {}
        self.asks: list[Ask] = []
        self._heard = asyncio.Event()

    async def listen(self) -> None:
        """Hear beats, and answer nothing."""
        await self.bus.subscribe(subjects.EVERY_BEAT, self._beat)
        await self.bus.subscribe(subjects.EVERY_WATCHDOG, self._watchdog)

    async def open(self) -> None:
        await self.listen()
        await self.bus.serve(subjects.ASK, self._ask)
        await serve_large(self.bus, subjects.STORE, self._give)

    def _beat(self, message: Message) -> None:
        beat: Beat = wire.decode(Beat, message.body)
        self.beats[beat.recorder] = beat
        self._heard.set()

    def _watchdog(self, message: Message) -> None:
        beat: WatchdogBeat = wire.decode(WatchdogBeat, message.body)
        self.watchdogs[beat.recorder] = beat
        self._heard.set()

    async def _ask(self, message: Message) -> bytes:
        self.asks.append(wire.decode(Ask, message.body))
        return wire.encode(self.standing)

    async def _give(self, message: Message) -> bytes:
        wanted: FetchDocument = wire.decode(FetchDocument, message.body)
        try:
            return await self.store.get(STORES[wanted.kind], wanted.hash)
        except DocumentError:
            return b""

    async def beat(self, recorder: str, holds: Callable[[Beat], bool]) -> Beat:
        """The next beat, or the last, of which that holds. One waits at a time."""
        async with asyncio.timeout(WAIT_S):
            while recorder not in self.beats or not holds(self.beats[recorder]):
                self._heard.clear()
                await self._heard.wait()
        return self.beats[recorder]

    async def next_beat(self, recorder: str) -> Beat:
        """One that is yet to come."""
        self.beats.pop(recorder, None)
        return await self.beat(recorder, lambda _: True)

    async def watchdog(self, recorder: str, holds: Callable[[WatchdogBeat], bool]) -> WatchdogBeat:
        async with asyncio.timeout(WAIT_S):
            while recorder not in self.watchdogs or not holds(self.watchdogs[recorder]):
                self._heard.clear()
                await self._heard.wait()
        return self.watchdogs[recorder]

    async def order(self, recorder: str, order: Order) -> OrderAnswer:
        answer: OrderAnswer = wire.decode(OrderAnswer, await self.bus.request(subjects.order(recorder), wire.encode(order), 6000))
        return answer

    async def take_documents(self, recorder: RecorderId, beat: Beat) -> None:
        """Fetch a recorder's documents into the store."""
        assert beat.documents is not None
        for kind in DocumentKind:
            content = await self.document(recorder, kind, beat.documents.hash_of(kind))
            await self.store.put(STORES[kind], beat.documents.hash_of(kind), content)

    async def picture(self, recorder: RecorderId, camera: CameraId) -> PictureAnswer:
        question = wire.encode(AskPicture(camera=camera))
        answer: PictureAnswer = wire.decode(PictureAnswer, await request_large(self.bus, subjects.picture(recorder), question, 5000))
        return answer

    async def document(self, recorder: RecorderId, kind: DocumentKind, document_hash: DocumentHash) -> bytes:
        question = wire.encode(FetchDocument(kind=kind, hash=document_hash))
        return await request_large(self.bus, subjects.documents(recorder), question, 3000)
