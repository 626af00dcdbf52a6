"""The bus server is started again whatever went wrong with an attempt."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sysmanager.bus import server
from sysmanager.bus.credentials import BusCredentials, generate_credentials
from sysmanager.bus.server import BusServer, BusServerFailed


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), BusServerFailed("It did not start.")])
async def test_an_attempt_that_fails_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    failures = iter([error])
    launched, wait = asyncio.Event(), asyncio.Event()

    def end_stale(_: BusServer) -> None:
        for failure in failures:
            raise failure

    async def launch(_: BusServer, binary: Path, credentials: BusCredentials) -> None:
        launched.set()
        await wait.wait()

    monkeypatch.setattr(server, "RESTART_WAITS_S", (0.0,))
    monkeypatch.setattr(BusServer, "_end_stale_server", end_stale)
    monkeypatch.setattr(BusServer, "_launch", launch)
    keeping = asyncio.create_task(BusServer(tmp_path)._keep_running(tmp_path / "nats-server", generate_credentials("127.0.0.1", 1)))
    async with asyncio.timeout(10):
        await asyncio.wait({keeping, asyncio.create_task(launched.wait())}, return_when=asyncio.FIRST_COMPLETED)
    assert not keeping.done()
    keeping.cancel()
    await asyncio.wait({keeping})
