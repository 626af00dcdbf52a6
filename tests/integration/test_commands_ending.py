"""Commands that are killed or told to end: they leave nothing behind, and what they had begun goes on."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from sysmanager import api
from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import RecorderId
from sysmanager.protocol import recorders as r
from sysmanager.recorder.service_process import is_alive
from tests.helpers.command_line import WITHIN_S, LiveSite, Machine, relatives, stop, until

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]


async def test_a_coordinator_killed_in_the_middle_of_a_failover_goes_on_with_it(machine: Machine, tmp_path: Path) -> None:
    site = LiveSite(machine, tmp_path)
    await site.open()
    f = site.recorders["F"]
    f.gate.clear()
    reply = await site.client.request(api.StartFailover(recorder=RecorderId("A")))
    assert isinstance(reply, api.Done)
    await until(lambda: any(isinstance(order, r.Record) for order in f.orders))
    site.process.kill()
    await site.process.wait()
    f.gate.set()
    process, _ = await machine.coordinator(tmp_path, "--site", "Test site")
    await site.client.close()
    site.client = await api.connect(site.credentials, name="tests")
    await site.snapshot_until(lambda rows: rows["F"].assignment.__class__.__name__ == "Acting")
    async with asyncio.timeout(WITHIN_S):
        while True:
            entries = (await site.client.snapshot()).failovers
            if entries[0].phase is Phase.READY:
                break
            await asyncio.sleep(0.1)
    assert [entry.id for entry in entries] == [reply.failover]
    assert entries[0].attempt == 1
    assert f.mode is r.Mode.RECORDING
    await site.close()
    assert await stop(process) == 0
    await until(lambda: not relatives(tmp_path))


async def test_a_coordinator_that_is_told_to_end_leaves_no_process_behind(machine: Machine, tmp_path: Path) -> None:
    process, _ = await machine.coordinator(tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 2, "guard and nats-server"
    assert await stop(process) == 0
    await until(lambda: not any(child.is_running() for child in children), 10)


async def test_a_coordinator_that_is_killed_leaves_no_process_behind(machine: Machine, tmp_path: Path) -> None:
    process, _ = await machine.coordinator(tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    await process.wait()
    await until(lambda: not any(is_alive(child) for child in children), 10)


async def test_a_coordinator_ends_with_its_parent(machine: Machine, tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=subprocess.PIPE)
    process, _ = await machine.coordinator(tmp_path, "--parent", str(parent.pid))
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(15):
        assert await process.wait() == 0


async def test_the_desktop_brings_its_coordinator_and_takes_it_along(machine: Machine, tmp_path: Path) -> None:
    process = await machine.start("--data", str(tmp_path), QT_QPA_PLATFORM="offscreen")
    credentials = tmp_path / "bus" / "credentials.json"
    await until(credentials.is_file)

    async def serving() -> api.Snapshot:
        async with asyncio.timeout(WITHIN_S):
            while True:
                with suppress(api.ClientError):
                    client = await api.connect(credentials)
                    try:
                        return await client.snapshot()
                    finally:
                        await client.close()
                await asyncio.sleep(0.1)

    first = await serving()
    assert first.system.site == "My site"
    others = psutil.Process(process.pid).children(recursive=True)
    assert len(others) == 3, "coordinator, guard and nats-server"
    coordinator = next(other for other in others if "coordinator" in other.cmdline())
    coordinator.kill()
    await until(lambda: not is_alive(coordinator))
    assert (await serving()).sequence > first.sequence
    others = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(15):
        _, err = await process.communicate()
    assert process.returncode == 0, err
    assert b"Traceback" not in err
    await until(lambda: not any(other.is_running() for other in others), 10)


SCENE = """
import asyncio
from sysmanager.app.desktop import run_scene

async def going_on():
    try:
        await asyncio.sleep(60)
    finally:
        print("ended in order")

async def scene(_application):
    task = asyncio.create_task(going_on())
    await asyncio.sleep(0)
    return 3

raise SystemExit(run_scene(scene))
"""


async def test_what_a_window_leaves_under_way_ends_in_order_with_it(machine: Machine) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SCENE),
        env=machine.environment(QT_QPA_PLATFORM="offscreen"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(WITHIN_S):
        out, err = await process.communicate()
    assert (process.returncode, out.split(), err) == (3, [b"ended", b"in", b"order"], b"")


async def test_the_desktop_says_why_its_coordinator_does_not_start(site: LiveSite) -> None:
    ran = await site.machine.run("--data", str(site.data), QT_QPA_PLATFORM="offscreen")
    assert ran.status == 2
    assert "is in use by process" in ran.sentence


async def test_connect_to_nobody_is_one_sentence(machine: Machine, tmp_path: Path) -> None:
    ran = await machine.run("connect", str(tmp_path), QT_QPA_PLATFORM="offscreen")
    assert ran.status == 2
    assert "There is no coordinator" in ran.sentence
