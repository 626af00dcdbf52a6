"""The coordinator in the simulated world: the real core, with a journal, a cache and a bus that may fail at any moment."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from sysmanager import wire
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.facts import FactRecord
from sysmanager.coordinator.standing import answer_to
from sysmanager.domain.documents import DocumentKind, DocumentSet
from sysmanager.domain.ids import DocumentHash
from sysmanager.domain.instant import Instant
from sysmanager.engine.batch import Batch
from sysmanager.engine.core import Core
from sysmanager.protocol.clients import CommentEntry, TickToDo
from sysmanager.protocol.recorders import (
    BEACON_INTERVAL_MS,
    Ask,
    Beacon,
    FromRecorder,
    Leaving,
    Standing,
)
from sysmanager.simulation.broken import Broken
from sysmanager.simulation.dispatch import Dispatch
from sysmanager.simulation.history import ENDED_KEPT
from sysmanager.simulation.network import BUS_MS
from sysmanager.simulation.snapshots import SimulatedSnapshots

if TYPE_CHECKING:
    from sysmanager.simulation.world import World

APPEND_MS = 1
CACHE_MS = 2
TURNS_LIMIT = 5_000
"""So many transactions in one virtual millisecond mean that the coordinator runs in a circle."""


class KillPoint(StrEnum):
    """Where in a transaction the coordinator is killed."""

    BEFORE_APPEND = "before the append"
    AFTER_APPEND = "between append and dispatch"
    AFTER_REPLIES = "between the replies and the first command"
    IN_DISPATCH = "after the first command of the dispatch"
    AFTER_DISPATCH = "after the dispatch, before anything else is heard"


class SimulatedCoordinator:
    """What survives a kill: `journal`, `cache`, and `backups`: lengths of the journal in them. Below them what is drawn by faults.

    damage: what is wrong with the journal; said at every start until an append has succeeded, as a real one does.

    append_ms, cache_ms: how long an append takes, and the word of the cache on what it has. fail_appends: so many of the next ones fail.
    drop_inbox: whether a pause loses what arrives.
    backup_ms: how long backups take, 0 for the usual. fail_backups: so many of the next ones fail.
    kill_at: at the so-and-so-many-th transaction from now, and where in it. kill_at_length: between append and dispatch, as soon as
    the journal is so long. kill_starts: in so many of the next starts, once the start is durable. kill_at_cache: between the documents'
    way into the cache and the fact that says so. cuts: lengths to which its journal was ever cut, in the middle of a transaction as well.
    stepped_ms: when its wall clock was stepped last.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.journal: list[bytes] = []
        self.cache: dict[DocumentHash, bytes] = {}
        self.append_ms = APPEND_MS
        self.cache_ms = CACHE_MS
        self.fail_appends = 0
        self.backups: list[int] = []
        self.damage: str | None = None
        self.snapshots = SimulatedSnapshots(ENDED_KEPT)
        self.backup_ms = 0
        self.fail_backups = 0
        self.kill_at: tuple[int, KillPoint] | None = None
        self.kill_at_length: int | None = None
        self.kill_starts = 0
        self.kill_at_cache = False
        self.cuts: set[int] = set()
        self.down_ms = 3_000
        self.wall_step_ms = 0
        self.stepped_ms = 0
        self.core: Core | None = None
        self.paused = False
        self.drop_inbox = False
        self.life = 0
        self.dispatch = Dispatch(self)
        self._appending = False
        self._pumping = False
        self._inbox: list[Callable[[], None]] = []
        self._held_asks: list[Callable[[], None]] = []
        self._tick_ms: int | None = None
        self._sequence = 0
        self._turns = (0, 0)

    # ------------------------------------------------------------ life

    def now(self) -> Instant:
        return self.world.instant(self.wall_step_ms)

    @property
    def alive(self) -> bool:
        return self.core is not None

    @property
    def listening(self) -> bool:
        """Whether it could hear at this moment, as the world knows it."""
        return self.alive and not self.paused and not self.world.network.cut

    @property
    def appending(self) -> bool:
        """Whether its tables hold what is not durable yet."""
        return self._appending

    @property
    def busy(self) -> bool:
        """Whether anything waits to be decided, is being written, or waits for an answer."""
        return self.core is None or not self.core.idle or self._appending or self.dispatch.calls > 0

    def start(self) -> None:
        """Recover from the journal, and go on."""
        records = [wire.decode_fact(body) for body in self.journal]
        self.core = self._read(records)
        self.world.coordinator_started(records)
        self.world.history.caught_up(self.core, self.journal)
        if self.kill_starts:
            self.kill_starts -= 1
            self.kill_at = (0, KillPoint.AFTER_APPEND)
        self.core.take(i.Started(damage=self.damage), self.now())
        self._beacon_loop(self.life)
        self._pump()

    def _read(self, records: list[FactRecord]) -> Core:
        """The tables, from a snapshot where there is one of this journal, and what the history lacks."""
        history_last = self.world.history.begin(self.journal)
        state, after = self.snapshots.begin(self.journal, history_last) or (None, 0)
        return Core(records[after:], self.now(), history_last=history_last, ended_kept=ENDED_KEPT, state=state, after=after)

    def kill(self, cut_facts: int = 0, damage: str | None = None) -> None:
        """As a power cut; it is started again after `down_ms`. cut_facts: so many facts at the end of its journal are lost.

        damage: what the start then says of it.
        """
        if not self.alive:
            return
        self.world.tell("The coordinator is killed.")
        self.world.history.lost()
        self.life += 1
        self.dispatch.calls = 0
        self.core = None
        self.paused = False
        self._appending = False
        self._inbox.clear()
        self._held_asks.clear()
        self._tick_ms = None
        self.kill_at = None
        self.world.coordinator_ended()
        self.world.agenda.after(self.down_ms, self._restart, self.life, cut_facts, damage)

    def _restart(self, life: int, cut_facts: int, damage: str | None) -> None:
        if life != self.life or self.alive:
            return
        if cut_facts:
            del self.journal[-cut_facts:]
            self.backups = [length for length in self.backups if length <= len(self.journal)]
            self.cuts.add(len(self.journal))
            damage = damage or f"The journal lost its last {cut_facts} facts."
        self.damage = damage or self.damage
        self.world.tell(self.damage or "The coordinator starts again.")
        self.start()

    def pause(self, *, drop_inbox: bool) -> None:
        """As a stopped process: its clock goes on, it hears nothing. drop_inbox: the bus does not keep what arrives meanwhile."""
        if self.alive and not self.paused:
            self.paused, self.drop_inbox = True, drop_inbox
            self.world.coordinator_ended()

    def resume(self) -> None:
        if not self.paused:
            return
        self.paused = False
        self.world.coordinator_listens()
        if self.world.chance.random() < 0.5:
            self._tick()
        waiting, self._inbox = self._inbox, []
        for act in waiting:
            act()
        self._beacon()
        self._pump()

    # ------------------------------------------------------------ hearing

    def let_in(self, act: Callable[[], None], *, own: bool = False) -> None:
        """Let something in, now or after a pause. own: it comes from inside, and no pause loses it."""
        if self.core is None:
            return
        if self.paused:
            if own or not self.drop_inbox:
                self._inbox.append(act)
            return
        act()
        self._pump()

    def take(self, taken: i.Input, token: Hashable = None) -> None:
        if self.core is not None:
            self.world.moves += not isinstance(taken, i.CanaryReturned)
            self.core.take(taken, self.now(), token)

    def heard(self, message: FromRecorder) -> None:
        """A heartbeat arrives."""
        core = self.core
        if core is None:
            return
        if not self.paused:
            world, recorder = self.world, message.recorder
            now = world.instant(self.wall_step_ms)
            news = core.hear(message, now)
            world.moves += news
            known = core.seen.recorders.get(recorder)
            if known is None or known.instance == message.instance:  # a second instance of one id is not heard (SPEC 2)
                world.hearing.heard_ms[recorder] = now.mono_ms
            if message.instance == world.recorders[recorder].persisted.instance:
                world.hearing.own_ms[recorder] = now.mono_ms
            else:
                world.hearing.copied_ms.setdefault(recorder, now.mono_ms)
            if news and not core.idle:
                self._pump()
        elif not self.drop_inbox:
            self._inbox.append(partial(self.heard, message))

    def asked(self, request: i.Asked, token: Hashable) -> None:
        """A client's request arrives. What it writes on an entry that has left memory comes with that entry."""
        body = request.request
        if isinstance(body, CommentEntry | TickToDo) and self.core is not None and body.failover not in self.core.state.failovers:
            request = msgspec.structs.replace(request, entry=self.world.history.entry(body.failover))
        self.let_in(partial(self.take, request, token))

    def announced(self, leaving: Leaving) -> None:
        """A recorder says that it is about to be shut down."""
        self.let_in(partial(self.take, i.Announced(message=leaving)))

    def standing(self, ask: Ask, answered: Callable[[Standing], None]) -> None:
        """A recorder asks; answered from durable tables only."""
        if self.core is None or self.paused:
            return
        if self._appending:
            self._held_asks.append(partial(self.standing, ask, answered))
            return
        answered(answer_to(self.core.state, ask))

    def give(self, documents: DocumentSet) -> Mapping[DocumentHash, bytes] | None:
        """Documents for a recorder; None if one is not here."""
        names = {documents.hash_of(kind) for kind in DocumentKind}
        if self.core is None or self.paused or not names <= self.cache.keys():
            return None
        return {name: self.cache[name] for name in names}

    def _canary(self, sent_ms: int, life: int) -> None:
        if life == self.life:
            self.let_in(lambda: self.take(i.CanaryReturned(sent_mono_ms=sent_ms)))

    # ------------------------------------------------------------ time

    def _beacon_loop(self, life: int) -> None:
        if life != self.life:
            return
        self.world.agenda.after(BEACON_INTERVAL_MS, self._beacon_loop, life)
        self._beacon()

    def _beacon(self) -> None:
        core = self.core
        if core is None or self.paused:
            return
        self._sequence += 1
        now, world = self.now(), self.world
        world.network.canary(self._canary, now.mono_ms, self.life)
        if not world.network.cut and world.beacon_tells(now.mono_ms + BUS_MS):
            beacon = Beacon(term=core.state.term, sequence=self._sequence, wall_ms=now.wall_ms)
            world.agenda.after(BUS_MS, world.beacon_arrives, beacon)

    def _plan_tick(self) -> None:
        core = self.core
        due_ms = core.next_due_ms if core is not None else None
        if due_ms is not None and (self._tick_ms is None or due_ms < self._tick_ms):
            self._tick_ms = due_ms
            agenda = self.world.agenda
            agenda.after(max(0, due_ms - agenda.now_ms), self._ticked, due_ms, self.life)

    def _ticked(self, due_ms: int, life: int) -> None:
        if life == self.life and self._tick_ms == due_ms:
            self._tick_ms = None
            if not self.paused:
                self._pump()

    def _tick(self) -> None:
        due_ms = self.core.next_due_ms if self.core is not None else None
        if self.core is not None and due_ms is not None and due_ms <= self.world.agenda.now_ms and self.core.tick(self.now()):
            self._beacon()

    # ------------------------------------------------------------ transactions

    def _pump(self) -> None:
        """Decide and make durable until nothing waits. Between `decide` and `durable` inputs are only heard."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self.core is not None and not self.paused and not self._appending:
                self._tick()
                if self.core.idle:
                    break
                self._count_turn()
                batch = self.core.decide(self.now())
                if batch is None:
                    break
                self.world.decided(batch)
                if batch.records:
                    self._appending = True
                    self.world.agenda.after(self.append_ms, self._append, batch, self.life)
                else:
                    self._dispatch(batch)
        finally:
            self._pumping = False
        if not self._appending and not self.paused:
            self._plan_tick()

    def _count_turn(self) -> None:
        moment, turns = self._turns
        self._turns = (self.world.agenda.now_ms, turns + 1 if moment == self.world.agenda.now_ms else 0)
        if turns > TURNS_LIMIT:
            raise Broken("no circle", "The coordinator decides without end at one moment.")

    def _append(self, batch: Batch, life: int) -> None:
        if life != self.life or self.core is None:
            return
        if self.paused:
            self._inbox.insert(0, partial(self._append, batch, life))
            return
        point = self._kill_point()
        bodies = [wire.encode_fact(record) for record in batch.records]
        if point is KillPoint.BEFORE_APPEND:
            self.kill()
            return
        if self.fail_appends:
            self.fail_appends -= 1
            if self.world.chance.random() < 0.3:
                self._write(bodies)
            self._rebuild()
            return
        self._write(bodies)
        length = self.kill_at_length
        if point is KillPoint.AFTER_APPEND or (length is not None and len(self.journal) >= length):
            self.kill_at_length = None
            self.kill()
            return
        self._appending = False
        self.snapshots.durable(self.core.state, self.journal)
        self._dispatch(batch, point)
        held, self._held_asks = self._held_asks, []
        for ask in held:
            ask()
        self._pump()

    def _kill_point(self) -> KillPoint | None:
        if self.kill_at is None:
            return None
        left, point = self.kill_at
        self.kill_at = (left - 1, point) if left > 0 else None
        return point if left <= 0 else None

    def _write(self, bodies: list[bytes]) -> None:
        self.damage = None
        for body in bodies:
            self.journal.append(body)
            self.world.appended(body)

    def _rebuild(self) -> None:
        """As the engine does after a failed append: the tables are thrown away, what was heard stays."""
        assert self.core is not None, "only a running coordinator appends"
        self.world.tell("An append failed; the tables are rebuilt from the journal.")
        self.life += 1
        self.dispatch.calls = 0
        seen = self.core.seen
        records = [wire.decode_fact(body) for body in self.journal]
        self.core = self._read(records)
        self.world.history.caught_up(self.core, self.journal)
        self.core.adopt(seen, self.now())
        self._appending = False
        self._held_asks.clear()
        self._tick_ms = None
        self.world.rebuilt(records)
        self.core.take(i.Started(damage=self.damage), self.now())
        self._beacon_loop(self.life)
        self._pump()

    def _dispatch(self, batch: Batch, point: KillPoint | None = None) -> None:
        core = self.core
        assert core is not None, "only a running coordinator dispatches"
        if batch.records:
            self.world.history.tell(batch, self.journal)
        effects = core.durable(batch, self.now())
        for token, reply in effects.replies:
            self.world.replied(token, reply)
        self.world.durable(batch)
        for command in effects.commands if point is not KillPoint.AFTER_REPLIES else ():
            self.dispatch.carry_out(command)
            if point is KillPoint.IN_DISPATCH:
                break
        if point is not None:
            self.kill()
