"""What a recording service does beside its task: pre-roll for others, material copy, drills. None of it may disturb the recording."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog
from msgspec.structs import replace

from sysmanager.bus import subjects
from sysmanager.bus.large import serve_large
from sysmanager.bus.port import Bus
from sysmanager.documents.sealing import SiteKey
from sysmanager.domain.documents import DocumentSet, SettingsDocument
from sysmanager.domain.ids import CameraId, Epoch
from sysmanager.protocol.jobs import JobOrder
from sysmanager.protocol.preroll import KeepPreroll
from sysmanager.protocol.recorders import LetOut, Obeyed, OrderAnswer
from sysmanager.recorder import machine as m
from sysmanager.recorder.camera_plans import plans_of
from sysmanager.recorder.capture import CameraStatus, Capture
from sysmanager.recorder.configuration import RecorderConfiguration
from sysmanager.recorder.disks import DiskSet
from sysmanager.recorder.documents import RecorderDocuments
from sysmanager.recorder.door import Door
from sysmanager.recorder.holding import AGAIN_S, cameras_to_hold, preroll_beats
from sysmanager.recorder.jobs import Jobs, JobSurroundings
from sysmanager.recorder.pictures import Pictures
from sysmanager.recorder.selftest import SelfTest, Surroundings
from sysmanager.recorder.session import CameraPlan
from sysmanager.recorder.transfer.copied import CopiedHours

log = structlog.get_logger(__name__)

DISK_BEHIND_S: Final = 0.3
"""A disk whose queue is older than this has enough to do with what is recorded."""


class Beside:
    """`open` before the first order is taken; `close` before capture and disks are stopped. On the loop of the service.

    probed: settings of the recorder that it was asked about last. waits: whether it is on standby. changed: a heartbeat should go now.
    """

    def __init__(
        self,
        configuration: RecorderConfiguration,
        disks: DiskSet,
        capture: Capture,
        documents: RecorderDocuments,
        copied: CopiedHours,
        *,
        door: Door,
        probed: Callable[[], SettingsDocument | None],
        waits: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        self._configuration = configuration
        self._disks = disks
        self._capture = capture
        self._documents = documents
        self._copied = copied
        self._door = door
        self._changed = changed
        self._key: SiteKey | None = None
        self._jobs: Jobs | None = None
        self._known: SettingsDocument | None = None
        self._probed = probed
        self._self_test = SelfTest(self._tested(), wanted=waits, changed=changed)
        self._testing: asyncio.Task[None] | None = None
        self._pictures = Pictures(configuration.recorder, capture.key_frames, door, self._status_of)

    async def open(self, key: SiteKey | None) -> None:
        configuration = self._configuration
        self._key = key
        around = JobSurroundings(
            recorder=configuration.recorder,
            data_folder=configuration.data_folder,
            disks=tuple(configuration.disk_paths.values()),
            minimum_free_bytes=configuration.minimum_free_mb << 20,
            writable=self._writable_disks,
            busy=self._recording_needs_more,
            settings_of=self._settings_ready,
            changed=self._changed,
            copied=self._copied,
            door=self._door,
        )
        self._jobs = Jobs(around, key)
        await self._jobs.open(configuration.material_host, configuration.material_port)
        self._testing = asyncio.create_task(self._self_test.run())

    async def attach(self, bus: Bus) -> None:
        """Serve on a new bus."""
        await serve_large(bus, subjects.picture(self._configuration.recorder), self._pictures.serve)

    def _status_of(self, camera: CameraId) -> CameraStatus | None:
        return next((status for status in self._capture.snapshot() if status.camera == camera), None)

    def _tested(self) -> Surroundings:
        configuration = self._configuration
        return Surroundings(
            disks=configuration.disk_paths,
            data_folder=configuration.data_folder,
            minimum_free_bytes=configuration.minimum_free_mb << 20,
            camera_limit=configuration.camera_limit,
            has_key=lambda: self._key is not None,
            cameras=self._known_cameras,
            address=lambda: self._jobs.address if self._jobs is not None else "",
            wall_ms=lambda: time.time_ns() // 1_000_000,
        )

    def _known_cameras(self) -> Sequence[CameraPlan]:
        """Of the settings of another recorder that it had last: for pre-roll, a drill, or because it was asked about its cameras."""
        settings = self._known or self._probed()
        return plans_of(settings.cameras, self._key).cameras if settings is not None else ()

    async def close(self) -> None:
        if self._testing is not None:
            self._testing.cancel()
            await asyncio.gather(self._testing, return_exceptions=True)
        self._pictures.close()
        if self._jobs is not None:
            await self._jobs.close()

    def observed(self, observations: m.Observations) -> m.Observations:
        """With what a heartbeat says of all this."""
        observations = replace(observations, preroll=preroll_beats(self._capture.held()))
        jobs = self._jobs
        if jobs is None:
            return observations
        return replace(
            observations,
            material=jobs.address,
            copy=jobs.copy_report(),
            drill=jobs.drill_report(),
            self_test=self._self_test.report,
        )

    async def carry_out(self, order: JobOrder | LetOut, epoch: Epoch) -> OrderAnswer:
        """epoch: the highest that the machine knows."""
        if isinstance(order, LetOut):
            if await asyncio.to_thread(self._door.release, order.camera):
                log.info("camera released from quarantine", camera=order.camera)
            return Obeyed(epoch=epoch)
        assert self._jobs is not None, "opened before the first order is taken"
        return await self._jobs.carry_out(order)

    async def needed(self) -> None:
        """The server records now: a drill lets go of its cameras."""
        if self._jobs is not None:
            await self._jobs.end_drill("The server is needed.")

    async def hold(self, order: KeepPreroll, wanted: Callable[[], bool]) -> None:
        """Keep the last seconds of other recorders' cameras; not if the order is not wanted any more when their settings are here."""
        while True:
            holding = await cameras_to_hold(order, self._settings_ready, self._key, self._configuration.preroll_memory_mb << 20)
            if not wanted():
                return
            self._capture.hold(holding.cameras)
            if holding.complete:
                return
            await asyncio.sleep(AGAIN_S)

    async def _settings_ready(self, documents: DocumentSet) -> SettingsDocument | None:
        made = await self._documents.make_ready(documents)
        if isinstance(made, m.DocumentsFailed):
            log.warning("settings of another recorder can't be had", why=made.sentence)
            return None
        settings = self._documents.settings_of(documents.settings)
        self._known = settings or self._known
        return settings

    def _writable_disks(self) -> tuple[Path, ...]:
        """Those with most space first."""
        states = [state for state in self._disks.states() if state.writable]
        return tuple(Path(state.path) for state in sorted(states, key=lambda state: -state.free_bytes))

    def _recording_needs_more(self) -> bool:
        """A camera is being opened, or a disk is behind what is recorded to it: copies wait (SPEC 9)."""
        return self._capture.opening or self._disks.behind_s() > DISK_BEHIND_S
