"""What the server of a recorder's material answers: which pieces an hour has, and their bytes (protocol/MATERIAL.md).

Imported with the first connection, and aiohttp with it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from aiohttp import web

from sysmanager.domain.ids import CameraId, Epoch, RecorderId, is_identifier
from sysmanager.protocol.material import job_of
from sysmanager.recorder.transfer.hours import BLOCK_BYTES, Shelf, StoredPiece

log = structlog.get_logger(__name__)

VERSION: Final = "1"
RETRY_S: Final = 5
_PATH: Final = re.compile(rf"/material/{VERSION}/([^/]+)/(\d{{1,16}})/([^/]+)/(\d{{1,9}})(?:/([^/]+))?")
_RANGE: Final = re.compile(r"bytes=(\d{1,15})-")


class MaterialPages:
    """Answers for what lies on the shelf. busy: whether recording needs the disks now."""

    def __init__(self, recorder: RecorderId, shelf: Shelf, material_key: bytes, busy: Callable[[], bool]) -> None:
        self._recorder = recorder
        self._shelf = shelf
        self._key = material_key
        self._busy = busy

    def server(self) -> web.Server:
        """Makes the protocol of each connection."""
        return web.Server(self._answer, access_log=None)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        found = _PATH.fullmatch(request.path)
        if found is None:
            raise web.HTTPNotFound
        if request.method != "GET":
            raise web.HTTPMethodNotAllowed(request.method, ["GET"])
        home, epoch, camera, hour, name = found.groups()
        self._admit(request, RecorderId(home), Epoch(int(epoch)), CameraId(camera))
        pieces = await asyncio.to_thread(self._shelf.pieces, CameraId(camera), Epoch(int(epoch)), int(hour))
        return await self._give(request, pieces, name) if name is not None else self._list(pieces)

    def _admit(self, request: web.BaseRequest, home: RecorderId, epoch: Epoch, camera: CameraId) -> None:
        """Whether the token lets its bearer have what is asked for."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        now_s = int(time.time())
        job = job_of(token, self._key, source=self._recorder, target=home, epoch=epoch, now_s=now_s) if scheme == "Bearer" else None
        if job is None:
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        if not is_identifier(camera):
            raise web.HTTPNotFound
        if self._busy():
            raise web.HTTPServiceUnavailable(headers={"Retry-After": str(RETRY_S)})

    def _list(self, pieces: Sequence[StoredPiece]) -> web.Response:
        if not pieces:
            raise web.HTTPNotFound
        return web.json_response({"pieces": [_described(piece) for piece in pieces]})

    async def _give(self, request: web.BaseRequest, pieces: Sequence[StoredPiece], name: str) -> web.StreamResponse:
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
