"""The history in the simulated world: the real database, in memory, written now and then, and what a kill leaves unwritten.

The truth that it is compared with is kept apart from it: every entry as the facts of the journal leave it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.audit import FOLD_MS, LINES_PER_SPAN
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.evolve.log import remarked
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import FailoverId
from sysmanager.engine.batch import Batch
from sysmanager.engine.core import Core
from sysmanager.history.file import HistoryFile
from sysmanager.history.port import Update
from sysmanager.protocol.clients import Done, Reply

if TYPE_CHECKING:
    from sysmanager.simulation.checkers import Step
    from sysmanager.simulation.world import World

ENDED_KEPT = 4
"""So few ended entries stay in the simulated coordinator's memory, so that they leave it in every longer seed."""

WRITE_MS = 7_000
"""The history is this far behind at most, as if its disk were slow."""

TOGETHER = 60
"""So many updates are put into the database at a time, unless somebody reads it before: no kill forgets what is written."""

NAMES = ("the log agrees with the journal", "every answer is audited")


class SimulatedHistory:
    """Outlives the coordinator. all: the truth, as the durable facts leave it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._file = HistoryFile(None)
        self._waiting: list[Update] = []
        self._written: list[Update] = []
        self._last_body = self._written_body = b""
        self._planned = False
        self.all: dict[FailoverId, Failover] = {}

    # ------------------------------------------------------------ the truth

    def replayed(self, records: Sequence[f.FactRecord], state: State) -> None:
        """Begin the truth anew from what the journal holds. `state` is evolved on the way."""
        self.all.clear()
        for record in records:
            evolve(state, record)
            self.applied(record, state)

    def applied(self, record: f.FactRecord, state: State) -> None:
        """A fact was applied to the shadow tables."""
        news = state.news
        self.all.update(news)
        for failover, changes in state.patches.items():
            self.all[failover] = msgspec.structs.replace(self.all[failover], **changes)
        fact = record.fact
        if isinstance(fact, f.RemarkFact) and not news and fact.failover in self.all:
            self.all[fact.failover] = remarked(self.all[fact.failover], fact, record.actor, record.wall_ms)

    # ------------------------------------------------------------ beside the coordinator

    def begin(self, journal: Sequence[bytes]) -> int:
        """How far it is, for the core that starts; 0 if the journal is not the one that it knew."""
        self._waiting.clear()
        self._file.open()
        self._put()
        position = self._file.position()
        known = position.sequence and position.sequence <= len(journal)
        if position.sequence and not (known and _digest(journal[position.sequence - 1]) == position.digest):
            self._file.clear()
            return 0
        return position.sequence

    def lost(self) -> None:
        """The coordinator is killed before it has written what waits."""
        self._waiting.clear()

    def caught_up(self, core: Core, journal: Sequence[bytes]) -> None:
        """What the core found that it lacks."""
        self._add(core.replayed, journal[-1] if journal else b"")
        core.replayed = []

    def tell(self, batch: Batch, journal: Sequence[bytes]) -> None:
        """A batch is durable."""
        first = len(journal) - len(batch.updates)
        self._add([msgspec.structs.replace(one, sequence=first + one.sequence) for one in batch.updates], journal[-1] if journal else b"")

    def _add(self, updates: Sequence[Update], last_body: bytes) -> None:
        if not updates:
            return
        self._waiting += updates
        self._last_body = last_body
        if not self._planned:
            self._planned = True
            self._world.agenda.after(self._world.chance.randint(1, WRITE_MS), self._write)

    def _write(self) -> None:
        self._planned = False
        self.write_now()

    def write_now(self) -> None:
        """Write what waits; a kill forgets it before."""
        if self._waiting:
            self._written += self._waiting
            self._written_body = self._last_body
            self._waiting.clear()
            if len(self._written) >= TOGETHER:
                self._put()

    def _put(self) -> None:
        if self._written:
            self._file.write(self._written, _digest(self._written_body))
            self._written.clear()

    def entry(self, failover: FailoverId) -> Failover | None:
        self.write_now()
        self._put()
        return self._file.entry(failover)

    # ------------------------------------------------------------ rules

    def disagreement(self) -> str | None:
        """The history says of every entry what the journal says, and has no other (SPEC 11)."""
        self.write_now()
        self._put()
        for failover, entry in self.all.items():
            found = self._file.entry(failover)
            if found != entry:
                said = f"{found.phase}" if found is not None else "nothing"
                return f"The history says of {failover}: {said}; the journal says: {entry.phase}."
        more = self._file.entry(FailoverId(f"F{len(self.all) + 1:05d}"))
        return f"The history has an entry {more.id} that is not in the journal." if more is not None else None

    def unaudited(self, reply: Reply, world: World, wall_ms: int) -> str | None:
        """What a person is told stands in the journal: what was done, and what was refused, or refused again within a minute."""
        facts, stepped_ms = world.facts, world.coordinator.stepped_ms
        # When the coordinator's clock was set lately, its times do not tell how long ago a line was written.
        clock_set = bool(stepped_ms) and world.agenda.now_ms - stepped_ms < 2 * FOLD_MS
        if isinstance(reply, Done):
            done = any(record.answer is not None and record.answer.sentence == reply.sentence for record in facts[-50:])
            return None if done else f"“{reply.sentence}” is told to a client, and is in no audit log."
        refusals = [record for record in facts if isinstance(record.fact, f.RequestRefused)]
        lately = refusals[-LINES_PER_SPAN:]
        folded = 2 * FOLD_MS
        same = any(_refusal(record) == reply.sentence and (clock_set or wall_ms - record.wall_ms < folded) for record in lately)
        return None if same or len(lately) == LINES_PER_SPAN else f"“{reply.sentence}” is told to a client, and is in no audit log."


def _refusal(record: f.FactRecord) -> str:
    return record.fact.sentence if isinstance(record.fact, f.RequestRefused) else ""


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def log_complete(step: Step) -> str | None:
    """Entries are numbered without a hole and never vanish."""
    numbers = {entry.number for entry in step.world.history.all.values()}
    if numbers != set(range(1, step.state.next_number)):
        return f"The log has entries {sorted(numbers)}, and the next number is {step.state.next_number}."
    return None
