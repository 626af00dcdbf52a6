"""The journal in memory: for the demo, simulation and tests. Its records outlive `close` and last as long as the object."""

from collections.abc import Iterator, Sequence

from sysmanager.journal.port import (
    GENESIS_HASH,
    READ_LIMIT_RECORDS,
    JournalFailed,
    Opened,
    Record,
    StaleAppend,
    Trusted,
    chain_hash,
    check_bodies,
)

__all__ = ["MemoryJournal"]


class MemoryJournal:
    """Implements `Journal`. `fail_appends`: while it holds a sentence, appends raise `JournalFailed` with it."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._is_open = False
        self._damage: str | None = None
        self.fail_appends: str | None = None

    @property
    def last(self) -> int:
        return len(self._records)

    async def open(self, trusted: Trusted | None = None) -> Opened:
        if self._is_open:
            raise JournalFailed("The journal in memory is open already.")
        self._is_open = True
        return Opened(last=self.last, damage=self._damage)

    async def read(self, after: int = 0, limit: int = READ_LIMIT_RECORDS) -> list[Record]:
        self._check_open()
        return self._records[after : after + min(limit, READ_LIMIT_RECORDS)]

    def pages(self, last: int) -> Iterator[list[Record]]:
        self._check_open()
        for start in range(0, last, READ_LIMIT_RECORDS):
            yield self._records[start : min(last, start + READ_LIMIT_RECORDS)]

    async def append(self, expected_last: int, bodies: Sequence[bytes]) -> int:
        check_bodies(bodies)
        self._check_open()
        if self.fail_appends is not None:
            self._is_open = False
            raise JournalFailed(self.fail_appends)
        if expected_last != self.last:
            raise StaleAppend(expected_last, self.last)
        previous_hash = self._records[-1].hash if self._records else GENESIS_HASH
        for sequence, body in enumerate(bodies, expected_last + 1):
            record = Record(sequence=sequence, previous_hash=previous_hash, hash=chain_hash(previous_hash, sequence, body), body=body)
            self._records.append(record)
            previous_hash = record.hash
        if bodies:
            self._damage = None
        return self.last

    async def close(self) -> None:
        self._is_open = False

    def lose_tail(self, keep: int) -> None:
        """As a damaged disk would: forget all records after `keep`; the next `open` says so."""
        if keep < self.last:
            self._damage = f"The journal in memory lost its records {keep + 1} to {self.last}; the {keep} records before them are used."
            del self._records[keep:]

    def _check_open(self) -> None:
        if not self._is_open:
            raise JournalFailed("The journal in memory is not open.")
