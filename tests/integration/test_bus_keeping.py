"""What a recorder says of a bus that it cannot have."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from sysmanager.bus.port import Bus
from sysmanager.bus.server import BusServer
from sysmanager.durable import write_durably
from sysmanager.recorder import buskeeper
from sysmanager.recorder.buskeeper import BusKeeper

pytestmark = pytest.mark.process


async def attach(bus: Bus) -> None:
    return


async def test_credentials_of_another_site_are_named_once_and_the_right_ones_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buskeeper, "CHANGED_LOOK_S", 0.05)
    server = BusServer(tmp_path / "bus")
    await server.start()
    right = server.credentials_path.read_bytes()
    found = json.loads(right)
    path = tmp_path / "bus.json"
    write_durably(
        path, json.dumps({**found, "users": {user: f"X{word[1:]}" for user, word in found["users"].items()}}).encode(), private=True
    )
    told: list[str] = []
    keeper = BusKeeper(path, "recorder", attach, told.append)
    keeper.start()
    try:
        async with asyncio.timeout(20):
            while not told:  # noqa: ASYNC110 - the server answers when it likes
                await asyncio.sleep(0.02)
        write_durably(path, right, private=True)
        async with asyncio.timeout(20):
            while keeper.bus is None or not keeper.bus.connected:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        assert told == [f"The coordinator refuses the bus credentials {path}; replace them by those of this site."]
    finally:
        await keeper.close()
        await server.close()
