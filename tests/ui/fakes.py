"""A client that answers for a site in memory, and the other parts that the interface is given in tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from sysmanager.api import (
    Answer,
    AuditFound,
    AuditLine,
    Changes,
    ClientError,
    Done,
    EditRecorder,
    EntriesFound,
    Fault,
    FindAudit,
    FindEntries,
    HoldCause,
    HoldFailover,
    HoldRow,
    LogColumn,
    PracticeServer,
    PreviewFailback,
    Question,
    ReleaseHold,
    Reply,
    Request,
    Snapshot,
)
from sysmanager.domain.failover import (
    Failover,
)
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.recorder import Role
from sysmanager.domain.rights import Actor, RoleName
from tests.ui.site import ADMIN, FAILBACK_PREVIEW, FAILOVER_PREVIEW, NOW_MS


class FakeClient:
    """Answers for a site in memory.

    requests: what was asked to be changed, in order. reply: what to say to it; None: done. error: raised instead.
    gate, ask_gate: requests and questions wait for it when it is set. closed: whether the session was ended.
    older, audit: what the long logs hold beside the site's own entries.
    """

    def __init__(self, snapshot: Snapshot, actor: Actor = ADMIN) -> None:
        self.current = snapshot
        self.requests: list[Request] = []
        self.questions: list[Question] = []
        self.reply: Reply | None = None
        self.error: str | None = None
        self.gate: asyncio.Event | None = None
        self.answer: Answer | None = None
        self.ask_gate: asyncio.Event | None = None
        self.closed = False
        self.older: list[Failover] = []
        self.audit: list[AuditLine] = []
        self._actor = actor
        self._updates: asyncio.Queue[Snapshot | Changes | ClientError | None] = asyncio.Queue()

    @property
    def actor(self) -> Actor:
        return self._actor

    async def snapshot(self) -> Snapshot:
        return self.current

    async def changes(self) -> AsyncIterator[Snapshot | Changes]:
        yield self.current
        while (update := await self._updates.get()) is not None:
            if isinstance(update, ClientError):
                raise update
            yield update

    def tell(self, **rows: object) -> None:
        """Announce changed rows."""
        sequence = self.current.sequence + 1
        self.current = msgspec.structs.replace(self.current, sequence=sequence)
        self._updates.put_nowait(msgspec.structs.replace(Changes(sequence=sequence), **rows))

    def break_off(self, sentence: str) -> None:
        self._updates.put_nowait(ClientError(sentence))

    async def request(self, request: Request) -> Reply:
        self.requests.append(request)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise ClientError(self.error)
        if self.reply is not None:
            return self.reply
        self._apply(request)
        return Done(sentence="Done as asked.")

    def _apply(self, request: Request) -> None:
        rows = {row.id: row for row in self.current.recorders}
        match request:
            case HoldFailover(recorder=recorder):
                hold = HoldRow(cause=HoldCause.PERSON, actor=self._actor, since_wall_ms=NOW_MS)
                self.tell(recorders=(msgspec.structs.replace(rows[recorder], hold=hold, countdown_ms=None),))
            case ReleaseHold(recorder=recorder):
                self.tell(recorders=(msgspec.structs.replace(rows[recorder], hold=None),))
            case EditRecorder(recorder=recorder, revision=revision, fields=fields):
                self.tell(recorders=(msgspec.structs.replace(rows[recorder], revision=revision + 1, **msgspec.structs.asdict(fields)),))
            case _:
                pass

    async def ask(self, question: Question) -> Answer:
        self.questions.append(question)
        if self.ask_gate is not None:
            await self.ask_gate.wait()
        if self.error is not None:
            raise ClientError(self.error)
        if isinstance(question, FindEntries):
            return self._found(question)
        if isinstance(question, FindAudit):
            begin = int(question.after or 0)
            lines = tuple(self.audit[begin : begin + question.limit])
            return AuditFound(lines=lines, next=str(begin + question.limit) if begin + question.limit < len(self.audit) else "")
        if self.answer is not None:
            return self.answer
        return FAILBACK_PREVIEW if isinstance(question, PreviewFailback) else FAILOVER_PREVIEW

    def _found(self, question: FindEntries) -> EntriesFound:
        """A page of all entries: filters and the order by number or gap, as the coordinator has them."""
        keys = {LogColumn.GAP: lambda entry: (entry.worst_gap_ms or -1, entry.number)}
        entries = {entry.id: entry for entry in (*self.older, *self.current.failovers)}
        words = question.search.casefold().split()
        found = [
            entry
            for entry in entries.values()
            if (not question.severities or entry.log_state.severity in question.severities)
            and entry.started_ms >= question.since_wall_ms
            and all(word in f"{entry.recorder} {entry.log_state.value} {entry.note}".casefold() for word in words)
        ]
        found.sort(key=keys.get(question.sort, lambda entry: entry.number), reverse=question.descending)
        begin = int(question.after or 0)
        end = begin + question.limit
        return EntriesFound(entries=tuple(found[begin:end]), next=str(end) if end < len(found) else "", total=len(found))

    async def close(self) -> None:
        self.closed = True
        self._updates.put_nowait(None)


class FakeSwitcher:
    """Opens fake sessions in the three roles."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.opened: list[FakeClient] = []
        self.error: str | None = None

    @property
    def roles(self) -> tuple[RoleName, ...]:
        return tuple(RoleName)

    async def switch(self, role: RoleName) -> FakeClient:
        if self.error is not None:
            raise ClientError(self.error)
        client = FakeClient(self._snapshot, Actor(name=role.value.lower(), role=role))
        self.opened.append(client)
        return client


class FakeControls:
    """Levers that only remember."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._servers = {
            row.id: PracticeServer(id=row.id, name=row.name, failover=row.role is Role.FAILOVER)
            for row in sorted(snapshot.recorders, key=lambda row: row.name)
        }

    def servers(self) -> tuple[PracticeServer, ...]:
        return tuple(self._servers.values())

    def set_fault(self, server: RecorderId, fault: Fault, present: bool) -> None:
        known = self._servers[server]
        faults = known.faults | {fault} if present else known.faults - {fault}
        self._servers[server] = msgspec.structs.replace(known, faults=frozenset(faults))

    def mend(self, server: RecorderId) -> None:
        self._servers[server] = msgspec.structs.replace(self._servers[server], faults=frozenset())


class ManualClock:
    """A clock that is moved by hand, for the store."""

    def __init__(self) -> None:
        self._now = 0.0
        self._due: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self._now

    def call_later(self, delay: float, callback: Callable[[], None], /) -> object:
        self._due.append((self._now + delay, callback))
        return None

    def advance(self, seconds: float) -> None:
        self._now += seconds
        due = [callback for at, callback in self._due if at <= self._now + 1e-9]
        self._due = [(at, callback) for at, callback in self._due if at > self._now + 1e-9]
        for callback in due:
            callback()


class EagerClock:
    """A clock by which every change is due at once, so that a test waits for nothing."""

    def __init__(self) -> None:
        self._now = 0.0

    def time(self) -> float:
        self._now += 1.0
        return self._now

    def call_later(self, delay: float, callback: Callable[[], None], /) -> object:
        callback()
        return None
