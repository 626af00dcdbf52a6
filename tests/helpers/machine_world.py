"""A world around the machine of a recording service: a disk that survives, and everything else, which a kill takes.

Effects are carried out one by one; `kill_after` ends the life of the process in front of the effect of that number.
"""

from __future__ import annotations

import msgspec

from sysmanager.domain.camera import Camera, CameraKind, FailoverPriority
from sysmanager.domain.documents import DocumentSet, SettingsSummary
from sysmanager.domain.ids import CameraId, DocumentHash, Epoch, FailoverId, InstanceId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.protocol.recorders import DiskBeat, GoOn, OrderAnswer, OrderKey, Record, RefusalReason, StandDown
from sysmanager.recorder import machine as m

HOME = RecorderId("gate")
SERVER = RecorderId("spare")
KEY = OrderKey(failover=FailoverId("f1"), step=4, attempt=1)
DISK = DiskBeat(path="D:", writable=True, free_mb=1000, total_mb=2000)


def document_set(tag: str, revision: int = 1) -> DocumentSet:
    def name(kind: str) -> DocumentHash:
        return DocumentHash(f"{tag}-{kind}")

    return DocumentSet(revision=revision, settings=name("settings"), masks=name("masks"), schedules=name("schedules"))


OWN = document_set("own")
FOREIGN = document_set("foreign", 5)
CAMERAS = (
    Camera(id=CameraId("c1"), name="Gate", priority=FailoverPriority.LOW),
    Camera(id=CameraId("c2"), name="Yard", priority=FailoverPriority.HIGH),
    Camera(id=CameraId("c3"), name="Old", kind=CameraKind.ANALOGUE),
    Camera(id=CameraId("c4"), name="Fence", priority=FailoverPriority.NEVER),
)
SETTINGS = SettingsSummary(disks=("D:",), cameras=CAMERAS)


def at(mono_ms: int) -> Instant:
    return Instant(mono_ms=mono_ms, wall_ms=1_700_000_000_000 + mono_ms)


def record(epoch: int, home: RecorderId = HOME, documents: DocumentSet | None = FOREIGN, without: tuple[CameraId, ...] = ()) -> Record:
    return Record(key=KEY, epoch=Epoch(epoch), home=home, documents=documents, without=without)


def stand_down(epoch: int) -> StandDown:
    return StandDown(key=KEY, epoch=Epoch(epoch))


class Killed(Exception):
    """The process ended in front of an effect."""


class World:
    """One machine, its disk, and a coordinator that answers asks with `standing`."""

    def __init__(self, recorder: RecorderId = SERVER, *, standby: bool = True, own: DocumentSet | None = OWN) -> None:
        self.identity = m.Identity(recorder=recorder)
        self.durable = m.first_persisted(recorder, InstanceId("i"), own, standby=standby)
        self.content: dict[DocumentHash, SettingsSummary] = {}
        self.store: set[DocumentHash] = set()
        self.capture: m.CapturePlan | None = None
        self.answers: dict[int, OrderAnswer] = {}
        self.done: list[m.Effect] = []
        self.asks = 0
        self.mono_ms = 0
        self.ticket = 0
        self.kill_after: int | None = None
        self.fail_save = False
        self.reachable = frozenset(
            name for documents in (OWN, FOREIGN) for name in (documents.settings, documents.masks, documents.schedules)
        )
        self.disks: tuple[DiskBeat, ...] = (DISK,)
        self.state = m.MachineState(identity=self.identity, persisted=self.durable)

    def start(self, *, standing: object = None) -> None:
        """Begin a new life of the process with what is on the disk; asks are answered with `standing`, or not at all."""
        self.capture = None
        self.durable = m.next_boot(self.durable)
        self.state = m.MachineState(identity=self.identity, persisted=self.durable)
        self.put(m.DisksChanged(disks=self.disks))
        asks = self.asks
        self.put(m.Started(persisted=self.durable))
        if standing is not None and self.asks > asks:
            self.put(m.AskAnswered(answer=standing))  # type: ignore[arg-type]  # tests give any of the answers

    def order(self, order: Record | StandDown) -> OrderAnswer | None:
        self.ticket += 1
        ticket = self.ticket
        self.put(m.OrderReceived(ticket=ticket, order=order))
        return self.answers.get(ticket)

    def wait(self, duration_ms: int) -> None:
        self.mono_ms += duration_ms
        self.put(m.Tick())

    def put(self, any_input: m.Input) -> None:
        waiting = [any_input]
        while waiting:
            self.state, effects = m.step(self.state, waiting.pop(0), at(self.mono_ms))
            for effect in effects:
                if self.kill_after is not None and len(self.done) >= self.kill_after:
                    raise Killed
                self.done.append(effect)
                answer = self.carry_out(effect)
                if answer is not None:
                    waiting.append(answer)

    def carry_out(self, effect: m.Effect) -> m.Input | None:
        match effect:
            case m.Persist(persisted=persisted):
                if self.fail_save:
                    return m.SaveFailed(sentence="The disk is full.")
                self.durable = persisted
                return m.Saved()
            case m.FetchDocuments(documents=documents):
                wanted = {documents.settings, documents.masks, documents.schedules}
                if not wanted <= self.store | self.reachable:
                    return m.DocumentsFailed(documents=documents, reason=RefusalReason.DOCUMENTS_MISSING, sentence="Not found.")
                self.store |= wanted
                return m.DocumentsReady(documents=documents, settings=self.content.get(documents.settings, SETTINGS))
            case m.ForgetDocuments(keep=keep):
                self.store &= keep
            case m.Answer(ticket=ticket, answer=answer):
                assert ticket not in self.answers, "a request is answered once"
                self.answers[ticket] = answer
            case m.StartCapture(plan=plan):
                assert self.capture is None, "started twice"
                self.capture = plan
            case m.ChangeCapture(plan=plan):
                assert self.capture is not None, "changed while nothing runs"
                self.capture = plan
            case m.StopCapture():
                assert self.capture is not None, "stopped while nothing runs"
                self.capture = None
            case m.SendAsk():
                self.asks += 1
            case _:
                pass
        if self.capture is not None:
            assert self.capture.epoch <= self.durable.epoch, "recorded under an epoch that is not durable"
        return None

    def rest(self) -> tuple[object, ...]:
        """What must be the same in the end, however often it was killed on the way."""
        plan = self.capture
        return (msgspec.structs.replace(self.durable, boot=0), self.state.situation, plan, frozenset(self.store))


def recording_world(epoch: int = 4) -> World:
    """A failover server that acts for `HOME`."""
    world = World()
    world.start()
    world.order(record(epoch))
    return world


def home_world() -> World:
    """A standard recorder that records its own cameras with the coordinator's leave."""
    world = World(HOME, standby=False)
    world.start(standing=GoOn())
    return world
