"""One failover and one failback on a small simulated site, in this process, with a report (`sysmanager self-test`)."""

from __future__ import annotations

import asyncio
import json
import platform
import sys
from pathlib import Path
from typing import Any

import msgspec

from sysmanager.api import Changes, LogState, Snapshot, StartFailback, StartFailover
from sysmanager.app.engine_thread import PracticeSite
from sysmanager.app.errors import CommandError
from sysmanager.app.practice import enter
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import FailoverId
from sysmanager.engine.clients import LocalClient
from sysmanager.simulation.demo_site import demo_plan
from sysmanager.simulation.live import SimulatedSite

STEP_S = 30.0
"""How long each part of the test may take."""


def self_test(report: Path) -> int:
    """Run the test and write the report; 0 if all of it came out right. Raises CommandError if the report cannot be written."""
    findings: list[str] = []
    log: list[Failover] = []
    plan = demo_plan(standard=2, seed=1)
    practice = PracticeSite(SimulatedSite(plan, seed=1), name="Self-test")
    practice.start()
    try:
        practice.call(lambda client: enter(client, plan.requests())).result(STEP_S)
        log += practice.call(lambda client: _story(client, findings)).result(4 * STEP_S)
    finally:
        practice.end()
    content: dict[str, Any] = {
        "good": not findings,
        "findings": findings,
        "python": platform.python_version(),
        "system": platform.platform(),
        "failover_log": msgspec.to_builtins(log),
    }
    try:
        report.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"The report {report} cannot be written ({error.strerror or error}); name another file.") from error
    print("The self-test passed: one failover and one failback." if not findings else "The self-test failed.")
    for finding in findings:
        print(finding, file=sys.stderr)
    return 1 if findings else 0


async def _story(client: LocalClient, findings: list[str]) -> list[Failover]:
    """Wait until all is well, fail over by hand, fail back, and say what did not happen."""
    snapshot = await _until(client, lambda seen: bool(seen.recorders) and all(row.health == "good" for row in seen.recorders))
    if snapshot is None:
        findings.append(f"The servers were not all ready within {STEP_S:g} s.")
        return []
    recorder = next(row for row in snapshot.recorders if row.role == "standard")
    reply = await client.request(StartFailover(recorder=recorder.id))
    for state, sentence in (
        (LogState.FAILOVER_READY, "The failover was not ready in time."),
        (LogState.FAILBACK_READY, "The failback was not ready in time."),
    ):
        failover = getattr(reply, "failover", None)
        if failover is None:
            findings.append(f"A request was refused: {reply.sentence}")
            break
        if await _until(client, _reached(failover, state)) is None:
            findings.append(sentence)
            break
        if state is LogState.FAILOVER_READY:
            await _until(client, lambda seen: any(row.id == recorder.id and row.stable_ms > 0 for row in seen.recorders))
            reply = await client.request(StartFailback(failover=failover))
    return list((await client.snapshot()).failovers)


def _reached(failover: FailoverId, state: LogState) -> Any:
    return lambda seen: any(entry.id == failover and entry.log_state is state for entry in seen.failovers)


async def _until(client: LocalClient, true: Any) -> Snapshot | None:
    """The first snapshot of which this is true; None if there is none in time."""
    watcher = LocalClient(client.engine, client.actor)
    try:
        async with asyncio.timeout(STEP_S):
            async for update in watcher.changes():
                seen = update if isinstance(update, Snapshot) else await client.snapshot()
                if true(seen):
                    return seen
                assert isinstance(update, Snapshot | Changes)
    except TimeoutError:
        return None
    return None
