"""The jobs of a real recorder, beside its task: material copy as source and as target, and the drill (protocol/MATERIAL.md)."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

import msgspec
import structlog

from sysmanager.bus.ending import end_task
from sysmanager.documents.sealing import SealBroken, SiteKey
from sysmanager.domain.documents import DocumentSet, SettingsDocument
from sysmanager.domain.ids import CameraId, JobId, RecorderId
from sysmanager.domain.jobs import Trial
from sysmanager.protocol.jobs import (
    HOURS_LIMIT,
    Accepted,
    CopyMaterial,
    CopyReport,
    DrillReport,
    DrillState,
    ForgetJob,
    JobOrder,
    ListHours,
    MarkCopied,
    MaterialHours,
    PauseCopy,
    RunDrill,
)
from sysmanager.protocol.recorders import OrderAnswer, Refusal, RefusalReason
from sysmanager.recorder.camera_plans import camera_plan
from sysmanager.recorder.door import Door
from sysmanager.recorder.drilling import DrillFailed, drill, remove_scratch
from sysmanager.recorder.session import CameraPlan
from sysmanager.recorder.transfer.copied import CopiedHours
from sysmanager.recorder.transfer.hours import Shelf, hours_of
from sysmanager.recorder.transfer.source import MaterialSource
from sysmanager.recorder.transfer.staging import Staging

if TYPE_CHECKING:
    from sysmanager.recorder.transfer.target import MaterialTarget

log = structlog.get_logger(__name__)

SettingsOf = Callable[[DocumentSet], Awaitable[SettingsDocument | None]]
NO_KEY: Final = "This recorder has no site key that can be used, and so copies no material; copy the key of the site there."


class JobSurroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the jobs need of the recorder.

    writable: material disks that can be written now, the best first. busy: whether recording needs disk or network more.
    settings_of: has documents ready. changed: a heartbeat should go now. copied: shared with what deletes old footage.
    door: to the streams that a drill opens.
    """

    recorder: RecorderId
    data_folder: Path
    disks: tuple[Path, ...]
    minimum_free_bytes: int
    writable: Callable[[], Sequence[Path]]
    busy: Callable[[], bool]
    settings_of: SettingsOf
    changed: Callable[[], None]
    copied: CopiedHours
    door: Door


