"""A source and a target of a material copy, with real files and real TLS on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from sysmanager.documents.sealing import SiteKey
from sysmanager.domain.ids import CameraId, Epoch, JobId, RecorderId
from sysmanager.protocol.jobs import CopyMaterial, HourReport, HourState
from sysmanager.protocol.material import token_for
from sysmanager.recorder.transfer.certificates import target_context
from sysmanager.recorder.transfer.hours import Shelf, hours_of
from sysmanager.recorder.transfer.source import MaterialSource
from sysmanager.recorder.transfer.target import MaterialTarget

KEY = SiteKey(bytes(range(32)))
OTHER_KEY = SiteKey(bytes(32))
FO_1, REC_1 = RecorderId("FO-1"), RecorderId("REC-1")
CAMERA, EPOCH, JOB = CameraId("cam-001"), Epoch(2), JobId("J00001")
WAIT_S = 20.0


class Transfer:
    """`FO-1` recorded for `REC-1`; `there` and `here` are their disks."""

    def __init__(self, folder: Path, *, disks: int = 1) -> None:
        self.folder = folder
        self.there = folder / "there"
        self.here = [folder / f"here-{number}" for number in range(disks)]
        for disk in (self.there, *self.here):
            disk.mkdir(exist_ok=True)
        self.busy = False
        self.source_busy = False
        self.writable: list[Path] = list(self.here)
        self.minimum_free_bytes = 0
        self._changed = asyncio.Event()
        self.source_shelf = Shelf([self.there], wall_s=lambda: time.time() + 100)
        self.source: MaterialSource | None = None
        self.port = 0
        self.target = self.new_target()

    async def serve(self, key: SiteKey = KEY, recorder: RecorderId = FO_1, *, prepared: bool = True) -> None:
        """prepared: as by the question for its hours, which the coordinator asks first."""
        self.source = MaterialSource(recorder, self.source_shelf, key, self.folder / "data", lambda: self.source_busy)
        await self.source.start("127.0.0.1", self.port)
        self.port = int(self.source.address.rpartition(":")[2])
        if prepared:
            await self.source.prepare()

    async def stop_serving(self) -> None:
        if self.source is not None:
            await self.source.close()

    def new_target(self, key: SiteKey = KEY) -> MaterialTarget:
        """As after a start of the service."""
        return MaterialTarget(
            self.here,
            lambda: self.writable,
            Shelf(self.here),
            target_context(key),
            minimum_free_bytes=self.minimum_free_bytes,
            busy=lambda: self.busy,
            changed=self._changed.set,
        )

    def order(self, *, limit_kbps: int = 0) -> CopyMaterial:
        """All hours that the source has now."""
        hours = tuple(hours_of(self.source_shelf.pieces(CAMERA, EPOCH)))
        order = CopyMaterial(
            job=JOB,
            source=FO_1,
            address=f"https://127.0.0.1:{self.port}",
            epoch=EPOCH,
            home=REC_1,
            camera=CAMERA,
            hours=hours,
            limit_kbps=limit_kbps,
        )
        return self.with_token(order)

    def with_token(self, order: CopyMaterial, key: SiteKey = KEY, lasts_s: int = 600) -> CopyMaterial:
        until_s = int(time.time()) + lasts_s
        token = token_for(key.material_key, job=order.job, source=FO_1, target=REC_1, epoch=order.epoch, until_s=until_s)
        return replace(order, token=token)

    def hours(self) -> Sequence[HourReport]:
        report = self.target.report()
        return report.hours if report is not None else ()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Until the target reports something of which that holds."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def done(self) -> list[HourState]:
        final = (HourState.COPIED, HourState.FAILED)
        await self.until(lambda: all(hour.state in final for hour in self.hours()))
        return [hour.state for hour in self.hours()]

    def files(self, disk: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in disk.rglob("*.ts")}

    async def close(self) -> None:
        await self.target.close()
        await self.stop_serving()
