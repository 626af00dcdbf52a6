"""The bus: publish and subscribe, request and answer, at most once, over subjects with wildcards as in NATS.

It knows bytes only. Every implementation passes tests/contract/test_bus_contract.py. Bodies larger than `MAX_BODY_BYTES` go in
pieces: see `bus.large`.
"""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Protocol

import msgspec

__all__ = [
    "ANSWERS_AT_ONCE",
    "INBOX_LIMIT_MESSAGES",
    "MAX_BODY_BYTES",
    "Answer",
    "BodyTooLarge",
    "Bus",
    "BusError",
    "ConnectionChanged",
    "Message",
    "NoAnswer",
    "NoAnswerKind",
    "Receive",
    "Subscription",
    "check_body",
    "check_subject",
]

MAX_BODY_BYTES = 256 * 1024
INBOX_LIMIT_MESSAGES = 4096
"""How many messages may wait for one subscription; then the oldest is dropped and counted."""

ANSWERS_AT_ONCE = 64
"""How many requests to one `serve` are worked on at a time; more wait."""


class BusError(Exception):
    """Base of what a bus raises; its text is one sentence for people."""


class BodyTooLarge(BusError):
    """A body, or an answer, of more than the limit."""

    def __init__(self, subject: str, size_bytes: int, limit_bytes: int = MAX_BODY_BYTES) -> None:
        super().__init__(f"A message to {subject} has {size_bytes} bytes and may have {limit_bytes} at most.")


class NoAnswerKind(Enum):
    """`NO_RESPONDERS`: the bus says that nobody serves the subject. `TIMEOUT`: nothing in time. `DISCONNECTED`: this side has no
    connection to the bus, which says nothing about the other side. `LOST`: the connection went while the answer was awaited."""

    NO_RESPONDERS = "no_responders"
    TIMEOUT = "timeout"
    DISCONNECTED = "disconnected"
    LOST = "lost"


_NO_ANSWER = {
    NoAnswerKind.NO_RESPONDERS: "Nobody answers requests to {subject} at the moment.",
    NoAnswerKind.TIMEOUT: "A request to {subject} was not answered within {timeout_ms} ms.",
    NoAnswerKind.DISCONNECTED: "A request to {subject} could not be sent: there is no connection to the bus.",
    NoAnswerKind.LOST: "A request to {subject} got no answer: the connection to the bus was lost meanwhile.",
}


class NoAnswer(BusError):
    """A request got no answer. With `TIMEOUT` and `LOST`, and only then, the other side may have received it."""

    def __init__(self, kind: NoAnswerKind, subject: str, timeout_ms: int) -> None:
        super().__init__(_NO_ANSWER[kind].format(subject=subject, timeout_ms=timeout_ms))
        self.kind = kind
        self.subject = subject


class Message(msgspec.Struct, frozen=True, kw_only=True):
    subject: str
    body: bytes


Receive = Callable[[Message], Awaitable[None] | None]
"""Called on the loop of the subscription, one message after the other, in the order of each sender."""

Answer = Callable[[Message], Awaitable[bytes]]
"""The answer's body. An exception is logged and leaves the request without an answer: faults that the other side should know
belong into the body."""

ConnectionChanged = Callable[[bool], None]


class Subscription(Protocol):
    @property
    def dropped(self) -> int:
        """Messages that were dropped because the receiver was too slow."""

    @property
    def waiting(self) -> int:
        """Messages that arrived, and that the receiver was not given yet."""

    async def end(self) -> None:
        """No message is delivered afterwards. Harmless the second time."""


class Bus(Protocol):
    """One part's connection to the bus. All calls on one loop."""

    @property
    def connected(self) -> bool: ...

    async def publish(self, subject: str, body: bytes) -> None:
        """Send to all who subscribe now. At most once: without connection the message is dropped, for a late heartbeat is a
        false one. Raises `BodyTooLarge`."""

    async def subscribe(self, subject: str, receive: Receive) -> Subscription:
        """`subject` may hold wildcards: `*` for one part, `>` at the end for one or more. Made again after each reconnection."""

    async def request(self, subject: str, body: bytes, timeout_ms: int) -> bytes:
        """Raises `NoAnswer`, `BodyTooLarge`."""

    async def serve(self, subject: str, answer: Answer) -> Subscription:
        """Answer requests, up to `ANSWERS_AT_ONCE` at a time. One server per subject: a request goes to all of them."""

    def on_connection(self, changed: ConnectionChanged) -> None:
        """Call `changed` with the new value of `connected` whenever it changes; not at once, and not for `close`."""

    async def close(self) -> None:
        """Ends all subscriptions. Harmless the second time."""


def check_body(subject: str, body: bytes) -> None:
    """Raises `BodyTooLarge`."""
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge(subject, len(body))


def check_subject(subject: str, *, wildcards: bool = False) -> tuple[str, ...]:
    """The parts of a subject; `ValueError` when it is none, or has wildcards where it must not."""
    parts = tuple(subject.split("."))
    for position, part in enumerate(parts):
        if not part or any(character.isspace() for character in part):
            raise ValueError(f"{subject!r} is no subject")
        is_wildcard = part == "*" or (part == ">" and position == len(parts) - 1)
        if ("*" in part or ">" in part) and not (wildcards and is_wildcard):
            raise ValueError(f"{subject!r} is no subject to {'subscribe' if wildcards else 'send'} to")
    return parts
