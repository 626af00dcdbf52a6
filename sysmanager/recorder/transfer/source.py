"""A recorder serves its material to another one of the site: HTTP over TLS 1.3, one job at a time let in by its token."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import web

from sysmanager.domain.ids import CameraId, Epoch, RecorderId, is_identifier
from sysmanager.protocol.material import job_of
from sysmanager.recorder.transfer.hours import BLOCK_BYTES, Shelf, StoredPiece

log = structlog.get_logger(__name__)

VERSION: Final = "1"
RETRY_S: Final = 5
CLOSE_S: Final = 2.0
_RANGE = re.compile(r"bytes=(\d{1,15})-")


class MaterialSource:
    """Serves what lies on the shelf. busy: whether recording needs the disks now."""

    def __init__(self, recorder: RecorderId, shelf: Shelf, material_key: bytes, context: ssl.SSLContext, busy: Callable[[], bool]) -> None:
        self._recorder = recorder
        self._shelf = shelf
        self._key = material_key
        self._context = context
        self._busy = busy
        self._runner: web.AppRunner | None = None
        self.address = ""

    async def start(self, host: str, port: int) -> None:
        """Listen; `address` says where. Raises OSError when it cannot."""
        app = web.Application()
        base = f"/material/{VERSION}/{{home}}/{{epoch:\\d{{1,16}}}}/{{camera}}/{{hour:\\d{{1,9}}}}"
        app.router.add_get(base, self._list)
        app.router.add_get(base + "/{name}", self._give)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=self._context)
        await site.start()
        assert site._server is not None, "it has started"
        bound = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined] # a server of asyncio, which has sockets
        shown = f"[{host}]" if ":" in host else host
        self.address = f"https://{shown}:{bound}"

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _admit(self, request: web.Request) -> tuple[RecorderId, Epoch, CameraId, int]:
        """What is asked for, if the token lets its bearer have it."""
        home, camera = RecorderId(request.match_info["home"]), CameraId(request.match_info["camera"])
        epoch, hour = Epoch(int(request.match_info["epoch"])), int(request.match_info["hour"])
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        now_s = int(time.time())
        job = job_of(token, self._key, source=self._recorder, target=home, epoch=epoch, now_s=now_s) if scheme == "Bearer" else None
        if job is None:
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        if not is_identifier(camera):
            raise web.HTTPNotFound
        if self._busy():
            raise web.HTTPServiceUnavailable(headers={"Retry-After": str(RETRY_S)})
        return home, epoch, camera, hour

    async def _list(self, request: web.Request) -> web.Response:
        _, epoch, camera, hour = self._admit(request)
        pieces = await asyncio.to_thread(self._shelf.pieces, camera, epoch, hour)
        if not pieces:
            raise web.HTTPNotFound
        return web.json_response({"pieces": [_described(piece) for piece in pieces]})

    async def _give(self, request: web.Request) -> web.StreamResponse:
        _, epoch, camera, hour = self._admit(request)
        name = request.match_info["name"]
        pieces = await asyncio.to_thread(self._shelf.pieces, camera, epoch, hour)
        piece = next((piece for piece in pieces if piece.path.name == name), None)
        if piece is None:
            raise web.HTTPNotFound
        found = _RANGE.fullmatch(request.headers.get("Range", "bytes=0-"))
        start = int(found[1]) if found is not None else -1
        if not 0 <= start < piece.size_bytes:
            raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{piece.size_bytes}"})
        response = web.StreamResponse(status=206)
        response.headers["Content-Range"] = f"bytes {start}-{piece.size_bytes - 1}/{piece.size_bytes}"
        response.content_length = piece.size_bytes - start
        await response.prepare(request)
        try:
            file = await asyncio.to_thread(piece.path.open, "rb")
        except OSError as error:
            raise ConnectionResetError from error  # the head has gone: what is missing says so
        try:
            await asyncio.to_thread(file.seek, start)
            while block := await asyncio.to_thread(file.read, BLOCK_BYTES):
                await response.write(block)
        except OSError as error:
            log.warning("material not served", piece=name, why=error.strerror or str(error))
            raise ConnectionResetError from error
        finally:
            await asyncio.to_thread(file.close)
        await response.write_eof()
        return response


def _described(piece: StoredPiece) -> dict[str, object]:
    return {
        "name": piece.path.name,
        "sha256": piece.sha256,
        "size_bytes": piece.size_bytes,
        "frames": piece.frames,
        "first_ms": piece.first_ms,
        "last_ms": piece.last_ms,
        "why": piece.why,
    }
