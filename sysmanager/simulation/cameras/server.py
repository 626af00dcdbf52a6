"""The RTSP server of the synthetic cameras (RFC 2326; RTP over the RTSP connection only)."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from urllib.parse import quote, unquote, urlsplit

import structlog

from sysmanager.simulation.cameras.auth import Gate
from sysmanager.simulation.cameras.clip import load_clip
from sysmanager.simulation.cameras.config import CamerasConfig, CamerasError
from sysmanager.simulation.cameras.control import serve_control
from sysmanager.simulation.cameras.live import Fault, LiveCamera, Session
from sysmanager.simulation.cameras.rtp import RtpStream, describe

log = structlog.get_logger()

_REQUEST_LIMIT_BYTES = 16_384
_IDLE_LIMIT_S = 60.0
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    461: "Unsupported Transport",
}


class CameraServer:
    """`config.count` live cameras behind one RTSP port, with a control port beside it.

    Use in one event loop: `await start()`, `await stop()`, or `async with`. Ports are known after the start.
    """

    def __init__(self, config: CamerasConfig) -> None:
        config.check()
        self.config = config
        self.port = 0
        self.control_port = 0
        self.cameras: dict[str, LiveCamera] = {}
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._connections: set[_Client] = set()
        self._cut: set[str] = set()

    async def start(self) -> None:
        """Make or load the clip, listen, start the cameras. CamerasError with one sentence when that fails."""
        config = self.config
        try:
            clip = await asyncio.to_thread(load_clip, config.cache, config.clip)
        except OSError as error:
            raise CamerasError(f"The folder {config.cache} cannot be used for the cameras' clip: {error.strerror or error}.") from None
        for index, camera in enumerate(config.camera_ids()):
            self.cameras[camera] = LiveCamera(
                camera, index, clip, session_limit=config.sessions_per_camera, sender_reports=config.sender_reports
            )
        self.port = await self._listen(self._connected, config.port)
        self.control_port = await self._listen(lambda r, w: serve_control(self, r, w), config.port + 1 if config.port else 0)
        started, wall_us = time.monotonic(), time.time_ns() // 1000
        self._tasks = [asyncio.create_task(camera.run(started, wall_us)) for camera in self.cameras.values()]

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for client in list(self._connections):
            client.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in list(self._connections):
            await client.ended.wait()
        self._tasks.clear()
        self._servers.clear()

    async def __aenter__(self) -> CameraServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def url(self, camera: str) -> str:
        """The stream address of a camera, without user and password."""
        return f"rtsp://{self.config.host}:{self.port}/{quote(camera, safe='')}"

    def set_fault(self, camera: str, fault: Fault) -> None:
        """Let a camera fail, or be well again. KeyError for a camera that is not there."""
        live = self.cameras[camera]
        live.fault = fault
        if fault is Fault.REFUSE:
            self.drop(camera)

    def drop(self, camera: str) -> None:
        """Break the connections of a camera once. KeyError for a camera that is not there."""
        self.cameras[camera].drop()

    def cut(self, word: str) -> None:
        """Clients whose User-Agent has this word reach no camera any more, until `mend`."""
        self._cut.add(word)
        for client in list(self._connections):
            if self.keeps_out(client.agent):
                client.abort()

    def mend(self, word: str) -> None:
        """Harmless for one that was not cut."""
        self._cut.discard(word)

    def keeps_out(self, agent: str) -> bool:
        return any(word in agent for word in self._cut)

    async def _listen(self, handler: asyncio.streams._ClientConnectedCallback, port: int) -> int:
        try:
            server = await asyncio.start_server(handler, self.config.host, port, limit=_REQUEST_LIMIT_BYTES)
        except OSError as error:
            await self.stop()
            raise CamerasError(
                f"The cameras cannot listen on {self.config.host}:{port}: {error.strerror or error}. Choose another port."
            ) from None
        self._servers.append(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client(self, reader, writer)
        self._connections.add(client)
        try:
            await client.serve()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, TimeoutError):
            pass  # a client that went away or talks no RTSP
        finally:
            client.close()
            self._connections.discard(client)
            client.ended.set()


class _Client:
    """One RTSP connection; at most one session of one camera."""

    def __init__(self, server: CameraServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self.ended = asyncio.Event()
        self._reader = reader
        self._writer = writer
        config = server.config
        self._gate = Gate(config.authentication, config.username, config.password)
        self._camera: LiveCamera | None = None
        self._session: Session | None = None
        self._session_id = secrets.token_hex(4)
        self.agent = ""

    # -- what a camera asks of it (live.Connection)

    def write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    def backlog_bytes(self) -> int:
        return self._writer.transport.get_write_buffer_size()

    def abort(self) -> None:
        self._writer.transport.abort()

    def close(self) -> None:
        if self._camera and self._session:
            self._camera.leave(self._session)
        self._writer.close()

    async def serve(self) -> None:
        while True:
            # A session is kept alive by its requests and RTCP packets; a client that says nothing for long is gone.
            async with asyncio.timeout(_IDLE_LIMIT_S):
                first = await self._reader.readexactly(1)
                if first == b"$":
                    head = await self._reader.readexactly(3)
                    await self._reader.readexactly(int.from_bytes(head[1:], "big"))
                    continue
                text = (first + await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                request = _Request.parse(text)
                if request is not None:
                    await self._reader.readexactly(request.content_length)
            if request is None:
                self._answer(400, "0")
                return
            if self._camera is None:
                self._camera = self._server.cameras.get(request.camera)
            self.agent = request.headers.get("user-agent", self.agent)
            if self._server.keeps_out(self.agent) or (self._camera is not None and self._camera.fault is Fault.REFUSE):
                return
            if self._camera is not None and self._camera.fault is Fault.BLACKHOLE:
                await self._swallow()
                return
            if not self._handle(request):
                await self._writer.drain()
                return

    async def _swallow(self) -> None:
        while await self._reader.read(4096):
            pass

    def _handle(self, request: _Request) -> bool:
        """Answer one request; False when the connection ends with it."""
        method, cseq = request.method, request.headers.get("cseq", "0")
        if method == "OPTIONS":
            self._answer(200, cseq, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
        elif not self._gate.admits(method, request.headers.get("authorization", "")):
            self._answer(401, cseq, f"WWW-Authenticate: {self._gate.challenge()}")
        elif self._camera is None:
            self._answer(404, cseq)
        elif method == "DESCRIBE":
            clip = self._camera.clip
            sdp = describe(clip.parameter_sets, clip.shape.fps, self._server.config.host)
            base = f"Content-Base: {request.url.rstrip('/')}/"
            self._answer(200, cseq, base, "Content-Type: application/sdp", body=sdp)
        elif method == "SETUP":
            self._setup(self._camera, request.headers.get("transport", ""), cseq)
        elif method == "PLAY":
            if self._session is None:
                self._answer(454, cseq)
            else:
                self._answer(200, cseq, f"Session: {self._session_id}", "Range: npt=now-")
                self._session.playing = True
        elif method == "GET_PARAMETER":
            self._answer(200, cseq, f"Session: {self._session_id}")
        elif method == "TEARDOWN":
            self._answer(200, cseq, f"Session: {self._session_id}")
            return False
        else:
            self._answer(405, cseq)
        return True

    def _setup(self, camera: LiveCamera, transport: str, cseq: str) -> None:
        if "TCP" not in transport:
            self._answer(461, cseq)
            return
        found = re.search(r"interleaved=(\d{1,3})", transport)
        channel = int(found[1]) & 0xFE if found else 0
        if self._session is None:
            session = Session(self, RtpStream(secrets.randbits(32), channel))
            if not camera.join(session):
                self._answer(453, cseq)
                return
            self._session = session
        ssrc = self._session.stream.ssrc
        self._answer(
            200,
            cseq,
            f"Transport: RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1};ssrc={ssrc:08x}",
            f"Session: {self._session_id};timeout={_IDLE_LIMIT_S:.0f}",
        )

    def _answer(self, code: int, cseq: str, *headers: str, body: str = "") -> None:
        lines = [f"RTSP/1.0 {code} {_REASONS[code]}", f"CSeq: {cseq}", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1", "replace"))


class _Request:
    """One RTSP request: method, address, the camera its path names, headers (names in lower case)."""

    def __init__(self, method: str, url: str, headers: dict[str, str], content_length: int) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.content_length = content_length
        self.camera = unquote(urlsplit(url).path.strip("/").split("/")[0])

    @classmethod
    def parse(cls, text: str) -> _Request | None:
        lines = text.split("\r\n")
        words = lines[0].split(" ")
        headers = {name.strip().lower(): value.strip() for name, colon, value in (line.partition(":") for line in lines[1:]) if colon}
        length = headers.get("content-length", "0")
        if len(words) != 3 or not words[2].startswith("RTSP/") or not length.isdigit() or int(length) > _REQUEST_LIMIT_BYTES:
            return None
        try:
            return cls(words[0], words[1], headers, int(length))
        except ValueError:
            return None
