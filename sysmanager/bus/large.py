"""Requests and answers of up to 16 MB, in pieces that fit a bus message, over any `Bus`.

Each piece is a request of its own on the same subject. The requester sends its body piece by piece; the answer to the last piece is
the first piece of the answer; the others are fetched one by one. Total length and SHA-256 are checked on both sides. What fits one
piece takes one round trip.
"""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from sysmanager.bus.port import MAX_BODY_BYTES, Answer, BodyTooLarge, Bus, BusError, Message, NoAnswer, NoAnswerKind, Subscription

__all__ = ["MAX_LARGE_BYTES", "PIECE_BYTES", "TransferFailed", "request_large", "serve_large"]

MAX_LARGE_BYTES = 16 * 1024 * 1024
PIECE_BYTES = MAX_BODY_BYTES - 1024
"""What is left for the content of a message beside the description of the piece."""

HELD_LIMIT_BYTES = 64 * 1024 * 1024
"""When unfinished transfers of one `serve_large` hold so much, requesters that begin another one wait."""

IDLE_LIMIT_MS = 30_000
"""Then an unfinished transfer is forgotten."""

BUSY_WAIT_MS = 100

Reason = Literal["damaged", "busy", "unknown", "too_large", "garbage"]

_REASONS: dict[Reason, str] = {
    "damaged": "it arrived damaged",
    "busy": "the other side is busy with other transfers",
    "unknown": "the other side does not know it any more",
    "too_large": "it is larger than the other side takes",
    "garbage": "the other side did not understand it",
}


class TransferFailed(BusError):
    """A large request failed in the middle; it may be made again."""

    def __init__(self, subject: str, reason: Reason) -> None:
        super().__init__(f"The transfer with {subject} failed: {_REASONS[reason]}.")
        self.reason = reason


class _Put(msgspec.Struct, frozen=True, array_like=True, tag="put"):
    """A piece of the request. `transfer`: 16 random bytes; `total`, `digest`: of the whole body."""

    transfer: bytes
    offset: int
    total: int
    digest: bytes
    piece: bytes


class _Get(msgspec.Struct, frozen=True, array_like=True, tag="get"):
    """Asks for the piece of the answer at `offset`."""

    transfer: bytes
    offset: int


class _Taken(msgspec.Struct, frozen=True, array_like=True, tag="taken"):
    """So many bytes of the request are there."""

    received: int


class _Given(msgspec.Struct, frozen=True, array_like=True, tag="given"):
    """A piece of the answer."""

    offset: int
    total: int
    digest: bytes
    piece: bytes


class _Refused(msgspec.Struct, frozen=True, array_like=True, tag="refused"):
    reason: Reason


_from_requester = msgspec.msgpack.Decoder(_Put | _Get)
_from_server = msgspec.msgpack.Decoder(_Taken | _Given | _Refused)
_encode = msgspec.msgpack.Encoder().encode


async def request_large(bus: Bus, subject: str, body: bytes, timeout_ms: int) -> bytes:
    """As `Bus.request`, for bodies up to `MAX_LARGE_BYTES`; `timeout_ms` is for all of it.

    Raises `NoAnswer`, `BodyTooLarge`, `TransferFailed`.
    """
    if len(body) > MAX_LARGE_BYTES:
        raise BodyTooLarge(subject, len(body), MAX_LARGE_BYTES)
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            return await _Requester(bus, subject, timeout_ms).exchange(body)
    except TimeoutError:
        raise NoAnswer(NoAnswerKind.TIMEOUT, subject, timeout_ms) from None


async def serve_large(bus: Bus, subject: str, answer: Answer) -> Subscription:
    """As `Bus.serve`, for `request_large`. An answer that raises leaves the request without an answer."""
    return await bus.serve(subject, _Server(answer).take)


class _Requester:
    def __init__(self, bus: Bus, subject: str, timeout_ms: int) -> None:
        self._bus = bus
        self._subject = subject
        self._timeout_ms = timeout_ms
        self._transfer = secrets.token_bytes(16)

    async def exchange(self, body: bytes) -> bytes:
        digest = hashlib.sha256(body).digest()
        reply: _Taken | _Given = _Taken(0)
        offset = 0
        while isinstance(reply, _Taken):
            reply = await self._ask(_Put(self._transfer, offset, len(body), digest, body[offset : offset + PIECE_BYTES]))
            offset += PIECE_BYTES
            if isinstance(reply, _Taken) and reply.received != offset:
                raise TransferFailed(self._subject, "garbage")
        return await self._collect(reply)

    async def _collect(self, first: _Given) -> bytes:
        if first.total > MAX_LARGE_BYTES or first.offset != 0:
            raise TransferFailed(self._subject, "garbage")
        content = bytearray(first.piece)
        while len(content) < first.total:
            reply = await self._ask(_Get(self._transfer, len(content)))
            if not isinstance(reply, _Given) or reply.offset != len(content) or not reply.piece:
                raise TransferFailed(self._subject, "garbage")
            content += reply.piece
        if len(content) != first.total or hashlib.sha256(content).digest() != first.digest:
            raise TransferFailed(self._subject, "damaged")
        return bytes(content)

    async def _ask(self, message: _Put | _Get) -> _Taken | _Given:
        while True:
            try:
                reply: _Taken | _Given | _Refused = _from_server.decode(
                    await self._bus.request(self._subject, _encode(message), self._timeout_ms)
                )
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise TransferFailed(self._subject, "garbage") from None
            if not isinstance(reply, _Refused):
                return reply
            if reply.reason != "busy":
                raise TransferFailed(self._subject, reply.reason)
            await asyncio.sleep(BUSY_WAIT_MS / 1000)


