"""The history: what the journal says of entries and requests, kept where it can be searched. Derived data: it may be lost at any time.

It is told every fact in the order of the journal and remembers how far it got. What is missing it is told again from the journal, so
nothing waits for it: no decision, no append, no answer to a request. Every implementation passes tests/contract/test_history_contract.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from sysmanager.coordinator.facts import FactRecord, RemarkFact, RequestRefused
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import FailoverId, RecorderId
from sysmanager.protocol.clients import AuditFound, EntriesFound, FindAudit, FindEntries

__all__ = ["Around", "Damage", "History", "HistoryFailed", "NameMatches", "Position", "Update", "WrongQuestion", "update_of"]

NameMatches = Mapping[str, Sequence[RecorderId]]
"""For each word that is searched: servers whose present name holds it. An entry keeps the names as they were when it was written."""


class HistoryFailed(Exception):
    """It cannot be read or written now; one sentence. What it holds is made again from the journal."""


class Damage(HistoryFailed):
    """The file is no sound database; it was set aside, and a new one begins at sequence 0."""


class WrongQuestion(Exception):
    """A question that makes no sense; one sentence that names the field (SPEC 18)."""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far the history got: the sequence of the last record that it holds, and the SHA-256 of that record's body."""

    sequence: int = 0
    digest: bytes = b""


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """What one record of the journal changes in the history.

    entries: as they are after it, with the names of the servers that they name. record: the record itself where it is a line of the
    audit log, or a remark: the entry may have left the tables. patches: fields of entries that did.
    """

    sequence: int
    entries: tuple[Failover, ...] = ()
    names: Mapping[RecorderId, str] = {}
    record: FactRecord | None = None
    patches: Mapping[FailoverId, Mapping[str, object]] = {}


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """Entries by which the tasks of a home changed hands near a moment, in their order."""

    entries: tuple[Failover, ...] = ()


class History(Protocol):
    """Opened once; every call from the loop that opened it."""

    async def open(self) -> Position:
        """How far it is. A file that is damaged or of another version is set aside, and position 0 returned. Raises HistoryFailed."""

    async def write(self, updates: Sequence[Update], digest: bytes) -> None:
        """Take in updates in the order of their sequences; those it has already are passed over. `digest`: of the last one's record.

        All or nothing. Raises HistoryFailed; then it may be opened again.
        """

    async def check(self) -> None:
        """Read the whole of it for damage; may take long. Raises Damage, HistoryFailed."""

    async def clear(self) -> None:
        """Forget everything: it belongs to another journal."""

    async def prune(self, before_wall_ms: int) -> int:
        """Forget what ended, or was asked, before this moment, a portion at a time; how much of it. Open entries stay."""

    async def find(self, question: FindEntries, names: NameMatches) -> EntriesFound:
        """One page. Raises HistoryFailed, WrongQuestion."""

    async def entry(self, failover: FailoverId) -> Failover | None:
        """One entry by its id."""

    async def around(self, home: RecorderId, at_wall_ms: int) -> Around:
        """By which entries the tasks of a home changed hands around a moment: some before it, and the next after it."""

    async def audit(self, question: FindAudit) -> AuditFound:
        """One page, newest first."""

    async def size_bytes(self) -> int:
        """What it takes on the disk."""

    async def close(self) -> None:
        """Harmless when not open."""


def update_of(sequence: int, record: FactRecord, state: State) -> Update:
    """The update of one record, from what it changed in the tables that it was just applied to."""
    of_use = record.answer is not None or isinstance(record.fact, RequestRefused | RemarkFact)
    entries = tuple(state.news.values())
    named = {server for entry in entries for server in (entry.recorder, entry.home, entry.server) if server is not None}
    return Update(
        sequence=sequence,
        entries=entries,
        names={server: state.recorders[server].name for server in named if server in state.recorders},
        record=record if of_use else None,
        patches=dict(state.patches),
    )
