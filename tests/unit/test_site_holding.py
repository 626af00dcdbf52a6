"""What rehearsals hold: the coordinator at a step, and the bytes of a cable that was pulled."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from pathlib import Path

import pytest

from sysmanager.app.errors import CommandError
from sysmanager.app.serving import serving
from sysmanager.app.site.cable import Cable
from sysmanager.app.site.step_hold import HeldJournal, HoldAtStep

STARTED = b'{"fact":{"type":"failover-started"}}'
CHECKED = b'{"fact":{"type":"documents-checked"}}'


class Release(threading.Thread):
    """Lets a holder go on as soon as it says that it stands still. held: whether it did."""

    def __init__(self, file: Path) -> None:
        super().__init__(daemon=True)
        self._file = file
        self._over = threading.Event()
        self.held = False
        self.size_when_held = -1

    def run(self) -> None:
        while not self._over.wait(0.002):
            if self._file.exists():
                self.held = True
                self._file.unlink()
                return

    def end(self) -> bool:
        self._over.set()
        self.join()
        return self.held


@pytest.mark.parametrize(("step", "body", "holds"), [(1, STARTED, True), (2, STARTED, True), (3, STARTED, False), (3, CHECKED, True)])
async def test_the_journal_holds_once_in_the_append_of_its_step(tmp_path: Path, step: int, body: bytes, holds: bool) -> None:
    file = tmp_path / "held"
    journal = HeldJournal(tmp_path / "journal.sqlite", HoldAtStep(f"{step}:{file}"))
    await journal.open()
    release = Release(file)
    release.start()
    assert await journal.append(0, [b"{}", body]) == 2
    assert release.end() is holds
    assert await journal.append(2, [STARTED if step != 3 or not holds else CHECKED]) == 3
    assert file.exists() is False
    await journal.close()


@pytest.mark.parametrize("text", ["", "4", "4:", "9:/tmp/x", "x:/tmp/x", "0:/tmp/x"])
async def test_what_is_no_step_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="STEP:FILE"):
        HoldAtStep(text)


async def test_a_coordinator_that_is_to_be_held_nowhere_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="STEP:FILE"):
        async with serving(tmp_path / "data", site="Site", site_key=tmp_path / "key", hold_at="soon"):
            pass


async def test_a_pulled_cable_keeps_what_was_sent_until_it_is_mended() -> None:
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                received.put_nowait(line)
                writer.write(b"heard " + line)
        received.put_nowait(b"end")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    cable = Cable(server.sockets[0].getsockname()[1])
    await cable.open()
    reader, writer = await asyncio.open_connection("127.0.0.1", cable.port)
    writer.write(b"one\n")
    assert await asyncio.wait_for(reader.readline(), 5) == b"heard one\n"
    assert received.get_nowait() == b"one\n"
    cable.pull()
    writer.write(b"two\n")
    late_reader, late_writer = await asyncio.open_connection("127.0.0.1", cable.port)
    late_writer.write(b"three\n")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(received.get(), 0.1)
    cable.mend()
    assert await asyncio.wait_for(reader.readline(), 5) == b"heard two\n"
    assert await asyncio.wait_for(late_reader.readline(), 5) == b"heard three\n"
    assert {received.get_nowait(), received.get_nowait()} == {b"two\n", b"three\n"}
    writer.close()
    assert await asyncio.wait_for(received.get(), 5) == b"end"
    cable.pull()
    late_writer.write(b"never\n")
    await cable.close()
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(late_reader.read(), 5) == b""
    assert await asyncio.wait_for(received.get(), 5) == b"end"
    for each in (writer, late_writer):
        each.close()
        with contextlib.suppress(ConnectionError):
            await each.wait_closed()
    server.close()
    await server.wait_closed()


async def test_a_cable_to_nowhere_breaks_the_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        cable = Cable(unused.getsockname()[1])
    await cable.open()
    reader, writer = await asyncio.open_connection("127.0.0.1", cable.port)
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    await cable.close()
