"""A capture with a disk of its own, for tests that record real streams."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.capture import CameraEvent, CameraStatus, Capture
from sysmanager.recorder.disks import DiskSet, DiskSettings
from sysmanager.recorder.material import SegmentSettings
from sysmanager.recorder.session import SessionSettings, agent_of
from tests.helpers.footage import WAIT_S, FaultyFileSystem, Gauge

IMPATIENT = SessionSettings(socket_timeout_s=1.0, open_timeout_s=2.0, stall_s=0.8)


class Recording:
    """A capture of its own disk, and all that it said.

    more: further disks; recorder: its id; files: where all of them can be told to hang.
    """

    def __init__(
        self,
        folder: Path,
        segment_ms: int = 60_000,
        more: Sequence[Path] = (),
        settings: DiskSettings | None = None,
        recorder: str = "rec-1",
    ) -> None:
        self.disk = folder
        for disk in (folder, *more):
            disk.mkdir(exist_ok=True)
        self.gauge = Gauge()
        self.files = FaultyFileSystem()
        self.disks = DiskSet([folder, *more], filesystem=self.files, settings=settings, on_change=self.gauge.notice)
        self.disks.start()
        self.capture = Capture(
            recorder,
            self.disks,
            self.gauge.notice,
            chance=random.Random(1),
            segments=SegmentSettings(segment_ms=segment_ms),
            sessions=replace(IMPATIENT, agent=agent_of(recorder)),
        )

    def status(self, camera: str) -> CameraStatus:
        return next(status for status in self.capture.snapshot() if status.camera == camera)

    async def until(self, condition: Callable[[], bool], patience_s: float = WAIT_S) -> None:
        await asyncio.to_thread(self.gauge.wait, condition, patience_s)

    async def until_state(self, camera: str, state: CameraState, patience_s: float = WAIT_S) -> None:
        await self.until(lambda: self.status(camera).state is state, patience_s)

    async def until_more(self, camera: str, frames: int = 5) -> None:
        target = self.status(camera).frames + frames
        await self.until(lambda: self.status(camera).frames >= target)

    def states(self, camera: str) -> list[CameraState]:
        return [event.state for event in self.gauge.seen if isinstance(event, CameraEvent) and event.camera == camera]

    async def close(self) -> None:
        await asyncio.to_thread(self.capture.stop)
        await asyncio.to_thread(self.disks.stop)
