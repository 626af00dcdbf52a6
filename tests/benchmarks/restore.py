"""How long a restore of a system backup takes whose journal has 1,000,000 facts, and what of it is checking and what is writing.

Requirement: under 10 s.

    python -m tests.benchmarks.restore [--facts N]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sysmanager.backup.port import BackupJob
from sysmanager.backup.reader import opened
from sysmanager.backup.restore import restore
from sysmanager.backup.writer import write_backup
from sysmanager.domain.backup import BackupKind
from sysmanager.journal.port import GENESIS_HASH, Record, chain_hash
from tests.benchmarks.journal import story
from tests.benchmarks.machine import arguments, tell

LIMIT_S = 10.0
PAGE = 1_000


def pages(count: int) -> Iterator[list[Record]]:
    """The records of a journal that failed over and back all the time."""
    previous, page = GENESIS_HASH, list[Record]()
    for sequence, body in zip(range(1, count + 1), story(count), strict=False):
        before, previous = previous, chain_hash(previous, sequence, body)
        page.append(Record(sequence=sequence, previous_hash=before, hash=previous, body=body))
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def main(argv: list[str]) -> int:
    parser = arguments("Restore of a system backup.")
    parser.add_argument("--facts", type=int, default=1_000_000)
    args = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        file, data = Path(folder) / "backup", Path(folder) / "data"
        job = BackupJob(number=1, kind=BackupKind.MANUAL, site="Harbour", made_ms=1, position=args.facts, documents=frozenset())
        write_backup(file, job, pages=pages, document=lambda store, name: b"", program="0")
        for what in ("checking it", "restoring it"):
            began, work = time.perf_counter(), time.process_time()
            if what == "checking it":
                with opened(file) as backup:
                    backup.verify()
            else:
                restore(file, data, journal=data / "journal.sqlite", site_key=Path(folder) / "site.key", passphrase=None, when="now")
            row = {"what": what, "facts": args.facts, "s": time.perf_counter() - began, "cpu s": time.process_time() - work}
            rows.append({**row, "backup MB": file.stat().st_size / 1e6})
    return tell("A restore", rows, args.json, good=rows[-1]["s"] <= LIMIT_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
