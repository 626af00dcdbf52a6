"""Transfers in pieces that meet a wrong or forgetful other side."""

import asyncio

import msgspec
import pytest

from sysmanager.bus import large
from sysmanager.bus.large import PIECE_BYTES, TransferFailed, request_large, serve_large
from sysmanager.bus.local import LocalBus, LocalEndpoint
from sysmanager.bus.port import Message, NoAnswer, NoAnswerKind

BODY = bytes(range(256)) * (3 * PIECE_BYTES // 256)


async def echo(message: Message) -> bytes:
    return message.body


@pytest.fixture
async def bus() -> LocalEndpoint:
    return LocalBus().endpoint()


async def test_garbage_is_refused_and_harms_nobody(bus: LocalEndpoint) -> None:
    await serve_large(bus, "sm.store", echo)
    no_piece = msgspec.msgpack.encode(["put", b"", "x"])
    unknown = msgspec.msgpack.encode(["get", b"unknown", 0])
    for body in (b"", b"\xff\x00garbage", no_piece, unknown, unknown.replace(b"get", b"\x80et")):
        assert msgspec.msgpack.decode(await bus.request("sm.store", body, 1000))[0] == "refused"
    assert await request_large(bus, "sm.store", BODY, 5000) == BODY


@pytest.mark.parametrize(
    "garbage", [b"garbage", msgspec.msgpack.encode(["refused", "busy"]).replace(b"busy", b"\x80usy")], ids=["any", "no text"]
)
async def test_server_that_talks_garbage(bus: LocalEndpoint, garbage: bytes) -> None:
    async def answer(message: Message) -> bytes:
        return garbage

    await bus.serve("sm.store", answer)
    with pytest.raises(TransferFailed, match="did not understand"):
        await request_large(bus, "sm.store", b"", 1000)


@pytest.mark.parametrize("damage", [0, 1])
async def test_damaged_piece_is_noticed(bus: LocalEndpoint, damage: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the request (0) or in the answer (1)."""
    await serve_large(bus, "sm.store", echo)
    request = bus.request

    async def damaging(subject: str, body: bytes, timeout_ms: int) -> bytes:
        if damage == 0:
            body = body[:-1] + bytes([body[-1] ^ 1])
        reply = await request(subject, body, timeout_ms)
        return reply[:-1] + bytes([reply[-1] ^ 1]) if damage == 1 else reply

    monkeypatch.setattr(bus, "request", damaging)
    with pytest.raises(TransferFailed, match="damaged"):
        await request_large(bus, "sm.store", b"some content", 1000)


async def test_lost_piece_ends_in_a_timeout_and_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "IDLE_LIMIT_MS", 10)
    local = LocalBus()
    bus = local.endpoint()
    await serve_large(bus, "sm.store", echo)
    passed = iter([True, True, False])
    local.filter = lambda subject, body: next(passed, True)
    with pytest.raises(NoAnswer) as caught:
        await request_large(bus, "sm.store", BODY, 50)
    assert caught.value.kind is NoAnswerKind.TIMEOUT
    assert await request_large(bus, "sm.store", BODY, 5000) == BODY


async def test_too_many_transfers_wait_for_each_other(bus: LocalEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "HELD_LIMIT_BYTES", 2 * len(BODY))
    monkeypatch.setattr(large, "BUSY_WAIT_MS", 1)
    await serve_large(bus, "sm.store", echo)
    bodies = [bytes([number]) + BODY for number in range(8)]
    assert await asyncio.gather(*(request_large(bus, "sm.store", body, 5000) for body in bodies)) == bodies