@dataclass(slots=True)
class _Transfer:
    """What the serving side holds of one exchange."""

    total: int
    digest: bytes
    expiry: asyncio.TimerHandle
    received: bytearray = field(default_factory=bytearray)
    answer: bytes | None = None
    answer_digest: bytes = b""


class _Server:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._transfers: dict[bytes, _Transfer] = {}
        self._held_bytes = 0

    async def take(self, message: Message) -> bytes:
        try:
            received = _from_requester.decode(message.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _encode(_Refused("garbage"))
        if isinstance(received, _Get):
            return _encode(self._give(received.transfer, received.offset))
        return _encode(await self._put(message.subject, received))

    async def _put(self, subject: str, put: _Put) -> _Taken | _Given | _Refused:
        if not 0 <= put.total <= MAX_LARGE_BYTES:
            return _Refused("too_large")
        if self._held_bytes >= HELD_LIMIT_BYTES and put.transfer not in self._transfers:
            return _Refused("busy")
        body: bytes | bytearray = put.piece
        if len(put.piece) < put.total:
            step = self._keep(put)
            if not isinstance(step, bytearray):
                return step
            body = step
        if len(body) != put.total or hashlib.sha256(body).digest() != put.digest:
            self._forget(put.transfer)
            return _Refused("damaged")
        try:
            answer = await self._answer(Message(subject=subject, body=bytes(body)))
        finally:
            self._forget(put.transfer)
        if len(answer) > MAX_LARGE_BYTES:
            raise BodyTooLarge(subject, len(answer), MAX_LARGE_BYTES)
        digest = hashlib.sha256(answer).digest()
        if len(answer) > PIECE_BYTES:
            transfer = self._hold(put.transfer, len(answer), digest)
            transfer.answer, transfer.answer_digest = answer, digest
        return _Given(0, len(answer), digest, answer[:PIECE_BYTES])

    def _keep(self, put: _Put) -> bytearray | _Taken | _Refused:
        """The whole body once it is there; until then what to say."""
        transfer = self._transfers.get(put.transfer)
        if transfer is None:
            if put.offset != 0:
                return _Refused("unknown")
            transfer = self._hold(put.transfer, put.total, put.digest)
        if transfer.answer is not None or put.offset != len(transfer.received) or not put.piece:
            return _Refused("garbage")
        transfer.received += put.piece
        if len(transfer.received) >= transfer.total:
            return transfer.received
        self._postpone(put.transfer, transfer)
        return _Taken(len(transfer.received))

    def _give(self, key: bytes, offset: int) -> _Given | _Refused:
        transfer = self._transfers.get(key)
        if transfer is None or transfer.answer is None:
            return _Refused("unknown")
        answer = transfer.answer
        if not 0 <= offset < len(answer):
            return _Refused("garbage")
        if offset + PIECE_BYTES >= len(answer):
            self._forget(key)
        else:
            self._postpone(key, transfer)
        return _Given(offset, len(answer), transfer.answer_digest, answer[offset : offset + PIECE_BYTES])

    def _hold(self, key: bytes, total: int, digest: bytes) -> _Transfer:
        expiry = asyncio.get_running_loop().call_later(IDLE_LIMIT_MS / 1000, self._forget, key)
        transfer = self._transfers[key] = _Transfer(total, digest, expiry)
        self._held_bytes += total
        return transfer

    def _postpone(self, key: bytes, transfer: _Transfer) -> None:
        transfer.expiry.cancel()
        transfer.expiry = asyncio.get_running_loop().call_later(IDLE_LIMIT_MS / 1000, self._forget, key)

    def _forget(self, key: bytes) -> None:
        transfer = self._transfers.pop(key, None)
        if transfer is not None:
            transfer.expiry.cancel()
            self._held_bytes -= transfer.total
