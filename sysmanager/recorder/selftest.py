"""The self-test of a failover server that waits, every minute: would it work if it were needed now? (SPEC 16)

Everything that a take-over needs is really tried: each disk is written and read back, the data folder takes a file, the key is there, its
own material service answers, there is room for files and memory, and one camera that it knows describes its stream. Nothing of it takes a
session of a camera, and nothing waits for a disk that hangs.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import psutil
import structlog

from sysmanager.domain.ids import CameraId
from sysmanager.durable import TEMPORARY_PREFIX, write_durably
from sysmanager.protocol.recorders import CameraState
from sysmanager.protocol.selftest import PROBLEMS_LIMIT, SelfTestReport
from sysmanager.recorder.describing import describe
from sysmanager.recorder.session import CameraPlan

log = structlog.get_logger(__name__)

EVERY_S: Final = 60.0
DISK_S: Final = 5.0
CAMERA_S: Final = 3.0
SERVICE_S: Final = 2.0
LOOK_S: Final = 0.5

TEST_BYTES: Final = 256 * 1024
FILES_PER_CAMERA: Final = 8
"""Segment, index, connection and what a change of disk needs for a moment."""

MEMORY_PER_CAMERA_MB: Final = 4


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What is tested. disks: from label to folder. has_key: whether passwords of cameras can be opened.

    cameras: those that it knows now, from pre-roll, drills and probes. address: where it serves its material; empty: it does not.
    wall_ms: this machine's clock.
    """

    disks: Mapping[str, Path]
    data_folder: Path
    minimum_free_bytes: int
    camera_limit: int
    has_key: Callable[[], bool]
    cameras: Callable[[], Sequence[CameraPlan]]
    address: Callable[[], str]
    wall_ms: Callable[[], int]


class SelfTest:
    """`run` for ever; `report` is None while the server does not wait. wanted: whether it waits. changed: a heartbeat should go now."""

    def __init__(self, around: Surroundings, *, wanted: Callable[[], bool], changed: Callable[[], None]) -> None:
        self._around = around
        self._wanted = wanted
        self._changed = changed
        self._busy: set[Path] = set()
        self._turn = 0
        self._report: SelfTestReport | None = None

    @property
    def report(self) -> SelfTestReport | None:
        return self._report if self._wanted() else None

    async def run(self, *, every_s: float = EVERY_S) -> None:
        while True:
            if not self._wanted():
                self._report = None
                await asyncio.sleep(LOOK_S)
                continue
            await self.test()
            for _ in range(max(1, round(every_s / LOOK_S))):
                await asyncio.sleep(LOOK_S)
                if not self._wanted():
                    break

    async def test(self) -> SelfTestReport:
        """One test; bounded in time, because its parts are."""
        around = self._around
        plan = self._next_camera()
        parts = [
            *(self._limited(folder, f"The material disk {label}", self._try_disk(label, folder)) for label, folder in around.disks.items()),
            self._limited(around.data_folder, "The data folder", self._try_data_folder),
            self._material_service(),
            self._camera(plan),
        ]
        found = [problem for problem in await asyncio.gather(*parts) if problem]
        found += [problem for problem in (self._key(), _files(around.camera_limit), _memory(around.camera_limit)) if problem]
        before = self._report
        self._report = SelfTestReport(
            wall_ms=around.wall_ms(),
            problems=tuple(problem[:1000] for problem in found[:PROBLEMS_LIMIT]),
            camera=plan.id if plan is not None else CameraId(""),
        )
        if found and (before is None or before.problems != self._report.problems):
            log.warning("self-test failed", problems=found)
        elif not found and before is not None and before.problems:
            log.info("self-test passed again")
        self._changed()
        return self._report

    # -- the parts; each gives what is wrong, or nothing

    async def _limited(self, folder: Path, what: str, part: Callable[[], str]) -> str:
        """In a thread of its own, which a disk that hangs keeps; there is never more than one for each folder."""
        hangs = f"{what} does not answer. Check the disk, its cable or the network share."
        if folder in self._busy:
            return hangs
        loop = asyncio.get_running_loop()
        told: asyncio.Future[str] = loop.create_future()

        def tell(problem: str) -> None:
            if not told.done():
                told.set_result(problem)

        def work() -> None:
            problem = part()
            self._busy.discard(folder)
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell, problem)

        self._busy.add(folder)
        threading.Thread(target=work, name="self-test", daemon=True).start()
        try:
            async with asyncio.timeout(DISK_S):
                return await told
        except TimeoutError:
            return hangs

    def _try_disk(self, label: str, folder: Path) -> Callable[[], str]:
        def part() -> str:
            path = folder / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
            content = secrets.token_bytes(1024) * (TEST_BYTES // 1024)
            try:
                if not folder.is_dir():
                    return f"The material disk {label} is not there: {folder} is no folder. Mount it, or correct the configuration."
                try:
                    write_durably(path, content)
                    read = path.read_bytes()
                finally:
                    path.unlink(missing_ok=True)
                free = shutil.disk_usage(folder).free
            except OSError as error:
                return f"The material disk {label} can't be written and read back ({error.strerror or error})."
            if read != content:
                return f"The material disk {label} gives back other bytes than were written. Replace it."
            if free < self._around.minimum_free_bytes:
                return f"The material disk {label} has only {free >> 20} MB free. Free some space on it."
            return ""

        return part

    def _try_data_folder(self) -> str:
        folder = self._around.data_folder
        path = folder / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
        try:
            try:
                write_durably(path, b"self-test\n")
            finally:
                path.unlink(missing_ok=True)
        except OSError as error:
            return f"The data folder {folder} can't be written ({error.strerror or error}): no order could be saved."
        return ""

    def _key(self) -> str:
        if self._around.has_key():
            return ""
        return "The site key can't be used: no camera with a password could be opened. Copy the key of the site there."

    async def _material_service(self) -> str:
        """Also finds out whether a connection can be made at all."""
        address = self._around.address()
        if not address:
            return ""  # it has said why at its start, and records all the same
        parts = urlsplit(address)
        try:
            async with asyncio.timeout(SERVICE_S):
                _, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.close()
        except (OSError, TimeoutError) as error:
            why = getattr(error, "strerror", None) or "no answer"
            return f"Its own material service at {address} can't be reached ({why}); restart the recording service."
        return ""

    def _next_camera(self) -> CameraPlan | None:
        """Each one that it knows in its turn."""
        cameras = self._around.cameras()
        if not cameras:
            return None
        self._turn += 1
        return cameras[self._turn % len(cameras)]

    async def _camera(self, plan: CameraPlan | None) -> str:
        problem = await describe(plan, CAMERA_S) if plan is not None else None
        if problem is None or problem.state is CameraState.BUSY:
            return ""
        return problem.sentence


def _files(camera_limit: int) -> str:
    if sys.platform == "win32":
        return ""  # has no such limit
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = camera_limit * FILES_PER_CAMERA
    left = soft - psutil.Process().num_fds()
    if soft == resource.RLIM_INFINITY or left >= needed:
        return ""
    return f"It may open only {left} more files and needs {needed} for {camera_limit} cameras. Raise the limit of open files (LimitNOFILE)."


def _memory(camera_limit: int) -> str:
    left_mb, needed_mb = psutil.virtual_memory().available >> 20, camera_limit * MEMORY_PER_CAMERA_MB
    if left_mb >= needed_mb:
        return ""
    return f"The machine has only {left_mb} MB of memory left and {camera_limit} cameras need {needed_mb} MB. End other programs there."
