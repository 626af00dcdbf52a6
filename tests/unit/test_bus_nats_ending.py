"""Closing a connection to the bus ends, whatever the library does with a cancellation."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeout

from sysmanager import api
from sysmanager.bus import nats
from sysmanager.bus.credentials import BusUser, generate_credentials, save_credentials
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


async def test_it_tries_on_whatever_the_library_stumbles_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """nats-py takes for granted that who listens at the port sends well-formed INFO lines."""
    again = asyncio.Event()
    tried: list[int] = []

    async def stumble(*_: object) -> None:
        tried.append(len(tried))
        if len(tried) > 1:
            again.set()
        raise AttributeError("'int' object has no attribute 'get'")

    async def pass_by(*_: object) -> None:
        pass

    monkeypatch.setattr(nats, "_close", pass_by)
    monkeypatch.setattr(NatsBus, "_connect", stumble)
    bus = NatsBus(generate_credentials("127.0.0.1", 1), BusUser.CLIENT, "test")
    await bus.open()
    async with asyncio.timeout(5):
        await again.wait()
    await bus.close()


class _Slow:
    """A connection that answers late, and loses what cancellations meet it before that: as nats-py does while it writes."""

    is_connected = True

    def __init__(self, loses: int) -> None:
        self.asked = asyncio.Event()
        self.answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._loses = loses

    async def request(self, subject: str, body: bytes, timeout: float) -> Msg:
        self.asked.set()
        while True:
            try:
                return await asyncio.shield(self.answer)
            except asyncio.CancelledError:
                if not self._loses:
                    raise
                self._loses -= 1


def _bus(monkeypatch: pytest.MonkeyPatch, client: _Slow) -> NatsBus:
    bus = NatsBus(generate_credentials("127.0.0.1", 1), BusUser.CLIENT, "test")
    monkeypatch.setattr(bus, "_client", client)
    return bus


@pytest.mark.parametrize("loses", [0, 1, 3])
async def test_a_request_that_is_cancelled_ends_however_often_the_library_forgets_it(monkeypatch: pytest.MonkeyPatch, loses: int) -> None:
    client = _Slow(loses)
    asking = asyncio.create_task(_bus(monkeypatch, client).request("a.b", b"", 600_000))
    await client.asked.wait()
    asking.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait({asking})
    assert asking.cancelled()


@pytest.mark.parametrize("answer", ["an answer", "an error"])
async def test_a_cancellation_that_comes_with_the_answer_is_heeded(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    client = _Slow(1)
    asking = asyncio.create_task(_bus(monkeypatch, client).request("a.b", b"", 1000))
    await client.asked.wait()
    if answer == "an answer":
        client.answer.set_result(Msg(client, data=b"late"))  # type: ignore[arg-type]
    else:
        client.answer.set_exception(NatsTimeout())
    asking.cancel()
    await asyncio.wait({asking})
    assert asking.cancelled()


async def test_a_timeout_around_a_request_stays_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    client = _Slow(0)
    client.answer.set_result(Msg(client, data=b"in time"))  # type: ignore[arg-type]
    bus = _bus(monkeypatch, client)
    async with asyncio.timeout(60):
        assert await bus.request("a.b", b"", 1000) == b"in time"


async def test_a_cancellation_requested_before_a_request_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an interrupt of a program that is just printing: it is delivered when the task waits next, which is in the request."""
    client = _Slow(1)
    client.answer.set_result(Msg(client, data=b"late"))  # type: ignore[arg-type]
    bus = _bus(monkeypatch, client)

    async def interrupted() -> bytes:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return await bus.request("a.b", b"", 1000)

    asking = asyncio.create_task(interrupted())
    await asyncio.wait({asking})
    assert asking.cancelled()


async def test_closing_does_not_swallow_the_cancellation_of_the_one_who_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, may_end = asyncio.Event(), asyncio.Event()

    async def slow(*_: object) -> None:
        inside.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await may_end.wait()

    monkeypatch.setattr(NatsBus, "_connect", slow)
    bus = NatsBus(generate_credentials("127.0.0.1", 1), BusUser.CLIENT, "test")
    await bus.open()
    await inside.wait()
    closing = asyncio.create_task(bus.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing})
    assert closing.cancelled()
    may_end.set()
    await bus.close()


async def test_who_is_told_to_end_while_it_connects_leaves_no_attempt_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trying = asyncio.Event()

    async def refuse(*_: object) -> None:
        trying.set()
        raise OSError("nobody there")

    async def pass_by(*_: object) -> None:
        pass

    monkeypatch.setattr(NatsBus, "_connect", refuse)
    monkeypatch.setattr(nats, "_close", pass_by)
    save_credentials(tmp_path / "credentials.json", generate_credentials("127.0.0.1", 1))
    connecting = asyncio.create_task(api.connect(tmp_path / "credentials.json"))
    await trying.wait()
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert asyncio.all_tasks() == {asyncio.current_task()}
