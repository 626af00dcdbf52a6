"""The history's database, used by one thread at a time. All calls block."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec.structs import replace

from sysmanager import wire
from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve.log import remarked
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import FailoverId, RecorderId
from sysmanager.domain.rights import RoleName
from sysmanager.history.port import Around, Damage, HistoryFailed, NameMatches, Position, Update, WrongQuestion
from sysmanager.history.query import TOO_LONG, find_numbers, limited, page_size
from sysmanager.history.schema import SCHEMA_SQL, SCHEMA_VERSION
from sysmanager.history.words import audit_words, match_of, sort_key, words_of
from sysmanager.protocol.clients import AuditFound, AuditLine, AuditOutcome, EntriesFound, FindAudit, FindEntries

__all__ = ["HistoryFile"]

_NOT_DAMAGE = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_INTERRUPT,
}
_SIDES = ("", "-wal", "-shm", "-journal")

AROUND = 20
"""So many changes before a moment are looked at: the last by number is the one that held, whatever a clock did."""

PRUNE_PORTION = 500

QUESTION_MS = 3_000

CHECK_LIMIT_BYTES = 256 << 20
"""A check of so much takes about a second; a coordinator that is told to end waits for it."""


class HistoryFile:
    """One connection. path: None for a database in memory. Errors come out as `HistoryFailed`; `Damage` when the content is to blame."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._kinds: dict[tuple[str, str, str, str], int] = {}

    # ------------------------------------------------------------ life

    def open(self) -> Position:
        """Raises HistoryFailed, Damage; a database of another version is damaged too."""
        if self._connection is None:
            with self._failing("opened"):
                self._open()
        return self.position()

    def _open(self) -> None:
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        name = str(self.path) if self.path is not None else ":memory:"
        sql = self._connection = sqlite3.connect(name, timeout=2.0, isolation_level=None, check_same_thread=False)
        version = sql.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not sql.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            sql.execute("PRAGMA journal_mode = WAL")
            sql.executescript(f"BEGIN IMMEDIATE;\n{SCHEMA_SQL}\nPRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;")
        elif version != SCHEMA_VERSION:
            raise sqlite3.DatabaseError("other version")
        # What a power cut takes is told again from the journal.
        sql.execute("PRAGMA synchronous = NORMAL")
        sql.execute("PRAGMA cache_size = -65536")
        self._kinds = {tuple(row[1:]): row[0] for row in sql.execute("SELECT kind, trigger_, state, severity, reason FROM kind")}

    def close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def set_aside(self) -> None:
        """Close, and keep the damaged file under another name, the last one only."""
        self.close()
        if self.path is None:
            return
        try:
            for side in _SIDES:
                file = self.path.with_name(self.path.name + side)
                if file.exists():
                    file.replace(self.path.with_name(f"{self.path.stem}-damaged{self.path.suffix}{side}"))
        except OSError as error:
            raise HistoryFailed(f"The damaged history {self.path} can't be set aside ({error.strerror}); delete it by hand.") from error

    def check(self) -> None:
        """Read all of it, where that does not take long: damage of a large file is found when it is met. Raises Damage."""
        if self.size_bytes() > CHECK_LIMIT_BYTES:
            return
        with self._failing("read"):
            found = self._sql.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(str(found))

    def size_bytes(self) -> int:
        if self.path is None:
            return 0
        files = (self.path.with_name(self.path.name + side) for side in _SIDES)
        return sum(file.stat().st_size for file in files if file.exists())

    @property
    def _sql(self) -> sqlite3.Connection:
        if self._connection is None:
            raise HistoryFailed("The history is not open.")
        return self._connection

    @contextmanager
    def _failing(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, wire.WireError) as error:
            if self._connection is not None and self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            where = f"The history {self.path}" if self.path is not None else "The history in memory"
            if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _NOT_DAMAGE:
                if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    raise HistoryFailed(TOO_LONG) from error
                raise HistoryFailed(f"{where} can't be {done} ({error}); check the disk and the rights.") from error
            if isinstance(error, OSError):
                raise HistoryFailed(f"{where} can't be {done} ({error.strerror or error}); check the disk and the rights.") from error
            raise Damage(f"{where} is damaged and is made anew from the journal.") from error

    # ------------------------------------------------------------ writing

    def position(self) -> Position:
        with self._failing("read"):
            sequence, digest = self._sql.execute("SELECT sequence, digest FROM position").fetchone()
            return Position(sequence=sequence, digest=digest)

    def write(self, updates: Sequence[Update], digest: bytes) -> None:
        """All or nothing; what is there already is passed over."""
        with self._failing("written"):
            self._sql.execute("BEGIN IMMEDIATE")
            reached = self._sql.execute("SELECT sequence FROM position").fetchone()[0]
            fresh = [update for update in updates if update.sequence > reached]
            names: dict[RecorderId, str] = {}
            entries: dict[FailoverId, Failover] = {}
            for update in fresh:
                names.update(update.names)
                entries.update((entry.id, entry) for entry in update.entries)
                for failover, changes in update.patches.items():
                    old = entries.get(failover) or self.entry(failover)
                    if old is not None:
                        entries[failover] = replace(old, **changes)
                record = update.record
                if record is None:
                    continue
                if isinstance(record.fact, f.RemarkFact) and not update.entries:
                    known = entries.get(record.fact.failover) or self.entry(record.fact.failover)
                    if known is not None:
                        entries[known.id] = remarked(known, record.fact, record.actor, record.wall_ms)
                self._put_line(update.sequence, record)
            for entry in entries.values():
                self._put_entry(entry, names)
            if fresh:
                self._sql.execute("UPDATE position SET sequence = ?, digest = ?", (fresh[-1].sequence, digest))
            self._sql.execute("COMMIT")

    def _put_entry(self, entry: Failover, names: dict[RecorderId, str]) -> None:
        sql, number = self._sql, entry.number
        query = "SELECT kind, server, server_key, failover_server_key FROM entry WHERE number = ?"
        old = sql.execute(query, (number,)).fetchone()
        kind = self._kind(entry)
        if old is None or old[0] != kind:
            sql.execute("UPDATE kind SET entries = entries + 1 WHERE kind = ?", (kind,))
            if old is not None:
                sql.execute("UPDATE kind SET entries = entries - 1 WHERE kind = ?", (old[0],))
        server = entry.server or ""
        server_key = sort_key(names.get(entry.recorder, entry.recorder))
        failover_server_key = sort_key(names.get(entry.server, entry.server)) if entry.server is not None else ""
        words = words_of(entry, names)
        if old is not None and entry.recorder not in names:
            # Its servers are not known by name any more: the names that they had stay.
            server_key = old[2]
            failover_server_key = old[3] if old[1] == server else failover_server_key
            kept: str = sql.execute("SELECT words FROM word WHERE rowid = ?", (number,)).fetchone()[0]
            words = " " + " ".join(dict.fromkeys((*kept.split(), *words.split())))
        sql.execute(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                kind,
                entry.started_ms,
                entry.ended_ms if entry.phase.ended else 0,
                entry.timeline.committed_ms,
                entry.recorder,
                entry.home,
                server,
                entry.group,
                server_key,
                failover_server_key,
                entry.trigger.value,
                entry.log_state.value,
                -1 if entry.worst_gap_ms is None else entry.worst_gap_ms,
                len(entry.moved),
                entry.actor.name,
                entry.shown_reason.value if entry.shown_reason is not None else "",
            ),
        )
        sql.execute("INSERT OR REPLACE INTO body VALUES (?, ?)", (number, wire.encode(entry)))
        if old is None:
            sql.execute("INSERT INTO word (rowid, words) VALUES (?, ?)", (number, words))
        else:
            sql.execute("UPDATE word SET words = ? WHERE rowid = ? AND words != ?", (words, number, words))

    def _kind(self, entry: Failover) -> int:
        state = entry.log_state
        reason = entry.shown_reason.value if entry.shown_reason is not None else ""
        key = (entry.trigger.value, state.value, state.severity.value, reason)
        if key not in self._kinds:
            # Another connection may have written it: the table, not this note of it, says what there is.
            self._sql.execute("INSERT OR IGNORE INTO kind (trigger_, state, severity, reason, entries) VALUES (?, ?, ?, ?, 0)", key)
            query = "SELECT kind FROM kind WHERE (trigger_, state, severity, reason) = (?, ?, ?, ?)"
            self._kinds[key] = self._sql.execute(query, key).fetchone()[0]
        return self._kinds[key]

    def _put_line(self, sequence: int, record: f.FactRecord) -> None:
        line = line_of(sequence, record)
        if line is None:
            return
        role = line.role.value if line.role is not None else ""
        values = (line.number, line.at_ms, line.actor, role, line.request, line.about, line.outcome.value, line.sentence)
        self._sql.execute("INSERT OR REPLACE INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, line.times, line.first_ms))
        self._sql.execute("INSERT INTO audit_word (rowid, words) VALUES (?, ?)", (line.number, audit_words(line)))

    def clear(self) -> None:
        with self._failing("written"):
            tables = ("entry", "body", "word", "kind", "audit", "audit_word")
            deletes = "".join(f"DELETE FROM {table};" for table in tables)
            self._sql.executescript(f"BEGIN IMMEDIATE; {deletes} UPDATE position SET sequence = 0, digest = x''; COMMIT;")
            self._kinds = {}

    def prune(self, before_wall_ms: int) -> int:
        """One portion; 0 when nothing is left to forget."""
        with self._failing("written"):
            sql = self._sql
            sql.execute("BEGIN IMMEDIATE")
            query = "SELECT number, kind FROM entry WHERE ended > 0 AND ended < ? AND started < ? LIMIT ?"
            entries = sql.execute(query, (before_wall_ms, before_wall_ms, PRUNE_PORTION)).fetchall()
            for number, kind in entries:
                sql.execute("UPDATE kind SET entries = entries - 1 WHERE kind = ?", (kind,))
                for table, column in (("entry", "number"), ("body", "number"), ("word", "rowid")):
                    sql.execute(f"DELETE FROM {table} WHERE {column} = ?", (number,))
            query = "SELECT number FROM audit INDEXED BY audit_at WHERE at < ? LIMIT ?"
            lines = sql.execute(query, (before_wall_ms, PRUNE_PORTION)).fetchall()
            for (number,) in lines:
                sql.execute("DELETE FROM audit WHERE number = ?", (number,))
                sql.execute("DELETE FROM audit_word WHERE rowid = ?", (number,))
            sql.execute("COMMIT")
            return len(entries) + len(lines)

    # ------------------------------------------------------------ reading

    def entry(self, failover: FailoverId) -> Failover | None:
        number = failover[1:]
        if failover[:1] != "F" or not (number.isascii() and number.isdigit()) or len(number) > 18:
            return None
        with self._failing("read"):
            row = self._sql.execute("SELECT body FROM body WHERE number = ?", (int(number),)).fetchone()
            found: Failover | None = wire.decode(Failover, row[0]) if row is not None else None
            return found if found is not None and found.id == failover else None

    def _entries(self, numbers: Sequence[int]) -> tuple[Failover, ...]:
        marks = ",".join("?" * len(numbers))
        bodies = dict(self._sql.execute(f"SELECT number, body FROM body WHERE number IN ({marks})", tuple(numbers)))
        return tuple(wire.decode(Failover, bodies[number]) for number in numbers)

    def find(self, question: FindEntries, names: NameMatches) -> EntriesFound:
        """Raises WrongQuestion, HistoryFailed, Damage."""
        with self._failing("read"), self._one_moment():
            found = find_numbers(self._sql, question, names)
            return EntriesFound(entries=self._entries(found.numbers), next=found.next, total=found.total)

    def around(self, home: RecorderId, at_wall_ms: int) -> Around:
        with self._failing("read"), self._one_moment():
            earlier = self._sql.execute(
                "SELECT number FROM entry INDEXED BY by_home WHERE home = ? AND committed > 0 AND committed <= ?"
                " ORDER BY committed DESC, number DESC LIMIT ?",
                (home, at_wall_ms, AROUND),
            ).fetchall()
            later = self._sql.execute(
                "SELECT number FROM entry INDEXED BY by_home WHERE home = ? AND committed > ? ORDER BY committed, number LIMIT 1",
                (home, max(0, at_wall_ms)),
            ).fetchall()
            return Around(entries=self._entries(sorted(number for (number,) in (*earlier, *later))))

    def audit(self, question: FindAudit) -> AuditFound:
        """Raises WrongQuestion, HistoryFailed, Damage."""
        size = page_size(question.limit)
        where, values = ["1"], list[object]()
        for condition, value in (
            ("actor = ?", question.actor),
            ("outcome = ?", question.outcome.value if question.outcome is not None else ""),
            ("at >= ?", question.since_wall_ms),
            ("at < ?", question.until_wall_ms),
        ):
            if value:
                where.append(condition)
                values.append(value)
        if question.after:
            where.append("(at, number) < (?, ?)")
            values += _audit_cursor(question.after)
        match = match_of(question.search)
        if match:
            where.append("number IN (SELECT rowid FROM audit_word WHERE audit_word MATCH ?)")
            values.append(match)
        query = f"SELECT * FROM audit WHERE {' AND '.join(where)} ORDER BY at DESC, number DESC LIMIT ?"
        with self._failing("read"), limited(self._sql, QUESTION_MS):
            rows = self._sql.execute(query, (*values, size + 1)).fetchall()
        lines = tuple(_line(row) for row in rows[:size])
        return AuditFound(lines=lines, next=f"{lines[-1].at_ms} {lines[-1].number}" if len(rows) > size else "")

    @contextmanager
    def _one_moment(self) -> Iterator[None]:
        """All reads in it see the same state of the database."""
        self._sql.execute("BEGIN")
        try:
            yield
        finally:
            with suppress(sqlite3.Error):
                self._sql.execute("COMMIT")


def line_of(sequence: int, record: f.FactRecord) -> AuditLine | None:
    """The line of the audit log that a record of the journal is; None for most."""
    fact, answer = record.fact, record.answer
    if isinstance(fact, f.RequestRefused):
        return AuditLine(
            number=sequence,
            at_ms=record.wall_ms,
            actor=fact.actor.name,
            role=fact.actor.role,
            request=fact.request,
            about=fact.about,
            outcome=AuditOutcome.REFUSED,
            sentence=fact.sentence,
            times=fact.times,
            first_ms=fact.first_ms,
        )
    if answer is None:
        return None
    return AuditLine(
        number=sequence,
        at_ms=record.wall_ms,
        actor=record.actor.name,
        role=record.actor.role,
        request=answer.request,
        about=answer.about,
        outcome=AuditOutcome.DONE,
        sentence=answer.sentence,
        first_ms=record.wall_ms,
    )


def _line(row: Sequence[object]) -> AuditLine:
    number, at, actor, role, request, about, outcome, sentence, times, first = row
    return AuditLine(
        number=int(str(number)),
        at_ms=int(str(at)),
        actor=str(actor),
        role=RoleName(str(role)) if role else None,
        request=str(request),
        about=str(about),
        outcome=AuditOutcome(str(outcome)),
        sentence=str(sentence),
        times=int(str(times)),
        first_ms=int(str(first)),
    )


def _audit_cursor(after: str) -> list[object]:
    parts = after.split(" ")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in parts):
        raise WrongQuestion("The field after is not what the page before gave as next; begin again with the first page.")
    return [int(part) for part in parts]
