"""How long a start takes from a snapshot of the tables, and from the journal alone; and a system backup of that journal.

A site that failed over and back all the time. Requirement: from a snapshot under 3 s, whatever the length of the journal, judged by the
median of 5; from the journal alone: reported.

    python -m tests.benchmarks.snapshot [--facts N] [--recorders N]
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sysmanager.backup.folder import BackupFolder
from sysmanager.backup.port import BackupJob
from sysmanager.coordinator.state import State
from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.domain.backup import BackupKind
from sysmanager.engine.collector import collector_paused
from sysmanager.engine.core import Core
from sysmanager.engine.recovery import SnapshotFile, Snapshots, load, open_journal, replay
from sysmanager.engine.snapshot import Position, copied, encode, state_hash
from sysmanager.journal.port import Trusted
from sysmanager.journal.sqlite import SqliteJournal
from tests.benchmarks.journal import write
from tests.benchmarks.machine import arguments, quantile, tell
from tests.helpers.coordination import Site

LIMIT_S = 3.0
STARTS = 5
CAMERAS = 32


async def start(path: Path, snapshots: Snapshots | None) -> tuple[float, Core, Position]:
    """As the engine starts: snapshot, journal, what follows; seconds."""
    gc.collect()
    began_s = time.perf_counter()
    journal = SqliteJournal(path)
    with collector_paused():
        snapshot = await load(snapshots)
        opened = await open_journal(journal, snapshot)
        found = await replay(journal, opened, snapshot, history_last=opened.last)
        core = Core((), Site().now, state=found.state)
    took_s = time.perf_counter() - began_s
    await journal.close()
    gc.unfreeze()
    return took_s, core, found.position


def wide(recorders: int) -> State:
    """The tables of a large site, to see what a snapshot of them costs."""
    site = Site()
    for number in range(recorders):
        site.add(f"R{number}", cameras=CAMERAS)
    site.run(2_000)
    return site.state


async def back_up(path: Path, folder: Path, position: Position) -> float:
    """A baseline of this journal, without documents; seconds."""
    journal = SqliteJournal(path)
    await journal.open(Trusted(sequence=position.sequence, hash=position.hash))
    backups = BackupFolder(folder / "backups", journal, MemoryDocumentStore(), program="")
    job = BackupJob(number=1, kind=BackupKind.BASELINE, site="", made_ms=0, position=position.sequence)
    began_s = time.perf_counter()
    await backups.make(job)
    took_s = time.perf_counter() - began_s
    await journal.close()
    return took_s


async def measure(facts: int, recorders: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        path, snapshots = Path(folder) / "journal.sqlite", SnapshotFile(Path(folder) / "journal.snapshot")
        await write(path, facts)
        whole_s, core, position = await start(path, None)
        before = state_hash(core.state)
        began_s = time.perf_counter()
        content = encode(copied(core.state), position)
        snapshots.save(content)
        rows.append({"what": f"journal alone, {facts} facts", "s": whole_s, "worst_s": whole_s, "snapshot_kb": ""})
        took = [await start(path, snapshots) for _ in range(STARTS)]
        assert {state_hash(core.state) for _, core, _ in took} == {before}, "the same tables"
        times = [seconds for seconds, _, _ in took]
        rows.append({"what": "from the snapshot", "s": quantile(times, 0.5), "worst_s": max(times), "snapshot_kb": len(content) >> 10})
        del took, core
        state = wide(recorders)
        began_s = time.perf_counter()
        tables = copied(state)
        copy_s = time.perf_counter() - began_s
        content = encode(tables, position)
        encode_s = time.perf_counter() - began_s
        rows.append(
            {"what": f"copy of the tables, {recorders} recorders of {CAMERAS} cameras", "s": copy_s, "snapshot_kb": len(content) >> 10}
        )
        rows.append({"what": "its bytes, by a worker", "s": encode_s})
        snapshots.save(content)
        began_s = time.perf_counter()
        assert await load(snapshots) is not None
        rows.append({"what": "read again", "s": time.perf_counter() - began_s})
        rows.append({"what": "system backup, by a worker", "s": await back_up(path, Path(folder), position)})
        rows.append({"what": "most memory, MB", "s": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})
    return rows


def main() -> int:
    parser = arguments(__doc__ or "")
    parser.add_argument("--facts", type=int, default=1_000_000)
    parser.add_argument("--recorders", type=int, default=1_000)
    args = parser.parse_args()
    rows = asyncio.run(measure(args.facts, args.recorders))
    good = rows[1]["s"] <= LIMIT_S
    return tell("Start from a snapshot", rows, args.json, good=good)


if __name__ == "__main__":
    sys.exit(main())
