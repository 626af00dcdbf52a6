"""How a page is found without reading the whole log.

There are four ways. `walk`: along the index of the column that sorts, looking at each entry, until the page is full; good when many entries
match. `merge`: the same within each combination of the enumerations that matches, and the results merged. `stream`: along the full-text
index, where the order is that in which entries were opened. `drive`: take all entries that one filter leaves, look at each, sort; good when
that filter leaves few. Which filter leaves how many is counted first, up to a limit.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import merge
from itertools import islice

import msgspec

from sysmanager import wire
from sysmanager.history.port import HistoryFailed, NameMatches, WrongQuestion
from sysmanager.history.words import holds_of, match_of
from sysmanager.protocol.clients import PAGE_LIMIT, FindEntries, LogColumn

__all__ = ["Found", "find_numbers", "limited", "page_size"]

COLUMNS: dict[LogColumn, str] = {
    LogColumn.STARTED: "number",
    LogColumn.SERVER: "server_key",
    LogColumn.FAILOVER_SERVER: "failover_server_key",
    LogColumn.TRIGGER: "trigger_",
    LogColumn.STATE: "state",
    LogColumn.GAP: "gap",
    LogColumn.CAMERAS: "cameras",
    LogColumn.STARTED_BY: "started_by",
    LogColumn.REASON: "reason",
}

FEW = 30_000
"""So many entries are looked at and sorted in a few hundredths of a second."""

FEW_ALONE = 15_000
"""With one filter only a walk meets an entry that matches soon enough, if there are more than so many."""

MANY = 60_000
"""When a walk found too few, filters are counted up to here, to drive by the smallest."""

WALK_MS = 60
"""A walk that works longer meets too few entries that match: the other way is taken. Work, not waiting: other programs change no plan."""

LIMIT_MS = 3_000
"""No question works longer."""

_OPCODES = 2_000
"""How often the clock is looked at, in instructions of SQLite."""

TOO_LONG = "The search takes too long; narrow it by a server, a time range or a rarer word."


class _Filter(msgspec.Struct, frozen=True, kw_only=True):
    """One condition. where: to look at one entry. numbers: a query for all entries that meet it. count: how many, None if more than `FEW`.
    match: the full-text expression, where it is one. kinds: the combinations of the enumerations, where it is of them."""

    where: str
    values: tuple[object, ...]
    numbers: str
    number_values: tuple[object, ...] = ()
    count: int | None = None
    match: str = ""
    kinds: tuple[int, ...] = ()


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    column: LogColumn
    descending: bool
    value: int | str
    number: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of one page, in their order; the cursor of the next page, and how many match, None if not counted."""

    numbers: tuple[int, ...]
    next: str = ""
    total: int | None = None


def page_size(limit: int) -> int:
    """Raises WrongQuestion."""
    if not 1 <= limit <= PAGE_LIMIT:
        raise WrongQuestion(f"A page has 1 to {PAGE_LIMIT} entries, not {limit}; correct the field limit.")
    return limit


@contextmanager
def limited(sql: sqlite3.Connection, limit_ms: int) -> Iterator[None]:
    """What this thread works longer on raises `sqlite3.OperationalError`, as interrupted."""
    end = time.thread_time() + limit_ms / 1000
    sql.set_progress_handler(lambda: time.thread_time() > end, _OPCODES)
    try:
        yield
    finally:
        sql.set_progress_handler(None, 0)


