"""A drill on a real failover server (SPEC 14.3): real cameras are opened, some seconds go into scratch, the first frames are timed.

It has a capture and a scratch folder of its own: nothing of it reaches the material disks. Whatever ends it, the scratch is removed; what a
kill leaves is removed before the next.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from sysmanager.domain.ids import CameraId
from sysmanager.recorder.capture import Capture, CaptureEvent, FrameEvent
from sysmanager.recorder.describing import describe
from sysmanager.recorder.disks import DiskSet
from sysmanager.recorder.door import Door
from sysmanager.recorder.reconnect import Problem
from sysmanager.recorder.session import CameraPlan

SCRATCH: Final = "scratch"
FIRST_FRAME_S: Final = 10.0
"""A camera without a frame by then gave none: as in a failback (SPEC 8)."""

DESCRIBE_S: Final = 5.0
DESCRIBED_AT_ONCE: Final = 16


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One camera. first_frame_ms: from the opening of all to its first frame on the scratch disk; -1: none. sentence: what was wrong."""

    camera: CameraId
    opened: bool
    first_frame_ms: int = -1
    sentence: str = ""


class DrillFailed(Exception):
    """The drill cannot be held. One sentence."""


def remove_scratch(data_folder: Path) -> None:
    """What a drill left that was killed. Blocks."""
    shutil.rmtree(data_folder / SCRATCH, ignore_errors=True)


async def drill(
    opened: Sequence[CameraPlan],
    described: Sequence[CameraPlan],
    *,
    data_folder: Path,
    seconds: float,
    chance: random.Random,
    door: Door | None = None,
) -> tuple[Tried, ...]:
    """Open the one, ask the others for their description, record `seconds`; by camera. Raises DrillFailed.

    When it is cancelled its sessions end at once, and the scratch is removed all the same.
    """
    scratch = data_folder / SCRATCH
    await asyncio.to_thread(remove_scratch, data_folder)
    try:
        await asyncio.to_thread(scratch.mkdir, parents=True)
    except OSError as error:
        raise DrillFailed(f"The scratch folder {scratch} can't be made ({error.strerror or error}).") from error
    disks = DiskSet([scratch])
    firsts: dict[CameraId, float] = {}
    loop, all_there = asyncio.get_running_loop(), asyncio.Event()

    def notice(event: CaptureEvent) -> None:
        if isinstance(event, FrameEvent) and event.first:
            firsts.setdefault(event.camera, time.monotonic())
            if len(firsts) >= len(opened):
                loop.call_soon_threadsafe(all_there.set)

    capture = Capture("drill", disks, notice, chance=chance, door=door)
    asking = asyncio.create_task(_describe_all(described))
    try:
        disks.start()
        if not await asyncio.to_thread(disks.wait_tested, FIRST_FRAME_S) or not disks.states()[0].writable:
            raise DrillFailed(f"The scratch folder {scratch} can't be written: {disks.states()[0].problem}")
        began_s = time.monotonic()
        capture.start(opened, 0)
        if opened:
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_FRAME_S):
                    await all_there.wait()
        await asyncio.sleep(seconds)
        problems = {status.camera: status.sentence for status in capture.snapshot()}
        tried = [
            Tried(camera=camera.id, opened=True, first_frame_ms=round((firsts[camera.id] - began_s) * 1000))
            if camera.id in firsts
            else Tried(camera=camera.id, opened=True, sentence=problems.get(camera.id) or f"{camera.name} gave no frame.")
            for camera in opened
        ]
        answers = await asking
    finally:
        asking.cancel()
        await asyncio.shield(asyncio.to_thread(_clean_up, capture, disks, data_folder))
    tried += [
        Tried(camera=camera.id, opened=False, sentence=problem.sentence if problem is not None else "")
        for camera, problem in zip(described, answers, strict=True)
    ]
    return tuple(tried)


def _clean_up(capture: Capture, disks: DiskSet, data_folder: Path) -> None:
    capture.stop()
    disks.stop()
    remove_scratch(data_folder)


async def _describe_all(cameras: Sequence[CameraPlan]) -> list[Problem | None]:
    at_once = asyncio.Semaphore(DESCRIBED_AT_ONCE)

    async def one(camera: CameraPlan) -> Problem | None:
        async with at_once:
            return await describe(camera, DESCRIBE_S)

    return await asyncio.gather(*(one(camera) for camera in cameras))
