"""The processes of a site: started with one owner, told to end in order, and ended for certain."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil

from sysmanager.app.errors import CommandError
from sysmanager.app.inherited import handed_on
from sysmanager.bus.ending import end_task

READY_S = 30.0
END_S = 20.0
"""A Watchdog gives its recording service 15 s."""

KILL_S = 5.0
LINE_LIMIT_BYTES = 1 << 20

_GROUP = 0
if sys.platform == "win32":
    _GROUP = subprocess.CREATE_NEW_PROCESS_GROUP


class Part:
    """One process of the site, and those that it starts. `name` is for people and names its output file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, output: Path) -> None:
        self.name = name
        self._process = process
        self._output = output
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, name: str, arguments: Sequence[str], logs: Path) -> Part:
        """Run `sysmanager` with these arguments. CommandError when the process cannot be started."""
        output = logs / f"{name}.txt"
        try:
            with output.open("ab") as errors:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "sysmanager",
                    *arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=handed_on(os.getpid(), logs),
                    limit=LINE_LIMIT_BYTES,
                    start_new_session=True,  # an interrupt from the keyboard is for the site, which ends its parts in order
                    creationflags=_GROUP,
                )
        except OSError as error:
            raise CommandError(f"{name} can't be started ({error.strerror or error}).") from error
        return cls(name, process, output)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def ready(self) -> dict[str, Any]:
        """The JSON line that says that it serves. CommandError with its own sentence if it ends instead, or says nothing for 30 s."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise CommandError(f"{self.name} did not start within {READY_S:g} s; see {self._output}.") from None
        self.drain()
        try:
            said: dict[str, Any] = json.loads(line)
        except ValueError:
            await self._process.wait()
            raise CommandError(f"{self.name} did not start: {last_line(self._output) or f'see {self._output}'}") from None
        return said

    def drain(self) -> None:
        """Read on whatever it prints, so that it never waits for us."""
        self._reader = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        assert self._process.stdout is not None
        with self._output.open("ab") as output:
            while block := await self._process.stdout.read(65_536):
                output.write(block)

    def family(self) -> list[psutil.Process]:
        """The process itself first, then those that it started, directly or not; empty when it is gone."""
        try:
            own = psutil.Process(self.pid)
            return [own, *own.children(recursive=True)] if self.running else []
        except psutil.NoSuchProcess:
            return []

    async def ended(self) -> str:
        """Wait until it ends by itself; why, in one sentence."""
        status = await self._process.wait()
        why = last_line(self._output) or f"it ended with status {status}, see {self._output}"
        return f"The site can't go on without its part {self.name}: {why}"

    async def end(self) -> None:
        """In order if it can within 20 s, for certain in any case; with all that it started."""
        family = self.family()
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                if sys.platform == "win32":
                    self._process.send_signal(signal.CTRL_BREAK_EVENT)
                else:
                    self._process.terminate()
            try:
                async with asyncio.timeout(END_S):
                    await self._process.wait()
            except TimeoutError:
                kill_all(family)
        await self.gone()  # first, as only one can wait for a child of this process
        await asyncio.to_thread(end_all, family[1:])

    async def gone(self) -> None:
        """After a kill: wait until it is gone, and its output read."""
        await self._process.wait()
        if self._reader is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KILL_S):  # its output ends with the last of its children
                    await asyncio.shield(self._reader)
            await end_task(self._reader)


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """Kill these, in this order, and wait for none."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def end_all(processes: Iterable[psutil.Process], within_s: float = 1.0) -> None:
    """Wait for those that are ending, then kill the rest. Blocks."""
    _, left = psutil.wait_procs(list(processes), timeout=within_s)
    kill_all(left)
    psutil.wait_procs(left, timeout=KILL_S)


def strays(configurations: Iterable[Path]) -> list[psutil.Process]:
    """Recorders of these configuration files that run, whoever started them: by hand, or a site that was killed."""
    wanted = {str(path) for path in configurations}
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:  # gone meanwhile, or of another user and so not ours
            continue
        if "recorder" in line and any(argument in wanted for argument in line) and process.pid != os.getpid():
            found.append(process)
    return found


def last_line(path: Path) -> str:
    """The last line that is not empty; empty if there is none."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip().removeprefix("sysmanager: ") for line in reversed(lines) if line.strip()), "")
