"""What the simulated coordinator does outside: orders, documents, its cache. Each call ends once, by its answer or by its limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from sysmanager import wire
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.commands import AskProbe, CheckCache, Command, Continue, FetchDocuments, MakeBackup, SendOrder
from sysmanager.domain.backup import BackupFile
from sysmanager.domain.documents import DocumentKind, DocumentSet, summary_of
from sysmanager.domain.ids import DocumentHash, RecorderId
from sysmanager.protocol.probes import PROBE_MS, Probe, ProbeAnswer
from sysmanager.protocol.recorders import Obeyed, Order, OrderAnswer, Record
from sysmanager.simulation.broken import Broken
from sysmanager.simulation.network import Link
from sysmanager.simulation.recorder import SimulatedRecorder

if TYPE_CHECKING:
    from sysmanager.simulation.coordinator import SimulatedCoordinator
    from sysmanager.simulation.world import World

RECORD_MS = 5_000
SHORT_MS = 2_000
"""How long the engine waits for the answer to an order to record, and to any other message."""


BACKUP_MS = (40, 900)
"""How long a backup takes."""


class _Call:
    """One request to a recorder that waits for its answer."""

    __slots__ = ("done", "life")

    def __init__(self, life: int) -> None:
        self.done = False
        self.life = life


class Dispatch:
    """Carries out commands. calls: how many wait for their end; what comes for an earlier life of the coordinator is dropped."""

    def __init__(self, coordinator: SimulatedCoordinator) -> None:
        self._coordinator = coordinator
        self.calls = 0

    @property
    def _world(self) -> World:
        return self._coordinator.world

    def carry_out(self, command: Command) -> None:
        match command:
            case SendOrder(recorder=recorder, order=order):
                self._send_order(recorder, order)
            case AskProbe():
                self._probe(command)
            case FetchDocuments(recorder=recorder, documents=documents):
                self._fetch(recorder, documents, partial(self._fetched, recorder, documents))
            case CheckCache():
                self._check(command)
            case MakeBackup():
                self._back_up(command)
            case Continue():
                raise Broken("the core continues by itself", "A Continue command left the core.")

    def _call(self, limit_ms: int, late: Callable[[], None]) -> _Call:
        call = _Call(self._coordinator.life)
        self.calls += 1
        self._world.agenda.after(limit_ms, self._settle, call, late)
        return call

    def _settle(self, call: _Call, act: Callable[[], None]) -> None:
        """The first answer, or its limit, ends a call; what comes later is dropped."""
        if call.done or call.life != self._coordinator.life:
            return
        call.done = True
        self.calls -= 1
        self._coordinator.let_in(act, own=True)

    def _send_order(self, recorder: RecorderId, order: Order) -> None:
        self._world.order_sent(recorder, order)
        undelivered = partial(self._coordinator.take, i.OrderUndelivered(recorder=recorder, order=order))
        call = self._call(RECORD_MS if isinstance(order, Record) else SHORT_MS, undelivered)
        target, link = self._world.recorders[recorder], self._world.links[recorder]
        self._world.network.down(link, self._order_arrives, target, link, wire.encode(order), call, undelivered)

    def _order_arrives(self, target: SimulatedRecorder, link: Link, body: bytes, call: _Call, undelivered: Callable[[], None]) -> None:
        order: Order = wire.decode(Order, body)

        def answered(answer: OrderAnswer) -> None:
            if isinstance(answer, Obeyed):
                self._world.obeyed(target, answer)
            arrived = partial(self._answer_arrives, target.id, order, wire.encode(answer))
            self._world.network.up(link, self._settle, call, arrived)

        if not target.take_order(order, answered):
            self._world.network.up(link, self._settle, call, undelivered)

    def _answer_arrives(self, recorder: RecorderId, order: Order, body: bytes) -> None:
        answer: OrderAnswer = wire.decode(OrderAnswer, body)
        self._coordinator.take(i.OrderAnswered(recorder=recorder, order=order, answer=answer))

    def _probe(self, command: AskProbe) -> None:
        """Ask a server about a recorder; an answer that does not come in time is none."""
        server, probe = command.server, command.probe

        def probed(answer: ProbeAnswer | None) -> None:
            self._world.probed(server, probe, answer)
            self._coordinator.take(i.Probed(server=server, probe=probe, answer=answer))

        call = self._call(PROBE_MS, partial(probed, None))
        target, link = self._world.recorders[server], self._world.links[server]

        def answered(answer: ProbeAnswer) -> None:
            self._world.network.up(link, self._settle, call, partial(probed, wire.decode(ProbeAnswer, wire.encode(answer))))

        self._world.network.down(link, lambda: target.take_probe(wire.decode(Probe, wire.encode(probe)), answered))

    def _fetch(self, recorder: RecorderId, documents: DocumentSet, fetched: Callable[[bool], None]) -> None:
        """Have all three documents in the cache."""
        if {documents.hash_of(kind) for kind in DocumentKind} <= self._coordinator.cache.keys():
            self._world.agenda.after(1, self._settle, self._call(SHORT_MS, partial(fetched, True)), partial(fetched, True))
            return
        call = self._call(SHORT_MS, partial(fetched, False))
        target, link = self._world.recorders[recorder], self._world.links[recorder]

        def asked() -> None:
            if target.trouble.hung:
                return
            contents = {name: target.document(name) for name in (documents.hash_of(kind) for kind in DocumentKind)}
            self._world.network.up(link, self._settle, call, partial(self._put, contents, fetched))

        self._world.network.down(link, asked)

    def _put(self, contents: Mapping[DocumentHash, bytes | None], fetched: Callable[[bool], None]) -> None:
        self._coordinator.cache.update({name: content for name, content in contents.items() if content is not None})
        if self._coordinator.kill_at_cache:
            self._coordinator.kill_at_cache = False
            self._coordinator.kill()
            return
        fetched(None not in contents.values())

    def _fetched(self, recorder: RecorderId, documents: DocumentSet, there: bool) -> None:
        if there:
            settings = summary_of(self._world.decode_settings(self._coordinator.cache[documents.settings]))
            self._coordinator.take(i.DocumentsFetched(recorder=recorder, documents=documents, settings=settings))
        elif self._coordinator.core is not None:
            self._coordinator.core.fetch_failed(recorder, self._coordinator.now())

    def _back_up(self, command: MakeBackup) -> None:
        """A worker takes its time, and then there is a backup, or none."""
        coordinator = self._coordinator
        position = len(coordinator.journal)
        takes_ms = coordinator.backup_ms or self._world.between(BACKUP_MS)
        fails = coordinator.fail_backups > 0
        coordinator.fail_backups = max(0, coordinator.fail_backups - 1)

        def ended() -> None:
            file = None
            if not fails:
                name = f"{command.kind.value}-{command.number}"
                file = BackupFile(number=command.number, name=name, made_ms=coordinator.now().wall_ms, size_bytes=1, position=position)
                coordinator.backups.append(position)
            sentence = "The disk of the backups is full." if fails else ""
            coordinator.take(i.BackupEnded(number=command.number, kind=command.kind, file=file, sentence=sentence))

        self._call(takes_ms, ended)

    def _check(self, command: CheckCache) -> None:
        core = self._coordinator.core
        assert core is not None, "only a running coordinator checks its cache"
        documents = command.documents

        def checked(_: bool = False) -> None:
            missing = tuple(kind for kind in DocumentKind if documents.hash_of(kind) not in self._coordinator.cache)
            self._coordinator.take(i.DocumentsInCache(failover=command.failover, documents=documents, missing=missing))

        entry = core.state.failovers[command.failover]
        missing = {documents.hash_of(kind) for kind in DocumentKind} - self._coordinator.cache.keys()
        if missing and core.seen.connected(entry.recorder):
            self._fetch(entry.recorder, documents, checked)
        else:
            takes_ms = self._coordinator.cache_ms
            self._world.agenda.after(takes_ms, self._settle, self._call(takes_ms + SHORT_MS, checked), checked)
