"""The self-test of a failover server that waits: each part finds what it is there for, and nothing hangs it (SPEC 16)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder import selftest
from sysmanager.recorder.reconnect import Problem
from sysmanager.recorder.selftest import SelfTest, Surroundings
from sysmanager.recorder.session import CameraPlan


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


class Server:
    """A server that waits, with two disks; what is wrong with it is set."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.waits = True
        self.beats = 0
        self.disks = {"D:": folder / "d", "E:": folder / "e"}
        for disk in self.disks.values():
            disk.mkdir()
        (folder / "data").mkdir()
        around = {
            "disks": self.disks,
            "data_folder": folder / "data",
            "minimum_free_bytes": 1,
            "camera_limit": 4,
            "has_key": lambda: True,
            "cameras": lambda: (),
            "address": lambda: "",
            "wall_ms": lambda: 1_234,
        }
        self.test = SelfTest(Surroundings(**{**around, **changes}), wanted=lambda: self.waits, changed=self._beat)

    def _beat(self) -> None:
        self.beats += 1

    @staticmethod
    async def until(holds: Callable[[], bool]) -> None:
        """Let the others run until that is so."""
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 - what it waits for is told in no event
                await asyncio.sleep(0)

    def files(self) -> list[Path]:
        return [path for folder in (*self.disks.values(), self.disks["D:"].parent / "data") for path in folder.iterdir()]

    async def problems(self) -> tuple[str, ...]:
        return (await self.test.test()).problems


def camera(name: str) -> CameraPlan:
    return CameraPlan(id=CameraId(name), name=name.capitalize(), url=f"rtsp://192.0.2.1/{name}")


async def test_a_sound_server_passes_and_leaves_nothing_behind(tmp_path: Path, address: str) -> None:
    server = Server(tmp_path, address=lambda: address)
    report = await server.test.test()
    assert (report.passed, report.wall_ms, report.problems, report.camera) == (True, 1_234, (), "")
    assert server.test.report == report
    assert server.beats == 1
    assert server.files() == []
    server.waits = False
    assert server.test.report is None, "it is said of servers that wait only"


async def test_each_disk_is_written_and_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(tmp_path)
    server.disks["D:"].rmdir()
    (found,) = await server.problems()
    assert "The material disk D: is not there" in found
    server.disks["D:"].mkdir()
    monkeypatch.setattr(Path, "read_bytes", lambda self: b"rotten" if "/e/" in self.as_posix() else b"")
    both = await server.problems()
    assert both[1] == "The material disk E: gives back other bytes than were written. Replace it."
    monkeypatch.undo()
    monkeypatch.setattr(selftest, "write_durably", lambda path, content: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    found_all = await server.problems()
    assert "The material disk D: can't be written and read back (No space left on device)." in found_all
    assert any("no order could be saved" in one for one in found_all)


async def test_too_little_space_is_found(tmp_path: Path) -> None:
    found = await Server(tmp_path, minimum_free_bytes=1 << 62).problems()
    assert len(found) == 2
    assert all("MB free. Free some space on it." in one for one in found)


async def test_a_disk_that_hangs_holds_up_nothing_and_is_not_tried_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "DISK_S", 0.05)
    hang, entered = threading.Event(), []
    right = selftest.write_durably

    def write(path: Path, content: bytes) -> None:
        if path.parent.name == "e":
            entered.append(path)
            hang.wait(30)
        right(path, content)

    monkeypatch.setattr(selftest, "write_durably", write)
    server = Server(tmp_path)
    for _ in range(2):
        assert "The material disk E: does not answer. Check the disk, its cable or the network share." in await server.problems()
    assert len(entered) == 1
    hang.set()
    await server.until(lambda: not server.test._busy)
    monkeypatch.setattr(selftest, "DISK_S", 20.0)
    assert await server.problems() == ()


async def test_without_the_site_key_or_its_own_service_it_fails(tmp_path: Path, address: str) -> None:
    dead = "https://127.0.0.1:9"
    found = await Server(tmp_path, has_key=lambda: False, address=lambda: dead).problems()
    assert found[0].startswith(f"Its own material service at {dead} can't be reached")
    assert found[1].startswith("The site key can't be used")


async def test_files_and_memory_must_be_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(tmp_path, camera_limit=1_000_000_000)
    found = await server.problems()
    assert any("MB of memory left" in one for one in found)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1 << 62))
    (files,) = await server.problems()
    assert "Raise the limit of open files (LimitNOFILE)." in files


async def test_each_camera_that_it_knows_describes_itself_in_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def describe(plan: CameraPlan, timeout_s: float) -> Problem | None:
        asked.append(plan.id)
        states = {"dark": CameraState.UNREACHABLE, "busy": CameraState.BUSY}
        return Problem(states[plan.id], f"{plan.name} does not answer.") if plan.id in states else None

    monkeypatch.setattr(selftest, "describe", describe)
    server = Server(tmp_path, cameras=lambda: (camera("good"), camera("dark"), camera("busy")))
    reports = [await server.test.test() for _ in range(3)]
    assert sorted(asked) == ["busy", "dark", "good"]
    assert {report.camera: report.problems for report in reports} == {"good": (), "busy": (), "dark": ("Dark does not answer.",)}


async def test_it_tests_again_and_again_while_it_waits_and_not_while_it_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "LOOK_S", 0.001)
    server = Server(tmp_path)
    looks = 0
    right = asyncio.sleep

    async def sleep(pause_s: float) -> None:
        nonlocal looks
        looks += 1
        await right(pause_s)

    monkeypatch.setattr(selftest.asyncio, "sleep", sleep)
    running = asyncio.create_task(server.test.run(every_s=0.002))
    await server.until(lambda: server.beats >= 3)
    server.waits = False
    await server.until(lambda: server.test.report is None and looks > 0)
    beats, before = server.beats, looks
    await server.until(lambda: looks >= before + 20)
    assert server.beats <= beats + 1
    server.waits = True
    await server.until(lambda: server.beats >= beats + 3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
