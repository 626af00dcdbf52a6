"""How long a restart reads the journal, and what making facts durable costs.

Replay: open (which verifies the chain), read, decode and evolve 100,000 facts of a site that failed over and back all the time.
Requirement: under 2 s, judged by the median of 7. Appends: one after the other, and many at once, which share a sync.

    python -m tests.benchmarks.journal
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from sysmanager import wire
from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve import evolve, failover_id
from sysmanager.coordinator.state import State
from sysmanager.domain.ids import Epoch
from sysmanager.domain.rights import COORDINATOR
from sysmanager.journal.sqlite import SqliteJournal
from tests.benchmarks.machine import arguments, quantile, tell
from tests.helpers.coordination import ADMIN, Site

LIMIT_S = 2.0
CAMERAS = 32
RECORDERS = 40
APPENDS = 500
REPLAYS = 7


def story(count: int) -> Iterator[bytes]:
    """So many facts: a site of 40 recorders, and then one failover and failback after the other."""
    site = Site()
    for number in range(RECORDERS):
        site.add(f"R{number}", cameras=CAMERAS)
    site.add("F", failover=True)
    site.run(3_000)
    for given, fact in enumerate(site.facts):
        yield wire.encode_fact(f.FactRecord(term=1, wall_ms=1_760_000_000_000 + given, actor=ADMIN, fact=fact))
    begun = len(site.facts)
    site.fail_over("R0")
    site.run(5_000)
    site.fail_back()
    site.run(20_000)
    cycle = [fact for fact in site.facts[begun:] if not isinstance(fact, f.DocumentsCached)]
    given, number, epoch = begun, 1, 1_000
    while given < count:
        for fact in cycle[: count - given]:
            given += 1
            record = f.FactRecord(term=1, wall_ms=1_760_000_000_000 + given, actor=COORDINATOR, fact=_renumbered(fact, number, epoch))
            yield wire.encode_fact(record)
        number, epoch = number + 1, epoch + 3


def _renumbered(fact: Any, number: int, epoch: int) -> Any:
    """The same fact in another failover."""
    entry = failover_id(number)
    if isinstance(fact, f.FailoverStarted):
        opening, reservation = replace(fact.opening, failover=entry), replace(fact.reservation, epoch=Epoch(epoch))
        return replace(fact, opening=opening, reservation=reservation)
    changed: dict[str, Any] = {}
    if hasattr(fact, "failover"):
        changed["failover"] = entry
    if isinstance(fact, f.FailbackStarted):
        changed["epoch"] = Epoch(epoch + 1)
    if isinstance(fact, f.FailbackCommitted):
        changed["release_epoch"] = Epoch(epoch + 2)
    return replace(fact, **changed)


async def write(path: Path, count: int) -> float:
    journal = SqliteJournal(path)
    await journal.open()
    bodies = list(story(count))
    last = 0
    for first in range(0, count, 5_000):
        last = await journal.append(last, bodies[first : first + 5_000])
    await journal.close()
    return sum(len(body) for body in bodies) / len(bodies)


async def replay(path: Path) -> tuple[dict[str, float], State]:
    gc.collect()
    gc.disable()  # as the engine does while it recovers
    journal, state = SqliteJournal(path), State()
    begun = time.perf_counter()
    await journal.open()
    opened = time.perf_counter()
    read_s = decode_s = evolve_s = 0.0
    after = 0
    while True:
        at = time.perf_counter()
        records = await journal.read(after)
        read_s += time.perf_counter() - at
        if not records:
            break
        at = time.perf_counter()
        facts = [wire.decode_fact(record.body) for record in records]
        decode_s += time.perf_counter() - at
        at = time.perf_counter()
        for fact in facts:
            evolve(state, fact)
        evolve_s += time.perf_counter() - at
        after = records[-1].sequence
    total_s = time.perf_counter() - begun
    gc.enable()
    await journal.close()
    return {"open s": opened - begun, "read s": read_s, "decode s": decode_s, "evolve s": evolve_s, "all s": total_s}, state


async def appends(path: Path, at_once: int, sync_delay_ms: int) -> dict[str, Any]:
    """APPENDS appends of one fact each, `at_once` of them under way."""
    journal = SqliteJournal(path, sync_delay_ms=sync_delay_ms)
    last = (await journal.open()).last
    body = b"1 " + b"x" * 400
    waits: list[float] = []

    async def one(expected_last: int) -> None:
        begun = time.perf_counter()
        await journal.append(expected_last, [body])
        waits.append((time.perf_counter() - begun) * 1000)

    count = APPENDS if sync_delay_ms == 0 else APPENDS // 5
    begun = time.perf_counter()
    for first in range(0, count, at_once):
        await asyncio.gather(*(one(last + first + number) for number in range(min(at_once, count - first))))
    seconds = time.perf_counter() - begun
    await journal.close()
    return {
        "at once": at_once,
        "sync +ms": sync_delay_ms,
        "p50 ms": quantile(waits, 0.5),
        "p99 ms": quantile(waits, 0.99),
        "per s": count / seconds,
    }


def main() -> int:
    parser = arguments("Journal: replay and appends.")
    parser.add_argument("--facts", type=int, default=100_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        mean_bytes = asyncio.run(write(path, args.facts))
        runs = []
        for _ in range(REPLAYS):
            times, state = asyncio.run(replay(path))
            runs.append(times)
        runs.sort(key=lambda times: times["all s"])
        size = {"facts": args.facts, "bytes each": mean_bytes, "file MB": path.stat().st_size / 2**20}
        rows = [{"run": "best", **size, **runs[0]}, {"run": "median", **size, **runs[REPLAYS // 2]}, {"run": "worst", **size, **runs[-1]}]
        good = runs[REPLAYS // 2]["all s"] < LIMIT_S
        assert state.next_number > args.facts / 20, "the facts were those of failovers"
        tell("Replay of the journal", rows, args.json, good=good)
        costs = [asyncio.run(appends(path, at_once, delay)) for delay in (0, 50) for at_once in (1, 64)]
    append_file = args.json.with_suffix(".appends.json") if args.json is not None else None
    tell("Appends of one fact", costs, append_file, good=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
