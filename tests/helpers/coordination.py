"""A whole site around `Core` on a virtual clock: obedient servers that can be told to misbehave, a cache that answers, a journal in memory.

After every durable batch the invariants are checked, and every fact goes through the wire, so that each scenario tests both on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from sysmanager import wire
from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.commands import AskProbe, CheckCache, Command, FetchDocuments, MakeBackup, SendOrder
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.invariants import broken_invariants
from sysmanager.coordinator.state import State
from sysmanager.domain.backup import BackupFile
from sysmanager.domain.camera import Camera, CameraKind, FailoverPriority
from sysmanager.domain.documents import DocumentKind, DocumentSet, SettingsSummary
from sysmanager.domain.failover import Failover, Phase
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, DocumentHash, Epoch, FailoverId, GroupId, InstanceId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder, RecorderEdit, Role
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.engine.clock import instant_of
from sysmanager.engine.core import Core
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from sysmanager.protocol.hardware import Hardware
from sysmanager.protocol.jobs import JobOrder
from sysmanager.protocol.preroll import KeepPreroll, PrerollBeat, PrerollReport
from sysmanager.protocol.probes import CamerasProbed, Probe, ProbeAnswer, ProbeCameras, RecorderProbed
from sysmanager.protocol.selftest import SelfTestReport
from tests.helpers.job_side import JobSide

WALL_MS = 1_760_000_000_000
ADMIN = Actor(name="anna", role=RoleName.ADMINISTRATOR)
GROUP = GroupId("g")
F = TypeVar("F")
EDITED = tuple(name for name in RecorderEdit.__struct_fields__ if name not in ("name", "role"))


def rid(text: str) -> RecorderId:
    return RecorderId(text)


def cameras_of(server: str, count: int, **changes: object) -> tuple[Camera, ...]:
    """`count` cameras of a server, alike but for their ids; two sessions each unless changed."""
    base = Camera(id=CameraId(""), name="", sessions=2)
    return tuple(msgspec.structs.replace(base, id=CameraId(f"{server}-c{n}"), name=f"{server} camera {n}", **changes) for n in range(count))


def analogue(server: str, number: int = 90) -> Camera:
    return Camera(id=CameraId(f"{server}-c{number}"), name=f"{server} analogue", kind=CameraKind.ANALOGUE)


def never(server: str, number: int = 91) -> Camera:
    return Camera(id=CameraId(f"{server}-c{number}"), name=f"{server} never", priority=FailoverPriority.NEVER)


def document_set(tag: str, revision: int = 1) -> DocumentSet:
    names = [DocumentHash(f"{tag}-{kind.value}") for kind in DocumentKind]
    return DocumentSet(revision=revision, settings=names[0], masks=names[1], schedules=names[2])


def edit(name: str, role: Role = Role.STANDARD, **changes: object) -> RecorderEdit:
    fields = RecorderEdit(name=name, address="", role=role, group=GROUP, failover_enabled=True, detection_timeout_s=10)
    return msgspec.structs.replace(fields, **changes)


@dataclass
class Server:
    """A recorder that does at once what it is told, unless one of its switches says otherwise.

    up: heard and reachable. answers: takes orders. refusal: what it says to orders that let it record. dark: cameras without frames.
    dark_state: what it says of them. service: what its Watchdog says, None without one. first_frame_ms: from the order to the first frame.
    reached_by_peers: whether other servers reach it.
    """

    id: RecorderId
    home: RecorderId | None
    settings: SettingsSummary = field(default_factory=SettingsSummary)
    documents: DocumentSet | None = None
    mode: r.Mode = r.Mode.STANDBY
    epoch: int = 0
    version: str = "1.4.2"
    up: bool = True
    beats: bool = True
    answers: bool = True
    refusal: r.Refusal | None = None
    let_out_refusal: r.Refusal | None = None
    obeys_otherwise: bool = False
    disks: dict[str, bool] = field(default_factory=lambda: {"D:": True})
    free_mb: int = 950_000
    service: r.ServiceState | None = None
    dark: set[CameraId] = field(default_factory=set)
    dark_state: r.CameraState = r.CameraState.UNREACHABLE
    first_frame_ms: int = 300
    off: dict[CameraId, tuple[int, int]] = field(default_factory=dict)
    earlier_off: dict[CameraId, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    off_refused: bool = False
    camera_limit: int = 64
    bitrate_limit_kbps: int = 400_000
    vca_channels: int = 0
    plugins: tuple[str, ...] = ()
    clock_offset_ms: int = 0
    hardware: Hardware = field(default_factory=Hardware)
    machine: str = ""
    practice: bool = False
    self_test: SelfTestReport | None = None
    preroll_memory_mb: int = 0
    preroll_limit_s: int = 0
    preroll: KeepPreroll | None = None
    preroll_since_ms: int = 0
    preroll_refused: bool = False
    without: tuple[CameraId, ...] = ()
    since_ms: int = -1000
    opened_ms: dict[CameraId, int] = field(default_factory=dict)
    instance: InstanceId | None = None
    boot: int = 1
    sequence: int = 0
    footage: bool = True
    footage_refusal: r.RefusalReason = r.RefusalReason.CANNOT_SAVE
    reached_by_peers: bool = False
    orders: list[r.Order] = field(default_factory=list)
    jobs: JobSide = field(default_factory=JobSide)

    def beat(self, now: Instant) -> r.Beat:
        self.sequence += 1
        states = []
        for camera in self.settings.cameras if self.mode is r.Mode.RECORDING else ():
            if camera.id in self.without or (self.home != self.id and not camera.moves):
                continue
            lit_ms = max(self.since_ms, self.opened_ms.get(camera.id, 0)) + self.first_frame_ms
            wall_ms = now.wall_ms + self.clock_offset_ms
            off = self.off.get(camera.id, (0, 0))
            first_ms = max(WALL_MS + lit_ms + self.clock_offset_ms, off[1] if off[1] <= wall_ms else 0)
            if off[0] <= wall_ms < off[1]:
                began = WALL_MS + lit_ms + self.clock_offset_ms < off[0]
                seen = (first_ms, off[0]) if began else (0, 0)
                states.append(r.CameraBeat(camera.id, r.CameraState.OFF, *seen, "", *off))
            elif now.mono_ms < lit_ms:
                states.append(r.CameraBeat(camera.id, r.CameraState.CONNECTING))
            elif camera.id in self.dark:
                states.append(r.CameraBeat(camera.id, self.dark_state))
            else:
                states.append(r.CameraBeat(camera.id, r.CameraState.RECORDING, first_ms, wall_ms, "", *off))
        return r.Beat(
            recorder=self.id,
            instance=self.instance or InstanceId(f"{self.id}-1"),
            boot=self.boot,
            sequence=self.sequence,
            wall_ms=now.wall_ms + self.clock_offset_ms,
            version=self.version,
            mode=self.mode,
            epoch=Epoch(self.epoch),
            home=self.home,
            documents=self.documents,
            without=self.without,
            disks=tuple(r.DiskBeat(path, good, self.free_mb, 1_000_000) for path, good in self.disks.items()),
            cameras=tuple(states),
            camera_limit=self.camera_limit,
            bitrate_limit_kbps=self.bitrate_limit_kbps,
            vca_channels=self.vca_channels,
            plugins=self.plugins,
            hardware=self.hardware,
            machine=self.machine,
            practice=self.practice,
            self_test=self.self_test,
            preroll=self._kept(now),
            material=self.jobs.address,
            copy=self.jobs.copy,
            drill=self.jobs.drill,
            mono_ms=now.mono_ms,
        )

    def _kept(self, now: Instant) -> PrerollReport:
        parts = self.preroll.parts if self.preroll is not None else ()
        held = now.mono_ms - self.preroll_since_ms
        return PrerollReport(
            memory_mb=self.preroll_memory_mb,
            limit_s=self.preroll_limit_s,
            plan=self.preroll.plan if self.preroll is not None else "",
            cameras=tuple(PrerollBeat(camera, min(held, part.seconds * 1000)) for part in parts for camera in part.cameras),
        )

    def watchdog(self, now: Instant) -> r.WatchdogBeat:
        assert self.service is not None
        instance = self.instance or InstanceId(f"{self.id}-1")
        return r.WatchdogBeat(recorder=self.id, instance=instance, wall_ms=now.wall_ms, service=self.service, mono_ms=now.mono_ms)

    def obey(self, order: r.Order, settings: SettingsSummary, now: Instant) -> r.OrderAnswer:
        self.orders.append(order)
        if isinstance(order, JobOrder):
            return self.jobs.take(order)
        match order:
            case r.Record():
                if self.refusal is not None:
                    return self.refusal
                if order.documents is not None:
                    self.documents, self.settings = order.documents, settings
                if (order.epoch, order.home) != (self.epoch, self.home) or self.mode is not r.Mode.RECORDING:
                    self.since_ms = now.mono_ms
                self.opened_ms |= dict.fromkeys(set(self.without) - set(order.without), now.mono_ms)
                self.epoch, self.home, self.mode, self.without = order.epoch, order.home, r.Mode.RECORDING, order.without
                self.preroll = None
                told = document_set("other") if self.obeys_otherwise else self.documents
                return r.Obeyed(epoch=order.epoch, documents=told)
            case r.LetOut(camera=camera):
                self.dark -= {camera} if self.let_out_refusal is None else set()
                return self.let_out_refusal or r.Obeyed(epoch=Epoch(self.epoch))
            case r.StandDown():
                self.epoch, self.home, self.mode, self.without = order.epoch, None, r.Mode.STANDBY, ()
                return r.Obeyed(epoch=order.epoch)
            case KeepPreroll():
                if self.preroll_refused:
                    return r.Refusal(reason=r.RefusalReason.NO_PREROLL, sentence="not today")
                self.preroll, self.preroll_since_ms = order, now.mono_ms
                return r.Obeyed(epoch=order.epoch)
            case r.ReportFootage(off_since_ms=since_ms) if since_ms:
                if self.off_refused:
                    return r.Refusal(reason=r.RefusalReason.CANNOT_SAVE, sentence="not now")
                told = ((camera, (*self.earlier_off.get(camera, ()), self.off.get(camera, (0, 0)))) for camera in order.cameras)
                return r.Footage(epoch=order.epoch, off=tuple(r.OffTimes(camera=camera, times=times) for camera, times in told))
            case r.ReportFootage():
                if not self.footage:
                    return r.Refusal(reason=self.footage_refusal, sentence="not now")
                spans = tuple(
                    r.FootageSpan(camera=camera, first_frame_ms=WALL_MS, last_frame_ms=WALL_MS + 5_000, frames=9, segments=1)
                    for camera in order.cameras
                    if any(self.disks.values())
                )
                return r.Footage(epoch=order.epoch, spans=spans)


class Site:
    """The coordinator's core, its journal and its servers. Time moves in steps of 10 ms by `run` and nowhere else.

    step_ms: finer steps. part_us: how far the clocks stand past their whole millisecond at each of them.
    """

    def __init__(self, *, group: Group | None = None) -> None:
        self.mono_ms = 0
        self.step_ms = 10
        self.part_us = 0
        self.journal: list[bytes] = []
        self.facts: list[f.AnyFact] = []
        self.servers: dict[RecorderId, Server] = {}
        self.documents: dict[DocumentHash, SettingsSummary] = {}
        self.missing: tuple[DocumentKind, ...] = ()
        self.cache_answers = True
        self.fetch_works = True
        self.canary = True
        self.backup_ends = True
        self.backup_fails = ""
        self.probes: list[tuple[int, RecorderId, Probe]] = []
        self.unreachable: set[CameraId] = set()
        self.replies: list[c.Reply] = []
        self.commands: list[tuple[int, Command]] = []
        self.times: list[tuple[int, f.AnyFact]] = []
        self.core = Core([], self.now)
        self.start()
        self.ask(c.SaveGroup(group=group or Group(id=GROUP, name="Gate")))

    @property
    def now(self) -> Instant:
        mono_us = self.mono_ms * 1000 + self.part_us
        return instant_of(mono_us * 1000, WALL_MS * 1_000_000 + mono_us * 1000)

    @property
    def state(self) -> State:
        return self.core.state

    def row(self, server: str) -> Recorder:
        return self.state.recorders[rid(server)]

    def server(self, server: str) -> Server:
        return self.servers[rid(server)]

    @property
    def entry(self) -> Failover:
        """The newest entry of the failover log."""
        return max(self.state.failovers.values(), key=lambda entry: entry.number)

    def of(self, kind: type[F]) -> list[F]:
        """All facts of one type so far."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    # ------------------------------------------------------------ building

    def add(self, server: str, *, failover: bool = False, cameras: tuple[Camera, ...] | int = 3, **changes: object) -> Server:
        """Take a server into system data; a standard one records `cameras` of its own. changes: of `Server`, or of the edit."""
        fields = {key: changes.pop(key) for key in EDITED if key in changes}
        settings_fields = {key: changes.pop(key) for key in ("plugins_wanted", "disks_wanted", "retention_days") if key in changes}
        made = Server(id=rid(server), home=None if failover else rid(server))
        if not failover:
            own = cameras_of(server, cameras) if isinstance(cameras, int) else cameras
            made.settings = SettingsSummary(
                cameras=own,
                disks=settings_fields.get("disks_wanted", ("D:",)),
                plugins=settings_fields.get("plugins_wanted", ()),
                retention_days=settings_fields.get("retention_days", 14),
            )
            made.documents = document_set(server)
            made.mode = r.Mode.RECORDING
            self.documents[made.documents.settings] = made.settings
        for key, value in changes.items():
            assert hasattr(made, key), key
            setattr(made, key, value)
        self.servers[made.id] = made
        role = Role.FAILOVER if failover else Role.STANDARD
        reply = self.ask(c.AddRecorder(id=made.id, fields=edit(server, role, **fields)))
        assert isinstance(reply, c.Done), reply
        return made

    def start(self, damage: str | None = None) -> None:
        self.core.take(i.Started(damage=damage), self.now)
        self.settle()

    def restart(self, *, keep: int | None = None, damage: str | None = None, pause_ms: int = 0) -> None:
        """A new coordinator reads the journal, or what is left of it."""
        self.mono_ms += pause_ms
        self.journal = self.journal[:keep]
        self.core = Core([wire.decode_fact(record) for record in self.journal], self.now)
        self.start(damage)

    # ------------------------------------------------------------ asking

    def ask(self, request: c.Request, role: RoleName | None = RoleName.ADMINISTRATOR) -> c.Reply:
        self.core.take(i.Asked(actor=Actor(name="anna", role=role), request=request), self.now, token=request)
        self.settle()
        return self.replies[-1]

    def fail_over(self, server: str = "A") -> Failover:
        """By hand, up to "Failover ready"; the recorder is not in maintenance afterwards."""
        reply = self.ask(c.StartFailover(recorder=rid(server), maintenance=False))
        assert isinstance(reply, c.Done), reply
        self.run(1_000)
        assert self.entry.phase is Phase.READY, self.entry.phase
        return self.entry

    def fail_back(self, failover: FailoverId | None = None) -> c.Reply:
        return self.ask(c.StartFailback(failover=failover or self.entry.id))

    # ------------------------------------------------------------ time

    def run(self, duration_ms: int, until: Callable[[], bool] | None = None) -> None:
        """Let time pass, with beats, canaries and deadlines; ends early when `until` holds."""
        end_ms = self.mono_ms + duration_ms
        while self.mono_ms < end_ms and not (until is not None and until()):
            self.mono_ms += self.step_ms
            if self.mono_ms % 1000 == 0:
                self.hear()
            if self.canary and self.mono_ms % 500 == 0:
                self.core.take(i.CanaryReturned(sent_mono_ms=self.mono_ms), self.now)
            if self.core.tick(self.now) and self.canary:
                self.core.take(i.CanaryReturned(sent_mono_ms=self.mono_ms), self.now)
            self.settle()

    def hear(self, *servers: str) -> None:
        """Beats of the named servers, or of all that are up, now."""
        for server in [self.servers[rid(name)] for name in servers] or list(self.servers.values()):
            if server.up and server.service is not None:
                self.core.take(i.Heard(message=server.watchdog(self.now)), self.now)
            if server.up and server.beats:
                self.core.take(i.Heard(message=server.beat(self.now)), self.now)

    def settle(self) -> None:
        """Decide, make durable, carry out, until nothing waits."""
        for _ in range(400):
            batch = self.core.decide(self.now)
            if batch is None:
                return
            for record in batch.records:
                self.journal.append(wire.encode_fact(record))
                self.facts.append(record.fact)
                self.times.append((self.mono_ms, record.fact))
            effects = self.core.durable(batch, self.now)
            self.replies += [reply for _, reply in effects.replies]
            assert broken_invariants(self.state) == ()
            for command in effects.commands:
                self.commands.append((self.mono_ms, command))
                self._carry_out(command)
        raise AssertionError(f"the core does not come to rest: {self.commands[-3:]}")

    def _carry_out(self, command: Command) -> None:
        match command:
            case FetchDocuments(recorder=recorder, documents=documents):
                if not self.fetch_works:
                    self.core.fetch_failed(recorder, self.now)
                    return
                settings = self.servers[recorder].settings
                self.documents[documents.settings] = settings
                self.core.take(i.DocumentsFetched(recorder=recorder, documents=documents, settings=settings), self.now)
            case CheckCache(failover=failover, documents=documents):
                if self.cache_answers:
                    self.core.take(i.DocumentsInCache(failover=failover, documents=documents, missing=self.missing), self.now)
            case AskProbe(server=server_id, probe=probe):
                asked = self.servers[server_id]
                reachable = asked.up and asked.answers
                self.core.take(i.Probed(server=server_id, probe=probe, answer=self._probed(asked, probe) if reachable else None), self.now)
            case SendOrder(recorder=recorder, order=order):
                server = self.servers[recorder]
                if not (server.up and server.answers):
                    self.core.take(i.OrderUndelivered(recorder=recorder, order=order), self.now)
                    return
                documents_wanted = order.documents if isinstance(order, r.Record) else None
                settings = self.documents[documents_wanted.settings] if documents_wanted is not None else server.settings
                answer = server.obey(order, settings, self.now)
                self.core.take(i.OrderAnswered(recorder=recorder, order=order, answer=answer), self.now)
            case MakeBackup():
                if self.backup_ends:
                    self.end_backup(command)

    def end_backup(self, command: MakeBackup) -> None:
        """The worker says how it ended."""
        file = BackupFile(
            number=command.number,
            name=f"{command.kind.value}-{command.number}",
            made_ms=self.now.wall_ms,
            size_bytes=1,
            position=len(self.journal),
        )
        made = None if self.backup_fails else file
        self.core.take(i.BackupEnded(number=command.number, kind=command.kind, file=made, sentence=self.backup_fails), self.now)

    def _probed(self, asked: Server, probe: Probe) -> ProbeAnswer:
        """What a server finds that asks another one, or its cameras."""
        self.probes.append((self.mono_ms, asked.id, probe))
        target = self.servers[probe.recorder]
        if isinstance(probe, ProbeCameras):
            return CamerasProbed(reached=tuple(camera for camera in probe.cameras if camera not in self.unreachable))
        return RecorderProbed(reached=target.reached_by_peers, records=target.reached_by_peers and target.mode is r.Mode.RECORDING)

    def replayed(self) -> State:
        """The tables as a replay of the journal makes them."""
        state = State()
        for record in self.journal:
            evolve(state, wire.decode_fact(record))
        return state


def contents(state: State) -> dict[str, object]:
    """All tables as plain values, to compare."""
    return {name: msgspec.to_builtins(value, str_keys=True) for name, value in vars(state).items()}


def small_site(**changes: object) -> Site:
    """Recorders A and B, failover servers F and H in one group, all heard for five seconds and cached."""
    site = Site()
    site.add("A", **changes)
    site.add("B")
    site.add("F", failover=True)
    site.add("H", failover=True)
    site.run(5_000)
    return site
