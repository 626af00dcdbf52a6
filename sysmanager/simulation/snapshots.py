"""The snapshots of the simulated coordinator: taken now and then, and the beginning of its next start, as the real one does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sysmanager.coordinator.state import State
from sysmanager.engine.snapshot import Position, copied, decode, encode

EVERY_BATCHES = 25


class SimulatedSnapshots:
    """Survives a kill. used: how many starts began with one."""

    def __init__(self, ended_kept: int) -> None:
        self._ended_kept = ended_kept
        self._content: bytes | None = None
        self._batches = 0
        self.used = 0

    def durable(self, state: State, journal: Sequence[bytes]) -> None:
        """A batch is in the journal, and these are the tables that it gives."""
        self._batches += 1
        if self._batches % EVERY_BATCHES == 0:
            position = Position(sequence=len(journal), hash=_digest(journal), body=journal[-1])
            self._content = encode(copied(state), position)

    def begin(self, journal: Sequence[bytes], history_last: int) -> tuple[State, int] | None:
        """Tables to begin with, and of how many records. None if the journal is another by now, or the history lacks older ones."""
        if self._content is None:
            return None
        state, position = decode(self._content, self._ended_kept)
        after = position.sequence
        if after > min(len(journal), history_last) or _digest(journal[:after]) != position.hash:
            return None
        self.used += 1
        return state, after


def _digest(journal: Sequence[bytes]) -> bytes:
    return hashlib.sha256(b"\n".join(journal)).digest()
