"""A real recording service that crashes while it opens a camera: the Watchdog finds which one, and the others are recorded (SPEC 16)."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from sysmanager.app.main import main
from sysmanager.bus.local import LocalBus
from sysmanager.protocol.recorders import Beat, CameraState, ServiceState
from sysmanager.recorder.case_file import load_cases
from sysmanager.recorder.configuration import load_configuration
from sysmanager.recorder.service import RecordingService
from sysmanager.recorder.suspects import Note, read_notes
from sysmanager.simulation.cameras.config import CamerasConfig
from sysmanager.simulation.cameras.server import CameraServer
from tests.helpers.recorder_site import Coordinator, recorder_folder
from tests.helpers.watching import watching

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="a segmentation fault can't be sent there")]

WAIT_S = 40.0
SERVICE = (
    "import sys; from pathlib import Path; from sysmanager.recorder.service_process import run_service;"
    "sys.exit(run_service(Path(sys.argv[1])))"
)


POISONED = (
    "import av, ctypes, sys; right = av.open;"
    "av.open = lambda url, **more: ctypes.string_at(0) if sys.argv[2] in url else right(url, **more);"
)
"""The stream of one camera makes the library that opens it read where nothing is."""


@pytest.fixture
async def cameras(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CameraServer]:
    async with CameraServer(CamerasConfig(count=3, cache=tmp_path_factory.getbasetemp() / "camera-clip", port=0)) as server:
        yield server


def notes_of(folder: Path) -> tuple[Note, ...]:
    try:
        return read_notes(folder)
    except FileNotFoundError:
        return ()


def under_way(folder: Path) -> list[str]:
    return sorted({note.suspect.camera for note in notes_of(folder)})


def being_opened(folder: Path) -> list[str]:
    return sorted({note.suspect.camera for note in notes_of(folder) if not note.running})


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():  # noqa: ASYNC110 - another process makes it so
            await asyncio.sleep(0.01)


async def test_a_camera_that_crashes_the_service_is_found_among_three_and_the_others_are_recorded(
    tmp_path: Path, cameras: CameraServer, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = sorted(cameras.config.camera_ids())
    config = recorder_folder(tmp_path, "gate", {camera: cameras.url(camera) for camera in ids})
    configuration = load_configuration(config)
    folder = configuration.data_folder
    bus = LocalBus()
    coordinator = Coordinator(bus.endpoint())
    await coordinator.open()
    endpoint = bus.endpoint()
    told: list[str] = []
    async with watching(configuration, (sys.executable, "-c", SERVICE, str(config)), endpoint, tell=told.append) as (watchdog, _):
        await until(lambda: under_way(folder) == ids)
        assert watchdog.service_pid is not None
        os.kill(watchdog.service_pid, signal.SIGSEGV)
        await until(lambda: any("SIGSEGV" in sentence for sentence in told))
        assert [case.camera for case in load_cases(folder)] == ids
        assert "they are opened a few at a time now" in next(sentence for sentence in told if "was ended by SIGSEGV" in sentence)
        await until(lambda: being_opened(folder) == [ids[1]])
        os.kill(watchdog.service_pid, signal.SIGSEGV)
        await until(lambda: [case.camera for case in load_cases(folder) if case.quarantined] == [ids[1]])
        await coordinator.watchdog("gate", lambda beat: f"The camera {ids[1]} is quarantined" in beat.sentence)
        await coordinator.watchdog("gate", lambda beat: beat.service is ServiceState.RUNNING)
    # The same folder, with a service whose heartbeats are heard here.
    service = RecordingService(configuration, bus=endpoint)
    recording = asyncio.create_task(service.run())
    try:
        beat = await coordinator.beat("gate", lambda beat: _states(beat) == ["recording", "quarantined", "recording"])
        assert "the recording service crashed twice" in beat.cameras[1].sentence
        assert await asyncio.to_thread(main, ["recorder", "quarantine", "--config", str(config)]) == 0
        assert f"{ids[1]}: in quarantine, " in capsys.readouterr().out
        assert await asyncio.to_thread(main, ["recorder", "release", ids[1], "--config", str(config)]) == 0
        assert "the recording service of gate opens it now" in capsys.readouterr().out
        beat = await coordinator.beat("gate", lambda beat: _states(beat) == ["recording"] * 3)
        assert beat.cameras[1].sentence == ""
        assert await asyncio.to_thread(main, ["recorder", "release", ids[1], "--config", str(config)]) == 1
    finally:
        service.end()
        await recording
        await endpoint.close()
        await coordinator.bus.close()


async def test_a_stream_that_really_crashes_its_thread_is_named_at_the_first_crash(tmp_path: Path, cameras: CameraServer) -> None:
    ids = sorted(cameras.config.camera_ids())
    config = recorder_folder(tmp_path, "gate", {camera: cameras.url(camera) for camera in ids})
    configuration = load_configuration(config)
    folder = configuration.data_folder
    endpoint = LocalBus().endpoint()
    async with watching(configuration, (sys.executable, "-c", POISONED + SERVICE, str(config), ids[1]), endpoint):
        await until(lambda: [(case.camera, case.crashes) for case in load_cases(folder)] == [(ids[1], 1)])
        await until(lambda: [(case.camera, case.quarantined) for case in load_cases(folder)] == [(ids[1], True)])
        await until(lambda: under_way(folder) == [ids[0], ids[2]])
        await until(lambda: under_way(folder) == [])
        assert [case.crashes for case in load_cases(folder)] == [2], "the others have run well since"
    await endpoint.close()


async def test_a_service_that_is_killed_from_outside_blames_no_camera(tmp_path: Path, cameras: CameraServer) -> None:
    ids = sorted(cameras.config.camera_ids())
    config = recorder_folder(tmp_path, "gate", {camera: cameras.url(camera) for camera in ids})
    configuration = load_configuration(config)
    folder = configuration.data_folder
    endpoint = LocalBus().endpoint()
    async with watching(configuration, (sys.executable, "-c", SERVICE, str(config)), endpoint) as (watchdog, _):
        await until(lambda: under_way(folder) == ids)
        first = watchdog.service_pid
        assert first is not None
        psutil.Process(first).kill()
        await until(lambda: watchdog.service_pid not in (first, None) and under_way(folder) == ids)
        assert load_cases(folder) == ()
    await endpoint.close()


def _states(beat: Beat) -> list[str]:
    return [CameraState(camera.state).value for camera in beat.cameras]


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_service_that_another_watchdog_had_started_is_judged_by_what_it_wrote(
    tmp_path: Path, cameras: CameraServer, ended_by: signal.Signals
) -> None:
    ids = sorted(cameras.config.camera_ids())
    config = recorder_folder(tmp_path, "gate", {camera: cameras.url(camera) for camera in ids})
    configuration = load_configuration(config)
    folder = configuration.data_folder
    endpoint = LocalBus().endpoint()
    command = (sys.executable, "-c", SERVICE, str(config))
    first = await asyncio.to_thread(subprocess.Popen, command)
    await until(lambda: under_way(folder) == ids)
    async with watching(configuration, command, endpoint) as (watchdog, _):
        await until(lambda: watchdog.service_pid == first.pid)
        first.send_signal(ended_by)
        await until(lambda: first.poll() is not None)
        await until(lambda: watchdog.service_pid not in (first.pid, None))
        assert [case.camera for case in load_cases(folder)] == ([] if ended_by is signal.SIGKILL else ids)
    await endpoint.close()


async def test_a_service_that_was_stopped_from_outside_blames_no_camera(tmp_path: Path, cameras: CameraServer) -> None:
    ids = sorted(cameras.config.camera_ids())
    config = recorder_folder(tmp_path, "gate", {camera: cameras.url(camera) for camera in ids})
    configuration = load_configuration(config)
    folder = configuration.data_folder
    endpoint = LocalBus().endpoint()
    async with watching(configuration, (sys.executable, "-c", SERVICE, str(config)), endpoint) as (watchdog, _):
        await until(lambda: under_way(folder) == ids)
        first = watchdog.service_pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        await until(lambda: watchdog.service_pid not in (first, None))
        assert load_cases(folder) == ()
    await endpoint.close()
