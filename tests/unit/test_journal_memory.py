import pytest

from sysmanager.journal.memory import MemoryJournal
from sysmanager.journal.port import JournalFailed, Opened


async def test_lost_tail_is_said_until_the_next_append() -> None:
    journal = MemoryJournal()
    await journal.open()
    await journal.append(0, [b"a", b"b", b"c"])
    await journal.close()
    journal.lose_tail(keep=1)
    opened = await journal.open()
    assert opened.last == 1
    assert opened.damage is not None
    assert "2 to 3" in opened.damage
    await journal.close()
    assert (await journal.open()).damage == opened.damage
    await journal.append(1, [b"d"])
    await journal.close()
    assert await journal.open() == Opened(last=2)


async def test_failing_append_closes() -> None:
    journal = MemoryJournal()
    await journal.open()
    journal.fail_appends = "The disk is full."
    with pytest.raises(JournalFailed, match="The disk is full"):
        await journal.append(0, [b"a"])
    journal.fail_appends = None
    with pytest.raises(JournalFailed, match="not open"):
        await journal.append(0, [b"a"])
    assert await journal.open() == Opened(last=0)
