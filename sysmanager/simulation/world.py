"""One simulated site on a virtual clock: the coordinator, its recorders, the network between them, people, and the rules."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from typing import Any, cast, get_args

import msgspec

from sysmanager import wire
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.facts import FactRecord
from sysmanager.coordinator.state import State
from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.documents import DocumentSet, SettingsDocument
from sysmanager.domain.ids import CameraId, DocumentHash, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Role
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.engine.batch import Batch
from sysmanager.protocol.clients import AddRecorder, Reply, Request
from sysmanager.protocol.probes import PEER_MS, PeerAnswer, Probe, ProbeAnswer
from sysmanager.protocol.recorders import Ask, Beacon, Beat, FromRecorder, Leaving, Obeyed, Order, Standing
from sysmanager.recorder import machine as m
from sysmanager.simulation import safety
from sysmanager.simulation.agenda import Agenda
from sysmanager.simulation.broken import Broken
from sysmanager.simulation.checkers import Checkers
from sysmanager.simulation.coordinator import SimulatedCoordinator
from sysmanager.simulation.counting import machine_rows, rows_of
from sysmanager.simulation.footage import CameraField
from sysmanager.simulation.hearing import Hearing
from sysmanager.simulation.history import ENDED_KEPT, SimulatedHistory
from sysmanager.simulation.network import BUS_MS, Link, Network
from sysmanager.simulation.recorder import BEACON_STEP_MS, SimulatedRecorder
from sysmanager.simulation.site import VERSION, SitePlan, edit_of, schedules_of
from sysmanager.simulation.story import Story
from sysmanager.simulation.surroundings import Fetched, Pace

WALL_MS = 1_800_000_000_000
"""Wall-clock time when virtual time is 0."""

_EFFECTS = frozenset(get_args(m.Effect))

FETCH_MS = 2_000
ASK_MS = 1_000
"""How long a recorder waits for documents, and for an answer to its question."""

ADMINISTRATOR = Actor(name="Administrator", role=RoleName.ADMINISTRATOR)
Heard = Callable[[Reply], None]
DARK_MS = 4_000
"""A shorter time without a frame is none that is worth being remembered."""

LOOK_MS = 2_000
"""How often those rules are checked that hold over time."""

LEFT_OUT = 7
"""So many looks in a row are left out at most while nothing moves and nothing that a rule counts is under way."""


class World:
    """Implements `Surroundings` for all recorders.

    shadow: the tables as the journal gives them, made anew from the encoded facts and compared with the coordinator's own.
    wall_steps, stepped_ms: by how much, and when, the clock of a recorder was set.
    broken_since: when a broken service was mended, by recorder. state_lost: whose state file was ever lost.
    words: the last word of each server on each recorder. cameras_reached_ms: when a server reached cameras of each. lit_ms: when each wrote
    frames last, and said so. darknesses: when one that wrote none for a while did again, and for how long it had not.
    braked_ms: since when the brake holds. opinion_held_ms: since when a second opinion holds a failover.
    onlookers: told of every fact when it is durable.
    hours: of the cameras that have a schedule.
    mends: how to end the present faults, by kind and target. entered_facts: length of the journal when the site was in system data.
    counts: how often rows, faults and checkers were exercised, by ("row", number) and the like.
    moves: how often the coordinator heard or decided anything new, a machine moved, or something was broken or mended.
    """

    def __init__(self, plan: SitePlan, seed: int | str, *, story: Story | None = None, pace: Pace | None = None) -> None:
        self.plan = plan
        self.agenda = Agenda()
        self._instant = Instant(mono_ms=0, wall_ms=WALL_MS)
        self.after = self.agenda.after
        self._beacon_ms = 0
        self.chance = random.Random(f"world {seed}")
        self.hours = schedules_of(plan)
        self.network = Network(self.agenda, random.Random(f"network {seed}"))
        self.story = story
        self.journal_cut = False
        self.counts: Counter[tuple[str, str]] = Counter()
        self.cameras = CameraField()
        self.hearing = Hearing()
        self.shadow = State(ENDED_KEPT)
        self.history = SimulatedHistory(self)
        self.facts: list[FactRecord] = []
        self.links = {server.id: Link() for server in plan.servers}
        self.wall_steps: dict[RecorderId, int] = {}
        self.stepped_ms: dict[RecorderId, int] = {}
        self.broken_since: dict[RecorderId, dict[str, int]] = {}
        self.state_lost: set[RecorderId] = set()
        self.mends: dict[tuple[str, str], list[Callable[[], None]]] = {}
        self.entered_facts = 0
        self.onlookers: list[Callable[[FactRecord], None]] = []
        self.recorders: dict[RecorderId, SimulatedRecorder] = {}
        for server in plan.servers:
            documents, contents = server.contents()
            self.recorders[server.id] = SimulatedRecorder(
                self,
                server.identity,
                version=VERSION,
                disks=server.disks,
                persisted=server.first(documents),
                contents=contents,
                pace=pace or Pace(),
            )
        self.coordinator = SimulatedCoordinator(self)
        self.checkers = Checkers(self)
        self.words: dict[RecorderId, dict[RecorderId, safety.Word]] = {}
        self.cameras_reached_ms: dict[RecorderId, int] = {}
        self.lit_ms: dict[RecorderId, int] = {}
        self.darknesses: dict[RecorderId, list[tuple[int, int]]] = {}
        self.braked_ms: int | None = None
        self.opinion_held_ms: dict[RecorderId, int] = {}
        self._settings: dict[bytes, SettingsDocument] = {}
        self._replies: dict[int, Heard] = {}
        self._requests: dict[int, Request] = {}
        self._token = 0
        self.moves = 0
        self._looked_at = -1
        self._left_out = 0

    # ------------------------------------------------------------ time

    def run(self, duration_ms: int) -> None:
        """Let so much time go by. Raises Broken, also for whatever the parts under test raise."""
        try:
            self.agenda.run_until(self.agenda.now_ms + duration_ms)
        except Broken:
            raise
        except Exception as error:
            raise Broken("nothing raises", f"{type(error).__name__}: {error}") from error

    def instant(self, step_ms: int = 0) -> Instant:
        now_ms = self.agenda.now_ms
        if step_ms:
            return Instant(mono_ms=now_ms, wall_ms=WALL_MS + now_ms + step_ms)
        if self._instant.mono_ms != now_ms:
            self._instant = Instant(mono_ms=now_ms, wall_ms=WALL_MS + now_ms)
        return self._instant

    def begin(self) -> None:
        """Switch everything on, and enter the site into system data."""
        self.coordinator.start()
        for recorder in self.recorders.values():
            recorder.power_on()
        for request in self.plan.requests():
            self.ask_coordinator(ADMINISTRATOR, request)
        self.agenda.after(LOOK_MS, self._look)

    def _look(self) -> None:
        self.agenda.after(LOOK_MS, self._look)
        self.checkers.knowing.readiness()
        if self.moves == self._looked_at and self._left_out < LEFT_OUT and not self.checkers.counting:
            self._left_out += 1
            return
        self._looked_at, self._left_out = self.moves, 0
        self.checkers.waiting()
        self.checkers.nothing_to_confirm()
        self.checkers.maintenance_ends()
        self.checkers.origins.look()
        self.checkers.jobs()
        self.checkers.handing()

    def tell(self, sentence: str) -> None:
        """One line of the story."""
        if self.story is not None:
            self.story.add(self.agenda.now_ms, sentence)

    # ------------------------------------------------------------ surroundings of recorders

    def now(self, recorder: RecorderId) -> Instant:
        now_ms = self.agenda.now_ms
        if self.wall_steps and (step_ms := self.wall_steps.get(recorder, 0)):
            return Instant(mono_ms=now_ms, wall_ms=WALL_MS + now_ms + step_ms)
        if self._instant.mono_ms != now_ms:
            self._instant = Instant(mono_ms=now_ms, wall_ms=WALL_MS + now_ms)
        return self._instant

    def between(self, span_ms: tuple[int, int]) -> int:
        return self.chance.randint(*span_ms)

    def quiet(self, recorder: RecorderId) -> bool:
        return self.network.open(self.links[recorder])

    def say(self, recorder: RecorderId, message: FromRecorder, *, quiet: bool = False) -> None:
        now_ms, link = self.agenda.now_ms, self.links[recorder]
        if isinstance(message, Beat):
            capture = self.recorders[recorder].capture
            if capture.gave or (not capture.frozen and self.all_off(recorder)):
                dark_ms, self.lit_ms[recorder] = now_ms - self.lit_ms.get(recorder, 0), now_ms
                if dark_ms >= DARK_MS:
                    self.darknesses.setdefault(recorder, []).append((now_ms, dark_ms))
            if quiet and link.last_ms <= now_ms:
                # Nothing else is on this way: it need not go through the agenda, which most of them would fill.
                self.coordinator.heard(message)
                return
        self.network.up_in_order(link, self.coordinator.heard, message)

    def is_off(self, camera: CameraId, recorder: RecorderId) -> bool:
        """Whether the camera's schedule switches it off now, by the clock of that recorder."""
        hours = self.hours.get(camera)
        return hours is not None and hours.mode(self.now(recorder).wall_ms) is RecordingMode.OFF

    def is_kept(self, camera: CameraId, recorder: RecorderId) -> bool:
        """Whether each frame of the camera is to be written now."""
        hours = self.hours.get(camera)
        return hours is None or hours.mode(self.now(recorder).wall_ms) is RecordingMode.CONTINUOUS

    def all_off(self, recorder: RecorderId) -> bool:
        """Whether all cameras that the recorder has been told to record are off."""
        plan = self.recorders[recorder].capture.plan
        return plan is not None and bool(plan.cameras) and all(self.is_off(camera.id, recorder) for camera in plan.cameras)

    def ask(self, recorder: RecorderId, ask: Ask, answered: Callable[[Standing | None], None]) -> None:
        link = self.links[recorder]
        first = _First(answered)
        self.agenda.after(ASK_MS, first, None)

        def arrived(body: bytes) -> None:
            def answer(standing: Standing) -> None:
                self.network.down(link, lambda back: first(wire.decode(Standing, back)), wire.encode(standing))

            self.coordinator.standing(wire.decode(Ask, body), answer)

        self.network.up(link, arrived, wire.encode(ask))

    def ask_peer(self, recorder: RecorderId, peer: RecorderId, answered: Callable[[PeerAnswer | None], None]) -> None:
        first = _First(answered)
        self.agenda.after(PEER_MS, first, None)
        target = self.recorders.get(peer)
        if target is not None and not (self.links[peer].peers_cut or self.links[recorder].peers_cut):
            self.agenda.after(2 * BUS_MS, lambda: first(answer) if (answer := target.peer_answer()) is not None else None)

    def announce(self, recorder: RecorderId, leaving: Leaving) -> None:
        self.network.up(self.links[recorder], self.coordinator.announced, leaving)

    def fetch(self, recorder: RecorderId, documents: DocumentSet, fetched: Fetched) -> None:
        link = self.links[recorder]
        first = _First(fetched)
        self.agenda.after(FETCH_MS, first, None)

        def arrived() -> None:
            contents: Mapping[DocumentHash, bytes] | None = self.coordinator.give(documents)
            if contents is not None:
                self.network.down(link, first, contents)

        self.network.up(link, arrived)

    def served_by(self, recorder: RecorderId) -> SimulatedRecorder | None:
        found, link = self.recorders.get(recorder), self.links.get(recorder)
        cut = link is None or link.up_cut or link.down_cut
        return found if found is not None and found.up and not cut else None

    def watch(self, recorder: RecorderId, seen: m.Input | m.Effect, state: m.MachineState) -> None:
        if type(seen) in _EFFECTS:
            effect = cast(m.Effect, seen)
            self.checkers.effect(self.recorders[recorder], effect)
            if self.story is not None:
                self.story.effect(self.agenda.now_ms, recorder, effect)
        else:
            self.moves += 1
            for row in machine_rows(state, cast(m.Input, seen), self.now(recorder)):
                self.counts["machine row", f"{row:02d}"] += 1

    def beacon_tells(self, at_ms: int) -> bool:
        """Whether a beacon that arrives then tells the recorders anything: most do not, and are left out to save time."""
        return at_ms - self._beacon_ms >= BEACON_STEP_MS

    def beacon_arrives(self, beacon: Beacon) -> None:
        """At the recorders."""
        if not self.beacon_tells(self.agenda.now_ms):
            return
        self._beacon_ms = self.agenda.now_ms
        heard = m.BeaconHeard(beacon=beacon)
        for recorder, link in self.links.items():
            if not link.down_cut and (not link.loss or self.chance.random() >= link.loss):
                self.recorders[recorder].hear_beacon(heard)

    # ------------------------------------------------------------ what the coordinator does

    def coordinator_started(self, records: Iterable[FactRecord]) -> None:
        """It begins with these facts: replay gives what the journal says, and nothing else."""
        self.facts = list(records)
        self.shadow = State(ENDED_KEPT)
        self.history.replayed(self.facts, self.shadow)
        self.hearing.start(self.agenda.now_ms)
        self.braked_ms = None
        self.opinion_held_ms.clear()
        if self.network.cut:
            self.hearing.deaf_from(self.agenda.now_ms)
        self.checkers.tables()

    def rebuilt(self, records: Iterable[FactRecord]) -> None:
        """After a failed append; what was heard stays."""
        self.facts = list(records)
        self.checkers.tables()

    def coordinator_ended(self) -> None:
        """It is killed or paused: from now on it cannot hear."""
        self.hearing.deaf_from(self.agenda.now_ms)

    def coordinator_listens(self) -> None:
        if self.coordinator.listening:
            self.hearing.hears_again(self.agenda.now_ms)

    def decided(self, batch: Batch) -> None:
        self.moves += bool(batch.records)
        for place, record in enumerate(batch.records):
            self.checkers.decided(record)
            self.checkers.promises.decided(record, batch.records[:place])
        self.checkers.origins.decided(batch)
        for row in rows_of(batch):
            self.counts["row", f"{row:03d}"] += 1

    def appended(self, body: bytes) -> None:
        """A fact is durable."""
        record = wire.decode_fact(body)
        self.facts.append(record)
        self.checkers.fact(record, body)
        if self.story is not None:
            self.story.fact(self.agenda.now_ms, record)
        for told in self.onlookers:
            told(record)

    def durable(self, batch: Batch) -> None:
        """The tables of the coordinator are those of the journal now."""
        if batch.records:
            self.checkers.tables()

    def order_sent(self, recorder: RecorderId, order: Order) -> None:
        self.checkers.order(recorder, order)
        self.checkers.origins.order(recorder, order)

    def probed(self, server: RecorderId, probe: Probe, answer: ProbeAnswer | None) -> None:
        """A server answered the coordinator what it was asked about a recorder."""
        safety.note_word(self, server, probe, answer)

    def obeyed(self, recorder: SimulatedRecorder, answer: Obeyed) -> None:
        self.checkers.obeyed(recorder, answer)

    def decode_settings(self, content: bytes) -> SettingsDocument:
        found = self._settings.get(content)
        if found is None:
            found = self._settings[content] = msgspec.json.decode(content, type=SettingsDocument)
        return found

    # ------------------------------------------------------------ people

    def ask_coordinator(self, actor: Actor, request: Request, heard: Heard | None = None) -> None:
        """A request of a person; `heard` gets the reply, unless the coordinator dies with it."""
        self._token += 1
        self.checkers.promises.look(actor, request)
        self._requests[self._token] = request
        if heard is not None:
            self._replies[self._token] = heard
        asked = i.Asked(actor=actor, request=request)
        if self.story is not None and self.agenda.now_ms:
            self.story.request(self.agenda.now_ms, actor, request)
        self.network.canary(partial(self.coordinator.asked, asked, self._token))

    def add_again(self, recorder: RecorderId) -> None:
        """A server that was removed from system data is entered once more; as a failover server where another one keeps its cameras."""
        fields = edit_of(next(server for server in self.plan.servers if server.id == recorder))
        if recorder in self.shadow.retired:
            fields = msgspec.structs.replace(fields, role=Role.FAILOVER, automatic_failback=False)
        if recorder not in self.shadow.recorders:
            self.ask_coordinator(ADMINISTRATOR, AddRecorder(id=recorder, fields=fields))

    def replied(self, token: Hashable, reply: Reply) -> None:
        if token is None:
            return  # a word for a server, and not for a person
        self.checkers.reply(reply, self.coordinator.now().wall_ms)
        request = self._requests.pop(token, None) if isinstance(token, int) else None
        if request is not None:
            self.checkers.promises.forget(request)
        self.counts["reply", type(reply).__name__] += 1
        if self.story is not None and self.agenda.now_ms > 1000:
            self.story.reply(self.agenda.now_ms, reply)
        heard = self._replies.pop(token, None) if isinstance(token, int) else None
        if heard is not None:
            heard(reply)


class _First:
    """Passes the first call on and drops the others: an answer, or the end of the patience for it."""

    def __init__(self, act: Callable[[Any], None]) -> None:
        self._act: Callable[[Any], None] | None = act

    def __call__(self, value: Any) -> None:
        act, self._act = self._act, None
        if act is not None:
            act(value)
