"""How long a page of the failover log takes among 1,000,000 made-up entries: every kind of filter, search and order, cold and warm.

Requirement: the median of every question under 50 ms. Also: how long filling takes, and what the file takes on the disk (about 5 GB).

    python -m tests.benchmarks.history
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from sysmanager.domain.failover import LogState, Reason, Trigger
from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.history.file import HistoryFile
from sysmanager.history.port import HistoryFailed, Update
from sysmanager.protocol.clients import FindEntries, LogColumn
from tests.benchmarks.machine import arguments, quantile, tell
from tests.helpers import log_entries

LIMIT_MS = 50.0
PORTION = 2_000
ROUNDS = 9
MIDDLE_MS = log_entries.BEGIN_MS + 500_000 * log_entries.EVERY_MS
GROUP, RECORDER, SERVER = GroupId("group-3"), RecorderId("REC-0100"), RecorderId("FO-099")

QUESTIONS: dict[str, FindEntries] = {
    "newest": FindEntries(),
    "by gap": FindEntries(sort=LogColumn.GAP),
    "by server, A to Z": FindEntries(sort=LogColumn.SERVER, descending=False),
    "failed": FindEntries(states=(LogState.FAILOVER_FAILED,)),
    "failed, by gap": FindEntries(states=(LogState.FAILOVER_FAILED,), sort=LogColumn.GAP),
    "one reason, by server": FindEntries(reasons=(Reason.INCOMPATIBLE,), sort=LogColumn.SERVER),
    "manual and failed": FindEntries(triggers=(Trigger.MANUAL,), states=(LogState.FAILOVER_FAILED,), sort=LogColumn.STARTED_BY),
    "one recorder, by gap": FindEntries(recorder=RECORDER, sort=LogColumn.GAP),
    "one group, by reason": FindEntries(group=GROUP, sort=LogColumn.REASON),
    "one group and failed": FindEntries(group=GROUP, states=(LogState.FAILOVER_FAILED,), sort=LogColumn.CAMERAS),
    "a group and a server of another": FindEntries(group=GROUP, server=SERVER),
    "a year, by gap": FindEntries(since_wall_ms=MIDDLE_MS, until_wall_ms=MIDDLE_MS + 31_536_000_000, sort=LogColumn.GAP),
    "a year": FindEntries(since_wall_ms=MIDDLE_MS, until_wall_ms=MIDDLE_MS + 31_536_000_000),
    "rare word, by gap": FindEntries(search="zebra", sort=LogColumn.GAP),
    "word of 1 %, by gap": FindEntries(search="giraffe", sort=LogColumn.GAP),
    "common word": FindEntries(search="power"),
    "common word, by gap": FindEntries(search="power", sort=LogColumn.GAP),
    "two words, by server": FindEntries(search="power anna", sort=LogColumn.SERVER),
    "name of a server": FindEntries(search="hall rec-0500", sort=LogColumn.GAP),
    "one letter": FindEntries(search="f"),
    "an id": FindEntries(search="F99999"),
    "words that exclude each other": FindEntries(search="power swap"),
    "word, group and trigger": FindEntries(search="power", triggers=(Trigger.MANUAL,), group=GROUP, sort=LogColumn.CAMERAS),
    "failed, two words": FindEntries(states=(LogState.FAILOVER_FAILED,), search="anna power", sort=LogColumn.STARTED_BY),
}


def fill(file: HistoryFile, count: int) -> float:
    """Seconds."""
    chance = random.Random(1)
    began = time.perf_counter()
    for first in range(1, count + 1, PORTION):
        updates = []
        for number in range(first, min(first + PORTION, count + 1)):
            entry = log_entries.entry(number, chance)
            updates.append(Update(sequence=number, entries=(entry,), names={entry.recorder: f"Hall {entry.recorder}"}))
        file.write(updates, b"")
    return time.perf_counter() - began


def asked(file: HistoryFile, question: FindEntries) -> dict[str, Any]:
    """The first time, then over and over; and the page after it. work_ms: of the processor, whatever else the machine does."""
    times, works, found = [], [], None
    for _ in range(ROUNDS + 1):
        began, work = time.perf_counter(), time.thread_time()
        try:
            found = file.find(question, {})
        except HistoryFailed:
            found = None
        times.append((time.perf_counter() - began) * 1000)
        works.append((time.thread_time() - work) * 1000)
    began = time.perf_counter()
    if found is not None and found.next:
        file.find(msgspec.structs.replace(question, after=found.next), {})
    second = (time.perf_counter() - began) * 1000
    return {
        "first_ms": round(times[0], 1),
        "median_ms": round(quantile(times[1:], 0.5), 1),
        "worst_ms": round(max(times[1:]), 1),
        "work_ms": round(quantile(works[1:], 0.5), 1),
        "next_page_ms": round(second, 1),
        "entries": len(found.entries) if found is not None else -1,
    }


def main(argv: list[str]) -> int:
    parser = arguments(__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="where the file is left for the next time, which does not fill it again"
    )
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        file = HistoryFile((args.keep or Path(folder)) / "history.sqlite")
        filled_s = fill(file, args.entries) if file.open().sequence < args.entries else 0.0
        size_bytes = file.size_bytes()
        file.close()
        file.open()
        results = {name: asked(file, question) for name, question in QUESTIONS.items()}
        file.close()
    rows = [{"question": name, **result} for name, result in results.items()]
    good = all(row["entries"] >= 0 and row["median_ms"] <= LIMIT_MS for row in rows)
    title = f"A page among {args.entries} entries; filled in {filled_s:.0f} s, {size_bytes / 1e9:.1f} GB on the disk"
    return tell(title, rows, args.json, good=good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
