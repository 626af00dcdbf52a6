"""Child processes of the program: started without a shell, ended by their id, the same on Linux and Windows."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Sequence

LINE_LIMIT_BYTES = 64 * 1024
COMPLAINT_LIMIT = 2000
COMPLAINT_WAIT_S = 2.0

if sys.platform == "win32":
    _END_SIGNAL = signal.CTRL_BREAK_EVENT
    _GROUP = subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _END_SIGNAL = signal.SIGTERM
    _GROUP = 0


class Child:
    """A running `sysmanager` command. What it says on stderr is kept, as far as it is a sentence for people."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._said = ""
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self.process.stderr is not None, "started with a pipe"
        while line := await self.process.stderr.readline():
            self._said = (self._said + line.decode("utf-8", "replace"))[-COMPLAINT_LIMIT:]

    async def first_line(self, within_s: float) -> str:
        """The first line that it prints; empty if it ends or is silent for so long."""
        assert self.process.stdout is not None, "started with a pipe"
        try:
            async with asyncio.timeout(within_s):
                return (await self.process.stdout.readline()).decode("utf-8", "replace")
        except TimeoutError:
            return ""

    async def complaint(self) -> str:
        """The last sentence that it said on stderr, without the name of the program."""
        await asyncio.wait({self._listening}, timeout=COMPLAINT_WAIT_S)
        lines = [line.removeprefix("sysmanager: ").strip() for line in self._said.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    async def end(self, within_s: float) -> int:
        """Ask it to end, and after `within_s` make it; its exit status."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(_END_SIGNAL)
            try:
                async with asyncio.timeout(within_s):
                    await self.process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self.process.kill()
        status = await self.process.wait()
        await self._listening
        return status


def ended(child: Child) -> bool:
    return child.process.returncode is not None


async def start_child(arguments: Sequence[str]) -> Child:
    """Start `sysmanager` with these arguments, with this Python."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-X",
        "utf8",
        "-m",
        "sysmanager",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LINE_LIMIT_BYTES,
        creationflags=_GROUP,
    )
    return Child(process)
