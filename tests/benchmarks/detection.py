"""How late a silent recorder is noticed, and what watching costs: a real coordinator process, beats over real NATS from other processes.

Lateness counts from the sender's last beat and the timeout, by the monotonic clock that all processes of the machine share; *late* is the
moment that the log entry states (a wall clock, brought onto the monotonic one when the client heard of it), *seen* is when a client knows.
Requirement (SPEC 4): never early, at most 100 ms late at 1,000 recorders; 10,000 are reported.

    python -m tests.benchmarks.detection                              1,000 recorders, without and with a slow disk
    python -m tests.benchmarks.detection --recorders 10000            and so on
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from sysmanager import api
from sysmanager.domain.group import Group
from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.domain.recorder import RecorderEdit, Role
from tests.benchmarks.machine import arguments, quantile, tell, wall_ahead_ns

TIMEOUT_S = 10
LATE_LIMIT_MS = 100
GROUP_SIZE = 50
ASKED_AT_ONCE = 50
SETTLE_S = 15.0


async def spawn(*command: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 22
    )


async def answer(process: asyncio.subprocess.Process, command: dict[str, Any] | None = None) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    if command is not None:
        process.stdin.write(json.dumps(command).encode() + b"\n")
    async with asyncio.timeout(120):
        line = await process.stdout.readline()
    return json.loads(line)  # type: ignore[no-any-return]


async def build(client: api.Client, names: list[str]) -> None:
    """All recorders in system data, in some groups without a failover server: detection opens an entry all the same."""
    groups = -(-len(names) // GROUP_SIZE)
    for number in range(groups):
        await client.request(api.SaveGroup(group=Group(id=GroupId(f"g{number}"), name=f"Group {number}")))
    limit = asyncio.Semaphore(ASKED_AT_ONCE)

    async def add(number: int, name: str) -> None:
        group = GroupId(f"g{number % groups}")
        fields = RecorderEdit(name=name, address="", role=Role.STANDARD, group=group, failover_enabled=True, detection_timeout_s=TIMEOUT_S)
        async with limit:
            reply = await client.request(api.AddRecorder(id=RecorderId(name), fields=fields))
        assert isinstance(reply, api.Done), reply

    await asyncio.gather(*(add(number, name) for number, name in enumerate(names)))


class Watcher:
    """Follows the coordinator.

    entries: by recorder, when a client knew (monotonic ns), how far the wall clock was ahead of that (ns), and what the entry says.
    """

    def __init__(self, client: api.Client) -> None:
        self.entries: dict[str, tuple[int, int, api.Failover]] = {}
        self.cached = 0
        self.heard = 0
        self.worst_lag_ms = 0
        self.snapshots = 0
        self._cached: set[str] = set()
        self._heard: set[str] = set()
        self.task = asyncio.create_task(self._follow(client))

    async def _follow(self, client: api.Client) -> None:
        while True:
            try:
                async for update in client.changes():
                    now_ns, offset_ns = time.monotonic_ns(), wall_ahead_ns()
                    self.snapshots += isinstance(update, api.Snapshot)
                    self._cached.update(row.id for row in update.recorders if row.documents is not None)
                    self._heard.update(row.id for row in update.recorders if row.connection is api.Connection.CONNECTED)
                    self.cached, self.heard = len(self._cached), len(self._heard)
                    if update.system is not None:
                        self.worst_lag_ms = max(self.worst_lag_ms, update.system.lag_ms)
                    for entry in update.failovers:
                        self.entries.setdefault(entry.recorder, (now_ns, offset_ns, entry))
            except api.ClientError as error:
                print(f"  follower: {error}", file=sys.stderr)
                await asyncio.sleep(1)


async def measure(
    recorders: int, cameras: int, silent: int, sync_delay_ms: int, folder: Path, *, watchdogs: bool, documents: bool
) -> dict[str, Any]:
    data, log = folder / "data", folder / "log.txt"
    engine = await spawn(
        "sysmanager", "coordinator", "--data", str(data), "--log", str(log), "--site-key", str(folder / "site.key"),
        "--sync-delay", str(sync_delay_ms), "--parent", str(os.getpid()),
    )  # fmt: skip
    ready = await answer(engine)
    senders: list[asyncio.subprocess.Process] = []
    try:
        client = await api.connect(Path(ready["credentials"]))
        names = [f"R{number:05}" for number in range(recorders)]
        begun = time.monotonic()
        await build(client, names)
        half = recorders // 2
        for first, count in ((0, half), (half, recorders - half)):
            options = ["--first", str(first), "--count", str(count), "--cameras", str(cameras)]
            options += (["--watchdogs"] if watchdogs else []) + ([] if documents else ["--no-documents"])
            senders.append(await spawn("tests.benchmarks.beat_sender", ready["credentials"], *options))
        for sender in senders:
            await answer(sender)
        watcher = Watcher(client)
        async with asyncio.timeout(300):
            while (watcher.cached if documents else watcher.heard) < recorders:  # noqa: ASYNC110  # polled, not woken
                await asyncio.sleep(0.5)
        built_s = time.monotonic() - begun
        await asyncio.sleep(SETTLE_S)
        process = psutil.Process(ready["pid"])
        before, cpu_begun = process.cpu_times(), time.monotonic()
        early_entries = len(watcher.entries)
        watcher.worst_lag_ms = watcher.snapshots = 0
        draw = random.Random(recorders)
        chosen = draw.sample(names, silent)
        last: dict[str, int] = {}
        sender_late_ms = 0
        for name in chosen:
            await asyncio.sleep(draw.uniform(0, 2 * 10 / silent))
            told = await answer(senders[0 if int(name[1:]) < half else 1], {"silence": [name]})
            last.update(told["silenced"])
            sender_late_ms = max(sender_late_ms, told["sender_late_ms"])
        async with asyncio.timeout(TIMEOUT_S + 30):
            while not all(name in watcher.entries for name in chosen):  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.2)
        after, seconds = process.cpu_times(), time.monotonic() - cpu_begun
        decided, seen = [], []
        for name in chosen:
            due_ms = last[name] / 1e6 + TIMEOUT_S * 1000
            at_ns, offset_ns, entry = watcher.entries[name]
            # The entry keeps whole milliseconds: the end of its millisecond is the fair moment.
            decided.append(entry.timeline.detected_ms + 1 - offset_ns / 1e6 - due_ms)
            seen.append(at_ns / 1e6 - due_ms)
        false = [name for name in watcher.entries if name not in chosen]
        watcher.task.cancel()
        await client.close()
        return {
            "recorders": recorders,
            "beats/s": recorders * (2 if watchdogs else 1),
            "sync +ms": sync_delay_ms,
            "silenced": silent,
            "early": sum(1 for late in decided if late < 0) + early_entries,
            "false": len(false),
            "late min": min(decided),
            "late p50": quantile(decided, 0.5),
            "late p99": quantile(decided, 0.99),
            "late max": max(decided),
            "seen p50": quantile(seen, 0.5),
            "seen max": max(seen),
            "lag max": watcher.worst_lag_ms,
            "snapshots": watcher.snapshots,
            "cpu %": 100 * (after.user + after.system - before.user - before.system) / seconds,
            "rss MB": process.memory_info().rss / 2**20,
            "sender late": sender_late_ms,
            "built s": built_s,
        }
    finally:
        for sender in senders:
            sender.kill()
            await sender.wait()
        engine.send_signal(signal.SIGTERM)
        await engine.wait()


def main() -> int:
    parser = arguments("Detection: lateness and cost.")
    parser.add_argument("--recorders", type=int, default=1000)
    parser.add_argument("--cameras", type=int, default=32)
    parser.add_argument("--silent", type=int, default=50, help="how many fall silent")
    parser.add_argument("--watchdogs", action="store_true", help="a Watchdog's beat beside each heartbeat, as if no service were well")
    parser.add_argument("--no-documents", action="store_true", help="recorders without settings in the cache: a large site begins sooner")
    parser.add_argument("--sync-delay", type=int, action="append", help="added to every sync (ms); by default once 0 and once 50")
    args = parser.parse_args()
    rows = []
    for delay_ms in args.sync_delay or [0, 50]:
        with tempfile.TemporaryDirectory() as folder:
            options = {"watchdogs": args.watchdogs, "documents": not args.no_documents}
            rows.append(asyncio.run(measure(args.recorders, args.cameras, args.silent, delay_ms, Path(folder), **options)))
    good = all(row["early"] == row["false"] == 0 and (args.recorders > 1000 or row["late max"] <= LATE_LIMIT_MS) for row in rows)
    return tell("Detection of silent recorders (lateness in ms)", rows, args.json, good=good)


if __name__ == "__main__":
    sys.exit(main())
