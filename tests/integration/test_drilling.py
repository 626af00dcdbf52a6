"""A drill with real streams: each camera's first frame is timed, others are only asked, and nothing is left of it (SPEC 14.3)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.recorder.drilling import SCRATCH, DrillFailed, drill
from sysmanager.recorder.session import CameraPlan
from sysmanager.simulation.cameras.config import CamerasConfig
from sysmanager.simulation.cameras.control import execute
from sysmanager.simulation.cameras.server import CameraServer
from tests.integration.test_capture import SHAPE


@pytest.fixture
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CameraServer]:
    cache = tmp_path_factory.getbasetemp() / "drill-clip"
    async with CameraServer(CamerasConfig(count=4, cache=cache, port=0, clip=SHAPE, sessions_per_camera=1)) as server:
        yield server


def plan(server: CameraServer, camera: str) -> CameraPlan:
    return CameraPlan(id=CameraId(camera), name=camera, url=server.url(camera))


async def held(
    server: CameraServer, folder: Path, opened: list[str], described: list[str], seconds: float = 0.3
) -> list[tuple[str, bool, bool, str]]:
    tried = await drill(
        [plan(server, camera) for camera in opened],
        [plan(server, camera) for camera in described],
        data_folder=folder,
        seconds=seconds,
        chance=random.Random(1),
    )
    return [(each.camera, each.opened, each.first_frame_ms >= 0, each.sentence) for each in tried]


async def test_cameras_are_opened_timed_and_left_again(server: CameraServer, tmp_path: Path) -> None:
    assert execute(server, "refuse cam-004") == "ok"
    (tmp_path / SCRATCH).mkdir()
    (tmp_path / SCRATCH / "left over").write_bytes(b"of a drill that was killed")
    found = await held(server, tmp_path, ["cam-001", "cam-002"], ["cam-003", "cam-004"])
    assert found[:3] == [("cam-001", True, True, ""), ("cam-002", True, True, ""), ("cam-003", False, False, "")]
    assert found[3][:3] == ("cam-004", False, False)
    assert "ends the connection" in found[3][3]
    assert not (tmp_path / SCRATCH).exists()


async def test_a_camera_that_gives_no_frame_is_named_with_its_reason(
    server: CameraServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysmanager.recorder.drilling.FIRST_FRAME_S", 1.5)
    assert execute(server, "refuse cam-002") == "ok"
    found = await held(server, tmp_path, ["cam-001", "cam-002"], [])
    assert found[0] == ("cam-001", True, True, "")
    assert found[1][:3] == ("cam-002", True, False)
    assert "cam-002" in found[1][3]


async def test_a_drill_that_is_ended_lets_go_of_the_cameras_and_leaves_nothing(server: CameraServer, tmp_path: Path) -> None:
    holding = asyncio.create_task(held(server, tmp_path, ["cam-001"], ["cam-002"], seconds=60))
    async with asyncio.timeout(20):
        while not server.cameras["cam-001"].sessions:  # noqa: ASYNC110 - the synthetic camera has no event to wait for
            await asyncio.sleep(0.02)
        holding.cancel()
        await asyncio.wait({holding})
        while server.cameras["cam-001"].sessions:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert holding.cancelled()
    assert not (tmp_path / SCRATCH).exists()


async def test_without_a_place_for_scratch_it_is_not_held(server: CameraServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DrillFailed, match="can't be made"):
        await held(server, tmp_path / "file", ["cam-001"], [])
    assert not server.cameras["cam-001"].sessions