def find_numbers(sql: sqlite3.Connection, question: FindEntries, names: NameMatches) -> Found:
    """One page. Raises WrongQuestion, HistoryFailed when it takes too long, sqlite3.Error."""
    size = page_size(question.limit)
    cursor = _cursor_of(question)
    filters = _filters(sql, question, names)
    if any(each.count == 0 for each in filters):
        return Found(numbers=(), total=0)
    counted = sorted((each for each in filters if each.count is not None), key=lambda each: each.count or 0)
    alone = len(filters) == 1
    if counted and not (alone and (counted[0].kinds or (counted[0].count or 0) > FEW_ALONE)):
        total = counted[0].count if alone else None
        return _page(question, size, _drive(sql, question, filters, counted[0], cursor, size), total)
    total = counted[0].count if alone and counted else _total(sql, filters)
    words = next((each for each in filters if each.match), None)
    kinds = next((each for each in filters if each.kinds), None)
    try:
        with limited(sql, WALK_MS):
            if words is not None and _column(question) == "number":
                rows = _stream(sql, question, filters, words, cursor, size)
            elif kinds is not None:
                rows = _merge(sql, question, filters, kinds, cursor, size)
            else:
                rows = _walk(sql, question, filters, cursor, size)
    except sqlite3.OperationalError as error:
        if "interrupt" not in str(error):
            raise
        rows = _drive_by_smallest(sql, question, filters, cursor, size)
    return _page(question, size, rows, total)


def _drive_by_smallest(
    sql: sqlite3.Connection, question: FindEntries, filters: list[_Filter], cursor: _Cursor | None, size: int
) -> list[tuple[int | str, int]]:
    """The second try, with more time. Raises HistoryFailed when that is not enough."""
    try:
        with limited(sql, LIMIT_MS):
            if not filters:
                return _walk(sql, question, filters, cursor, size)
            counts = [_count(sql, each.numbers, each.number_values, MANY) or MANY + 1 for each in filters]
            return _drive(sql, question, filters, filters[counts.index(min(counts))], cursor, size)
    except sqlite3.OperationalError as error:
        if "interrupt" not in str(error):
            raise
        raise HistoryFailed(TOO_LONG) from None


def _page(question: FindEntries, size: int, rows: list[tuple[int | str, int]], total: int | None) -> Found:
    numbers = tuple(number for _, number in rows[:size])
    if len(rows) <= size:
        return Found(numbers=numbers, total=len(rows) if total is None and not question.after else total)
    value, number = rows[size - 1]
    cursor = _Cursor(question.sort, question.descending, value, number)
    return Found(numbers=numbers, next=wire.encode(cursor).decode("utf-8"), total=total)


def _cursor_of(question: FindEntries) -> _Cursor | None:
    if not question.after:
        return None
    try:
        cursor: _Cursor = wire.decode(_Cursor, question.after.encode("utf-8"))
        fits = cursor.column is question.sort and cursor.descending is question.descending and abs(cursor.number) < 1 << 62
        if fits and (isinstance(cursor.value, str) or abs(cursor.value) < 1 << 62):
            return cursor
    except (wire.WireError, UnicodeEncodeError):
        pass
    raise WrongQuestion("The field after is not what the page before gave as next; begin again with the first page.")


# ---------------------------------------------------------------- filters


def _filters(sql: sqlite3.Connection, question: FindEntries, names: NameMatches) -> list[_Filter]:
    found = [
        _kinds(sql, question),
        _equal(sql, "recorder", question.recorder),
        _equal(sql, "server", question.server),
        _equal(sql, "group_", question.group),
        _span(sql, question),
        _words(sql, question, names),
    ]
    return [each for each in found if each is not None]


def _count(sql: sqlite3.Connection, numbers: str, values: tuple[object, ...], most: int) -> int | None:
    count: int = sql.execute(f"SELECT count(*) FROM (SELECT 1 FROM ({numbers}) LIMIT {most + 1})", values).fetchone()[0]
    return count if count <= most else None


def _counted(sql: sqlite3.Connection, where: str, values: tuple[object, ...], numbers: str, number_values: tuple[object, ...]) -> _Filter:
    return _Filter(where=where, values=values, numbers=numbers, number_values=number_values, count=_count(sql, numbers, number_values, FEW))


