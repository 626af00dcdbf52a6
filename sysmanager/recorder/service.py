"""The recording service: the machine, and what its effects do. One process, one loop; capture and disks have threads of their own.

Nothing here waits for the bus: recording begins and goes on without it (SPEC 13.2).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine, Mapping
from typing import Any

import structlog

from sysmanager import __version__, wire
from sysmanager.bus import subjects
from sysmanager.bus.large import request_large, serve_large
from sysmanager.bus.port import Bus, BusError, Message
from sysmanager.documents.files import FileDocumentStore
from sysmanager.documents.port import DocumentError
from sysmanager.documents.sealing import SiteKey
from sysmanager.domain.documents import DocumentSet, SettingsDocument
from sysmanager.domain.ids import CameraId, DocumentHash
from sysmanager.domain.instant import Instant
from sysmanager.protocol.jobs import JobOrder
from sysmanager.protocol.probes import PeerAnswer
from sysmanager.protocol.recorders import (
    BEAT_INTERVAL_MS,
    Ask,
    Beacon,
    FetchDocument,
    Footage,
    LetOut,
    Order,
    OrderAnswer,
    ReportFootage,
    Standing,
)
from sysmanager.recorder import machine as m
from sysmanager.recorder.beginning import begin, site_key
from sysmanager.recorder.beside import Beside
from sysmanager.recorder.buskeeper import BusKeeper, connected_bus
from sysmanager.recorder.camera_plans import camera_beats, disk_beats, open_plan
from sysmanager.recorder.camera_rules import CameraRules, camera_rules
from sysmanager.recorder.capture import Capture, CaptureEvent, FrameEvent
from sysmanager.recorder.configuration import RecorderConfiguration
from sysmanager.recorder.disks import DiskSet, DiskState, settings_for
from sysmanager.recorder.documents import RecorderDocuments
from sysmanager.recorder.door import QuarantineDoor
from sysmanager.recorder.footage import read_footage
from sysmanager.recorder.hardware import this_machine
from sysmanager.recorder.holding import Silence
from sysmanager.recorder.janitor import Janitor
from sysmanager.recorder.machine.state import held_documents
from sysmanager.recorder.material import SegmentSettings
from sysmanager.recorder.probing import Probing
from sysmanager.recorder.pulse import Phase, Pulse
from sysmanager.recorder.retention import HOUR_MS, RetentionRules
from sysmanager.recorder.state_file import StateFile
from sysmanager.recorder.transfer.copied import CopiedHours

log = structlog.get_logger(__name__)

TICK_S = 0.25
DISKS_TEST_S = 2.0
"""How long a start waits for the first word of every disk."""

ASK_TIMEOUT_MS = 1000
FETCH_TIMEOUT_MS = 3500
"""Less than the 5 s in which an order must be answered (SPEC 6, step 4)."""

ANSWER_LIMIT_S = 10.0
SETTLE_LIMIT_S = 2.0
SETTLE_LOOK_S = 0.05
NEWS_GATHERED_S = 0.05
"""News of cameras that come together, as when 64 are opened, go into one heartbeat."""

GARBAGE_SAID_EVERY = 100


class RecordingService:
    """One recorder. `run` returns when it was told to `end`, or its Watchdog asks for it.

    `bus`: a connection that is there already; without one it is made from the configuration's credentials.
    """

    def __init__(self, configuration: RecorderConfiguration, *, bus: Bus | None = None, pulse: Pulse | None = None) -> None:
        self._configuration = configuration
        self._id = configuration.recorder
        self._given_bus = bus
        notice = pulse.notice if pulse is not None else lambda sentence: None
        self._keeper = BusKeeper(configuration.bus_credentials, f"recorder {configuration.id}", self._attach, notice)
        self._pulse = pulse
        self._states = StateFile(configuration.data_folder, configuration.recorder)
        self._store = FileDocumentStore(configuration.data_folder / "documents")
        self._documents = RecorderDocuments(self._store, self._fetch)
        self._labels = {str(path): label for label, path in configuration.disk_paths.items()}
        self._disks = DiskSet(tuple(configuration.disk_paths.values()), settings=settings_for(configuration.minimum_free_mb << 20))
        self._door = QuarantineDoor(configuration.data_folder)
        self._capture = Capture(
            configuration.id,
            self._disks,
            self._captured,
            chance=random.Random(),
            segments=SegmentSettings(segment_ms=configuration.segment_seconds * 1000),
            door=self._door,
        )
        copied = CopiedHours(configuration.data_folder)
        self._janitor = Janitor(
            tuple(configuration.disk_paths.values()),
            configuration.data_folder,
            RetentionRules(
                minimum_ms=configuration.minimum_hours * HOUR_MS,
                minimum_free_bytes=configuration.minimum_free_mb << 20,
                quota_bytes=configuration.quota_mb << 20,
            ),
            copied=copied,
        )
        self._beside = Beside(
            configuration,
            self._disks,
            self._capture,
            self._documents,
            copied,
            door=self._door,
            probed=lambda: self._probing.settings,
            waits=self._waits,
            changed=self._news_now,
        )
        self._probing = Probing(self._id, self._fetch, lambda: self._key, self._peer_answer)
        self._key: SiteKey | None = None
        self._closed: tuple[CameraId, ...] = ()
        self._state: m.MachineState | None = None
        self._tickets: dict[int, asyncio.Future[OrderAnswer]] = {}
        self._ticket = 0
        self._sequence = 0
        self._garbage = 0
        self._silence = Silence()
        self._reading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._gathering = False
        self._end = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def end(self) -> None:
        """End in order: complete the segments, answer who waits. On the loop."""
        self._end.set()

    async def run(self) -> None:
        """Raises ConfigurationError, StateUnusable, DocumentStoreFailed before anything was begun."""
        self._loop = asyncio.get_running_loop()
        self._key = await asyncio.to_thread(site_key, self._configuration)
        started = await begin(self._configuration, self._states, self._store, self._key)
        self._state = m.MachineState(identity=this_machine(self._configuration.identity()), persisted=started.persisted)
        self._disks.listen(self._disks_told)
        self._disks.start()
        try:
            await asyncio.to_thread(self._disks.wait_tested, DISKS_TEST_S)
            self._janitor.start()
            self._door.start()
            await self._beside.open(self._key)
            self._put(m.DisksChanged(disks=disk_beats(self._disks.states(), self._labels)))
            if self._given_bus is not None:
                await self._attach(self._given_bus)
            else:
                self._keeper.start()
            self._put(started)
            log.info("recording service started", recorder=self._id, boot=started.persisted.boot, situation=self._state.situation.value)
            if self._pulse is not None:
                self._pulse.enter(Phase.RUNNING)
            async with asyncio.TaskGroup() as group:
                beating = group.create_task(self._beat_for_ever())
                ticking = group.create_task(self._tick_for_ever())
                await self._end.wait()
                beating.cancel()
                ticking.cancel()
        finally:
            await self._finish()

    async def _finish(self) -> None:
        if self._pulse is not None:
            self._pulse.enter(Phase.ENDING)
        if self._state is not None:
            self._put(m.ServiceStopped(sentence="It was told to end."))
        await self._beside.close()
        await asyncio.to_thread(self._capture.stop)
        await asyncio.to_thread(self._disks.stop)
        await asyncio.to_thread(self._janitor.stop)
        await asyncio.to_thread(self._door.stop)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._keeper.close()
        log.info("recording service ended", recorder=self._id)

    # ---------------------------------------------------------------- the machine

    @property
    def state(self) -> m.MachineState:
        """RuntimeError before `run` has read it."""
        if self._state is None:
            raise RuntimeError("the recording service was not started")
        return self._state

    def _put(self, any_input: m.Input) -> None:
        """One step, and its effects. Nothing here blocks; what takes time becomes a task that puts its result."""
        try:
            self._state, effects = m.step(self.state, any_input, _now())
        except m.IllegalInput as error:
            log.error("input not taken", why=str(error))
            return
        for effect in effects:
            self._carry_out(effect)

    def _carry_out(self, effect: m.Effect) -> None:
        match effect:
            case m.Persist(persisted=persisted):
                self._spawn(self._save(persisted))
            case m.FetchDocuments(documents=documents):
                self._spawn(self._make_ready(documents))
            case m.ForgetDocuments(keep=keep):
                self._spawn(self._forget(keep))
            case m.Answer(ticket=ticket, answer=answer):
                self._answer(ticket, answer)
            case m.ReadFootage(ticket=ticket, question=question, goes_on=goes_on):
                self._spawn(self._read_footage(ticket, question, goes_on))
            case m.CarryOutJob(ticket=ticket, order=order):
                self._spawn(self._carry_out_job(ticket, order))
            case m.StartCapture(plan=plan) | m.ChangeCapture(plan=plan):
                self._record(plan)
            case m.StopCapture():
                self._closed = ()
                self._capture.finish()
            case m.FollowPreroll(order=order):
                self._spawn(self._beside.hold(order, lambda: self.state.preroll == order))
            case m.SendAsk(ask=ask):
                self._spawn(self._ask(ask))
            case m.SendBeatNow():
                self._news.set()
            case m.Say(sentence=sentence, warning=warning):
                (log.warning if warning else log.info)(sentence, recorder=self._id)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the recording service failed", exc_info=error)

    async def _save(self, persisted: m.Persisted) -> None:
        try:
            await asyncio.to_thread(self._states.save, persisted)
        except OSError as error:
            folder = self._configuration.data_folder
            self._put(m.SaveFailed(sentence=f"The data folder {folder} of the recorder can't be written ({error.strerror or error})."))
        else:
            self._put(m.Saved())

    async def _make_ready(self, documents: DocumentSet) -> None:
        self._put(await self._documents.make_ready(documents))

    async def _forget(self, keep: frozenset[DocumentHash]) -> None:
        try:
            await self._documents.forget_all_but(keep, lambda: held_documents(self.state))
        except DocumentError as error:
            log.warning("documents not removed; the next start tries again", why=str(error))

    def _record(self, plan: m.CapturePlan) -> None:
        self._spawn(self._beside.needed())
        settings = self._documents.settings_of(plan.documents.settings) if plan.documents is not None else None
        if settings is None:
            self._closed = ()
            self._capture.start((), plan.epoch)
            return
        days: dict[str, int] = {camera.id: camera.retention_days or settings.retention_days for camera in settings.cameras}
        self._spawn(asyncio.to_thread(self._janitor.keep_days, days))
        opened = open_plan(plan, settings, self._key)
        self._closed = opened.closed
        self._capture.start(opened.cameras, plan.epoch, self._rules(plan.documents, settings))
        self._capture.hold(())  # what is held of other recorders' cameras would cost sessions that nobody needs now
        log.info("recording", recorder=self._id, epoch=plan.epoch, home=plan.home, cameras=len(opened.cameras))

    def _rules(self, documents: DocumentSet | None, settings: SettingsDocument) -> Mapping[CameraId, CameraRules]:
        if documents is None:
            return camera_rules(settings)
        return camera_rules(settings, self._documents.masks_of(documents.masks), self._documents.schedules_of(documents.schedules))

    async def _carry_out_job(self, ticket: int, order: JobOrder | LetOut) -> None:
        self._answer(ticket, await self._beside.carry_out(order, m.highest_epoch(self.state)))

    def _waits(self) -> bool:
        return self._state is not None and self._state.situation is m.Situation.STANDBY

    def _news_now(self) -> None:
        self._news.set()

    # ---------------------------------------------------------------- capture and disks, told from their threads

    def _captured(self, event: CaptureEvent) -> None:
        if self._loop is None or (isinstance(event, FrameEvent) and not event.first):
            return  # later frames go with the next heartbeat
        self._call_on_loop(self._gather_news)
        if not isinstance(event, FrameEvent) and event.sentence:
            log.info("camera", camera=event.camera, state=event.state.value, why=event.sentence)

    def _disks_told(self, states: tuple[DiskState, ...]) -> None:
        self._call_on_loop(lambda: self._put(m.DisksChanged(disks=disk_beats(states, self._labels))))

    def _call_on_loop(self, call: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

    def _gather_news(self) -> None:
        if not self._gathering:
            self._gathering = True
            asyncio.get_running_loop().call_later(NEWS_GATHERED_S, self._report_cameras)

    def _report_cameras(self) -> None:
        self._gathering = False
        self._put(m.CaptureReported(cameras=camera_beats(self._capture.snapshot(), self._closed)))

    # ---------------------------------------------------------------- time

    async def _tick_for_ever(self) -> None:
        while True:
            if self._pulse is not None:
                self._pulse.beat()
                if self._pulse.asked_to_stop:
                    self.end()
            due_ms = m.deadline_ms(self.state)
            if due_ms is not None and due_ms <= _now().mono_ms:
                self._put(m.Tick())
            self._capture.keep_all(self._silence.lasts(time.monotonic()))
            await asyncio.sleep(TICK_S)

    async def _beat_for_ever(self) -> None:
        while True:
            self._news.clear()
            self._put(m.DisksChanged(disks=disk_beats(self._disks.states(), self._labels)))
            self._put(m.CaptureReported(cameras=camera_beats(self._capture.snapshot(), self._closed)))
            self._sequence += 1
            observed = self._beside.observed(m.Observations(sequence=self._sequence, version=__version__))
            beat = m.beat(self.state, observed, _now())
            await self._publish(subjects.beat(self._id), wire.encode(beat))
            try:
                async with asyncio.timeout(BEAT_INTERVAL_MS / 1000):
                    await self._news.wait()
            except TimeoutError:
                continue

    # ---------------------------------------------------------------- the bus

    @property
    def _bus(self) -> Bus | None:
        return self._given_bus if self._given_bus is not None else self._keeper.bus

    async def _publish(self, subject: str, body: bytes) -> None:
        bus = self._bus
        if bus is None:
            return
        try:
            await bus.publish(subject, body)
        except BusError as error:
            log.warning("message not sent", why=str(error))

    async def _attach(self, bus: Bus) -> None:
        if self._pulse is not None:
            self._pulse.notice("")  # whatever was missing is there now
        await bus.subscribe(subjects.BEACON, self._hear_beacon)
        await bus.serve(subjects.order(self._id), self._take_order)
        await serve_large(bus, subjects.documents(self._id), self._give_document)
        await self._probing.attach(bus)
        await self._beside.attach(bus)

    def _drop(self, subject: str, error: wire.WireError) -> None:
        """A message that makes no sense is counted, logged and dropped (SPEC 18)."""
        self._garbage += 1
        if self._garbage % GARBAGE_SAID_EVERY == 1:
            log.warning("message dropped", subject=subject, why=str(error), dropped=self._garbage)

    def _hear_beacon(self, message: Message) -> None:
        try:
            beacon: Beacon = wire.decode(Beacon, message.body)
        except wire.WireError as error:
            self._drop(message.subject, error)
            return
        self._silence.heard(time.monotonic())
        self._put(m.BeaconHeard(beacon=beacon))

    async def _take_order(self, message: Message) -> bytes:
        """Empty for what is no order, or was not carried out in time; the coordinator sends it again."""
        try:
            order: Order = wire.decode(Order, message.body)
        except wire.WireError as error:
            self._drop(message.subject, error)
            return b""
        self._ticket += 1
        ticket = self._ticket
        answered: asyncio.Future[OrderAnswer] = asyncio.get_running_loop().create_future()
        self._tickets[ticket] = answered
        self._put(m.OrderReceived(ticket=ticket, order=order))
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return wire.encode(await answered)
        except TimeoutError:
            log.warning("order not carried out in time", order=type(order).__name__, epoch=getattr(order, "epoch", None))
            return b""
        finally:
            self._tickets.pop(ticket, None)

    def _answer(self, ticket: int, answer: OrderAnswer) -> None:
        waiting = self._tickets.get(ticket)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    async def _read_footage(self, ticket: int, question: ReportFootage, goes_on: bool) -> None:
        """One at a time: a disk that hangs must not take the threads that orders need. Who stopped waiting is passed over."""
        async with self._reading:
            if question.off_since_ms:
                off = await asyncio.to_thread(self._capture.off_times, question.cameras, question.off_since_ms)
                self._answer(ticket, Footage(epoch=question.epoch, off=off))
                return
            await self._footage_settled()
            if ticket in self._tickets:
                self._answer(ticket, await asyncio.to_thread(read_footage, self._disks.paths(), question, goes_on))

    async def _footage_settled(self) -> None:
        """Wait for the last frames of cameras that it records no more: they would be missing in what it says (SPEC 14.4)."""
        until_s = time.monotonic() + SETTLE_LIMIT_S
        while not self._capture.settled and time.monotonic() < until_s:  # noqa: ASYNC110 - threads settle it
            await asyncio.sleep(SETTLE_LOOK_S)

    async def _give_document(self, message: Message) -> bytes:
        """Empty if it is not here."""
        try:
            return await self._documents.content(wire.decode(FetchDocument, message.body))
        except wire.WireError as error:
            self._drop(message.subject, error)
        except DocumentError as error:
            log.warning("document not given", why=str(error))
        return b""

    def _peer_answer(self) -> PeerAnswer:
        return m.peer_answer(self.state, camera_beats(self._capture.snapshot(), self._closed))

    async def _fetch(self, wanted: FetchDocument) -> bytes:
        """Raises BusError."""
        bus = connected_bus(self._bus, subjects.STORE, FETCH_TIMEOUT_MS)
        return await request_large(bus, subjects.STORE, wire.encode(wanted), FETCH_TIMEOUT_MS)

    async def _ask(self, ask: Ask) -> None:
        if self._given_bus is None:
            await self._keeper.wait(ASK_TIMEOUT_MS / 1000)
        try:
            bus = connected_bus(self._bus, subjects.ASK, ASK_TIMEOUT_MS)
            answer: Standing = wire.decode(Standing, await bus.request(subjects.ASK, wire.encode(ask), ASK_TIMEOUT_MS))
        except (BusError, wire.WireError) as error:
            log.debug("ask not answered", why=str(error))
            self._put(m.AskFailed())
        else:
            self._put(m.AskAnswered(answer=answer))


def _now() -> Instant:
    return Instant(mono_ms=time.monotonic_ns() // 1_000_000, wall_ms=time.time_ns() // 1_000_000)
