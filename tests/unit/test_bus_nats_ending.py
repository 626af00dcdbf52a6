"""Closing a connection to the bus ends, whatever the library does with a cancellation."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from nats.aio.msg import Msg

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


class _Answering:
    """A connection whose answer comes together with the cancellation of who waits for it, as on a busy machine."""

    is_connected = True

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

    async def request(self, subject: str, body: bytes, timeout: float) -> Msg:
        self.asked.set()
        try:
            return await asyncio.shield(self.answer)
        except asyncio.CancelledError:
            return self.answer.result()  # what `asyncio.wait_for` does on Python 3.11


async def test_a_cancellation_that_comes_with_the_answer_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = NatsBus(generate_credentials("127.0.0.1", 1), BusUser.CLIENT, "test")
    client = _Answering()
    monkeypatch.setattr(bus, "_client", client)
    asking = asyncio.create_task(bus.request("a.b", b"", 1000))
    await client.asked.wait()
    client.answer.set_result(Msg(client, data=b"late"))  # type: ignore[arg-type]
    asking.cancel()
    await asyncio.wait({asking})
    assert asking.cancelled()


async def test_a_timeout_around_a_request_stays_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = NatsBus(generate_credentials("127.0.0.1", 1), BusUser.CLIENT, "test")
    client = _Answering()
    client.answer.set_result(Msg(client, data=b"in time"))  # type: ignore[arg-type]
    monkeypatch.setattr(bus, "_client", client)
    async with asyncio.timeout(60):
        assert await bus.request("a.b", b"", 1000) == b"in time"


async def test_a_cancellation_requested_before_a_request_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an interrupt of a program that is just printing: it is delivered when the task waits next, which is in the library."""
    bus = NatsBus(generate_credentials("127.0.0.1", 1), BusUser.CLIENT, "test")
    client = _Answering()
    client.answer.set_result(Msg(client, data=b"late"))  # type: ignore[arg-type]

    async def request(subject: str, body: bytes, timeout: float) -> Msg:
        with suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
        return await client.answer

    monkeypatch.setattr(client, "request", request)
    monkeypatch.setattr(bus, "_client", client)

    async def interrupted() -> bytes:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return await bus.request("a.b", b"", 1000)

    asking = asyncio.create_task(interrupted())
    await asyncio.wait({asking})
    assert asking.cancelled()
