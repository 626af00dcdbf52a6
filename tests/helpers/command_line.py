"""`sysmanager` as people and scripts start it: real processes, each with a home of its own, and a small live site."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sysmanager import api
from sysmanager.bus.credentials import BusUser, load_credentials
from sysmanager.bus.nats import NatsBus
from sysmanager.domain.group import Group
from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.domain.recorder import RecorderEdit, Role
from tests.helpers.bus_recorder import BusRecorder

ROOT = Path(__file__).parents[2]
WITHIN_S = 30.0


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """What it said on stderr: one line, and no traceback."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]

    @property
    def documents(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**more: str) -> dict[str, str]:
    """Without a display, and without what the person who runs the tests has set."""
    kept = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


class Machine:
    """A home folder of its own for every command: data, logs and keys of the user lie there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.started: list[asyncio.subprocess.Process] = []

    def environment(self, **more: str) -> dict[str, str]:
        folders = {f"XDG_{kind}_HOME": str(self.home / kind.lower()) for kind in ("DATA", "CONFIG", "CACHE", "STATE")}
        return environment(HOME=str(self.home), **folders, **more)

    async def start(self, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sysmanager",
            *arguments,
            cwd=self.home,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            limit=1 << 22,
        )
        self.started.append(process)
        return process

    async def run(self, *arguments: str, **more: str) -> Ran:
        process = await self.start(*arguments, **more)
        async with asyncio.timeout(WITHIN_S):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    async def coordinator(self, data: Path, *arguments: str) -> tuple[asyncio.subprocess.Process, Path]:
        process = await self.start("coordinator", "--data", str(data), *arguments)
        assert process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            line = await process.stdout.readline()
        if not line:
            raise AssertionError((await process.communicate())[1].decode())
        return process, Path(json.loads(line)["credentials"])

    async def end(self) -> None:
        for process in self.started:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def stop(process: asyncio.subprocess.Process) -> int:
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        return await process.wait()


def relatives(folder: Path) -> list[psutil.Process]:
    """Processes that name something in the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(folder) in part for part in process.cmdline()) and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found


async def until(holds: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
    async with asyncio.timeout(within_s):
        while not (found := holds()):  # noqa: ASYNC110  # other processes have no events
            await asyncio.sleep(0.05)
    return found


class LiveSite:
    """A coordinator process with recorders A and B and failover server F attached over NATS."""

    def __init__(self, machine: Machine, data: Path) -> None:
        self.machine = machine
        self.data = data
        self.recorders: dict[str, BusRecorder] = {}

    async def open(self) -> None:
        self.process, self.credentials = await self.machine.coordinator(self.data, "--site", "Test site")
        self.client = await api.connect(self.credentials, name="tests")
        await self.client.request(api.SaveGroup(group=Group(id=GroupId("gate"), name="Gate")))
        await self.client.request(api.SaveGroup(group=Group(id=GroupId("empty"), name="Empty")))
        for server, group in (("A", "gate"), ("B", "empty"), ("F", "gate")):
            await self._add(server, group)
        await self.snapshot_until(lambda rows: all(rows[name].documents for name in "AB") and rows["F"].connection == "connected")

    async def _add(self, server: str, group: str) -> None:
        failover = server == "F"
        bus = NatsBus(load_credentials(self.credentials), BusUser.RECORDER, server)
        made = self.recorders[server] = BusRecorder(bus, server, failover=failover, cameras=2)
        await made.open()
        await bus.open(wait_ms=5_000)
        made.live(0.5)
        role = Role.FAILOVER if failover else Role.STANDARD
        fields = RecorderEdit(
            name=f"Server {server}", address="", role=role, group=GroupId(group), failover_enabled=True, detection_timeout_s=10
        )
        reply = await self.client.request(api.AddRecorder(id=RecorderId(server), fields=fields))
        assert isinstance(reply, api.Done), reply

    async def snapshot_until(self, holds: Callable[[dict[str, api.RecorderRow]], Any]) -> api.Snapshot:
        async with asyncio.timeout(WITHIN_S):
            while True:
                snapshot = await self.client.snapshot()
                if holds({row.id: row for row in snapshot.recorders}):
                    return snapshot
                await asyncio.sleep(0.1)

    async def command(self, *arguments: str) -> Ran:
        return await self.machine.run(arguments[0], "--coordinator", str(self.data), *arguments[1:])

    async def close(self) -> None:
        for recorder in self.recorders.values():
            await recorder.close()
        await self.client.close()