def _kinds(sql: sqlite3.Connection, question: FindEntries) -> _Filter | None:
    """States, severities, triggers and reasons in one: the combinations of them that occur are few, and counted."""
    wanted = (question.triggers, question.states, question.severities, question.reasons)
    if not any(wanted):
        return None
    kinds, count = [], 0
    for kind, trigger, state, severity, reason, entries in sql.execute("SELECT * FROM kind WHERE entries > 0"):
        if all(not values or value in values for values, value in zip(wanted, (trigger, state, severity, reason), strict=True)):
            kinds.append(kind)
            count += entries
    listed = ",".join(map(str, kinds))
    return _Filter(
        where=f"kind IN ({listed})",
        values=(),
        numbers=f"SELECT number FROM entry INDEXED BY by_kind WHERE kind IN ({listed})",
        count=count if count <= FEW else None,
        kinds=tuple(kinds),
    )


def _equal(sql: sqlite3.Connection, column: str, value: str | None) -> _Filter | None:
    if value is None:
        return None
    if column == "recorder":
        numbers = (
            "SELECT number FROM entry INDEXED BY by_recorder WHERE recorder = ?"
            " UNION SELECT number FROM entry INDEXED BY by_home WHERE home = ?"
        )
        return _counted(sql, "(recorder = ? OR home = ?)", (value, value), numbers, (value, value))
    index = "by_server" if column == "server" else "by_group"
    return _counted(sql, f"{column} = ?", (value,), f"SELECT number FROM entry INDEXED BY {index} WHERE {column} = ?", (value,))


def _span(sql: sqlite3.Connection, question: FindEntries) -> _Filter | None:
    bounds = [("started >= ?", question.since_wall_ms), ("started < ?", question.until_wall_ms)]
    given = [(where, value) for where, value in bounds if value]
    if not given:
        return None
    if any(abs(value) >= 1 << 62 for _, value in given):
        raise WrongQuestion("A moment is given in milliseconds since 1970; correct the fields since_wall_ms and until_wall_ms.")
    where, values = " AND ".join(where for where, _ in given), tuple(value for _, value in given)
    return _counted(sql, where, values, f"SELECT number FROM entry INDEXED BY by_started WHERE {where}", values)


def _words(sql: sqlite3.Connection, question: FindEntries, names: NameMatches) -> _Filter | None:
    match = match_of(question.search, names)
    if not match:
        return None
    # Asking the index about one entry would look through it each time; its words are looked at instead.
    holds = holds_of(question.search, names)
    sql.create_function("holds", 1, lambda words: holds(words or ""), deterministic=True)
    where = "holds((SELECT words FROM word WHERE rowid = entry.number))"
    numbers = "SELECT rowid AS number FROM word WHERE word MATCH ?"
    found = [number for (number,) in sql.execute(f"{numbers} LIMIT {FEW + 1}", (match,))]
    if len(found) > FEW:
        return _Filter(where=where, values=(), numbers=numbers, number_values=(match,), match=match)
    # What was found is not looked for a second time.
    listed = f"[{','.join(map(str, found))}]"
    numbers = "SELECT value AS number FROM json_each(?)"
    return _Filter(where=where, values=(), numbers=numbers, number_values=(listed,), count=len(found), match=match)


def _total(sql: sqlite3.Connection, filters: list[_Filter]) -> int | None:
    if not filters:
        total: int = sql.execute("SELECT sum(entries) FROM kind").fetchone()[0] or 0
        return total
    if len(filters) == 1 and filters[0].where.startswith("kind"):
        total = sql.execute(f"SELECT sum(entries) FROM kind WHERE {filters[0].where}").fetchone()[0] or 0
        return total
    return None


# ---------------------------------------------------------------- the two ways


def _column(question: FindEntries) -> str:
    """What sorts. With a span of time the moments do: the clock is asked for then, and its index leads to them at once."""
    spanned = question.sort is LogColumn.STARTED and (question.since_wall_ms or question.until_wall_ms)
    return "started" if spanned else COLUMNS[question.sort]


def _order(question: FindEntries, plus: str) -> str:
    direction = "DESC" if question.descending else "ASC"
    return f"ORDER BY {plus}{_column(question)} {direction}, {plus}number {direction}"


