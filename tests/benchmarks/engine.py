"""What the engine needs and how soon it acts: 100, 1,000 and 10,000 recorders of 32 cameras, a heartbeat a second, groups of servers.

Each measurement is a process of its own with the real engine, its journal in memory and the servers on the local bus; what the servers
themselves need of the processor is taken off. *late* is how long after the timeout, counted from the last beat, silence was noticed.
*confirmed* is from the decision to the answer of the failover server, which fetches the settings and takes 50 ms to save them; the
mass-loss brake is on.

Aims at 10,000: under half a core, under 600 MB, never early, p99.9 at most 100 ms late; 50 of 50 groups lost in one second: p99 under 1 s.

    python -m tests.benchmarks.engine
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import subprocess
import sys
import time
from typing import Any

import psutil
import structlog

from sysmanager import wire
from sysmanager.coordinator import inputs as i
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.engine.core import Core
from sysmanager.engine.publisher import REFRESH_MS, Publisher
from sysmanager.protocol.clients import Changes
from sysmanager.protocol.recorders import BEACON_INTERVAL_MS, Beat
from tests.benchmarks.machine import arguments, quantile, tell, wall_ahead_ns
from tests.benchmarks.many_servers import SLOTS, TIMEOUT_S, ManyServers

SITES = {100: 50, 1_000: 100, 10_000: 1_000}
"""Recorders, and in how many groups they are."""

CAMERAS = 32
SETTLE_S = 5.0
SETTLE_TRIES = 12
SETTLED_MS = 500
STEADY_S = 15.0
WARM_S, VIRTUAL_S = 5, 20
SPREAD_S = 20.0
CPU_LIMIT, MEMORY_LIMIT_MB, LATE_LIMIT_MS, CONFIRMED_LIMIT_MS = 50.0, 600.0, 100.0, 1_000.0


class Watcher:
    """Entries by recorder, as they were published last. ahead_ns: how far the wall clock was ahead of the monotonic one when
    the first of each came: clocks are slewed, and a minute later it is another."""

    def __init__(self, site: ManyServers) -> None:
        self.entries: dict[RecorderId, Failover] = {}
        self.ahead_ns: dict[RecorderId, int] = {}
        self.late_ms = 0
        site.engine.publisher.subscribe(self._take)

    def _take(self, changes: Changes) -> None:
        for entry in changes.failovers:
            if entry.recorder not in self.entries:
                self.ahead_ns[entry.recorder] = wall_ahead_ns()
            self.entries[entry.recorder] = entry
        if changes.system is not None:
            self.late_ms = max(self.late_ms, changes.system.lag_ms)

    async def all_of(self, lost: list[RecorderId], *, saved: bool) -> bool:
        """Wait until each has an entry, and its failover server has confirmed."""
        end = time.monotonic() + TIMEOUT_S + SPREAD_S + 60
        while time.monotonic() < end:
            found = [self.entries.get(name) for name in lost]
            if all(entry is not None and (not saved or entry.timeline.saved_ms) for entry in found):
                return True
            await asyncio.sleep(0.1)
        return False


def _memory_mb() -> float:
    return psutil.Process().memory_info().rss / 2**20  # type: ignore[no-any-return]


async def _begun(recorders: int, groups: int) -> tuple[ManyServers, Watcher]:
    site = ManyServers(recorders, groups, CAMERAS)
    await site.start()
    gc.collect()
    gc.freeze()
    watcher = Watcher(site)
    # The first look at everything takes a large site some seconds; then it is at rest.
    for _ in range(SETTLE_TRIES):
        site.late_ms = 0
        await asyncio.sleep(SETTLE_S)
        if site.late_ms < SETTLED_MS:
            break
    return site, watcher


async def steady(recorders: int, groups: int) -> dict[str, Any]:
    """What it costs to watch, and how late single losses are noticed."""
    before_mb = _memory_mb()
    site, watcher = await _begun(recorders, groups)
    site.work_s, work, wall = 0.0, time.process_time(), time.monotonic()
    await asyncio.sleep(STEADY_S)
    cpu = 100 * (time.process_time() - work - site.work_s) / (time.monotonic() - wall)
    early = len(watcher.entries)
    watcher.late_ms = site.late_ms = 0
    draw = random.Random(recorders)
    lost = site.one_of_each_group(recorders, groups)
    if recorders <= 100:
        lost = draw.sample(lost, 20)  # more would be a mass loss
    moments = sorted((draw.uniform(0, SPREAD_S), name) for name in lost)
    begun = time.monotonic()
    for moment, name in moments:
        await asyncio.sleep(max(0.0, begun + moment - time.monotonic()))
        site.servers[name].silent = True
    complete = await watcher.all_of(lost, saved=False)
    late = []
    for name in lost:
        entry = watcher.entries.get(name)
        if entry is not None:
            # The entry keeps whole milliseconds: the end of its millisecond is the fair moment.
            offset_ms = watcher.ahead_ns[name] / 1e6
            late.append(entry.timeline.detected_ms + 1 - offset_ms - site.servers[name].last_ns / 1e6 - TIMEOUT_S * 1000)
    early += sum(1 for one in late if one < 0) + sum(1 for name in watcher.entries if name not in lost)
    memory = _memory_mb()
    await site.stop()
    return {
        "what": "watching",
        "recorders": recorders,
        "engine cpu %": cpu,
        "memory MB": memory,
        "of it before MB": before_mb,
        "lost": len(lost),
        "missed": 0 if complete else len(lost) - len(late),
        "early": early,
        "late min": min(late),
        "late p50": quantile(late, 0.5),
        "late p99.9": quantile(late, 0.999),
        "servers late ms": site.late_ms,
    }


async def watching(recorders: int, groups: int) -> dict[str, Any]:
    """What it costs to watch, in virtual time: so that it can be told however busy the machine is. All but the way over the bus."""
    site = ManyServers(recorders, groups, CAMERAS)
    wall_ms = time.time_ns() // 1_000_000
    now = Instant(mono_ms=0, wall_ms=wall_ms)
    before_mb = _memory_mb()
    core, publisher = Core(site.records(), now), Publisher("Measured")
    core.take(i.Started(), now)
    publisher.restart(core)
    names = list(site.servers)
    share = -(-len(names) // SLOTS)
    work = 0.0
    for slot in range(SLOTS * (WARM_S + VIRTUAL_S)):
        if slot == SLOTS * WARM_S:
            gc.collect()
            gc.freeze()
            work = 0.0
        mono_ms = slot * 1_000 // SLOTS
        now = Instant(mono_ms=mono_ms, wall_ms=wall_ms + mono_ms)
        first = slot % SLOTS * share
        bodies = [site.servers[name].body_at(now.wall_ms) for name in names[first : first + share]]
        began = time.process_time()
        for body in bodies:
            core.hear(wire.decode(Beat, body), now)
        if slot % (SLOTS * BEACON_INTERVAL_MS // 1_000) == 0:
            core.take(i.CanaryReturned(sent_mono_ms=mono_ms), now)
        core.tick(now)
        while (batch := core.decide(now)) is not None:
            core.durable(batch, now)
        if slot % (SLOTS * REFRESH_MS // 1_000) == 0:
            publisher.refresh(core, now)
        work += time.process_time() - began
    return {
        "what": "cost of watching",
        "recorders": recorders,
        "engine cpu %": 100 * work / VIRTUAL_S,
        "memory MB": _memory_mb(),
        "of it before MB": before_mb,
        "missed": sum(1 for name in names if not core.seen.connected(name)),
        "early": len(core.state.failovers),
    }


async def together(recorders: int, groups: int, losses: int) -> dict[str, Any]:
    """One recorder of each of so many groups is lost within one second."""
    site, watcher = await _begun(recorders, groups)
    lost = site.one_of_each_group(recorders, groups)[:losses]
    site.late_ms = 0
    for name in lost:
        site.servers[name].silent = True
    work, wall = time.process_time(), time.monotonic()
    complete = await watcher.all_of(lost, saved=True)
    seconds = time.monotonic() - wall
    cpu = 100 * (time.process_time() - work) / seconds
    confirmed = [
        float(entry.timeline.saved_ms - entry.timeline.decided_ms)
        for name in lost
        if (entry := watcher.entries.get(name)) is not None and entry.timeline.saved_ms
    ]
    memory = _memory_mb()
    await site.stop()
    return {
        "what": "lost together",
        "recorders": recorders,
        "lost": len(lost),
        "missed": 0 if complete else len(lost) - len(confirmed),
        "confirmed p50": quantile(confirmed, 0.5) if confirmed else -1.0,
        "confirmed p99": quantile(confirmed, 0.99) if confirmed else -1.0,
        "all after s": seconds - TIMEOUT_S,
        "process cpu %": cpu,
        "memory MB": memory,
        "servers late ms": site.late_ms,
    }


def _within(row: dict[str, Any]) -> bool:
    if row["missed"]:
        return False
    if row["what"] == "cost of watching":
        return row["engine cpu %"] <= CPU_LIMIT and row["memory MB"] <= MEMORY_LIMIT_MB and not row["early"]
    if row["what"] == "watching":
        return (
            row["engine cpu %"] <= CPU_LIMIT
            and row["memory MB"] <= MEMORY_LIMIT_MB
            and not row["early"]
            and row["late p99.9"] <= LATE_LIMIT_MS
        )
    return row["lost"] > 50 or row["confirmed p99"] <= CONFIRMED_LIMIT_MS


def _measured(what: str, recorders: int, losses: int) -> dict[str, Any]:
    """In a process of its own, so that the memory of one is not that of the other."""
    command = [sys.executable, "-m", "tests.benchmarks.engine", "--one", what, str(recorders), str(losses)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def main(argv: list[str]) -> int:
    parser = arguments("CPU and memory of the engine, lateness of detection, and a mass loss, by the size of the site.")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SITES), metavar="N")
    parser.add_argument(
        "--one", nargs=3, metavar=("WHAT", "RECORDERS", "LOST"), help="one measurement, as a line of JSON; used by this program"
    )
    args = parser.parse_args(argv)
    if args.one:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        recorders = int(args.one[1])
        groups = SITES.get(recorders, max(50, recorders // 10))
        if args.one[0] == "cost":
            print(json.dumps(asyncio.run(watching(recorders, groups))))
            return 0
        run = steady(recorders, groups) if args.one[0] == "watching" else together(recorders, groups, int(args.one[2]))
        print(json.dumps(asyncio.run(run)))
        return 0
    cost = [_measured("cost", size, 0) for size in args.sizes]
    tell("The engine while it watches, in virtual time", cost, None, good=all(map(_within, cost)))
    watched = [_measured("watching", size, 0) for size in args.sizes]
    lost = [_measured("together", size, 50) for size in args.sizes]
    if max(args.sizes) >= 10_000:
        lost.append(_measured("together", max(args.sizes), 1_000))
    first = tell("The engine while it watches (lateness in ms)", watched, None, good=all(map(_within, watched)))
    both = [*cost, *watched, *lost]
    second = tell(
        "Recorders of as many groups lost in one second (from decision to confirmation, ms)", lost, args.json, good=all(map(_within, both))
    )
    return first or second


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
