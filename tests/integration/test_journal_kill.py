"""A process that appends is killed in the middle: every record that it was told to be durable is there."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from sysmanager.journal.sqlite import SqliteJournal

WRITER = """
import asyncio, sys
from pathlib import Path
from sysmanager.journal.sqlite import SqliteJournal

async def main():
    journal = SqliteJournal(Path(sys.argv[1]))
    last = (await journal.open()).last
    while True:
        last = await journal.append(last, [b"record %d" % (last + 1)] * (1 + last % 3))
        print(last, flush=True)

asyncio.run(main())
"""


@pytest.mark.process
def test_acknowledged_records_outlive_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    acknowledged = 0
    for kill_after in (1, 40, 200):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(kill_after):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            # A kill may cut the last line short; only lines that end were said.
            lines = [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
            if lines:
                acknowledged = int(lines[-1])
        asyncio.run(check_all_there(path, acknowledged))


async def check_all_there(path: Path, acknowledged: int) -> None:
    journal = SqliteJournal(path)
    opened = await journal.open()
    assert opened.damage is None
    assert opened.last >= acknowledged
    assert [record.sequence for record in await journal.read()] == list(range(1, opened.last + 1))
    await journal.close()
