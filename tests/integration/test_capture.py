"""Recording synthetic cameras over real sockets onto a real folder."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.capture import FrameEvent
from sysmanager.recorder.index import segments, spans
from sysmanager.recorder.preroll import RingSettings
from sysmanager.recorder.session import CameraPlan
from sysmanager.simulation.cameras.clip import ClipShape
from sysmanager.simulation.cameras.config import CamerasConfig, CamerasError
from sysmanager.simulation.cameras.control import CameraStatus as SyntheticStatus
from sysmanager.simulation.cameras.control import execute, send_command
from sysmanager.simulation.cameras.live import Fault
from sysmanager.simulation.cameras.server import CameraServer
from tests.helpers.footage import marks, numbers
from tests.helpers.recording import Recording

SHAPE = ClipShape(width=160, height=96, fps=20, gop_frames=6, groups=10, bit_rate_kbps=100)


@pytest.fixture
async def recording(tmp_path: Path) -> AsyncIterator[Recording]:
    recording = Recording(tmp_path / "disk", segment_ms=1000)
    yield recording
    await recording.close()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


def config(cache: Path, count: int, **more: object) -> CamerasConfig:
    return msgspec.structs.replace(CamerasConfig(count=count, cache=cache, port=0, clip=SHAPE), **more)


def plan(server: CameraServer, cameras: Sequence[str], user: str = "", password: str = "") -> list[CameraPlan]:
    return [CameraPlan(id=CameraId(camera), name=camera, url=server.url(camera), user=user, password=password) for camera in cameras]


@pytest.mark.parametrize("sender_reports", [True, False], ids=["camera's clock", "time of arrival"])
async def test_four_cameras_are_recorded_frame_by_frame(recording: Recording, cache: Path, sender_reports: bool) -> None:
    secrets = {"authentication": "digest", "username": "viewer", "password": "p@ss/word"}
    async with CameraServer(config(cache, 4, sender_reports=sender_reports, **secrets)) as server:
        cameras = list(server.cameras)
        recording.capture.start(plan(server, cameras, "viewer", "p@ss/word"), 7)
        for camera in cameras:
            await recording.until(lambda camera=camera: recording.status(camera).frames >= 50)
        statuses = {status.camera: status for status in recording.capture.snapshot()}
        await recording.close()
    for camera in cameras:
        found = numbers([recording.disk], camera, 7)
        assert len(found) >= 50
        assert found == list(range(found[0], found[0] + len(found)))
        paths = [segment.path for segment in segments([recording.disk], camera, 7)]
        assert len(paths) >= 2
        assert max(abs(error_us) for path in paths for _, error_us in marks(path)) < 50_000
        span = spans([recording.disk], camera, 7)
        assert span is not None
        assert span.frames == len(found)
        assert span.first_frame_ms == statuses[CameraId(camera)].first_frame_ms
        assert statuses[CameraId(camera)].state is CameraState.RECORDING
    firsts = [event for event in recording.gauge.seen if isinstance(event, FrameEvent) and event.first]
    assert sorted(event.camera for event in firsts) == cameras


async def test_a_hanging_disk_costs_no_camera_a_frame(cache: Path, tmp_path: Path) -> None:
    disks = [tmp_path / "d", tmp_path / "e"]
    recording = Recording(disks[0], more=disks[1:])
    try:
        async with CameraServer(config(cache, 4)) as server:
            cameras = list(server.cameras)
            await recording.until(lambda: all(disk.writable for disk in recording.disks.states()))
            recording.capture.start(plan(server, cameras), 7)
            for camera in cameras:
                await recording.until_more(camera, 20)
            # Where they lie follows from the names of the folders: on both disks mostly, on one of them in any case.
            at = next(at for at, disk in enumerate(disks) if segments([disk], "cam-001"))
            recording.files.hang(disks[at])
            await recording.until(lambda: not recording.disks.states()[at].writable)
            assert "does not answer" in recording.disks.states()[at].problem
            for camera in cameras:
                await recording.until_more(camera, 40)
            assert {status.state for status in recording.capture.snapshot()} == {CameraState.RECORDING}
    finally:
        recording.files.heal()
        await recording.close()
    for camera in cameras:
        found = sorted(set(numbers(disks, camera, 7)))
        assert found == list(range(found[0], found[0] + len(found)))
        assert len(found) >= 60


async def test_cameras_whose_past_was_held_are_recorded_from_before_the_take_over(recording: Recording, cache: Path) -> None:
    async with CameraServer(config(cache, 3)) as server:
        held, other, cold = plan(server, list(server.cameras))
        ring = RingSettings(keep_ms=1_500)
        recording.capture.hold([(held, ring), (other, ring)])
        await recording.until(lambda: all(status.reaches_ms >= 1_500 for status in recording.capture.held()))
        recording.capture.hold([(held, ring)])
        assert [status.camera for status in recording.capture.held()] == [held.id]
        assert not list(recording.disk.rglob("*.ts"))

        began_ms = time.time_ns() // 1_000_000
        recording.capture.start([held, other, cold], 9)
        assert recording.status(held.id).state is CameraState.RECORDING
        assert recording.capture.held() == ()
        for camera in server.cameras:
            await recording.until(lambda camera=camera: recording.status(camera).frames >= 40)
        first = {status.camera: status.first_frame_ms for status in recording.capture.snapshot()}
        await recording.close()
    assert first[held.id] <= began_ms - 1_400
    assert min(first[other.id], first[cold.id]) >= began_ms - 1_000
    for camera in server.cameras:
        found = numbers([recording.disk], camera, 9)
        assert found == list(range(found[0], found[0] + len(found)))


async def test_what_is_held_reaches_further_while_all_is_kept(recording: Recording, cache: Path) -> None:
    async with CameraServer(config(cache, 2)) as server:
        first, second = plan(server, list(server.cameras))
        ring = RingSettings(keep_ms=300)
        recording.capture.hold([(first, ring)])
        await recording.until(lambda: all(status.reaches_ms for status in recording.capture.held()))
        recording.capture.keep_all(True)
        recording.capture.keep_all(True)
        recording.capture.hold([(first, ring), (second, ring)])
        await recording.until(lambda: [status.reaches_ms > 1_500 for status in recording.capture.held()] == [True, True])
        recording.capture.keep_all(False)
        await recording.until(lambda: [status.reaches_ms < 1_000 for status in recording.capture.held()] == [True, True])


async def test_holding_ends_with_the_capture_and_leaves_no_file(recording: Recording, cache: Path) -> None:
    async with CameraServer(config(cache, 2)) as server:
        recording.capture.hold([(camera, RingSettings(keep_ms=500)) for camera in plan(server, list(server.cameras))])
        await recording.until(lambda: all(status.reaches_ms for status in recording.capture.held()))
        await recording.close()
        assert recording.capture.held() == ()
    assert not list(recording.disk.rglob("*.ts"))


async def test_a_dropped_a_stalled_and_a_refusing_camera_come_back(recording: Recording, cache: Path) -> None:
    async with CameraServer(config(cache, 3)) as server:
        dropped, stalled, refusing = server.cameras
        recording.capture.start(plan(server, list(server.cameras)), 1)
        for camera in server.cameras:
            await recording.until_state(camera, CameraState.RECORDING)
        assert execute(server, f"drop {dropped}") == "ok"
        assert execute(server, f"stall {stalled}") == "ok"
        assert execute(server, f"refuse {refusing}") == "ok"
        await recording.until_state(stalled, CameraState.STALLED)
        await recording.until_state(refusing, CameraState.REFUSED)
        assert execute(server, "ok all") == "ok"
        for camera in server.cameras:
            await recording.until_state(camera, CameraState.RECORDING)
            await recording.until_more(camera)
        await recording.close()
    assert recording.states(dropped) == [CameraState.CONNECTING, CameraState.RECORDING, CameraState.CONNECTING, CameraState.RECORDING]
    for camera in server.cameras:
        found = numbers([recording.disk], camera, 1)
        assert found == sorted(set(found))


async def test_reasons_are_told_apart_and_no_password_is_shown(recording: Recording, cache: Path, tmp_path: Path) -> None:
    async with CameraServer(
        config(cache, 3, authentication="basic", username="viewer", password="S3cret", sessions_per_camera=1)
    ) as server:
        other = Recording(tmp_path / "other")
        busy, wrong, dead = server.cameras
        server.set_fault(dead, Fault.BLACKHOLE)
        other.capture.start(plan(server, [busy], "viewer", "S3cret"), 1)
        await other.until_state(busy, CameraState.RECORDING)
        gone = CameraPlan(id=CameraId("gone"), name="gone", url=server.url("none"), user="viewer", password="S3cret")
        odd = CameraPlan(id=CameraId("odd"), name="odd", url="http://viewer:S3cret@127.0.0.1/")
        good = plan(server, [busy, dead], "viewer", "S3cret")
        recording.capture.start([*good, *plan(server, [wrong], "viewer", "wrong-S3cret"), gone, odd], 1)
        await recording.until_state(busy, CameraState.BUSY)
        await recording.until_state(wrong, CameraState.WRONG_PASSWORD)
        await recording.until_state(dead, CameraState.UNREACHABLE)
        await recording.until_state("gone", CameraState.NOT_FOUND)
        await recording.until_state("odd", CameraState.FAILED)
        await other.close()
        await recording.until_state(busy, CameraState.RECORDING)
        recording.capture.change(plan(server, [busy, wrong], "viewer", "S3cret"))
        await recording.until_state(wrong, CameraState.RECORDING)
        assert len(recording.capture.snapshot()) == 2
    assert "S3cret" not in repr(recording.gauge.seen)
    recording.capture.change([])
    assert recording.capture.snapshot() == ()


async def test_a_new_epoch_is_stamped_from_the_next_key_frame(recording: Recording, cache: Path) -> None:
    async with CameraServer(config(cache, 1)) as server:
        recording.capture.start(plan(server, ["cam-001"]), 4)
        await recording.until_more("cam-001")
        recording.capture.set_epoch(5)
        assert recording.status("cam-001").frames == 0
        await recording.until_more("cam-001")
        await recording.close()
    old, new = (numbers([recording.disk], "cam-001", epoch) for epoch in (4, 5))
    assert [*old, *new] == list(range(old[0], old[0] + len(old) + len(new)))
    assert [event.epoch for event in recording.gauge.seen if isinstance(event, FrameEvent) and event.first] == [4, 5]


async def test_what_cameras_captured_until_it_stands_down_is_kept(recording: Recording, cache: Path) -> None:
    async with CameraServer(config(cache, 2)) as server:
        recording.capture.start(plan(server, ["cam-001", "cam-002"]), 4)
        await recording.until_more("cam-001")
        await recording.until_more("cam-002")
        sent = {camera: server.cameras[camera].frame - 1 for camera in server.cameras}
        recording.capture.finish()
        assert recording.capture.snapshot() == ()
        await recording.until(lambda: not any(live.sessions for live in server.cameras.values()))
        recording.capture.set_epoch(5)
    await recording.close()
    for camera, last in sent.items():
        found = numbers([recording.disk], camera, 4)
        assert found == list(range(found[0], found[-1] + 1))
        assert last <= found[-1] <= last + 4
        assert numbers([recording.disk], camera, 5) == []


async def test_a_camera_that_is_silent_does_not_keep_a_recorder_from_standing_down(recording: Recording, cache: Path) -> None:
    async with CameraServer(config(cache, 1)) as server:
        recording.capture.start(plan(server, ["cam-001"]), 4)
        await recording.until_more("cam-001")
        server.set_fault("cam-001", Fault.STALL)
        recording.capture.finish()
        # Begun again at once: the old session does not stand in the way of the new one.
        server.set_fault("cam-001", Fault.OK)
        recording.capture.start(plan(server, ["cam-001"]), 6)
        await recording.until_more("cam-001")
        assert {segment.name.epoch for segment in segments([recording.disk], "cam-001")} == {4, 6}


@pytest.mark.process
async def test_a_killed_recorder_loses_nothing_that_it_said_was_written(cache: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    async with CameraServer(config(cache, 1)) as server:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.helpers.capture_child",
            server.url("cam-001"),
            str(disk),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        said: list[tuple[int, int]] = []
        try:
            assert child.stdout is not None
            async with asyncio.timeout(20):
                while len(said) < 3:
                    line = (await child.stdout.readline()).split()
                    if line[:1] == [b"frame"]:
                        said.append((int(line[1]), int(line[2])))
        finally:
            child.kill()
            await child.communicate()
    found = numbers([disk], "cam-001", 3)
    span = spans([disk], "cam-001", 3)
    assert span is not None
    assert found == list(range(found[0], found[0] + len(found)))
    assert span.frames == len(found) >= said[-1][0]
    assert span.first_frame_ms == said[0][1]
    assert span.last_frame_ms >= said[-1][1]
    assert all(abs(error_us) < 50_000 for segment in segments([disk], "cam-001") for _, error_us in marks(segment.path))


async def test_cameras_obey_their_control_port(cache: Path) -> None:
    async with CameraServer(config(cache, 2)) as server:
        assert await send_command("127.0.0.1", server.control_port, "stall cam-002") == "ok"
        assert "no camera" in await send_command("127.0.0.1", server.control_port, "stall cam-009")
        assert "expected" in await send_command("127.0.0.1", server.control_port, "explode all")
        answer = await send_command("127.0.0.1", server.control_port, "stat")
    status = msgspec.json.decode(answer, type=dict[str, SyntheticStatus])
    assert [item.fault for item in status.values()] == ["ok", "stall"]


async def test_who_reaches_no_camera_any_more_is_alone_with_that(cache: Path, tmp_path: Path) -> None:
    one, other = Recording(tmp_path / "one", recorder="REC-1"), Recording(tmp_path / "other", recorder="FO-1")
    try:
        async with CameraServer(config(cache, 1)) as server:
            for each in (one, other):
                each.capture.start(plan(server, ["cam-001"]), 1)
                await each.until_more("cam-001")
            assert await send_command("127.0.0.1", server.control_port, "cut (REC-1)") == "ok"
            await one.until_state("cam-001", CameraState.CONNECTING)
            await other.until_more("cam-001", 30)
            assert other.states("cam-001")[-1] is CameraState.RECORDING
            assert CameraState.RECORDING not in one.states("cam-001")[one.states("cam-001").index(CameraState.CONNECTING, 1) :]
            assert await send_command("127.0.0.1", server.control_port, "mend (REC-1)") == "ok"
            await one.until_state("cam-001", CameraState.RECORDING)
    finally:
        await one.close()
        await other.close()


async def test_what_cameras_cannot_do_is_said_in_a_sentence(cache: Path, tmp_path: Path) -> None:
    async with CameraServer(config(cache, 1)) as server:
        with pytest.raises(CamerasError, match=f":{server.port}: .*another port"):
            await CameraServer(config(cache, 1, port=server.port)).start()
    for wrong in (config(cache, 0), config(cache, 1, port=70_000), config(cache, 1, authentication="digest")):
        with pytest.raises(CamerasError, match=r"\.$"):
            CameraServer(wrong)
    (tmp_path / "file").touch()
    with pytest.raises(CamerasError, match="folder"):
        await CameraServer(config(tmp_path / "file", 1)).start()
