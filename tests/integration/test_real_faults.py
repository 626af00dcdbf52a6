"""Disks that fill up or fail, cameras that change or send noise, a service that stands still: with real files, streams and processes."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import av
import psutil
import pytest

from sysmanager.bus.local import LocalBus
from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraState, ServiceState
from sysmanager.recorder import supervision
from sysmanager.recorder.configuration import load_configuration
from sysmanager.recorder.disks import DiskSettings
from sysmanager.recorder.index import read_frames, segments
from sysmanager.recorder.session import CameraPlan
from sysmanager.simulation.cameras.clip import ClipShape, load_clip
from sysmanager.simulation.cameras.config import CamerasConfig
from sysmanager.simulation.cameras.control import execute
from sysmanager.simulation.cameras.sei import read_sei
from sysmanager.simulation.cameras.server import CameraServer
from tests.helpers.footage import numbers
from tests.helpers.machine_parts import mounted_disk, mounted_memory, pull
from tests.helpers.recorder_site import recorder_folder
from tests.helpers.recording import Recording
from tests.helpers.watching import watching

pytestmark = pytest.mark.process

SHAPE = ClipShape(width=160, height=96, fps=20, gop_frames=6, groups=10, bit_rate_kbps=400)
LARGER = ClipShape(width=320, height=192, fps=20, gop_frames=6, groups=10, bit_rate_kbps=400)
SERVICE = (
    "import sys; from pathlib import Path; from sysmanager.recorder.service_process import run_service;"
    "sys.exit(run_service(Path(sys.argv[1])))"
)
ANY_SPACE = DiskSettings(reserve_bytes=1, retry_every_s=0.5, health_every_s=0.3, sync_every_s=60.0)
"""So that a disk is not taken out before it is really full, and nothing of it is synced."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


def served(cache: Path, count: int) -> CameraServer:
    return CameraServer(CamerasConfig(count=count, cache=cache, port=0, clip=SHAPE))


def plan(server: CameraServer) -> list[CameraPlan]:
    return [CameraPlan(id=CameraId(camera), name=camera, url=server.url(camera)) for camera in server.cameras]


def check_whole(disks: Sequence[Path], server: CameraServer, camera: str, at_least: int) -> None:
    """Every frame number, whether it lies on one disk or on two, but those that a busy machine kept the camera from capturing."""
    found = sorted(set(numbers(disks, camera, 7)))
    assert found == sorted(set(range(found[0], found[-1] + 1)) - server.cameras[camera].never_captured)
    assert len(found) >= at_least


@contextlib.asynccontextmanager
async def recorded_on(disk: Path, other: Path, server: CameraServer) -> AsyncIterator[Recording]:
    """All cameras are recorded on `disk`; from then on there is room on `other` too."""
    recording = Recording(disk, more=[other], settings=ANY_SPACE)
    recording.files.fill(other)
    try:
        await recording.until(lambda: recording.disks.states()[0].writable and not recording.disks.states()[1].writable)
        recording.capture.start(plan(server), 7)
        for camera in server.cameras:
            await recording.until_more(camera, 20)
        recording.files.heal()
        await recording.until(lambda: recording.disks.states()[1].writable)
        yield recording
    finally:
        await recording.close()