def _after(question: FindEntries, cursor: _Cursor | None) -> tuple[str, tuple[object, ...]]:
    if cursor is None:
        return "1", ()
    sign = "<" if question.descending else ">"
    return f"({_column(question)}, number) {sign} (?, ?)", (cursor.value, cursor.number)


def _walk(
    sql: sqlite3.Connection, question: FindEntries, filters: list[_Filter], cursor: _Cursor | None, size: int
) -> list[tuple[int | str, int]]:
    column = _column(question)
    after, values = _after(question, cursor)
    where = " AND ".join([after, *(each.where for each in filters)])
    index = {"number": "NOT INDEXED", "started": "INDEXED BY by_started"}.get(column, f"INDEXED BY sorted_{question.sort.name.lower()}")
    query = f"SELECT {column}, number FROM entry {index} WHERE {where} {_order(question, '')} LIMIT ?"
    return sql.execute(query, (*values, *(value for each in filters for value in each.values), size + 1)).fetchall()


def _merge(
    sql: sqlite3.Connection, question: FindEntries, filters: list[_Filter], kinds: _Filter, cursor: _Cursor | None, size: int
) -> list[tuple[int | str, int]]:
    """The rows of each kind in their order, merged. Within a kind trigger, state and reason are the same."""
    column = _column(question)
    constant = column in ("trigger_", "state", "reason")
    index = "by_kind" if constant or column == "number" else f"kind_{question.sort.name.lower()}"
    after, values = _after(question, cursor)
    others = [each for each in filters if each is not kinds]
    where = " AND ".join(["kind = ?", after, *(each.where for each in others)])
    order = f"ORDER BY number {'DESC' if question.descending else 'ASC'}" if constant else _order(question, "")
    query = f"SELECT {column}, number FROM entry INDEXED BY {index} WHERE {where} {order} LIMIT ?"
    looked = tuple(value for each in others for value in each.values)
    # Each is read only as far as the page needs it.
    found = [sql.execute(query, (kind, *values, *looked, size + 1)) for kind in kinds.kinds]
    return list(islice(merge(*found, reverse=question.descending), size + 1))


def _stream(
    sql: sqlite3.Connection, question: FindEntries, filters: list[_Filter], words: _Filter, cursor: _Cursor | None, size: int
) -> list[tuple[int | str, int]]:
    direction, sign = ("DESC", "<") if question.descending else ("ASC", ">")
    others = [each for each in filters if each is not words]
    after, values = (f"word.rowid {sign} ?", (cursor.number,)) if cursor is not None else ("1", ())
    where = " AND ".join(["word MATCH ?", after, *(each.where for each in others)])
    query = (
        "SELECT word.rowid, word.rowid FROM word CROSS JOIN entry ON entry.number = word.rowid"
        f" WHERE {where} ORDER BY word.rowid {direction} LIMIT ?"
    )
    looked = tuple(value for each in others for value in each.values)
    return sql.execute(query, (words.match, *values, *looked, size + 1)).fetchall()


def _drive(
    sql: sqlite3.Connection, question: FindEntries, filters: list[_Filter], driving: _Filter, cursor: _Cursor | None, size: int
) -> list[tuple[int | str, int]]:
    column = _column(question)
    after, values = _after(question, cursor)
    others = [each for each in filters if each is not driving]
    kinds = next((each for each in others if each.kinds), None)
    numbers = driving.numbers
    if kinds is not None:
        others.remove(kinds)
        # With a plus, so that the kinds are compared, and not each of them looked for in the index.
        numbers = f"SELECT number FROM ({numbers}) CROSS JOIN entry INDEXED BY number_kind USING (number) WHERE +{kinds.where}"
    where = " AND ".join([f"number IN ({numbers})", after, *(each.where for each in others)])
    query = f"SELECT {column}, number FROM entry NOT INDEXED WHERE {where} {_order(question, '+')} LIMIT ?"
    looked = tuple(value for each in others for value in each.values)
    return sql.execute(query, (*driving.number_values, *values, *looked, size + 1)).fetchall()
