"""What a recording service finds out for the coordinator about another recorder, and what it says to others (SPEC 4.4, 13.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.port import Bus, BusError, Message
from sysmanager.documents.sealing import SiteKey
from sysmanager.domain.documents import DocumentKind, SettingsDocument
from sysmanager.domain.ids import RecorderId
from sysmanager.protocol.probes import (
    PEER_MS,
    REACH_MS,
    CamerasProbed,
    PeerAnswer,
    PeerQuestion,
    Probe,
    ProbeAnswer,
    ProbeCameras,
    ProbeFailed,
    RecorderProbed,
)
from sysmanager.protocol.recorders import CameraState, FetchDocument
from sysmanager.recorder.camera_plans import plans_of
from sysmanager.recorder.describing import describe

log = structlog.get_logger(__name__)

Fetch = Callable[[FetchDocument], Awaitable[bytes]]


class Probing:
    """Answers probes and the questions of peers on one bus.

    answer: what this recorder says of itself. fetch: a document from the coordinator. settings that were fetched last are kept in memory.
    """

    def __init__(self, recorder: RecorderId, fetch: Fetch, key: Callable[[], SiteKey | None], answer: Callable[[], PeerAnswer]) -> None:
        self._recorder = recorder
        self._fetch = fetch
        self._key = key
        self._answer = answer
        self._settings: tuple[str, SettingsDocument] | None = None

    @property
    def settings(self) -> SettingsDocument | None:
        """Of the recorder whose cameras it was asked about last."""
        return self._settings[1] if self._settings is not None else None

    async def attach(self, bus: Bus) -> None:
        """Serve on a new bus."""

        async def probe(message: Message) -> bytes:
            try:
                asked: Probe = wire.decode(Probe, message.body)
            except wire.WireError as error:
                log.warning("message dropped", subject=message.subject, why=str(error))
                return b""
            return wire.encode(await self.find_out(bus, asked))

        async def peer(message: Message) -> bytes:
            try:
                wire.decode(PeerQuestion, message.body)
            except wire.WireError as error:
                log.warning("message dropped", subject=message.subject, why=str(error))
                return b""
            return wire.encode(self._answer())

        await bus.serve(subjects.probe(self._recorder), probe)
        await bus.serve(subjects.peer(self._recorder), peer)

    async def find_out(self, bus: Bus, probe: Probe) -> ProbeAnswer:
        """Try what is asked; takes at most about two seconds."""
        if isinstance(probe, ProbeCameras):
            return await self._cameras(probe)
        try:
            body = await bus.request(subjects.peer(probe.recorder), wire.encode(PeerQuestion(asker=self._recorder)), PEER_MS)
            answer: PeerAnswer = wire.decode(PeerAnswer, body)
        except (BusError, wire.WireError, ValueError) as error:
            log.debug("peer not reached", peer=probe.recorder, why=str(error))
            return RecorderProbed(reached=False)
        return RecorderProbed(reached=answer.recorder == probe.recorder, records=answer.records)

    async def _cameras(self, probe: ProbeCameras) -> ProbeAnswer:
        document_hash = probe.documents.settings
        if self._settings is None or self._settings[0] != document_hash:
            try:
                content = await self._fetch(FetchDocument(kind=DocumentKind.SETTINGS, hash=document_hash))
                self._settings = (document_hash, msgspec.json.decode(content, type=SettingsDocument))
            except (BusError, msgspec.DecodeError) as error:
                log.debug("settings for a probe not there", recorder=probe.recorder, why=str(error))
                return ProbeFailed(sentence="The settings of that recorder could not be fetched.")
        wanted = set(probe.cameras)
        plans = plans_of((camera for camera in self._settings[1].cameras if camera.id in wanted), self._key())
        problems = await asyncio.gather(*(describe(plan, REACH_MS / 1000) for plan in plans.cameras))
        # One that gives no more sessions answers all the same.
        answers = [problem is None or problem.state is CameraState.BUSY for problem in problems]
        return CamerasProbed(reached=tuple(plan.id for plan, answer in zip(plans.cameras, answers, strict=True) if answer))
