"""Material copies and drills from the command line: what is asked, what is printed, and with which exit status it ends."""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator

import pytest

from sysmanager import api
from sysmanager.app.commands import jobs
from sysmanager.app.errors import CommandError
from sysmanager.domain.ids import JobId
from sysmanager.domain.jobs import CameraCoverage, Uncovered
from tests.ui import site


class Client:
    """Answers `reply`, then tells of the rows of one job, one after the other."""

    def __init__(self, *rows: api.JobRow, reply: api.Reply | None = None) -> None:
        self.rows = rows
        self.reply = reply or api.Done(sentence="Done.", job=JobId("J00001"))
        self.requests: list[api.Request] = []

    async def snapshot(self) -> api.Snapshot:
        import msgspec

        return msgspec.structs.replace(site.harbour(), jobs=self.rows)

    async def request(self, request: api.Request) -> api.Reply:
        self.requests.append(request)
        return self.reply

    async def changes(self) -> AsyncIterator[api.Changes]:
        for number, row in enumerate(self.rows):
            yield api.Changes(sequence=number, jobs=(row,))


def copy_row(phase: api.JobPhase = api.JobPhase.COPYING, **more: object) -> api.JobRow:
    values: dict[str, object] = {"percent": 40, "left_ms": 125_000, "sentence": "It copies.", **more}
    return api.JobRow(
        id=JobId("J00001"),
        number=1,
        kind=api.JobKind.COPY,
        recorder=site.rid("TA-REC-05"),
        server=site.rid("TA-FO-01"),
        phase=phase,
        actor=api.Actor(name="admin"),
        started_ms=site.NOW_MS,
        **values,  # type: ignore[arg-type]  # fields of a row
    )


def args(**more: object) -> argparse.Namespace:
    return argparse.Namespace(**{"json": False, "wait": False, "all": False, **more})


async def test_open_jobs_are_listed_and_ended_ones_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    client = Client(copy_row(), copy_row(api.JobPhase.READY))
    assert await jobs._jobs(client, args()) == 0  # type: ignore[arg-type]  # a client in memory
    told = capsys.readouterr().out
    assert "40 %, 2 min left" in told
    assert told.count("J00001") == 1
    await jobs._jobs(client, args(all=True, json=True))  # type: ignore[arg-type]  # a client in memory
    assert len(json.loads(capsys.readouterr().out)) == 2


async def test_a_copy_is_followed_to_its_end_with_what_remains_uncovered(capsys: pytest.CaptureFixture[str]) -> None:
    camera = api.CameraId("c1")
    covered = CameraCoverage(camera=camera, hours=2, size_bytes=5_000_000, uncovered=(Uncovered(camera, 1_000, 3_000, "checksum differs"),))
    client = Client(copy_row(), copy_row(api.JobPhase.FAILED, coverage=(covered,)))
    assert await jobs._copy(client, args(entry="F00001", wait=True)) == 1  # type: ignore[arg-type]  # a client in memory
    assert client.requests == [api.StartCopy(failover=api.FailoverId("F00001"))]
    told = capsys.readouterr().out
    assert "c1: 2 hours, 5.0 MB copied and verified" in told
    assert "checksum differs" in told


async def test_a_drill_says_the_time_to_the_first_frame_of_each_camera(capsys: pytest.CaptureFixture[str]) -> None:
    trials = (
        api.Trial(api.CameraId("c1"), True, 420),
        api.Trial(api.CameraId("c2"), True, -1, "gives no frame"),
        api.Trial(api.CameraId("c3"), False),
    )
    client = Client(copy_row(api.JobPhase.READY, trials=trials))
    assert await jobs._drill(client, args(server="TA-REC-05", wait=True)) == 0  # type: ignore[arg-type]  # a client in memory
    told = capsys.readouterr().out
    assert "c1: first frame after 0.42 s" in told
    assert "c2: no frame: gives no frame" in told
    assert "c3: described itself" in told
    await jobs._drill(client, args(server="TA-REC-05", wait=True, json=True))  # type: ignore[arg-type]  # a client in memory
    assert json.loads(capsys.readouterr().out)["phase"] == "ready"


async def test_refusals_and_a_job_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    client = Client(reply=api.Refused(sentence="Not now."))
    assert await jobs._on_job(client, args(job="J00001", request=api.PauseJob)) == 1  # type: ignore[arg-type]  # a client in memory
    assert "Not now." in capsys.readouterr().err
    with pytest.raises(CommandError, match="was not found"):
        await jobs._copy(Client(), args(entry="F00001", wait=True))  # type: ignore[arg-type]  # a client in memory
    client = Client()
    assert await jobs._on_job(client, args(job="J00001", request=api.CancelJob)) == 0  # type: ignore[arg-type]  # a client in memory
    assert client.requests == [api.CancelJob(job=JobId("J00001"))]


async def test_what_happens_by_itself_is_shown_and_changed(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = {"copy": None, "copy_limit": None, "copy_hours": None, "drill_every": None, "drill_hours": None}
    client = Client()
    assert await jobs._automate(client, args(server="TA-REC-05", **nothing)) == 0  # type: ignore[arg-type]  # a client in memory
    told = capsys.readouterr().out
    assert "material copy after a failback: by hand, no limit, at any time" in told
    assert "drills: as its group says" in told
    await jobs._automate(client, args(server="TA-REC-05", **nothing, json=True))  # type: ignore[arg-type]  # a client in memory
    assert client.requests == []
    wanted = {**nothing, "copy": "yes", "copy_limit": 800, "drill_every": 30}
    await jobs._automate(client, args(server="TA-REC-05", **wanted))  # type: ignore[arg-type]  # a client in memory
    (request,) = client.requests
    assert isinstance(request, api.EditRecorder)
    assert request.fields.material_copy == api.MaterialCopySettings(automatic=True, limit_kbps=800)
    assert request.fields.drill == api.DrillSchedule(every_days=30)
