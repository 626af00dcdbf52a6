"""The journal's database file, used by one thread. All calls block; errors come out as `JournalFailed`."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sysmanager.durable import sync_folder
from sysmanager.journal.head import Head, HeadFile
from sysmanager.journal.port import GENESIS_HASH, JournalFailed, JournalTooNew, Opened, Record, StaleAppend, Trusted, chain_hash
from sysmanager.journal.salvage import PAGE_BYTES, beside, finish_rebuild, is_damage, lost_and_used, rebuild, set_aside, sound_rows
from sysmanager.journal.schema import SCHEMA_VERSION, create_tables, migrate

__all__ = ["JournalFile"]

_HEADER_FIXED = {16: 0x10, 17: 0x00, 20: 0, 21: 64, 22: 32, 23: 32}
"""Bytes of the SQLite header that are the same in every journal: page size, reserved space, fractions. SQLite would take
some of them for the wish of a later version (and open read-only) when they are damaged."""

_BUSY_TIMEOUT_S = 2.0


class _Damaged(Exception):
    """The content is not sound; the text says where, for the log."""


class JournalFile:
    """`last` and `last_hash` are those of the last durable record."""

    def __init__(self, path: Path, sync_delay_ms: int = 0) -> None:
        self.path = path
        self.last = 0
        self.last_hash = GENESIS_HASH
        self._sync_delay_ms = sync_delay_ms
        self._head = HeadFile(path.with_suffix(".head"))
        self._connection: sqlite3.Connection | None = None
        self._damage_unsettled = False
        self._verified_from = 0

    @property
    def head_unsynced(self) -> bool:
        return self._head.unsynced

    def open(self, trusted: Trusted | None = None) -> Opened:
        """As `Journal.open`."""
        try:
            with self._failing("opened"):
                return self._open(trusted)
        except BaseException:
            self.close()
            raise

    def _open(self, trusted: Trusted | None) -> Opened:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        finish_rebuild(self.path)
        log_found = self._has_log()
        head_existed = self._head.path.exists()
        head = self._head.open()
        if not head_existed and self._is_absent():
            self._head.create()  # before the database: from then on a missing head means that it was lost
            head = Head(0, GENESIS_HASH)
        try:
            head_hash = self._connect_and_verify(head, trusted)
        except _Damaged:
            self._salvage(head)
            head_hash = self._connect_and_verify(head, None)
        damage = self._damage_found_before()
        if damage is None:
            damage = self._compare(head, head_hash, head_existed, log_found)
            if damage is not None:
                self._execute("INSERT INTO damage (sentence) VALUES (?)", damage)
        self._damage_unsettled = damage is not None
        if head is None and not head_existed:
            self._head.create()
        if head != Head(self.last, self.last_hash):
            self._head.write(Head(self.last, self.last_hash))
            self._head.sync()
        return Opened(last=self.last, damage=damage, verified_from=self._verified_from)

    def read(self, after: int, limit: int) -> list[Record]:
        """Verifies the chain again: what was sound at the opening need not be sound on the disk now."""
        with self._failing("read"):
            previous_hash = GENESIS_HASH
            if after > 0:
                row = self._sql.execute("SELECT hash FROM record WHERE sequence = ?", (after,)).fetchone()
                if row is None:
                    return []
                previous_hash = row[0]
            query = "SELECT sequence, hash, body FROM record WHERE sequence > ? ORDER BY sequence LIMIT ?"
            records: list[Record] = []
            for expected, (sequence, record_hash, body) in enumerate(self._sql.execute(query, (after, limit)), after + 1):
                if sequence != expected or type(body) is not bytes or chain_hash(previous_hash, sequence, body) != record_hash:
                    raise JournalFailed(
                        f"The journal {self.path} is damaged at record {expected}; start the program again to use the sound part."
                    )
                records.append(Record(sequence=sequence, previous_hash=previous_hash, hash=record_hash, body=body))
                previous_hash = record_hash
            return records

    def append(self, batch: Sequence[tuple[int, Sequence[bytes]]]) -> list[int | StaleAppend]:
        """Several appends, in order, in one transaction; for each its new last sequence, or why it had no effect."""
        last, last_hash = self.last, self.last_hash
        outcomes: list[int | StaleAppend] = []
        rows: list[tuple[int, bytes, bytes]] = []
        for expected_last, bodies in batch:
            if expected_last != last:
                outcomes.append(StaleAppend(expected_last, last))
                continue
            for body in bodies:
                last += 1
                last_hash = chain_hash(last_hash, last, body)
                rows.append((last, last_hash, body))
            outcomes.append(last)
        if rows:
            with self._failing("written"):
                self._sql.execute("BEGIN IMMEDIATE")
                self._sql.executemany("INSERT INTO record VALUES (?, ?, ?)", rows)
                if self._damage_unsettled:
                    self._sql.execute("UPDATE damage SET settled = 1")
                if self._sync_delay_ms:
                    time.sleep(self._sync_delay_ms / 1000)
                self._sql.execute("COMMIT")
                self._damage_unsettled = False
                self.last, self.last_hash = last, last_hash
                self._head.write(Head(last, last_hash))
        return outcomes

    def sync_head(self) -> None:
        with self._failing("written"):
            self._head.sync()

    def close(self) -> None:
        """Errors are of no use to anybody here: what was acknowledged is durable already."""
        with suppress(OSError):
            self._head.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _sql(self) -> sqlite3.Connection:
        if self._connection is None:
            raise JournalFailed(f"The journal {self.path} is not open.")
        return self._connection

    def _execute(self, sql: str, *values: object) -> None:
        self._sql.execute(sql, values)

    def _is_absent(self) -> bool:
        return not self.path.exists() and not self._has_log()

    def _has_log(self) -> bool:
        log = beside(self.path, "-wal")
        return log.exists() and log.stat().st_size > 0

    def _connect_and_verify(self, head: Head | None, trusted: Trusted | None) -> bytes | None:
        """Set `last` and `last_hash`; the hash of the record that the head names, if it is there and looked at.

        From a trusted record on only what follows is read: a long journal takes as long as its new part.
        """
        self._check_header()
        try:
            self._connection = sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=True)
            self._check_version()
            self._execute("PRAGMA synchronous = FULL")
            if (mode := self._sql.execute("PRAGMA journal_mode = WAL").fetchone()[0]) != "wal":
                raise JournalFailed(f"The journal {self.path} can't be kept safely on this disk (log mode {mode}); use a local disk.")
            begin = self._begin(head, trusted)
            if not begin.sequence and (result := self._sql.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise _Damaged(result)
            sequence, record_hash = begin.sequence, begin.hash
            wanted = head.sequence if head is not None else 0
            head_hash = record_hash if head is not None and wanted == sequence else None
            for sequence, record_hash, _ in sound_rows(self._sql, begin.sequence, begin.hash):
                if sequence == wanted:
                    head_hash = record_hash
            rows = self._sql.execute("SELECT count(*) FROM record WHERE sequence > ?", (begin.sequence,)).fetchone()[0]
            if sequence != begin.sequence + rows:
                raise _Damaged(f"chain broken after {sequence}")
            if self._sql.execute("SELECT count(*) FROM damage WHERE typeof(sentence) != 'text'").fetchone()[0]:
                raise _Damaged("damage table")
        except UnicodeDecodeError as error:  # from the names of tables
            raise _Damaged(str(error)) from error
        except sqlite3.Error as error:
            if is_damage(error):
                raise _Damaged(str(error)) from error
            raise
        self.last, self.last_hash, self._verified_from = sequence, record_hash, begin.sequence
        return head_hash

    def _begin(self, head: Head | None, trusted: Trusted | None) -> Trusted:
        """Where to begin: behind the trusted record, if it is there as it was and the head is not older; else at the very beginning."""
        if trusted is not None and head is not None and head.sequence >= trusted.sequence:
            row = self._sql.execute("SELECT hash FROM record WHERE sequence = ?", (trusted.sequence,)).fetchone()
            if row is not None and row[0] == trusted.hash:
                return trusted
        return Trusted(sequence=0, hash=GENESIS_HASH)

    def _check_header(self) -> None:
        if not self.path.exists():
            if not self._is_absent():
                raise _Damaged("only the log is there")
            return
        with self.path.open("rb") as file:
            header = file.read(100)
        if not header:
            if self._has_log():
                raise _Damaged("empty, with a log")
        elif (
            len(header) < 100
            or not header.startswith(b"SQLite format 3\0")
            or header[18] != header[19]
            or header[18] not in (1, 2)
            or any(header[offset] != value for offset, value in _HEADER_FIXED.items())
        ):
            raise _Damaged("header")

    def _check_version(self) -> None:
        stored: object = self._sql.execute("PRAGMA user_version").fetchone()[0]
        tables = self._sql.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if stored == 0 and tables == 0:  # new, or killed while it was made
            self._execute(f"PRAGMA page_size = {PAGE_BYTES}")
            self._execute("PRAGMA journal_mode = WAL")
            create_tables(self._sql)
            sync_folder(self.path.parent)
            return
        rows = self._sql.execute("SELECT version FROM version").fetchall()
        if rows != [(stored,)] or not isinstance(stored, int) or stored < 1:
            raise _Damaged("its two version numbers differ")
        if stored > SCHEMA_VERSION:
            raise JournalTooNew(
                f"The journal {self.path} has version {stored}, and this program knows versions up to {SCHEMA_VERSION}: "
                "install the newer program that wrote it, or start with another data folder."
            )
        migrate(self._sql, stored)

    def _salvage(self, head: Head | None) -> None:
        aside = set_aside(self.path, self._head.path)
        if self._connection is not None:  # after the copy: closing moves the log into the database
            self._connection.close()
            self._connection = None
        rebuild(self.path, aside, head.sequence if head is not None else None)

    def _damage_found_before(self) -> str | None:
        row = self._sql.execute("SELECT sentence FROM damage WHERE NOT settled ORDER BY number DESC LIMIT 1").fetchone()
        return str(row[0]) if row is not None else None

    def _compare(self, head: Head | None, head_hash: bytes | None, head_existed: bool, log_found: bool) -> str | None:
        if head is None:
            if not head_existed and self.last == 0:
                return None
            state = "damaged" if head_existed else "missing"
            return (
                f"The head file {self._head.path} is {state}, so the journal may have lost its last records unnoticed; "
                f"the {self.last} records that are there are used."
            )
        if head.sequence > self.last:
            kept = ""
            if log_found:
                kept = f", and the files as they were found are kept in {set_aside(self.path, self._head.path)}"
            return f"The journal {self.path} has lost its end: {lost_and_used(self.last, head.sequence)}{kept}."
        if head_hash != head.hash:
            return (
                f"The journal {self.path} is not the one that {self._head.path} belongs to, as if it had been replaced by another; "
                f"the {self.last} records that are there are used."
            )
        return None

    @contextmanager
    def _failing(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            raise JournalFailed(
                f"The journal {self.path} can't be {done} ({reason}); check the disk and the rights, then start again."
            ) from error
