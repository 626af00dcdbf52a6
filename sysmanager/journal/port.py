"""The journal: an append-only list of records, chained by hash, appended with compare-and-set.

It knows bytes only; what a record says is the business of the layers above. Every implementation passes
tests/contract/test_journal_contract.py.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

__all__ = [
    "GENESIS_HASH",
    "MAX_APPEND_RECORDS",
    "MAX_BODY_BYTES",
    "READ_LIMIT_RECORDS",
    "Journal",
    "JournalError",
    "JournalFailed",
    "JournalTooNew",
    "Opened",
    "Record",
    "StaleAppend",
    "Trusted",
    "chain_hash",
    "check_bodies",
]

GENESIS_HASH = bytes(32)
"""What the first record has as `previous_hash`."""

MAX_BODY_BYTES = 1 << 20
MAX_APPEND_RECORDS = 10_000
READ_LIMIT_RECORDS = 10_000
"""Default and greatest number of records in one `read`."""


class JournalError(Exception):
    """Base of what a journal raises; its text is one sentence for people."""


class StaleAppend(JournalError):
    """`expected_last` was not the last sequence: somebody else appended. Nothing was written."""

    def __init__(self, expected_last: int, last: int) -> None:
        super().__init__(f"The journal's last record is {last}, not {expected_last} as expected; nothing was appended.")
        self.expected_last = expected_last
        self.last = last


class JournalFailed(JournalError):
    """Reading or writing failed. After a failed append the journal takes no more appends until it is opened again,
    and only that opening tells whether the records are there."""


class JournalTooNew(JournalError):
    """The file was written by a later version of this program; it was not touched."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One record. `hash` is `chain_hash(previous_hash, sequence, body)`."""

    sequence: int
    previous_hash: bytes
    hash: bytes
    body: bytes


class Trusted(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was verified before, with all before it, and what its hash was."""

    sequence: int
    hash: bytes


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What opening found. `last` is 0 for an empty journal.

    `damage` is one sentence when records were lost or set aside. It is said again at every opening until an append has
    succeeded: so the first append must be the fact that says so, and a kill before it loses no warning.
    `verified_from`: the trusted record after which everything was verified; 0 when all was.
    """

    last: int
    damage: str | None = None
    verified_from: int = 0


class Journal(Protocol):
    """Call `open` first, once; after `close` (or `JournalFailed`) `open` may be called again on the same object."""

    @property
    def last(self) -> int:
        """Sequence of the last durable record; 0 when there is none."""

    async def open(self, trusted: Trusted | None = None) -> Opened:
        """Verify every record, or, from a trusted one that is really in it, those after that.

        Raises `JournalFailed`, `JournalTooNew`; damage is no error (see `Opened`).
        """

    async def read(self, after: int = 0, limit: int = READ_LIMIT_RECORDS) -> list[Record]:
        """Records `after + 1`... in order, at most `limit`; empty at the end. Raises `JournalFailed`."""

    async def append(self, expected_last: int, bodies: Sequence[bytes]) -> int:
        """Append all or nothing, durable on return; the new last sequence.

        Raises `StaleAppend`, `JournalFailed`; `ValueError` for bodies beyond the limits. Appends take effect in the order of
        the calls, and one need not wait for the one before. A cancelled call may still have appended.
        """

    def pages(self, last: int) -> Iterator[list[Record]]:
        """Records 1 to `last` in pages, verified anew, while appends go on. Blocking: for a worker's thread, on an open journal.

        Raises `JournalFailed`.
        """

    async def close(self) -> None:
        """Appends called before are finished first. Harmless when not open."""


def chain_hash(previous_hash: bytes, sequence: int, body: bytes) -> bytes:
    """SHA-256 over previous hash (32 bytes), sequence (8 bytes, big-endian) and body."""
    return hashlib.sha256(previous_hash + sequence.to_bytes(8, "big") + body).digest()


def check_bodies(bodies: Sequence[bytes]) -> None:
    """`ValueError` when an append is beyond the limits."""
    if len(bodies) > MAX_APPEND_RECORDS:
        raise ValueError(f"an append takes at most {MAX_APPEND_RECORDS} records, not {len(bodies)}")
    for body in bodies:
        if len(body) > MAX_BODY_BYTES:
            raise ValueError(f"a record's body is at most {MAX_BODY_BYTES} bytes, not {len(body)}")
