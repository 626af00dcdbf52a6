"""A recorder whose network is cut for real: a process in a network namespace, whose cable is pulled and plugged again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from sysmanager.app.site.cable import Cable
from sysmanager.bus.credentials import BusUser, load_credentials, save_credentials
from sysmanager.bus.nats import NatsBus
from sysmanager.bus.server import BusServer
from sysmanager.protocol.recorders import Beat, CameraState
from sysmanager.recorder.configuration import load_configuration
from sysmanager.simulation.cameras.clip import ClipShape
from sysmanager.simulation.cameras.config import CamerasConfig
from sysmanager.simulation.cameras.server import CameraServer
from tests.helpers.footage import numbers
from tests.helpers.machine_parts import NEAR, Cut, own_network
from tests.helpers.recorder_site import Coordinator, recorder_folder

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
SHAPE = ClipShape(width=160, height=96, fps=20, gop_frames=6, groups=10, bit_rate_kbps=100)
SERVICE = (
    "import sys; from pathlib import Path; from sysmanager.recorder.service_process import run_service;"
    "sys.exit(run_service(Path(sys.argv[1])))"
)
QUIET_S = 2.5


@asynccontextmanager
async def coordinator_behind(cut_folder: Path) -> AsyncIterator[Coordinator]:
    """A coordinator whose bus can be reached from the other end of the cable; the recorder's credentials lie in the folder."""
    server = BusServer(cut_folder / "bus")
    await server.start()
    credentials = load_credentials(server.credentials_path)
    cable = Cable(credentials.port, NEAR)
    await cable.open()
    save_credentials(cut_folder / "bus.json", replace(credentials.only(BusUser.RECORDER), url=f"nats://{NEAR}:{cable.port}"))
    bus = NatsBus(credentials, BusUser.COORDINATOR, "test")
    try:
        assert await bus.open(wait_ms=5000)
        coordinator = Coordinator(bus)
        await coordinator.open()
        yield coordinator
    finally:
        await bus.close()
        await cable.close()
        await server.close()


@asynccontextmanager
async def service(cut: Cut, config: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    command = cut.command(sys.executable, "-c", SERVICE, str(config))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        yield process
        process.terminate()
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def records(beat: Beat, after_ms: int = 0) -> bool:
    return any(camera.state is CameraState.RECORDING and (camera.last_frame_ms or 0) > after_ms for camera in beat.cameras)


async def test_a_recorder_whose_network_is_cut_comes_back_by_itself_and_loses_only_what_was_cut(tmp_path: Path) -> None:
    with own_network() as cut:
        config = CamerasConfig(count=1, cache=tmp_path / "clip", port=0, host=NEAR, clip=SHAPE)
        async with CameraServer(config) as cameras, coordinator_behind(tmp_path) as coordinator:
            path = recorder_folder(tmp_path, "gate", {"cam-001": cameras.url("cam-001")})
            disk = load_configuration(path).disk_paths["D:"]
            live = cameras.cameras["cam-001"]
            async with service(cut, path) as process:
                beat = await coordinator.beat("gate", records)
                beat = await coordinator.beat("gate", lambda found: found.sequence >= beat.sequence + 2)
                cut.pull()
                cut_at, heard = live.frame, coordinator.beats["gate"]
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(QUIET_S):
                        await coordinator.beat("gate", lambda found: found.sequence > heard.sequence + 1)
                assert process.returncode is None
                cut.plug()
                plugged_at = live.frame
                last_ms = max(camera.last_frame_ms or 0 for camera in heard.cameras)
                beat = await coordinator.beat("gate", lambda found: records(found, last_ms + round(QUIET_S * 1000)))
                assert (beat.instance, beat.boot) == (heard.instance, heard.boot), "it is the same service"
                beat = await coordinator.beat("gate", lambda found: found.sequence >= beat.sequence + 2)
    found = numbers([disk], "cam-001", 0)
    assert found == sorted(set(found))
    before, after = [n for n in found if n < cut_at], [n for n in found if n > plugged_at]
    assert before == list(range(before[0], before[0] + len(before)))
    assert before[-1] >= cut_at - 2
    assert after, "it records again"
    assert after == list(range(after[0], after[0] + len(after)))
