"""Schedules, masks and sensitivity go with the settings: a failover server keeps and leaves out what the recorder would (SPEC 3, 6, 16)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from sysmanager.bus.local import LocalBus, LocalEndpoint
from sysmanager.documents.port import StoreName
from sysmanager.domain.documents import MasksDocument, SchedulesDocument
from sysmanager.domain.ids import CameraId, Epoch, RecorderId
from sysmanager.protocol.recorders import Beat, CameraState, Footage, Mode, Obeyed, OrderKey, Record, ReportFootage
from sysmanager.recorder.configuration import RecorderConfiguration, load_configuration
from sysmanager.recorder.service import RecordingService
from sysmanager.recorder.timetable import this_time_zone
from sysmanager.simulation.cameras.clip import ClipShape
from sysmanager.simulation.cameras.config import CamerasConfig
from sysmanager.simulation.cameras.scenes import Scene
from sysmanager.simulation.cameras.server import CameraServer
from tests.helpers.recorder_site import Coordinator, configuration_of, recorder_folder

GATE, SPARE = RecorderId("gate"), RecorderId("spare")
SHAPE = ClipShape(width=320, height=192, fps=20, gop_frames=10, groups=12, bit_rate_kbps=800, scene=Scene.VISITOR)
WATCHED, OFF, MASKED = "cam-001", "cam-002", "cam-003"


def with_hours(folder: Path, cameras: dict[str, str]) -> RecorderConfiguration:
    """A recorder whose first camera records at motion, whose second is off, and whose third is masked everywhere."""
    path = recorder_folder(folder, GATE, cameras)
    weeks = {WATCHED: ["m" * 96] * 7, OFF: ["o" * 96] * 7, MASKED: ["m" * 96] * 7}
    (path.parent / "schedules.json").write_text(json.dumps({"schedules": weeks}), encoding="utf-8")
    masks = {MASKED: {"blocked": list(range(144)), "sensitivity": 90}}
    (path.parent / "masks.json").write_text(json.dumps({"masks": masks}), encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[disks]", 'schedules = "schedules.json"\nmasks = "masks.json"\n[disks]'), encoding="utf-8")
    return load_configuration(path)


@asynccontextmanager
async def running(configuration: RecorderConfiguration, bus: LocalEndpoint) -> AsyncIterator[None]:
    service = RecordingService(configuration, bus=bus)
    run = asyncio.create_task(service.run())
    try:
        yield
        service.end()
        await run
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        await bus.close()


def states(beat: Beat) -> dict[str, CameraState]:
    return {camera.camera: camera.state for camera in beat.cameras}


def as_it_should(beat: Beat) -> bool:
    found = states(beat)
    watched = (CameraState.WAITING, CameraState.RECORDING)
    first = {camera.camera: camera.first_frame_ms for camera in beat.cameras}
    return (
        beat.mode is Mode.RECORDING
        and found.get(WATCHED) in watched
        and found.get(MASKED) is CameraState.WAITING
        and found.get(OFF) is CameraState.OFF
        and bool(first[WATCHED] and first[MASKED])
        and not first[OFF]
    )


async def footage(coordinator: Coordinator, recorder: RecorderId, epoch: int) -> set[str]:
    answer = await coordinator.order(recorder, ReportFootage(epoch=Epoch(epoch)))
    assert isinstance(answer, Footage)
    return {span.camera for span in answer.spans if span.frames > SHAPE.fps}


async def test_a_failover_server_keeps_hours_and_masks_of_the_recorder(tmp_path: Path) -> None:
    bus = LocalBus()
    coordinator = Coordinator(bus.endpoint())
    await coordinator.open()
    async with CameraServer(CamerasConfig(count=3, cache=tmp_path / "clip", port=0, clip=SHAPE)) as cameras:
        gate = with_hours(tmp_path, {camera: cameras.url(camera) for camera in cameras.cameras})
        spare = configuration_of(tmp_path, SPARE, {}, standby=True)
        async with running(spare, bus.endpoint()):
            async with running(gate, bus.endpoint()):
                beat = await coordinator.beat(GATE, as_it_should)
                await coordinator.take_documents(GATE, beat)
                documents = beat.documents
            assert documents is not None
            content = await coordinator.store.get(StoreName.SCHEDULES, documents.schedules)
            schedules = msgspec.json.decode(content, type=SchedulesDocument)
            assert schedules.time_zone == this_time_zone(), "its hours are hours there, wherever they are kept"
            masks = msgspec.json.decode(await coordinator.store.get(StoreName.MASKS, documents.masks), type=MasksDocument)
            assert masks.masks

            order = Record(key=OrderKey(), epoch=Epoch(5), home=GATE, documents=documents)
            assert await coordinator.order(SPARE, order) == Obeyed(epoch=Epoch(5), documents=documents)
            beat = await coordinator.beat(SPARE, as_it_should)
            off = next(camera for camera in beat.cameras if camera.camera == OFF)
            assert off.off_from_ms < beat.wall_ms < off.off_until_ms
            async with asyncio.timeout(20):
                while WATCHED not in await footage(coordinator, SPARE, 5):
                    await coordinator.next_beat(SPARE)
            assert await footage(coordinator, SPARE, 5) == {WATCHED}

            since_ms = beat.wall_ms - 60_000
            asked = ReportFootage(epoch=Epoch(5), cameras=(CameraId(OFF), CameraId(WATCHED), CameraId("nobody's")), off_since_ms=since_ms)
            told = await coordinator.order(SPARE, asked)
            assert isinstance(told, Footage)
            (switched_off, watched), spans = told.off, told.spans
            assert spans == (), "another question than for what it recorded"
            assert (switched_off.camera, watched.camera, watched.times) == (OFF, WATCHED, ())
            ((from_ms, until_ms),) = switched_off.times
            assert from_ms == since_ms
            assert until_ms >= beat.wall_ms
    await coordinator.bus.close()
