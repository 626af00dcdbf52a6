"""A recorder serves its material to another one of the site: HTTP over TLS 1.3, one job at a time let in by its token."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sysmanager.domain.ids import RecorderId
from sysmanager.recorder.transfer.hours import Shelf

if TYPE_CHECKING:
    from aiohttp import web

    from sysmanager.recorder.transfer.serving import MaterialPages

CLOSE_S: Final = 2.0


class MaterialSource:
    """Serves what lies on the shelf. busy: whether recording needs the disks now.

    It listens from the start, and loads what it answers with when somebody comes who speaks TLS: most recorders are never asked for their
    material, and the self-test of a failover server only looks whether the port is open.
    """

    def __init__(self, recorder: RecorderId, shelf: Shelf, material_key: bytes, context: ssl.SSLContext, busy: Callable[[], bool]) -> None:
        self._recorder = recorder
        self._shelf = shelf
        self._key = material_key
        self._context = context
        self._busy = busy
        self._listening: asyncio.Server | None = None
        self._answering: web.Server | None = None
        self.address = ""

    async def start(self, host: str, port: int) -> None:
        """Listen; `address` says where. Raises OSError when it cannot."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(lambda: _Threshold(self._connection), host, port, ssl=self._context)
        bound = self._listening.sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.address = f"https://{shown}:{bound}"

    async def prepare(self) -> None:
        """Load it now, beside the loop: somebody will come."""
        await asyncio.to_thread(_pages)

    async def close(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()
        answering, self._answering = self._answering, None
        if answering is not None:
            answering.pre_shutdown()
            await answering.shutdown(CLOSE_S)

    def _connection(self) -> asyncio.Protocol:
        if self._answering is None:
            self._answering = _pages()(self._recorder, self._shelf, self._key, self._busy).server()
        return self._answering()


class _Threshold(asyncio.Protocol):
    """Of a connection, until its handshake is over; then it gives way to what answers."""

    def __init__(self, answering: Callable[[], asyncio.Protocol]) -> None:
        self._answering = answering

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        protocol = self._answering()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)


def _pages() -> type[MaterialPages]:
    from sysmanager.recorder.transfer.serving import MaterialPages

    return MaterialPages
