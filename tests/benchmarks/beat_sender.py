"""A process that beats for many recorders, spread over the second, and falls silent for some when told so.

Commands are JSON lines on standard input, answers JSON lines on standard output:
    {"silence": [ids]}  ->  {"silenced": {id: monotonic nanoseconds of the last beat}}
    {"end": true}
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

import msgspec
import structlog

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.credentials import BusUser, load_credentials
from sysmanager.bus.large import serve_large
from sysmanager.bus.nats import NatsBus
from sysmanager.bus.port import Message
from sysmanager.domain import documents as d
from sysmanager.domain.ids import DocumentHash, Epoch, InstanceId, RecorderId
from sysmanager.protocol import recorders as r
from tests.helpers.bus_recorder import settings_of, stored

SLOTS = 100
"""In so many groups the recorders of this process beat, one after the other within a second."""


class Sender:
    def __init__(self, bus: NatsBus, names: list[str], cameras: int, *, watchdogs: bool, documents: bool) -> None:
        self._bus = bus
        self._names = names
        self._watchdogs = watchdogs
        self._silent: set[str] = set()
        self._last: dict[str, int] = {}
        self._contents: dict[DocumentHash, bytes] = {}
        self._beats: dict[str, r.Beat] = {}
        self._subject = {name: subjects.beat(name) for name in names}
        self.worst_late_ms = 0
        masks, schedules = stored(d.MasksDocument()), stored(d.SchedulesDocument())
        for name in names:
            settings = settings_of(name, cameras)
            own = stored(settings)
            self._contents.update([own, masks, schedules])
            self._beats[name] = r.Beat(
                recorder=RecorderId(name),
                instance=InstanceId(f"{name}-1"),
                boot=1,
                sequence=0,
                wall_ms=0,
                version="1.4.2",
                mode=r.Mode.RECORDING,
                epoch=Epoch(0),
                home=RecorderId(name),
                documents=d.DocumentSet(revision=1, settings=own[0], masks=masks[0], schedules=schedules[0]) if documents else None,
                disks=(r.DiskBeat("D:", True, 900_000, 1_000_000),),
                cameras=tuple(r.CameraBeat(c.id, r.CameraState.RECORDING, 1, 1) for c in settings.cameras),
                practice=True,
            )

    async def serve(self) -> None:
        for name in self._names:
            await serve_large(self._bus, subjects.documents(name), self._document)

    async def _document(self, message: Message) -> bytes:
        wanted: r.FetchDocument = wire.decode(r.FetchDocument, message.body)
        return self._contents[wanted.hash]

    async def live(self) -> None:
        """Every recorder once a second, for ever; frame times move as real ones do."""
        share = -(-len(self._names) // SLOTS)
        slot, begun = 0, time.monotonic()
        while True:
            due = begun + slot / SLOTS
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.worst_late_ms = max(self.worst_late_ms, int((time.monotonic() - due) * 1000))
            first = slot % SLOTS * share
            for name in self._names[first : first + share]:
                if name not in self._silent:
                    await self._beat(name, slot)
            slot += 1

    async def _beat(self, name: str, number: int) -> None:
        wall_ns = time.time_ns()
        wall_ms = wall_ns // 1_000_000
        beat = self._beats[name]
        cameras = tuple(r.CameraBeat(c.camera, c.state, c.first_frame_ms, wall_ms) for c in beat.cameras)
        body = wire.encode(msgspec.structs.replace(beat, sequence=number, wall_ms=wall_ms, cameras=cameras))
        self._last[name] = time.monotonic_ns()
        await self._bus.publish(self._subject[name], body)
        if self._watchdogs:
            beat_of = r.WatchdogBeat(recorder=beat.recorder, instance=beat.instance, wall_ms=wall_ms, service=r.ServiceState.RUNNING)
            await self._bus.publish(subjects.watchdog(name), wire.encode(beat_of))

    def silence(self, names: list[str]) -> dict[str, int]:
        self._silent.update(names)
        return {name: self._last[name] for name in names}


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("credentials", type=Path)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--cameras", type=int, default=32)
    parser.add_argument("--watchdogs", action="store_true")
    parser.add_argument("--no-documents", action="store_true")
    args = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    bus = NatsBus(load_credentials(args.credentials), BusUser.RECORDER, "senders")
    assert await bus.open(wait_ms=5_000)
    names = [f"R{number:05}" for number in range(args.first, args.first + args.count)]
    sender = Sender(bus, names, args.cameras, watchdogs=args.watchdogs, documents=not args.no_documents)
    if not args.no_documents:
        await sender.serve()
    living = asyncio.create_task(sender.live())
    print(json.dumps({"ready": True}), flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        if "end" in command:
            break
        print(json.dumps({"silenced": sender.silence(command["silence"]), "sender_late_ms": sender.worst_late_ms}), flush=True)
    living.cancel()
    await asyncio.gather(living, return_exceptions=True)
    await bus.close()


if __name__ == "__main__":
    asyncio.run(main())
