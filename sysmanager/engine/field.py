"""The coordinator's side of the bus towards the recorders: what they say comes in as inputs, what they shall do goes out as orders."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
from msgspec.structs import replace

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.large import request_large, serve_large
from sysmanager.bus.port import Bus, BusError, Message, Subscription
from sysmanager.coordinator import inputs as i
from sysmanager.documents.port import DocumentError, DocumentStore
from sysmanager.domain.documents import DocumentKind
from sysmanager.domain.ids import CameraId, DocumentHash, RecorderId
from sysmanager.engine.cache import store_of
from sysmanager.protocol.clients import Done, Reply
from sysmanager.protocol.jobs import CopyMaterial
from sysmanager.protocol.material import TOKEN_S, token_for
from sysmanager.protocol.pictures import AskPicture, NoPicture, PictureAnswer
from sysmanager.protocol.probes import PROBE_MS, Probe, ProbeAnswer
from sysmanager.protocol.recorders import (
    Ask,
    Beacon,
    Beat,
    Farewell,
    FetchDocument,
    FromRecorder,
    Leaving,
    Order,
    OrderAnswer,
    Record,
    Standing,
    WatchdogBeat,
)

log = structlog.get_logger(__name__)

RECORD_MS = 5_000
"""How long a recorder has to save settings and to say so (SPEC 6, step 4)."""

SHORT_MS = 2_000
"""How long it has for any other answer."""

FETCH_MS = 5_000
PICTURE_MS = 6_000
SWITCH_MS = 8_000
"""So long a recorder that is to be shut down is asked to record on, while another one takes over: step 4, and first frames."""

GARBAGE_LOG_EVERY = 100
"""Of the messages of one recorder that make no sense, the first is logged, and then every so many."""

GARBAGE_SUBJECTS_LIMIT = 1_000
"""So many senders of nonsense are counted apart; more are counted together."""

BEAT_LIMIT_BYTES = 128 * 1024


class Listener(Protocol):
    """What the field tells the engine. Called on the loop of the bus; must not block."""

    def hear(self, taken: i.Input) -> None: ...

    def canary(self, term: int, sequence: int) -> None: ...

    async def standing(self, ask: Ask) -> Standing | None: ...

    async def announced(self, leaving: Leaving) -> Reply | None: ...

    def name_of(self, recorder: RecorderId) -> str: ...


class Field:
    """Recorders, as one bus reaches them.

    material_key: seals the leave to fetch material; without it no recorder lets another one in.
    garbage: how many messages of each subject made no sense and were dropped (SPEC 18).
    """

    def __init__(self, bus: Bus, store: DocumentStore, material_key: bytes = b"") -> None:
        self._bus = bus
        self._store = store
        self._material_key = material_key
        self._subscriptions: list[Subscription] = []
        self._beats: dict[type, Subscription] = {}
        self._heard: Counter[type] = Counter()
        self._canaries: deque[tuple[Beacon, dict[type, int]]] = deque()
        self._listener: Listener | None = None
        self.garbage: dict[str, int] = {}

    async def open(self, listener: Listener) -> None:
        """Begin to hear recorders and to answer them."""
        self._listener = listener

        def heard(kind: type[Beat] | type[WatchdogBeat]) -> Callable[[Message], None]:
            def receive(message: Message) -> None:
                try:
                    beat = self._decode_beat(kind, message)
                    if beat is not None:
                        listener.hear(i.Heard(message=beat))
                finally:
                    self._heard[kind] += 1
                    if self._canaries:
                        self._tell_canaries(listener)

            return receive

        def beacon(message: Message) -> None:
            try:
                found: Beacon = wire.decode(Beacon, message.body)
            except wire.WireError as error:
                self._drop(message.subject, str(error))
                return
            self._canaries.append((found, {kind: self._heard[kind] + beats.waiting for kind, beats in self._beats.items()}))
            self._tell_canaries(listener)

        async def ask(message: Message) -> bytes:
            question: Ask = wire.decode(Ask, message.body)
            standing = await listener.standing(question)
            return b"" if standing is None else wire.encode(standing)

        async def leave(message: Message) -> bytes:
            leaving: Leaving = wire.decode(Leaving, message.body)
            reply = await listener.announced(leaving)
            covered = isinstance(reply, Done) and reply.failover is not None
            return b"" if reply is None else wire.encode(Farewell(wait_ms=SWITCH_MS if covered else 0, sentence=reply.sentence))

        self._beats = {
            Beat: await self._bus.subscribe(subjects.EVERY_BEAT, heard(Beat)),
            WatchdogBeat: await self._bus.subscribe(subjects.EVERY_WATCHDOG, heard(WatchdogBeat)),
        }
        self._subscriptions = [
            *self._beats.values(),
            await self._bus.subscribe(subjects.BEACON, beacon),
            await self._bus.serve(subjects.ASK, self._guarded(ask)),
            await self._bus.serve(subjects.LEAVING, self._guarded(leave)),
            await serve_large(self._bus, subjects.STORE, self._guarded(self._give)),
        ]

    async def close(self) -> None:
        for subscription in self._subscriptions:
            await subscription.end()
        self._subscriptions = []
        self._beats = {}
        self._canaries.clear()

    @property
    def connected(self) -> bool:
        return self._bus.connected

    # ------------------------------------------------------------ what comes in

    def _tell_canaries(self, listener: Listener) -> None:
        """Tell of those canaries before which all heartbeats were heard that had arrived when they did: each subscription has a row of
        its own, and a canary that overtook a heartbeat would prove a silence that there was not."""
        while self._canaries:
            canary, before = self._canaries[0]
            behind = any(self._heard[kind] < count for kind, count in before.items())
            if behind and any(beats.waiting for beats in self._beats.values()):
                return
            self._canaries.popleft()
            listener.canary(canary.term, canary.sequence)

    def _decode_beat(self, kind: type[Beat] | type[WatchdogBeat], message: Message) -> FromRecorder | None:
        try:
            if len(message.body) > BEAT_LIMIT_BYTES:
                raise wire.WireError(f"The message has {len(message.body)} bytes and may have {BEAT_LIMIT_BYTES} at most.")
            beat: FromRecorder = wire.decode(kind, message.body)
            sender = subjects.recorder_of(message.subject)
        except (wire.WireError, ValueError) as error:
            self._drop(message.subject, str(error))
            return None
        if beat.recorder != sender:
            self._drop(message.subject, f"It speaks for {beat.recorder[:64]!r}.")
            return None
        return beat

    def _drop(self, subject: str, why: str) -> None:
        key = subject if subject in self.garbage or len(self.garbage) < GARBAGE_SUBJECTS_LIMIT else "others"
        count = self.garbage[key] = self.garbage.get(key, 0) + 1
        if count % GARBAGE_LOG_EVERY == 1:
            sender = RecorderId(subject.rpartition(".")[2])
            name = self._listener.name_of(sender) if self._listener is not None else sender
            log.warning("message dropped", recorder=name, subject=subject, why=why, dropped=count)

    def _guarded(self, answer: Callable[[Message], Awaitable[bytes]]) -> Callable[[Message], Awaitable[bytes]]:
        """A question that makes no sense gets an empty answer, which no asker takes for one, and is counted."""

        async def answered(message: Message) -> bytes:
            try:
                return await answer(message)
            except wire.WireError as error:
                self._drop(message.subject, str(error))
            except DocumentError as error:
                log.warning("document not given", why=str(error))
            return b""

        return answered

    async def _give(self, message: Message) -> bytes:
        wanted: FetchDocument = wire.decode(FetchDocument, message.body)
        return await self._store.get(store_of(wanted.kind), wanted.hash)

    # ------------------------------------------------------------ what goes out

    async def beacon(self, term: int, sequence: int, wall_ms: int) -> None:
        await self._bus.publish(subjects.BEACON, wire.encode(Beacon(term=term, sequence=sequence, wall_ms=wall_ms)))

    async def order(self, recorder: RecorderId, order: Order) -> i.OrderAnswered | i.OrderUndelivered:
        """Send an order and wait for its answer."""
        timeout_ms = RECORD_MS if isinstance(order, Record) else SHORT_MS
        subject = subjects.order(recorder)
        try:
            body = await self._bus.request(subject, wire.encode(self._with_leave(recorder, order)), timeout_ms)
            answer: OrderAnswer = wire.decode(OrderAnswer, body)
        except BusError as error:
            log.info("order not answered", recorder=recorder, order=type(order).__name__, why=str(error))
            return i.OrderUndelivered(recorder=recorder, order=order)
        except wire.WireError as error:
            self._drop(subject, str(error))
            return i.OrderUndelivered(recorder=recorder, order=order)
        return i.OrderAnswered(recorder=recorder, order=order, answer=answer)

    def _with_leave(self, recorder: RecorderId, order: Order) -> Order:
        """A material copy gets its token at the last moment: it is no part of what is compared or kept."""
        if not isinstance(order, CopyMaterial) or not self._material_key:
            return order
        until_s = int(time.time()) + TOKEN_S
        token = token_for(self._material_key, job=order.job, source=order.source, target=recorder, epoch=order.epoch, until_s=until_s)
        return replace(order, token=token)

    async def probe(self, server: RecorderId, probe: Probe) -> ProbeAnswer | None:
        """Ask a server about a recorder; None if it does not answer."""
        subject = subjects.probe(server)
        try:
            answer: ProbeAnswer = wire.decode(ProbeAnswer, await self._bus.request(subject, wire.encode(probe), PROBE_MS))
        except BusError as error:
            log.debug("probe not answered", server=server, recorder=probe.recorder, why=str(error))
            return None
        except wire.WireError as error:
            self._drop(subject, str(error))
            return None
        return answer

    async def picture(self, recorder: RecorderId, camera: CameraId) -> PictureAnswer:
        """The last picture of a camera that the recorder records."""
        subject = subjects.picture(recorder)
        try:
            answer: PictureAnswer = wire.decode(
                PictureAnswer, await request_large(self._bus, subject, wire.encode(AskPicture(camera=camera)), PICTURE_MS)
            )
        except BusError as error:
            log.debug("picture not given", recorder=recorder, camera=camera, why=str(error))
            return NoPicture(sentence="The server did not give the picture in time; try again.")
        except wire.WireError as error:
            self._drop(subject, str(error))
            return NoPicture(sentence="The server answered something else than a picture; look at its log.")
        return answer

    async def document(self, recorder: RecorderId, kind: DocumentKind, document_hash: DocumentHash) -> bytes:
        """One document of a recorder. Raises BusError when it does not give it."""
        question = wire.encode(FetchDocument(kind=kind, hash=document_hash))
        return await request_large(self._bus, subjects.documents(recorder), question, FETCH_MS)