class Jobs:
    """`open` first; `carry_out` answers orders; `close` ends what runs, and what was fetched stays. On one loop."""

    def __init__(self, surroundings: JobSurroundings, key: SiteKey | None) -> None:
        self._around = surroundings
        self._key = key
        self._shelf = Shelf(surroundings.disks)
        self._source: MaterialSource | None = None
        self._target: MaterialTarget | None = None
        self._drill: DrillReport | None = None
        self._drilling: asyncio.Task[None] | None = None
        self._tidying = asyncio.Lock()

    async def open(self, host: str, port: int) -> None:
        """Serve material, if it can; a recorder that cannot records all the same."""
        await asyncio.to_thread(remove_scratch, self._around.data_folder)
        if self._key is None:
            log.warning("material is not served", why=NO_KEY)
            return
        around = self._around
        try:
            source = MaterialSource(around.recorder, self._shelf, self._key, around.data_folder, around.busy)
            await source.start(host, port)
        except OSError as error:
            log.warning("material is not served", host=host, port=port, why=error.strerror or str(error))
        else:
            self._source = source

    async def close(self) -> None:
        await self.end_drill("The recording service ended.")
        if self._target is not None:
            await self._target.close()
        if self._source is not None:
            await self._source.close()

    @property
    def address(self) -> str:
        """Where it serves its material; empty if it does not."""
        return self._source.address if self._source is not None else ""

    def copy_report(self) -> CopyReport | None:
        return self._target.report() if self._target is not None else None

    def drill_report(self) -> DrillReport | None:
        return self._drill

    async def carry_out(self, order: JobOrder) -> OrderAnswer:
        match order:
            case ListHours():
                return await self._list(order)
            case CopyMaterial():
                if self._key is None:
                    return Refusal(reason=RefusalReason.NOT_BUILT_IN, sentence=NO_KEY)
                await (await self._target_of(self._key)).copy(order)
            case PauseCopy(job=job):
                if self._target is not None:
                    await self._target.pause(job)
            case MarkCopied():
                try:
                    await asyncio.to_thread(self._around.copied.add, order.camera, order.epoch, order.hours)
                except OSError as error:
                    sentence = f"It can't be saved which footage was copied ({error.strerror or error}); check the data folder's disk."
                    return Refusal(reason=RefusalReason.CANNOT_SAVE, sentence=sentence)
            case ForgetJob(job=job):
                await self._forget(job)
            case RunDrill():
                return await self._run_drill(order)
            case _:
                assert_never(order)
        return Accepted(job=order.job)

    # ------------------------------------------------------------ material copy

    async def _target_of(self, key: SiteKey) -> MaterialTarget:
        """Made with the first order to copy: it brings aiohttp and certificates, which most recorders never need."""
        making, context = await asyncio.to_thread(_for_target, key)
        if self._target is None:
            around = self._around
            self._target = making(
                around.disks,
                around.writable,
                self._shelf,
                context,
                minimum_free_bytes=around.minimum_free_bytes,
                busy=around.busy,
                changed=around.changed,
            )
        return self._target

    async def _list(self, order: ListHours) -> MaterialHours:
        if self._source is not None:
            await self._source.prepare()
        pieces = await asyncio.to_thread(self._shelf.pieces, order.camera, order.epoch)
        hours = [hour for hour in hours_of(pieces) if hour.hour > order.after_hour]
        return MaterialHours(epoch=order.epoch, camera=order.camera, hours=tuple(hours[:HOURS_LIMIT]), more=len(hours) > HOURS_LIMIT)

    async def _forget(self, job: JobId) -> None:
        if self._drill is not None and self._drill.job == job:
            await self.end_drill("The job is over.")
            self._drill = None
        if self._target is not None:
            await self._target.forget(job)
            return
        async with self._tidying:  # one at a time: a disk that hangs must not take the threads that orders need
            await asyncio.to_thread(Staging(self._around.disks, job).remove)  # what an earlier life of this service had begun

    # ------------------------------------------------------------ drill

    async def _run_drill(self, order: RunDrill) -> OrderAnswer:
        if self._drill is not None and self._drill.job == order.job:
            return Accepted(job=order.job)
        await self.end_drill("Another drill was ordered.")
        self._drill = DrillReport(job=order.job, state=DrillState.PREPARING)
        self._drilling = asyncio.create_task(self._hold(order))
        return Accepted(job=order.job)

    async def _hold(self, order: RunDrill) -> None:
        settings = await self._around.settings_of(order.documents)
        if settings is None:
            self._report(order.job, DrillState.ENDED, sentence="The settings could not be had from the coordinator.")
            return
        self._report(order.job, DrillState.RECORDING)
        opened, closed = self._plans(settings, order.cameras)
        described, unasked = self._plans(settings, order.described)
        try:
            around = self._around
            tried = await drill(
                opened, described, data_folder=around.data_folder, seconds=order.seconds, chance=random.Random(), door=around.door
            )
        except DrillFailed as error:
            self._report(order.job, DrillState.ENDED, sentence=str(error))
            return
        trials = [Trial(each.camera, each.opened, each.first_frame_ms, each.sentence) for each in tried]
        trials += [Trial(camera, True, -1, sentence) for camera, sentence in closed.items()]
        trials += [Trial(camera, False, -1, sentence) for camera, sentence in unasked.items()]
        self._report(order.job, DrillState.DONE, tuple(trials))

    def _plans(self, settings: SettingsDocument, wanted: tuple[CameraId, ...]) -> tuple[list[CameraPlan], dict[CameraId, str]]:
        """How the cameras are opened; and of those that cannot be, why."""
        by_id = {camera.id: camera for camera in settings.cameras}
        plans: list[CameraPlan] = []
        closed: dict[CameraId, str] = {}
        for camera in wanted:
            described = by_id.get(camera)
            if described is None:
                closed[camera] = "It is not in the settings."
                continue
            try:
                plans.append(camera_plan(described, self._key))
            except SealBroken as error:
                closed[camera] = str(error)
        return plans, closed

    def _report(self, job: JobId, state: DrillState, trials: tuple[Trial, ...] = (), sentence: str = "") -> None:
        self._drill = DrillReport(job=job, state=state, trials=trials, sentence=sentence)
        self._around.changed()

    async def end_drill(self, sentence: str) -> None:
        """Let go of the cameras now: the server is needed."""
        drilling, self._drilling = self._drilling, None
        if drilling is None or drilling.done():
            return
        await end_task(drilling)
        if self._drill is not None:
            self._report(self._drill.job, DrillState.ENDED, sentence=sentence)


def _for_target(key: SiteKey) -> tuple[type[MaterialTarget], ssl.SSLContext]:
    from sysmanager.recorder.transfer.certificates import target_context
    from sysmanager.recorder.transfer.target import MaterialTarget

    return MaterialTarget, target_context(key)
