"""Keeps the history in step with the journal, and asks it. Nothing waits for it: what it misses it reads from the journal."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence

import structlog
from msgspec.structs import replace

from sysmanager import wire
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import FailoverId, RecorderId, shown
from sysmanager.engine.clock import Clock
from sysmanager.history.port import Damage, History, HistoryFailed, Update, WrongQuestion, update_of
from sysmanager.history.words import split
from sysmanager.journal.port import Journal, JournalError
from sysmanager.protocol.clients import AuditFound, EntriesFound, FindAudit, FindEntries, Refused, ShowEntry

log = structlog.get_logger(__name__)

REPLAYED_LIMIT = 20_000
"""So many records the start hands over as it reads them; more are read again from the journal in the background."""

QUEUE_LIMIT = 20_000
"""Updates that wait to be written; beyond that they are forgotten and read from the journal later."""

WRITE_LIMIT = 2_000
"""Updates in one transaction."""

READ_RECORDS = 100
"""Records read and applied at a time while catching up: the loop is held up for a few milliseconds at most."""

PAUSES_S = (1.0, 5.0, 30.0, 60.0)
"""Before a history that failed is opened again; the last one repeats."""

SETTLE_S = 2.0
"""So long a question waits for what was durable before it was asked."""

KEEP_DAYS = 3653
"""Ten years (SPEC 11)."""

DAY_MS = 86_400_000
PRUNE_FIRST_S, PRUNE_S = 60.0, 86_400.0
PRUNE_PAUSE_S = 0.1


class Logbook:
    """`open`, then `begin` with what the start read, then `tell` for every durable batch. All on the engine's loop.

    trouble: why it cannot be kept or asked at present, one sentence; None in good times.
    """

    def __init__(self, history: History, journal: Journal, clock: Clock, *, keep_days: int = KEEP_DAYS) -> None:
        self._history = history
        self._journal = journal
        self._clock = clock
        self._keep_ms = keep_days * DAY_MS
        self._waiting: deque[tuple[tuple[Update, ...], bytes]] = deque()
        self._waiting_count = 0
        self._told = 0
        self._written = 0
        self._behind = False
        self._news = asyncio.Event()
        self._progress = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.trouble: str | None = None

    # ------------------------------------------------------------ keeping it

    async def open(self, last: int) -> int | None:
        """How far the history is, for the core that reads the journal up to `last`; None if it is to be caught up by itself."""
        try:
            self._written = await self._sound_position()
        except HistoryFailed as error:
            log.error("history failed", why=str(error))
            self._behind = True
            return None
        self._behind = last - self._written > REPLAYED_LIMIT
        return None if self._behind else self._written

    async def _sound_position(self) -> int:
        """Open it, and make sure that it is of this journal. Raises HistoryFailed, JournalError."""
        position = await self._history.open()
        if position.sequence:
            found = await self._journal.read(position.sequence - 1, 1)
            if not found or _digest(found[0].body) != position.digest:
                log.warning("the history is of another journal, and made anew", sequence=position.sequence)
                await self._history.clear()
                return 0
        return position.sequence

    def begin(self, replayed: Sequence[Update], last: int, last_body: bytes) -> None:
        """Go on from here: `replayed` is what the history lacks, unless it is far behind."""
        self._told = last
        if not self._behind and replayed:
            self._add(tuple(replayed), last_body)
        self._news.set()
        self._tasks = [asyncio.create_task(self._keep(), name="history"), asyncio.create_task(self._look_after(), name="history-care")]

    def catch_up(self) -> None:
        """The start read less than the history lacks: it reads the journal by itself."""
        self._forget()

    def rebuilt(self, last: int) -> None:
        """The tables were read again after a failed append; whether the last one is there, only now is known."""
        self._told = last
        self._forget()

    def tell(self, last: int, updates: Sequence[Update], last_body: bytes) -> None:
        """A batch is durable. updates: with sequences that count from 1, as the core gives them. last: sequence of the last."""
        self._told = last
        if self._behind:
            self._news.set()
            return
        first = last - len(updates)
        self._add(tuple(_numbered(update, first) for update in updates), last_body)

    def _add(self, updates: tuple[Update, ...], last_body: bytes) -> None:
        if self._waiting_count + len(updates) > QUEUE_LIMIT:
            self._forget()
            return
        self._waiting.append((updates, _digest(last_body)))
        self._waiting_count += len(updates)
        self._news.set()

    def _forget(self) -> None:
        """Too much waits, or what is waiting is not sure: the journal knows."""
        self._behind = True
        self._waiting.clear()
        self._waiting_count = 0
        self._news.set()

    async def close(self) -> None:
        """Write what waits, and end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        try:
            if not self._behind:
                await self._write_waiting()
        except HistoryFailed as error:
            log.warning("history not written", why=str(error))
        await self._history.close()

    async def _keep(self) -> None:
        failures = 0
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                if self._behind:
                    await self._catch_up()
                await self._write_waiting()
            except (HistoryFailed, JournalError) as error:
                if self.trouble != str(error):
                    log.error("history failed", why=str(error))
                self.trouble = str(error)
                self._forget()
                await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
                failures += 1
                continue
            failures, self.trouble = 0, None

    async def _write_waiting(self) -> None:
        while self._waiting:
            portion: list[Update] = []
            digest = b""
            while self._waiting and len(portion) < WRITE_LIMIT:
                updates, digest = self._waiting.popleft()
                self._waiting_count -= len(updates)
                portion += updates
            await self._history.write(portion, digest)
            self._reached(portion[-1].sequence)

    def _reached(self, sequence: int) -> None:
        self._written = max(self._written, sequence)
        progress, self._progress = self._progress, asyncio.Event()
        progress.set()

    async def _catch_up(self) -> None:
        """Read the journal from its beginning into tables of its own, and tell the history what it lacks."""
        had = self._written = await self._sound_position()
        state = State()
        sequence = 0
        pending: list[Update] = []
        body = b""
        while self._behind:
            found = await self._journal.read(sequence, READ_RECORDS)
            for record in found:
                sequence, body = record.sequence, record.body
                fact = wire.decode_fact(body)
                evolve(state, fact)
                if sequence > had:
                    pending.append(update_of(sequence, fact, state))
            if len(pending) >= WRITE_LIMIT or (pending and len(found) < READ_RECORDS):
                await self._history.write(pending, _digest(body))
                self._reached(sequence)
                pending = []
            elif len(found) < READ_RECORDS and sequence >= self._told:
                # Nothing was awaited since the last look: what is told from now on comes next.
                self._behind = False
            await asyncio.sleep(0)

    async def _look_after(self) -> None:
        """Look for damage once, and forget every day what is older than it is kept."""
        try:
            await self._history.check()
        except Damage as error:
            log.error("history damaged", why=str(error))
            self._forget()
        except HistoryFailed as error:
            log.warning("history not checked", why=str(error))
        await asyncio.sleep(PRUNE_FIRST_S)
        while True:
            try:
                more = 1
                while more and not self._behind:
                    more = await self._history.prune(self._clock.now().wall_ms - self._keep_ms)
                    await asyncio.sleep(PRUNE_PAUSE_S)
            except HistoryFailed as error:
                log.warning("history not pruned", why=str(error))
            await asyncio.sleep(PRUNE_S)

    @property
    def missing(self) -> int:
        """How many records of the journal it does not hold yet."""
        return max(0, self._told - self._written)

    # ------------------------------------------------------------ asking it

    async def answer(
        self, question: FindEntries | ShowEntry | FindAudit, names: dict[RecorderId, str]
    ) -> EntriesFound | AuditFound | Refused:
        """names: of the servers as they are called now."""
        try:
            await self._settle()
            match question:
                case FindEntries():
                    matches = {word: _called(word, names) for word in split(question.search)}
                    return await self._history.find(question, matches)
                case FindAudit():
                    return await self._history.audit(question)
                case ShowEntry(failover=failover):
                    entry = await self._history.entry(failover)
                    if entry is None:
                        return Refused(sentence=f"There is no entry {shown(failover)} in the failover log; see the list of entries.")
                    return EntriesFound(entries=(entry,), total=1)
        except (HistoryFailed, WrongQuestion) as error:
            self._look_at(error)
            return Refused(sentence=str(error))

    async def entry(self, failover: FailoverId) -> Failover | None:
        """One entry that has left memory; None if there is none, or if it cannot be told now."""
        try:
            await self._settle()
            return await self._history.entry(failover)
        except HistoryFailed as error:
            self._look_at(error)
            return None

    async def around(self, home: RecorderId, at_wall_ms: int) -> tuple[Failover, ...] | Refused:
        """Entries by which the tasks of a home changed hands around a moment."""
        try:
            await self._settle()
            return (await self._history.around(home, at_wall_ms)).entries
        except HistoryFailed as error:
            self._look_at(error)
            return Refused(sentence=str(error))

    async def _settle(self) -> None:
        """Wait a little for what was durable when this was asked."""
        if self._behind:
            share = f"{100 * self._written // self._told} %" if self._told else "0 %"
            why = f" ({self.trouble})" if self.trouble is not None else ""
            raise HistoryFailed(f"The failover log is being read from the journal, {share} so far{why}; ask again in a moment.")
        wanted = self._told
        try:
            async with asyncio.timeout(SETTLE_S):
                while self._written < wanted and not self._behind:
                    await self._progress.wait()
        except TimeoutError:
            log.warning("history is late", written=self._written, wanted=wanted)

    def _look_at(self, error: Exception) -> None:
        if isinstance(error, Damage):
            log.error("history damaged", why=str(error))
            self._forget()


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _numbered(update: Update, first: int) -> Update:
    return replace(update, sequence=first + update.sequence)


def _called(word: str, names: dict[RecorderId, str]) -> list[RecorderId]:
    folded = word.casefold()
    return sorted(server for server, name in names.items() if folded in name.casefold())
