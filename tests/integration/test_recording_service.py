"""The recording service with real files, disks and streams: records, takes over, stands down, goes on without a bus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.credentials import BusUser, load_credentials
from sysmanager.bus.local import LocalBus, LocalEndpoint
from sysmanager.bus.nats import NatsBus
from sysmanager.bus.server import BusServer
from sysmanager.domain.documents import DocumentKind
from sysmanager.domain.ids import CameraId, DocumentHash, Epoch, RecorderId
from sysmanager.protocol.pictures import NoPicture, Picture
from sysmanager.protocol.probes import CamerasProbed, ProbeAnswer, ProbeCameras
from sysmanager.protocol.recorders import (
    Beat,
    CameraState,
    Footage,
    Mode,
    Obeyed,
    OrderKey,
    Record,
    Refusal,
    RefusalReason,
    ReportFootage,
    StandDown,
)
from sysmanager.recorder.configuration import RecorderConfiguration
from sysmanager.recorder.service import RecordingService
from sysmanager.simulation.cameras.config import CamerasConfig
from sysmanager.simulation.cameras.server import CameraServer
from tests.helpers.recorder_site import Coordinator, configuration_of

GATE, SPARE = RecorderId("gate"), RecorderId("spare")
KEY = OrderKey()


@asynccontextmanager
async def running(configuration: RecorderConfiguration, bus: LocalEndpoint | None) -> AsyncIterator[RecordingService]:
    service = RecordingService(configuration, bus=bus)
    run = asyncio.create_task(service.run())
    try:
        yield service
        service.end()
        await run
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        if bus is not None:
            await bus.close()


@pytest.fixture
async def cameras(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CameraServer]:
    cache = tmp_path_factory.getbasetemp() / "camera-clip"
    config = CamerasConfig(count=2, cache=cache, port=0, authentication="digest", username="viewer", password="open sesame")
    async with CameraServer(config) as server:
        yield server


@pytest.fixture
async def bus() -> LocalBus:
    return LocalBus()


@pytest.fixture
async def coordinator(bus: LocalBus) -> AsyncIterator[Coordinator]:
    coordinator = Coordinator(bus.endpoint())
    await coordinator.open()
    yield coordinator
    await coordinator.bus.close()


def records_both(beat: Beat) -> bool:
    recording = [camera for camera in beat.cameras if camera.state is CameraState.RECORDING and camera.first_frame_ms]
    return beat.mode is Mode.RECORDING and len(recording) == 2


def urls(cameras: CameraServer) -> dict[str, str]:
    return {camera: cameras.url(camera) for camera in cameras.config.camera_ids()}


async def test_a_recorder_and_a_failover_server_through_a_failover_and_back(
    tmp_path: Path, cameras: CameraServer, bus: LocalBus, coordinator: Coordinator
) -> None:
    gate = configuration_of(tmp_path, GATE, urls(cameras), password="open sesame")
    spare = configuration_of(tmp_path, SPARE, {}, standby=True)
    async with running(spare, bus.endpoint()) as service:
        async with running(gate, bus.endpoint()):
            beat = await coordinator.beat(GATE, records_both)
            assert (beat.home, beat.epoch, beat.boot) == (GATE, 0, 1)
            assert [(disk.path, disk.writable) for disk in beat.disks] == [("D:", True)]
            assert coordinator.asks[0].recorder == GATE
            picture = await coordinator.picture(GATE, beat.cameras[0].camera)
            assert isinstance(picture, Picture)
            assert (picture.width, picture.height, picture.jpeg[:2]) == (640, 360, b"\xff\xd8")
            assert abs(picture.taken_wall_ms - beat.wall_ms) < 10_000
            assert isinstance(await coordinator.picture(GATE, CameraId("other")), NoPicture)
            await coordinator.take_documents(GATE, beat)
            documents = beat.documents
            assert documents is not None
            settings = await coordinator.document(GATE, DocumentKind.SETTINGS, documents.settings)
            assert b"open sesame" not in settings
            assert await coordinator.document(GATE, DocumentKind.SETTINGS, DocumentHash("0" * 64)) == b""
        waiting = await coordinator.beat(SPARE, lambda beat: beat.mode is Mode.STANDBY and beat.self_test is not None)
        assert waiting.home is None
        assert waiting.self_test is not None
        assert not any("D:" in problem for problem in waiting.self_test.problems), "its disk was written and read back"
        assert beat.self_test is None, "who records is tested by recording"

        probe = ProbeCameras(recorder=GATE, documents=documents, cameras=tuple(CameraId(each) for each in cameras.config.camera_ids()))
        probed: ProbeAnswer = wire.decode(ProbeAnswer, await coordinator.bus.request(subjects.probe(SPARE), wire.encode(probe), 5000))
        assert isinstance(probed, CamerasProbed)
        assert set(probed.reached) == set(probe.cameras)
        assert service._beside._self_test.report is not None
        tested = await service._beside._self_test.test()
        assert tested.camera in probe.cameras, "it knows a camera now, and asks it for its description"
        assert not any(tested.camera in problem for problem in tested.problems)

        order = Record(key=KEY, epoch=Epoch(5), home=GATE, documents=documents)
        assert await coordinator.order(SPARE, order) == Obeyed(epoch=Epoch(5), documents=documents)
        beat = await coordinator.beat(SPARE, records_both)
        assert (beat.home, beat.epoch, beat.documents) == (GATE, 5, documents)
        assert await coordinator.order(SPARE, order) == Obeyed(epoch=Epoch(5), documents=documents)
        refused = await coordinator.order(SPARE, Record(key=KEY, epoch=Epoch(4), home=GATE, documents=documents))
        assert isinstance(refused, Refusal)
        assert refused.reason is RefusalReason.OLD_EPOCH

        footage = await coordinator.order(SPARE, ReportFootage(epoch=Epoch(5)))
        assert isinstance(footage, Footage)
        assert {span.camera for span in footage.spans} == set(cameras.config.camera_ids())
        assert all(span.frames > 0 for span in footage.spans)

        assert await coordinator.order(SPARE, StandDown(key=KEY, epoch=Epoch(6))) == Obeyed(epoch=Epoch(6))
        beat = await coordinator.beat(SPARE, lambda beat: beat.mode is Mode.STANDBY)
        assert (beat.home, beat.epoch, beat.cameras) == (None, 6, ())
        kept = await coordinator.order(SPARE, ReportFootage(epoch=Epoch(5), cameras=(footage.spans[0].camera,)))
        assert isinstance(kept, Footage)
        assert len(kept.spans) == 1
    names = [path.name for path in (tmp_path / SPARE / "data" / "documents" / "RecorderSettingsStore").iterdir() if path.is_file()]
    assert documents.settings not in names, "foreign settings are forgotten"


async def test_a_recorder_that_was_replaced_learns_it_when_it_starts(tmp_path: Path, bus: LocalBus, coordinator: Coordinator) -> None:
    gate = configuration_of(tmp_path, GATE, {"cam-001": "rtsp://127.0.0.1:1/none"})
    coordinator.standing = StandDown(key=KEY, epoch=Epoch(9))
    async with running(gate, bus.endpoint()):
        beat = await coordinator.beat(GATE, lambda beat: beat.epoch == 9)
        assert (beat.mode, beat.home) == (Mode.STANDBY, None)
    coordinator.beats.clear()
    async with running(gate, bus.endpoint()):
        assert (await coordinator.beat(GATE, lambda beat: beat.boot == 2)).mode is Mode.STANDBY


async def test_without_a_coordinator_it_records_after_5_s(tmp_path: Path, cameras: CameraServer, bus: LocalBus) -> None:
    gate = configuration_of(tmp_path, GATE, urls(cameras), password="open sesame")
    listener = Coordinator(bus.endpoint())
    await listener.listen()
    async with running(gate, bus.endpoint()):
        assert (await listener.beat(GATE, lambda beat: beat.mode is Mode.ASKING)).cameras == ()
        await listener.beat(GATE, records_both)
    await listener.bus.close()


async def test_garbage_is_dropped_and_missing_documents_are_refused(tmp_path: Path, bus: LocalBus, coordinator: Coordinator) -> None:
    spare = configuration_of(tmp_path, SPARE, {}, standby=True)
    async with running(spare, bus.endpoint()):
        beat = await coordinator.beat(SPARE, lambda beat: True)
        assert await coordinator.bus.request("sm.order.spare", b"1 {}", 2000) == b""
        await coordinator.bus.publish("sm.beacon", b"\xff")
        assert beat.documents is not None
        lost = type(beat.documents)(
            revision=1, settings=DocumentHash("1" * 64), masks=DocumentHash("2" * 64), schedules=DocumentHash("3" * 64)
        )
        answer = await coordinator.order(SPARE, Record(key=KEY, epoch=Epoch(3), home=GATE, documents=lost))
        assert isinstance(answer, Refusal)
        assert answer.reason is RefusalReason.DOCUMENTS_MISSING


async def test_a_lost_disk_is_said_within_2_s_and_its_return_too(tmp_path: Path, bus: LocalBus, coordinator: Coordinator) -> None:
    spare = configuration_of(tmp_path, SPARE, {}, standby=True)
    disk = spare.disk_paths["D:"]
    async with running(spare, bus.endpoint()):
        await coordinator.beat(SPARE, lambda beat: all(disk.writable for disk in beat.disks))
        lost_s = time.monotonic()
        disk.rename(disk.with_name("away"))
        beat = await coordinator.beat(SPARE, lambda beat: not any(disk.writable for disk in beat.disks))
        assert time.monotonic() - lost_s < 2.5
        assert beat.disks[0].problem
        answer = await coordinator.order(SPARE, Record(key=KEY, epoch=Epoch(3), home=SPARE, documents=beat.documents))
        assert isinstance(answer, Refusal)
        assert answer.reason is RefusalReason.NO_WRITABLE_DISK
        disk.with_name("away").rename(disk)
        await coordinator.beat(SPARE, lambda beat: all(disk.writable for disk in beat.disks))


async def test_passwords_that_cannot_be_opened_fail_these_cameras_alone(
    tmp_path: Path, cameras: CameraServer, bus: LocalBus, coordinator: Coordinator
) -> None:
    gate = configuration_of(tmp_path, GATE, urls(cameras), password="open sesame")
    async with running(gate, bus.endpoint()):
        await coordinator.beat(GATE, records_both)
    (tmp_path / "site.key").unlink()
    coordinator.beats.clear()
    async with running(gate, bus.endpoint()):
        beat = await coordinator.beat(GATE, lambda beat: len(beat.cameras) == 2)
        assert {camera.state for camera in beat.cameras} == {CameraState.FAILED}


@pytest.mark.process
async def test_a_recorder_finds_the_bus_that_is_set_up_after_its_start(tmp_path: Path) -> None:
    configuration = configuration_of(tmp_path, GATE, {"cam-001": "rtsp://127.0.0.1:1/none"})
    server = BusServer(tmp_path / "bus")
    configuration = replace(configuration, bus=str(server.credentials_path))
    try:
        async with running(configuration, None):
            await server.start()
            bus = NatsBus(load_credentials(server.credentials_path), BusUser.COORDINATOR, "test")
            assert await bus.open(wait_ms=5000)
            coordinator = Coordinator(bus)
            await coordinator.open()
            beat = await coordinator.beat(GATE, lambda beat: beat.mode is Mode.RECORDING)
            await coordinator.take_documents(GATE, beat)
            assert await coordinator.order(GATE, StandDown(key=KEY, epoch=Epoch(2))) == Obeyed(epoch=Epoch(2))
            await bus.close()
    finally:
        await server.close()
