"""A camera that is only asked for its description: what is wrong is told apart, and it costs no session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.describing import describe
from sysmanager.recorder.session import CameraPlan
from sysmanager.simulation.cameras.auth import Scheme
from sysmanager.simulation.cameras.config import CamerasConfig
from sysmanager.simulation.cameras.control import execute
from sysmanager.simulation.cameras.server import CameraServer
from tests.integration.test_capture import SHAPE

WAIT_S = 5.0


def plan(url: str, user: str = "viewer", password: str = "p@ss/word") -> CameraPlan:
    return CameraPlan(id=CameraId("cam-001"), name="Gate", url=url, user=user, password=password)


@asynccontextmanager
async def cameras(cache: Path, scheme: Scheme = "digest") -> AsyncIterator[CameraServer]:
    config = CamerasConfig(
        count=1, cache=cache, port=0, clip=SHAPE, authentication=scheme, username="viewer", password="p@ss/word", sessions_per_camera=1
    )
    async with CameraServer(config) as server:
        yield server


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.mark.parametrize("scheme", ["none", "basic", "digest"])
async def test_a_camera_that_is_well_describes_itself_and_keeps_its_only_session(cache: Path, scheme: Scheme) -> None:
    async with cameras(cache, scheme) as server:
        assert await describe(plan(server.url("cam-001")), WAIT_S) is None
        assert not server.cameras["cam-001"].sessions


@pytest.mark.parametrize(
    ("path", "password", "state"),
    [
        ("cam-001", "wrong", CameraState.WRONG_PASSWORD),
        ("cam-001", "", CameraState.WRONG_PASSWORD),
        ("cam-009", "p@ss/word", CameraState.NOT_FOUND),
    ],
)
async def test_what_is_wrong_is_told_apart_without_the_password(cache: Path, path: str, password: str, state: CameraState) -> None:
    async with cameras(cache) as server:
        url = server.url("cam-001").replace("cam-001", path)
        problem = await describe(plan(url, "viewer" if password else "", password), WAIT_S)
    assert problem is not None
    assert problem.state is state
    assert "Gate" in problem.sentence
    assert "word" not in problem.sentence.replace("password", "")


async def test_a_camera_that_refuses_or_is_not_there(cache: Path) -> None:
    async with cameras(cache) as server:
        url = server.url("cam-001")
        assert execute(server, "refuse cam-001") == "ok"
        refused = await describe(plan(url), WAIT_S)
        assert execute(server, "blackhole cam-001") == "ok"
        silent = await describe(plan(url), 0.3)
    gone = await describe(plan(url), WAIT_S)
    assert [problem.state for problem in (refused, silent, gone) if problem is not None] == [
        CameraState.REFUSED,
        CameraState.UNREACHABLE,
        CameraState.REFUSED,
    ]


@pytest.mark.parametrize("url", ["http://127.0.0.1/x", "rtsp://", "rtsp://[bad/x", "nonsense"])
async def test_an_address_that_is_none(url: str) -> None:
    problem = await describe(plan(url), WAIT_S)
    assert problem is not None
    assert problem.state is CameraState.FAILED


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that gives these answers, one to each request; and what it was asked."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(answer)
            await writer.drain()
        writer.close()

    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] = serve
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    async with server:
        yield f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/x", asked


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", CameraState.FAILED),
        (b"garbage\r\n\r\n", CameraState.FAILED),
        (b"RTSP/1.0 453 Not Enough Bandwidth\r\n\r\n", CameraState.BUSY),
        (b"RTSP/1.0 503 Busy\r\n\r\n", CameraState.BUSY),
        (b"RTSP/1.0 461 Unsupported\r\n\r\n", CameraState.FAILED),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n", CameraState.FAILED),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nv=0", CameraState.REFUSED),
        (b"x" * 70_000, CameraState.FAILED),
        (b"", CameraState.REFUSED),
    ],
)
async def test_answers_that_make_no_sense(answer: bytes, state: CameraState) -> None:
    async with answering(answer) as (url, _):
        problem = await describe(plan(url), WAIT_S)
    assert problem is not None
    assert problem.state is state


async def test_digest_as_newer_cameras_ask_for_it() -> None:
    challenge = (
        b'RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth", opaque="o"\r\n'
        b'WWW-Authenticate: Basic realm="r"\r\n\r\n'
    )
    async with answering(challenge, b"RTSP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nv=0") as (url, asked):
        assert await describe(plan(url), WAIT_S) is None
    header = next(line for line in asked[1].split("\r\n") if line.startswith("Authorization"))
    for part in ('username="viewer"', 'opaque="o"', "qop=auth", "nc=00000001", "algorithm=SHA-256"):
        assert part in header
    assert len(header.rpartition('response="')[2].rstrip('"')) == 64


async def test_a_challenge_that_is_not_understood_falls_back_to_basic_or_gives_up() -> None:
    unknown = b'RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD4\r\n'
    async with answering(unknown + b'WWW-Authenticate: Basic realm="r"\r\n\r\n', b"RTSP/1.0 200 OK\r\n\r\n") as (url, asked):
        assert await describe(plan(url), WAIT_S) is None
    assert "Authorization: Basic " in asked[1]
    async with answering(unknown + b"\r\n") as (url, _):
        problem = await describe(plan(url), WAIT_S)
    assert problem is not None
    assert problem.state is CameraState.WRONG_PASSWORD
