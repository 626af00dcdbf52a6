"""What every journal promises."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sysmanager.journal.memory import MemoryJournal
from sysmanager.journal.port import (
    GENESIS_HASH,
    MAX_APPEND_RECORDS,
    MAX_BODY_BYTES,
    Journal,
    JournalFailed,
    Opened,
    StaleAppend,
)
from sysmanager.journal.sqlite import SqliteJournal


@pytest.fixture(params=["memory", "sqlite"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    makers: dict[str, Callable[[], Journal]] = {"memory": MemoryJournal, "sqlite": lambda: SqliteJournal(tmp_path / "journal.sqlite")}
    journal = makers[request.param]()
    assert await journal.open() == Opened(last=0)
    yield journal
    await journal.close()


async def test_new_journal_is_empty(journal: Journal) -> None:
    assert journal.last == 0
    assert await journal.read() == []


async def test_appended_records_are_read_in_order(journal: Journal) -> None:
    assert await journal.append(0, [b"a", b"b"]) == 2
    assert await journal.append(2, [b""]) == 3
    records = await journal.read()
    assert [(record.sequence, record.body) for record in records] == [(1, b"a"), (2, b"b"), (3, b"")]
    assert journal.last == 3


async def test_records_are_chained(journal: Journal) -> None:
    await journal.append(0, [b"a", b"b"])
    previous_hash = GENESIS_HASH
    for record in await journal.read():
        assert record.previous_hash == previous_hash
        assert record.hash == hashlib.sha256(previous_hash + record.sequence.to_bytes(8, "big") + record.body).digest()
        previous_hash = record.hash


async def test_read_after_and_limit(journal: Journal) -> None:
    await journal.append(0, [bytes([number]) for number in range(10)])
    assert [record.sequence for record in await journal.read(after=4, limit=3)] == [5, 6, 7]
    assert (await journal.read(after=4, limit=1))[0].previous_hash == (await journal.read(after=3, limit=1))[0].hash
    assert await journal.read(after=10) == []
    assert await journal.read(after=99) == []


@pytest.mark.parametrize("expected_last", [0, 1, 3])
async def test_stale_append_writes_nothing(journal: Journal, expected_last: int) -> None:
    await journal.append(0, [b"a", b"b"])
    with pytest.raises(StaleAppend) as caught:
        await journal.append(expected_last, [b"c"])
    assert (caught.value.expected_last, caught.value.last) == (expected_last, 2)
    assert len(await journal.read()) == 2


async def test_append_of_nothing_only_compares(journal: Journal) -> None:
    await journal.append(0, [b"a"])
    assert await journal.append(1, []) == 1
    with pytest.raises(StaleAppend):
        await journal.append(0, [])


async def test_one_of_two_rivals_wins(journal: Journal) -> None:
    outcomes = await asyncio.gather(journal.append(0, [b"a"]), journal.append(0, [b"b", b"c"]), return_exceptions=True)
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], StaleAppend)
    assert [record.body for record in await journal.read()] == [b"a"]


async def test_appends_need_not_wait_for_each_other(journal: Journal) -> None:
    outcomes = await asyncio.gather(*(journal.append(number, [b"%d" % number]) for number in range(200)))
    assert outcomes == list(range(1, 201))
    assert [record.body for record in await journal.read()] == [b"%d" % number for number in range(200)]


async def test_limits(journal: Journal) -> None:
    with pytest.raises(ValueError, match="at most"):
        await journal.append(0, [bytes(MAX_BODY_BYTES + 1)])
    with pytest.raises(ValueError, match="at most"):
        await journal.append(0, [b""] * (MAX_APPEND_RECORDS + 1))
    assert await journal.append(0, [bytes(MAX_BODY_BYTES)]) == 1


async def test_records_outlive_closing(journal: Journal) -> None:
    await journal.append(0, [b"a"])
    await journal.close()
    with pytest.raises(JournalFailed, match="not open"):
        await journal.append(1, [b"b"])
    with pytest.raises(JournalFailed, match="not open"):
        await journal.read()
    await journal.close()
    assert await journal.open() == Opened(last=1)
    assert await journal.append(1, [b"b"]) == 2


async def test_open_twice_is_refused(journal: Journal) -> None:
    with pytest.raises(JournalFailed, match="open already"):
        await journal.open()
    assert await journal.append(0, [b"a"]) == 1


async def test_pages_give_the_records_up_to_the_last_one_that_is_wanted(journal: Journal) -> None:
    await journal.append(0, [bytes([number]) for number in range(10)])
    pages = journal.pages(7)
    first = await asyncio.to_thread(next, pages)
    await journal.append(10, [b"later"])
    records = [record for page in (first, *await asyncio.to_thread(list, pages)) for record in page]
    assert records == await journal.read(limit=7)
    assert await asyncio.to_thread(list, journal.pages(0)) == []
