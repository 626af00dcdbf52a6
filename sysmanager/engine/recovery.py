"""A start: the tables as of the last snapshot, and what the journal says since; or all of the journal, where there is no sound one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import structlog

from sysmanager import wire
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.state import ENDED_KEPT, State
from sysmanager.durable import read_bounded, sync_folder, write_durably
from sysmanager.engine.snapshot import Position, SnapshotUnusable, decode, encode
from sysmanager.history.port import Update, update_of
from sysmanager.journal.port import Journal, JournalError, Opened, Trusted

log = structlog.get_logger(__name__)

SNAPSHOT_LIMIT_BYTES = 1 << 30


class Snapshots(Protocol):
    """Where the one snapshot is kept. Blocking: for a worker's thread."""

    def load(self) -> bytes | None:
        """None if there is none, or it cannot be read."""

    def save(self, content: bytes) -> None:
        """Replace it, durably. Raises OSError."""

    def remove(self) -> None:
        """Forget it. Raises OSError."""


class SnapshotFile:
    """Implements `Snapshots` in a file beside the journal."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> bytes | None:
        try:
            return read_bounded(self._path, SNAPSHOT_LIMIT_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("snapshot not read", file=str(self._path), why=str(error))
            return None

    def save(self, content: bytes) -> None:
        write_durably(self._path, content, private=True)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
        sync_folder(self._path.parent)


@dataclass
class Recovered:
    """Tables as the journal gives them up to `opened.last`. begun_at: the record of the snapshot that it began with; 0 without one.

    replayed: what the history lacks, of the records that were read. last_body: of the journal's last record.
    """

    opened: Opened
    state: State
    begun_at: int = 0
    last_body: bytes = b""
    last_hash: bytes = b""
    replayed: list[Update] = field(default_factory=list)

    @property
    def position(self) -> Position:
        return Position(sequence=self.opened.last, hash=self.last_hash, body=self.last_body)


async def load(snapshots: Snapshots | None, ended_kept: int = ENDED_KEPT) -> tuple[State, Position] | None:
    """The snapshot, if there is a sound one of this program."""
    content = await asyncio.to_thread(snapshots.load) if snapshots is not None else None
    if content is None:
        return None
    try:
        return decode(content, ended_kept)
    except SnapshotUnusable as error:
        log.warning("snapshot passed over", why=str(error))
        return None


async def open_journal(journal: Journal, snapshot: tuple[State, Position] | None) -> Opened:
    """Open it; behind the snapshot's record only what follows is verified. Raises JournalError."""
    if snapshot is None:
        return await journal.open()
    return await journal.open(Trusted(sequence=snapshot[1].sequence, hash=snapshot[1].hash))


async def replay(
    journal: Journal, opened: Opened, snapshot: tuple[State, Position] | None, *, history_last: int | None, ended_kept: int = ENDED_KEPT
) -> Recovered:
    """The tables. Raises JournalError, WireError.

    A snapshot that is not of this journal is passed over: its record has another hash there, or the journal ends before it.
    """
    found = Recovered(opened=opened, state=State(ended_kept))
    if snapshot is not None and await _holds(journal, opened, snapshot[1]):
        state, position = snapshot
        found = Recovered(opened, state, position.sequence, position.body, position.hash)
    after = found.begun_at
    while page := await journal.read(after):
        for record in page:
            fact = wire.decode_fact(record.body)
            evolve(found.state, fact)
            if history_last is not None and record.sequence > history_last:
                found.replayed.append(update_of(record.sequence, fact, found.state))
        after, found.last_body, found.last_hash = page[-1].sequence, page[-1].body, page[-1].hash
    return found


async def _holds(journal: Journal, opened: Opened, position: Position) -> bool:
    if position.sequence > opened.last or position.sequence == 0:
        return False
    row = await journal.read(position.sequence - 1, 1)
    return bool(row) and row[0].hash == position.hash


def take(journal: Journal, snapshots: Snapshots, tables: Mapping[str, Any], position: Position, *, verified: bool) -> str | None:
    """Make the snapshot; why not, in one sentence, or None. Blocking: for a worker's thread.

    verified: whether every record up to it was verified already. If not, all are looked at now: a start from this snapshot will not, and
    a journal that is found damaged shall be found so by the next start.
    """
    try:
        if not verified:
            for _ in journal.pages(position.sequence):
                pass
        snapshots.save(encode(tables, position))
    except JournalError as error:
        log.error("journal damaged", why=str(error))
        snapshots.remove()
        return str(error)
    except OSError as error:
        return f"The snapshot of the tables was not saved ({error.strerror or error})."
    return None
