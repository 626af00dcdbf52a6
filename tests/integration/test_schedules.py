"""Schedules against synthetic cameras over real sockets: hours begin and end within seconds, because their zone is made up."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.camera_rules import CameraRules
from sysmanager.recorder.index import read_frames, segments
from sysmanager.recorder.preroll import RingSettings
from sysmanager.recorder.session import CameraPlan
from sysmanager.recorder.timetable import Timetable
from sysmanager.simulation.cameras.clip import ClipShape
from sysmanager.simulation.cameras.config import CamerasConfig
from sysmanager.simulation.cameras.server import CameraServer
from tests.helpers.hours import turning
from tests.helpers.recording import Recording

SHAPE = ClipShape(width=160, height=96, fps=20, gop_frames=6, groups=10, bit_rate_kbps=100)
CAMERA = CameraId("cam-001")


@pytest.fixture
async def recording(tmp_path: Path) -> AsyncIterator[Recording]:
    recording = Recording(tmp_path / "disk")
    yield recording
    await recording.close()


@pytest.fixture
async def camera(tmp_path: Path) -> AsyncIterator[CameraPlan]:
    async with CameraServer(CamerasConfig(count=1, cache=tmp_path / "clips", port=0, clip=SHAPE)) as server:
        yield CameraPlan(id=CAMERA, name="Gate", url=server.url(CAMERA))


def soon(letters: str, in_s: int) -> tuple[Timetable, int]:
    """Hours that are one thing now and another in so many whole seconds, and when that is."""
    at_s = int(time.time()) + in_s
    return turning(letters, at_s), at_s * 1000


def times_ms(recording: Recording) -> list[int]:
    return [frame.at_us // 1000 for piece in segments([recording.disk], CAMERA) for frame in read_frames(piece.path)]


async def until(recording: Recording, condition: Callable[[], bool]) -> None:
    await recording.until(condition)


async def test_a_camera_whose_time_begins_is_recorded_from_then_on(recording: Recording, camera: CameraPlan) -> None:
    hours, begins_ms = soon("oc", 3)
    recording.capture.start([camera], 1, {CAMERA: CameraRules(hours=hours)})
    status = recording.status(CAMERA)
    assert (status.state, status.frames, status.off.until_ms) == (CameraState.OFF, 0, begins_ms)
    assert not status.first_frame_ms
    await recording.until_state(CAMERA, CameraState.RECORDING)
    await recording.until_more(CAMERA, 10)
    await recording.close()
    found = times_ms(recording)
    gop_ms = 1000 * SHAPE.gop_frames // SHAPE.fps
    assert begins_ms <= min(found) < begins_ms + gop_ms + 100, "it was connected before, so that only the key frame was waited for"


async def test_a_camera_whose_time_ends_is_let_go_and_has_all_its_frames(recording: Recording, camera: CameraPlan) -> None:
    hours, ends_ms = soon("co", 2)
    recording.capture.start([camera], 1, {CAMERA: CameraRules(hours=hours)})
    await recording.until_more(CAMERA, 5)
    await until(recording, lambda: recording.status(CAMERA).state is CameraState.OFF)
    assert recording.status(CAMERA).off.from_ms == ends_ms
    assert not recording.capture.opening
    await until(recording, lambda: time.time() * 1000 > ends_ms + 700)
    found = times_ms(recording)
    frame_ms = 1000 // SHAPE.fps
    assert ends_ms - frame_ms - 60 <= max(found) < ends_ms
    assert all(after - before < 2 * frame_ms for before, after in pairwise(found))


async def test_a_camera_that_is_off_has_no_session(tmp_path: Path, recording: Recording) -> None:
    async with CameraServer(CamerasConfig(count=2, cache=tmp_path / "clips", port=0, clip=SHAPE)) as server:
        plans = [CameraPlan(id=CameraId(name), name=name, url=server.url(name)) for name in server.cameras]
        hours, _ = soon("oc", 300)
        recording.capture.start(plans, 1, {plans[0].id: CameraRules(hours=hours)})
        await recording.until_more(plans[1].id, 5)
        assert len(server.cameras[plans[0].id].sessions) == 0
        assert recording.status(plans[0].id).state is CameraState.OFF
        recording.capture.change(plans)
        await recording.until_state(plans[0].id, CameraState.RECORDING)
        await recording.until_more(plans[0].id, 3)


async def test_what_a_standby_held_of_a_camera_that_is_off_is_not_written(recording: Recording, camera: CameraPlan) -> None:
    recording.capture.hold([(camera, RingSettings(keep_ms=5_000))])
    await until(recording, lambda: recording.capture.held()[0].reaches_ms > 500)
    hours, _ = soon("oc", 300)
    recording.capture.start([camera], 2, {CAMERA: CameraRules(hours=hours)})
    recording.capture.hold(())
    assert recording.status(CAMERA).state is CameraState.OFF
    await recording.close()
    assert times_ms(recording) == []
