"""The simulated site on a real clock and a bus: for the demo, the self-test and tests. The same recorders as in the simulation of seeds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import structlog

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.large import request_large, serve_large
from sysmanager.bus.local import LocalBus, LocalEndpoint
from sysmanager.bus.port import BusError, Message
from sysmanager.domain.documents import DocumentKind, DocumentSet
from sysmanager.domain.ids import DocumentHash, Epoch, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Role
from sysmanager.engine.clock import SystemClock
from sysmanager.protocol.pictures import AskPicture, NoPicture
from sysmanager.protocol.practice import Fault, PracticeServer
from sysmanager.protocol.probes import PEER_MS, PROBE_MS, PeerAnswer, PeerQuestion, Probe, ProbeAnswer
from sysmanager.protocol.recorders import (
    Ask,
    Beacon,
    Farewell,
    FetchDocument,
    FromRecorder,
    Leaving,
    Order,
    OrderAnswer,
    Refusal,
    RefusalReason,
    Standing,
    WatchdogBeat,
)
from sysmanager.recorder import machine as m
from sysmanager.simulation.footage import CameraField
from sysmanager.simulation.recorder import SimulatedRecorder
from sysmanager.simulation.site import VERSION, ServerPlan, SitePlan
from sysmanager.simulation.surroundings import Fetched, Pace, Served

log = structlog.get_logger(__name__)

ASK_MS = 5_000
FETCH_MS = 5_000
ORDER_MS = 20_000
"""How long a request to a simulated server stays open; the coordinator gives up long before."""

DISK_MB = 16_000_000

BELIEVABLE = Pace(start_ms=(600, 1500), fetch_ms=(150, 400), save_ms=(250, 500), first_frame_ms=(400, 1300))
"""A busy but sound server: an administrator can watch the steps go by."""

Clock = Callable[[], Instant]


class SimulatedSite:
    """All servers of a plan, each with a connection of its own to the bus. Implements `PracticeControls`.

    pace: how long things take. `start` and `stop` on one loop; the levers from any thread.
    """

    def __init__(self, plan: SitePlan, *, seed: int = 1, pace: Pace | None = None, clock: Clock | None = None) -> None:
        self._plan = plan
        self._pace = pace or BELIEVABLE
        self._chance = random.Random(seed)
        self._clock = clock or SystemClock().now
        self._servers: dict[RecorderId, _LiveServer] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shown: tuple[PracticeServer, ...] = ()
        self.cameras = CameraField()

    async def start(self, bus: LocalBus) -> None:
        """Connect every server and switch it on."""
        self._loop = asyncio.get_running_loop()
        for plan in sorted(self._plan.servers, key=lambda plan: plan.name):
            server = _LiveServer(
                plan, bus.endpoint(), self.cameras, self._pace, random.Random(self._chance.random()), self._clock, self._reachable
            )
            self._servers[plan.id] = server
            await server.start()
        self._show()

    async def stop(self) -> None:
        """Switch everything off and leave the bus."""
        for server in self._servers.values():
            await server.stop()
        self._loop = None

    def _reachable(self, server: RecorderId) -> Served | None:
        """A server's footage, for another one: while it runs and its cable is in."""
        found = self._servers.get(server)
        return found.recorder if found is not None and found.recorder.up and Fault.CONNECTION not in found.recorder.faults else None

    # ------------------------------------------------------------ levers

    def servers(self) -> tuple[PracticeServer, ...]:
        return self._shown

    def set_fault(self, server: RecorderId, fault: Fault, present: bool) -> None:
        chosen = self._servers[server]
        self._on_loop(lambda: chosen.set_fault(fault, present))

    def mend(self, server: RecorderId) -> None:
        chosen = self._servers[server]
        self._on_loop(chosen.mend)

    def _on_loop(self, act: Callable[[], None]) -> None:
        def act_and_show() -> None:
            act()
            self._show()

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act_and_show)

    def _show(self) -> None:
        self._shown = tuple(
            PracticeServer(
                id=server.plan.id,
                name=server.plan.name,
                failover=server.plan.role is Role.FAILOVER,
                faults=frozenset(server.recorder.faults),
            )
            for server in self._servers.values()
        )


