"""Pictures of simulated cameras, and the whole way to them: client, coordinator, server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from sysmanager import api
from sysmanager.app.commands import picture as command
from sysmanager.app.errors import CommandError
from sysmanager.bus.local import LocalBus
from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.domain.ids import CameraId
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.engine.cache import DocumentCache
from sysmanager.engine.clients import LocalClient
from sysmanager.engine.clock import SystemClock
from sysmanager.engine.engine import Engine
from sysmanager.engine.field import Field
from sysmanager.journal.memory import MemoryJournal
from sysmanager.protocol.pictures import AskPicture, NoPicture, Picture
from sysmanager.recorder.pictures import decoded
from sysmanager.recorder.segments import StreamKind
from sysmanager.simulation.demo_site import demo_plan
from sysmanager.simulation.live import SimulatedSite
from sysmanager.simulation.pictures import drawn, picture_of
from sysmanager.simulation.surroundings import Pace
from tests.ui import site as rows

FAST = Pace(start_ms=(1, 2), fetch_ms=(1, 2), save_ms=(1, 2), first_frame_ms=(1, 2), retry_ms=5, report_ms=1)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - the simulated server lives on the real clock
            await asyncio.sleep(0.005)


def test_each_camera_has_a_picture_of_its_own_that_changes_with_the_time() -> None:
    first, width, height = drawn("Gate", 1_000_000, 640)
    assert (width, height) == (640, 360)
    assert decoded(StreamKind(codec="mjpeg"), first).width == 640
    assert drawn("Gate", 1_000_000, 640)[0] == first
    assert drawn("Gate", 1_001_000, 640)[0] != first
    assert drawn("Yard", 1_000_000, 640)[0] != first
    assert drawn("Länsiportti – 東 and a name that is far too long for the picture", 1_000_000, 320)[1:] == (320, 180)


async def test_a_client_gets_the_picture_of_a_simulated_camera_and_a_sentence_where_there_is_none() -> None:
    bus, store = LocalBus(), MemoryDocumentStore()
    simulated = SimulatedSite(demo_plan(standard=1, seed=1), seed=1, pace=FAST)
    endpoint = bus.endpoint()
    field = Field(endpoint, store)
    engine = Engine(MemoryJournal(), field, DocumentCache(store, field.document), SystemClock(), site="Demo")
    await engine.start()
    await simulated.start(bus)
    client = LocalClient(engine, Actor(name="anna", role=RoleName.MONITORING))
    admin = LocalClient(engine, Actor(name="otto", role=RoleName.ADMINISTRATOR))
    try:
        one = next(server.id for server in simulated.servers() if not server.failover)
        recorder = simulated._servers[one].recorder
        await until(lambda: len(recorder.capture.recorded()) > 2)
        fields = api.RecorderEdit(
            name="Gate server", address="", role=api.Role.STANDARD, group=None, failover_enabled=False, detection_timeout_s=60
        )
        assert isinstance(await admin.request(api.AddRecorder(id=one, fields=fields)), api.Done)
        await until(lambda: bool(engine._core.state.recorders[one].settings.cameras) and engine._core.seen.connected(one))
        camera = sorted(recorder.capture.recorded())[0]
        picture = await client.ask(api.ShowPicture(recorder=one, camera=camera))
        assert isinstance(picture, Picture)
        assert (picture.recorder, picture.camera) == (one, camera)
        assert picture.jpeg.startswith(b"\xff\xd8\xff")
        nobody = LocalClient(engine, Actor(name="nobody", role=None))
        assert isinstance(await nobody.ask(api.ShowPicture(recorder=one, camera=camera)), api.Refused), "who may see nothing sees none"
        nothing = picture_of(recorder, AskPicture(camera=CameraId("other")), 1)
        assert nothing == NoPicture(sentence=f"{one} does not record this camera now.")
        simulated.cameras.dark.add(camera)
        recorder.cameras_changed()
        await until(lambda: camera not in recorder.capture.recorded())
        await until(lambda: isinstance(picture_of(recorder, AskPicture(camera=camera), 1), NoPicture))
        refused = await client.ask(api.ShowPicture(recorder=one, camera=camera))
        assert isinstance(refused, api.Refused)
        assert refused.sentence.endswith("is unreachable; there is no picture of it.")
        recorder.crash()
        refused = await client.ask(api.ShowPicture(recorder=one, camera=camera))
        assert isinstance(refused, api.Refused)
        unknown = await client.ask(api.ShowPicture(recorder=api.RecorderId("Z"), camera=camera))
        assert unknown == api.Refused(sentence="There is no server Z; see the list of servers.")
    finally:
        await simulated.stop()
        await engine.stop()
        await endpoint.close()


class Client:
    def __init__(self, answer: api.Answer) -> None:
        self.answer = answer
        self.asked: list[api.Question] = []

    async def snapshot(self) -> api.Snapshot:
        return rows.harbour()

    async def ask(self, question: api.Question) -> api.Answer:
        self.asked.append(question)
        return self.answer


def taken(camera: str) -> Picture:
    jpeg = b"\xff\xd8picture"
    name = CameraId(camera)
    return Picture(recorder=rows.rid("TA-REC-01"), camera=name, taken_wall_ms=1_000, age_ms=2_400, width=640, height=360, jpeg=jpeg)


def arguments(camera: str, out: Path, **more: object) -> object:
    import argparse

    return argparse.Namespace(**{"camera": camera, "out": out, "server": None, "json": False, **more})


async def test_the_command_saves_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = next(row for row in rows.harbour().recorders if row.id == "TA-REC-01")
    camera = row.cameras[0]
    out = tmp_path / "gate.jpg"
    client = Client(taken(camera.id))
    assert await command._picture(client, arguments(camera.id, out, server="TA-REC-01")) == 0  # type: ignore[arg-type]
    assert out.read_bytes() == b"\xff\xd8picture"
    assert client.asked == [api.ShowPicture(recorder=row.id, camera=camera.id)]
    assert ", 2 s old, from TA-REC-01: " in capsys.readouterr().out
    assert await command._picture(client, arguments(camera.id, out, server="TA-REC-01", json=True)) == 0  # type: ignore[arg-type]
    assert '"age_ms": 2400' in capsys.readouterr().out


async def test_the_command_says_why_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = next(row for row in rows.harbour().recorders if row.id == "TA-REC-01")
    asked = arguments(row.cameras[0].id, tmp_path / "x.jpg", server="TA-REC-01")
    assert await command._picture(Client(api.Refused(sentence="Gate is dark.")), asked) == 1  # type: ignore[arg-type]
    assert capsys.readouterr().out == "No picture: Gate is dark.\n"
    assert not (tmp_path / "x.jpg").exists()
    with pytest.raises(CommandError, match="There is no camera nowhere"):
        await command._picture(Client(api.Refused(sentence="")), arguments("nowhere", tmp_path / "x.jpg"))  # type: ignore[arg-type]
    with pytest.raises(CommandError, match="can't be written"):
        await command._picture(Client(taken("c")), arguments(row.cameras[0].id, tmp_path, server="TA-REC-01"))  # type: ignore[arg-type]
