"""The cable between a recorder and the bus: carries bytes both ways until it is pulled; then nothing arrives, and nobody is told."""

from __future__ import annotations

import asyncio
import contextlib

BLOCK_BYTES = 65_536
_HOST = "127.0.0.1"


class Cable:
    """Carries each connection to `port` of loopback. `open`, then `port` says where it listens, on `host`; `close` ends all."""

    def __init__(self, port: int, host: str = _HOST) -> None:
        self._port = port
        self._host = host
        self._whole = asyncio.Event()
        self._whole.set()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0

    async def open(self) -> None:
        """Raises OSError."""
        self._server = await asyncio.start_server(self._connected, self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def pull(self) -> None:
        """From now on nothing is carried: what was sent waits, as in a network that will be mended."""
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs it as one"
        self._connections.add(task)
        far_writer: asyncio.StreamWriter | None = None
        try:
            await self._whole.wait()
            far_reader, far_writer = await asyncio.open_connection(_HOST, self._port)
            ways = [asyncio.create_task(self._carry(reader, far_writer)), asyncio.create_task(self._carry(far_reader, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # nobody is there, or the cable is taken away: both ends learn it below
        finally:
            self._connections.discard(task)
            for end in (writer, far_writer):
                if end is not None:
                    end.transport.abort()
                    with contextlib.suppress(OSError):
                        await end.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while block := await reader.read(BLOCK_BYTES):
                await self._whole.wait()
                writer.write(block)
                await writer.drain()
            await self._whole.wait()  # also the end of a connection is news that a pulled cable does not carry