class _LiveServer:
    """One simulated server on the bus: the `Surroundings` of its recorder, made of an event loop and a bus endpoint."""

    def __init__(
        self,
        plan: ServerPlan,
        endpoint: LocalEndpoint,
        cameras: CameraField,
        pace: Pace,
        chance: random.Random,
        clock: Clock,
        served: Callable[[RecorderId], Served | None],
    ) -> None:
        self.plan = plan
        self.cameras = cameras
        self._endpoint = endpoint
        self._chance = chance
        self._clock = clock
        self._served = served
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = False
        own, contents = plan.contents()
        self.recorder = SimulatedRecorder(
            self,
            plan.identity,
            version=VERSION,
            disks=plan.disks,
            persisted=plan.first(own),
            contents=contents,
            pace=pace,
            disk_mb=DISK_MB,
        )

    async def start(self) -> None:
        await self._endpoint.serve(subjects.order(self.plan.id), self._order)
        await serve_large(self._endpoint, subjects.documents(self.plan.id), self._document)
        await self._endpoint.serve(subjects.probe(self.plan.id), self._probe)
        await self._endpoint.serve(subjects.peer(self.plan.id), self._peer)
        await serve_large(self._endpoint, subjects.picture(self.plan.id), self._picture)
        await self._endpoint.subscribe(subjects.BEACON, self._beacon)
        self.recorder.power_on()

    async def stop(self) -> None:
        self._ended = True
        self.recorder.power_off()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._endpoint.close()

    def set_fault(self, fault: Fault, present: bool) -> None:
        changed = present != (fault in self.recorder.faults)
        self.recorder.set_fault(fault, present)
        if fault is Fault.CAMERAS:
            self._cut(present)
        elif fault is Fault.SHUTDOWN and changed and present:
            self._spawn(self._shut_down())
        elif fault is Fault.SHUTDOWN and changed:
            self.recorder.power_on()
        self._plug()

    def mend(self) -> None:
        self._cut(False)
        self.recorder.mend()
        self._plug()

    def _cut(self, cut: bool) -> None:
        (self.cameras.cut.add if cut else self.cameras.cut.discard)(self.plan.id)
        self.recorder.cameras_changed()

    async def _shut_down(self) -> None:
        """As a Watchdog does it: say so, record on for as long as the coordinator asks, then go. Mended meanwhile: stay."""
        if not self.recorder.powered:
            return
        self.recorder.trouble.leaving = True
        leaving = Leaving(recorder=self.plan.id, instance=self.recorder.persisted.instance, wall_ms=self._clock().wall_ms)
        try:
            answer: Farewell = wire.decode(Farewell, await self._endpoint.request(subjects.LEAVING, wire.encode(leaving), ASK_MS))
            await asyncio.sleep(answer.wait_ms / 1000)
        except (BusError, wire.WireError) as error:
            log.debug("announcement not answered", recorder=self.plan.id, why=str(error))
        self.recorder.trouble.stays(self._clock().mono_ms)
        if Fault.SHUTDOWN in self.recorder.faults:
            self.recorder.power_off()
            self._plug()

    def _plug(self) -> None:
        """On the bus while it has power and its cable is in."""
        self._endpoint.set_connected(self.recorder.powered and Fault.CONNECTION not in self.recorder.faults)

    # ------------------------------------------------------------ what the coordinator wants

    async def _order(self, message: Message) -> bytes:
        order: Order = wire.decode(Order, message.body)
        answered: asyncio.Future[OrderAnswer] = asyncio.get_running_loop().create_future()

        def settle(answer: OrderAnswer) -> None:
            if not answered.done():
                answered.set_result(answer)

        if not self.recorder.take_order(order, settle):
            settle(
                Refusal(
                    reason=RefusalReason.SERVICE_DOWN,
                    sentence="The recording service is not running.",
                    epoch=getattr(order, "epoch", Epoch(0)),
                )
            )
        self._plug()
        async with asyncio.timeout(ORDER_MS / 1000):
            return wire.encode(await answered)

    async def _document(self, message: Message) -> bytes:
        wanted: FetchDocument = wire.decode(FetchDocument, message.body)
        return self.recorder.document(wanted.hash) or b""

    async def _probe(self, message: Message) -> bytes:
        probe: Probe = wire.decode(Probe, message.body)
        answered: asyncio.Future[ProbeAnswer] = asyncio.get_running_loop().create_future()
        self.recorder.take_probe(probe, lambda answer: None if answered.done() else answered.set_result(answer))
        async with asyncio.timeout(PROBE_MS / 1000):
            return wire.encode(await answered)

    async def _picture(self, message: Message) -> bytes:
        from sysmanager.simulation.pictures import picture_of  # numpy and FFmpeg, which the demo starts without

        question: AskPicture = wire.decode(AskPicture, message.body)
        if not self.recorder.up or self.recorder.trouble.hung:
            return wire.encode(NoPicture(sentence="Its recording service does not run."))
        return wire.encode(await asyncio.to_thread(picture_of, self.recorder, question, self._clock().wall_ms))

    async def _peer(self, message: Message) -> bytes:
        wire.decode(PeerQuestion, message.body)
        answer = self.recorder.peer_answer()
        return wire.encode(answer) if answer is not None else b""

    def _beacon(self, message: Message) -> None:
        beacon: Beacon = wire.decode(Beacon, message.body)
        self.recorder.hear_beacon(m.BeaconHeard(beacon=beacon))

    # ------------------------------------------------------------ Surroundings

    def now(self, recorder: RecorderId) -> Instant:
        return self._clock()

    def after(self, delay_ms: int, act: Callable[..., object], *args: Any) -> None:
        def run() -> None:
            if not self._ended:
                act(*args)

        asyncio.get_running_loop().call_later(delay_ms / 1000, run)

    def between(self, span_ms: tuple[int, int]) -> int:
        return self._chance.randint(*span_ms)

    def quiet(self, recorder: RecorderId) -> bool:
        return False

    def say(self, recorder: RecorderId, message: FromRecorder, *, quiet: bool = False) -> None:
        subject = subjects.watchdog(recorder) if isinstance(message, WatchdogBeat) else subjects.beat(recorder)
        self._spawn(self._endpoint.publish(subject, wire.encode(message)))

    def ask(self, recorder: RecorderId, ask: Ask, answered: Callable[[Standing | None], None]) -> None:
        async def exchange() -> None:
            try:
                body = await self._endpoint.request(subjects.ASK, wire.encode(ask), ASK_MS)
                answered(wire.decode(Standing, body))
            except (BusError, wire.WireError) as error:
                log.debug("asking failed", recorder=recorder, why=str(error))
                answered(None)

        self._spawn(exchange())

    def ask_peer(self, recorder: RecorderId, peer: RecorderId, answered: Callable[[PeerAnswer | None], None]) -> None:
        async def exchange() -> None:
            try:
                body = await self._endpoint.request(subjects.peer(peer), wire.encode(PeerQuestion(asker=recorder)), PEER_MS)
                answered(wire.decode(PeerAnswer, body))
            except (BusError, wire.WireError) as error:
                log.debug("peer not reached", recorder=recorder, peer=peer, why=str(error))
                answered(None)

        self._spawn(exchange())

    def announce(self, recorder: RecorderId, leaving: Leaving) -> None:
        async def say() -> None:
            try:
                await self._endpoint.request(subjects.LEAVING, wire.encode(leaving), ASK_MS)
            except BusError as error:
                log.debug("announcement not answered", recorder=recorder, why=str(error))

        self._spawn(say())

    def fetch(self, recorder: RecorderId, documents: DocumentSet, fetched: Fetched) -> None:
        async def exchange() -> None:
            contents: dict[DocumentHash, bytes] = {}
            try:
                for kind in DocumentKind:
                    wanted = FetchDocument(kind=kind, hash=documents.hash_of(kind))
                    contents[wanted.hash] = await request_large(self._endpoint, subjects.STORE, wire.encode(wanted), FETCH_MS)
            except BusError as error:
                log.debug("documents not given", recorder=recorder, why=str(error))
                fetched(None)
                return
            found: Mapping[DocumentHash, bytes] = contents
            self.after(self.between(self.recorder.pace.fetch_ms), fetched, found)

        self._spawn(exchange())

    def served_by(self, recorder: RecorderId) -> Served | None:
        return self._served(recorder)

    def watch(self, recorder: RecorderId, seen: m.Input | m.Effect, state: m.MachineState) -> None:
        """Nobody checks the demo's machines; the simulation of seeds does."""

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
