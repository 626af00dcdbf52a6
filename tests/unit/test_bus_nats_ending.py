"""Closing a connection to the bus ends, whatever the library does with a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from sysmanager.bus import nats
from sysmanager.bus.credentials import BusUser, generate_credentials
from sysmanager.bus.nats import NatsBus


@pytest.mark.parametrize("swallowed", ["_close", "_connect"])
async def test_a_swallowed_cancellation_does_not_keep_it_open(monkeypatch: pytest.MonkeyPatch, swallowed: str) -> None:
    inside = asyncio.Event()

    async def swallow(*_: object) -> None:
        inside.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return

    async def pass_by(*_: object) -> None:
        pass

    async def refuse(*_: object) -> None:
        raise OSError("nobody there")

    monkeypatch.setattr(NatsBus, "_connect", swallow if swallowed == "_connect" else refuse)
    monkeypatch.setattr(nats, "_close", swallow if swallowed == "_close" else pass_by)
    bus = NatsBus(generate_credentials("127.0.0.1", 1), BusUser.CLIENT, "test")
    assert not await bus.open()
    async with asyncio.timeout(5):
        await inside.wait()
        await bus.close()
    assert not bus.connected
