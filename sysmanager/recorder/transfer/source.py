"""A recorder serves its material to another one of the site: HTTP over TLS 1.3, one job at a time let in by its token."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from sysmanager.bus.ending import end_task
from sysmanager.documents.site_key import SiteKey
from sysmanager.domain.ids import RecorderId
from sysmanager.recorder.transfer.hours import Shelf

if TYPE_CHECKING:
    from aiohttp import web

    from sysmanager.recorder.transfer.serving import MaterialPages

log = structlog.get_logger(__name__)

CLOSE_S: Final = 2.0
AGAIN_S: Final = 10.0
"""A certificate that could not be made is not tried again before so long, whoever knocks."""


class MaterialSource:
    """Serves what lies on the shelf. busy: whether recording needs the disks now. folder: private, for the making of its certificate.

    It listens from the start, and makes its certificate and loads what it answers with when somebody comes who speaks TLS: most recorders
    are never asked for their material, and the self-test of a failover server only looks whether the port is open.
    """

    def __init__(self, recorder: RecorderId, shelf: Shelf, key: SiteKey, folder: Path, busy: Callable[[], bool]) -> None:
        self._recorder = recorder
        self._shelf = shelf
        self._key = key
        self._folder = folder
        self._busy = busy
        self._making = threading.Lock()
        self._certified: ssl.SSLContext | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._prepared_s = 0.0
        self._listening: asyncio.Server | None = None
        self._answering: web.Server | None = None
        self.address = ""

    async def start(self, host: str, port: int) -> None:
        """Listen; `address` says where. Raises OSError when it cannot."""
        loop = asyncio.get_running_loop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.sni_callback = self._identify
        self._listening = await loop.create_server(lambda: _Threshold(self._connection), host, port, ssl=context)
        bound = self._listening.sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.address = f"https://{shown}:{bound}"

    async def prepare(self) -> None:
        """Load and make it all now, beside the loop: somebody will come."""
        await asyncio.to_thread(_pages)
        await asyncio.to_thread(self._context)

    async def close(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()
        preparing, self._preparing = self._preparing, None
        if preparing is not None:
            await end_task(preparing)
        answering, self._answering = self._answering, None
        if answering is not None:
            answering.pre_shutdown()
            await answering.shutdown(CLOSE_S)

    def _identify(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> int | None:
        """Called in the handshake, before the certificate is sent. Returns the alert that ends it, or None.

        It is made beside the loop, which must not wait for a disk: who comes before it is there is refused, and comes again.
        """
        if self._certified is None:
            self._prepare_soon()
            return ssl.AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._certified
        return None

    def _prepare_soon(self) -> None:
        now_s = time.monotonic()
        if self._listening is not None and (self._preparing is None or (self._preparing.done() and now_s - self._prepared_s >= AGAIN_S)):
            self._prepared_s = now_s
            self._preparing = asyncio.get_running_loop().create_task(self.prepare())

    def _context(self) -> None:
        from sysmanager.recorder.transfer.certificates import source_context

        with self._making:
            if self._certified is None:
                try:
                    self._certified = source_context(self._key, self._recorder, self._folder)
                except OSError as error:
                    log.warning("material is not served, no certificate can be made", why=error.strerror or str(error))

    def _connection(self) -> asyncio.Protocol:
        if self._answering is None:
            self._answering = _pages()(self._recorder, self._shelf, self._key.material_key, self._busy).server()
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