async def test_a_disk_that_is_really_full_costs_no_frame_and_comes_back_when_it_has_room(cache: Path, tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    with mounted_memory(small, "8m"):
        async with served(cache, 4) as server, recorded_on(small, large, server) as recording:
            filler = small / "filler"
            await asyncio.to_thread(_fill, filler)
            await recording.until(lambda: not recording.disks.states()[0].writable)
            assert "is full" in recording.disks.states()[0].problem
            for camera in server.cameras:
                await recording.until_more(camera, 30)
            filler.unlink()
            await recording.until(lambda: recording.disks.states()[0].writable)
        assert numbers([small], "cam-001", 7)
        assert numbers([large], "cam-001", 7)
        for camera in server.cameras:
            check_whole([small, large], server, camera, 50)


def _fill(file: Path) -> None:
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as out:
        while out.write(bytes(4096)):
            pass


async def test_a_disk_that_fails_is_taken_out_within_2_s_and_costs_no_frame(cache: Path, tmp_path: Path) -> None:
    failing, sound = tmp_path / "failing", tmp_path / "sound"
    with mounted_disk(failing, tmp_path / "image"):
        async with served(cache, 4) as server, recorded_on(failing, sound, server) as recording:
            first = {camera: numbers([failing], camera, 7)[0] for camera in server.cameras}
            failed_s = time.monotonic()
            pull(failing)
            await recording.until(lambda: not recording.disks.states()[0].writable)
            assert time.monotonic() - failed_s < 3, "2 s, and a busy machine"
            assert "fails" in recording.disks.states()[0].problem
            for camera in server.cameras:
                await recording.until_more(camera, 30)
                assert recording.status(camera).state is CameraState.RECORDING
                assert recording.status(camera).lost_frames == 0
    for camera in server.cameras:
        check_whole([sound], server, camera, 50)
        assert numbers([sound], camera, 7)[0] == first[camera], "nothing was synced yet: all of it was written again"


async def test_a_camera_that_changes_its_resolution_goes_on_without_losing_a_frame(cache: Path, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "disk", segment_ms=2_000)
    try:
        async with served(cache, 2) as server:
            recording.capture.start(plan(server), 7)
            await recording.until_more("cam-001", 20)
            server.cameras["cam-001"].show(await asyncio.to_thread(load_clip, cache, LARGER))
            await recording.until_more("cam-001", 60)
            await recording.until_more("cam-002", 5)
    finally:
        await recording.close()
    for camera in server.cameras:
        check_whole([recording.disk], server, camera, 60)
    sizes = []
    for segment in segments([recording.disk], "cam-001", 7):
        with av.open(str(segment.path)) as container:
            sizes += [(frame.width, frame.height) for frame in container.decode(video=0)]
        _check_probe(segment.path)
    assert len(sizes) == len(numbers([recording.disk], "cam-001", 7)), "every frame can be decoded"
    assert list(dict.fromkeys(sizes)) == [(160, 96), (320, 192)]


def _check_probe(path: Path) -> None:
    probe = shutil.which("ffprobe")
    if probe is not None:
        said = subprocess.run([probe, "-v", "error", "-count_frames", str(path)], capture_output=True, check=True, timeout=60)
        assert said.stderr == b""


async def test_noise_from_one_camera_disturbs_no_other_and_it_records_again_after_it(cache: Path, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "disk", segment_ms=1_000)
    try:
        async with served(cache, 2) as server:
            noisy, calm = server.cameras
            recording.capture.start(plan(server), 7)
            await recording.until_more(noisy, 20)
            assert execute(server, f"garbage {noisy}") == "ok"
            await recording.until_more(calm, 60)
            assert execute(server, "ok all") == "ok"
            before = server.cameras[noisy].frame
            await recording.until_state(noisy, CameraState.RECORDING)
            await recording.until_more(noisy, 40)
    finally:
        await recording.close()
    check_whole([recording.disk], server, calm, 80)
    marked = numbers_that_are_marked([recording.disk], noisy)
    assert marked[0] < before - 60
    assert marked[-1] > before
    assert marked == sorted(set(marked))


def numbers_that_are_marked(disks: Sequence[Path], camera: str) -> list[int]:
    """Of a camera that sent noise too: the frames that are its own."""
    found = [read_sei(frame.data) for segment in segments(disks, camera, 7) for frame in read_frames(segment.path)]
    return [mark.frame for mark in found if mark is not None]


async def test_a_service_that_stands_still_is_killed_and_records_again(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "HUNG_MS", 1_500)
    monkeypatch.setattr(supervision, "SILENT_MS", 500)
    async with served(cache, 2) as server:
        config = recorder_folder(tmp_path, "gate", {camera: server.url(camera) for camera in server.cameras})
        configuration = load_configuration(config)
        disk = configuration.disk_paths["D:"]
        bus = LocalBus()
        command = (sys.executable, "-c", SERVICE, str(config))
        async with watching(configuration, command, bus.endpoint()) as (watchdog, voice):
            await _recorded(disk, list(server.cameras))
            first = psutil.Process(watchdog.service_pid)
            frozen_at = {camera: live.frame for camera, live in server.cameras.items()}
            first.suspend()
            await asyncio.to_thread(first.wait, 20)
            again_at = {camera: live.frame for camera, live in server.cameras.items()}
            await _recorded(disk, list(server.cameras), after=again_at)
            assert watchdog.service_pid != first.pid
            said = [word.service for word, again in voice.said if again]
            assert said.index(ServiceState.RUNNING) < said.index(ServiceState.STARTING), "it spoke for it before it killed it"
    for camera, frozen in frozen_at.items():
        found = numbers([disk], camera, 0)
        assert found == sorted(set(found))
        before = [number for number in found if number <= frozen]
        assert before == list(range(before[0], before[0] + len(before)))
        assert before[-1] >= frozen - 6, "what was written before it stood still is there"


async def _recorded(disk: Path, cameras: Sequence[str], after: dict[str, int] | None = None) -> None:
    """Wait until there is footage of all cameras, newer than these frames."""
    wanted = after or dict.fromkeys(cameras, -1)
    async with asyncio.timeout(30):
        while True:
            newest = {camera: max(await asyncio.to_thread(numbers, [disk], camera), default=-1) for camera in cameras}
            if all(newest[camera] > wanted[camera] + 5 for camera in cameras):
                return
            await asyncio.sleep(0.2)
