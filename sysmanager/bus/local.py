"""The bus in one process and on one loop: for the demo, simulation and tests."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from sysmanager.bus.ending import Lost
from sysmanager.bus.inbox import Inbox
from sysmanager.bus.port import (
    ANSWERS_AT_ONCE,
    Answer,
    ConnectionChanged,
    Message,
    NoAnswer,
    NoAnswerKind,
    Receive,
    check_body,
    check_subject,
)

__all__ = ["Filter", "LocalBus", "LocalEndpoint"]

Filter = Callable[[str, bytes], bool]
"""Subject and body of what is about to be delivered; False loses it. An answer has the subject `_answer.` + that of its request."""


@dataclass(eq=False, slots=True)
class _Delivery:
    message: Message
    answered: asyncio.Future[bytes] | None


@dataclass(eq=False, slots=True)
class _Interest:
    """One subscription or server."""

    endpoint: "LocalEndpoint"
    parts: tuple[str, ...]
    inbox: Inbox[_Delivery]

    @property
    def dropped(self) -> int:
        return self.inbox.dropped

    @property
    def waiting(self) -> int:
        return self.inbox.waiting

    async def end(self) -> None:
        self.inbox.close()
        self.endpoint.forget(self)


@dataclass(eq=False, slots=True)
class _Interests:
    """Exact subjects by name, those with wildcards in a list: publishing to one recorder must not look at ten thousand."""

    exact: dict[str, list[_Interest]] = field(default_factory=dict)
    wild: list[_Interest] = field(default_factory=list)

    def add(self, interest: _Interest) -> None:
        if "*" in interest.parts or ">" in interest.parts:
            self.wild.append(interest)
        else:
            self.exact.setdefault(".".join(interest.parts), []).append(interest)

    def remove(self, interest: _Interest) -> None:
        subject = ".".join(interest.parts)
        found = self.exact.get(subject, self.wild)
        if interest in found:
            found.remove(interest)
            if not found:
                self.exact.pop(subject, None)

    def matching(self, subject: str) -> list[_Interest]:
        found = list(self.exact.get(subject, ()))
        if self.wild:
            parts = tuple(subject.split("."))
            found += [interest for interest in self.wild if _matches(interest.parts, parts)]
        return found


class LocalBus:
    """What the endpoints share. `filter`: set it to lose messages."""

    def __init__(self) -> None:
        self.filter: Filter | None = None
        self.interests = _Interests()

    def endpoint(self) -> "LocalEndpoint":
        return LocalEndpoint(self)

    def passes(self, subject: str, body: bytes) -> bool:
        return self.filter is None or self.filter(subject, body)


class LocalEndpoint:
    """Implements `Bus`: one part's connection. `set_connected(False)` cuts it off, with all that its `Bus` would notice."""

    def __init__(self, bus: LocalBus) -> None:
        self._bus = bus
        self._interests: list[_Interest] = []
        self._watchers: list[ConnectionChanged] = []
        self._asked: set[asyncio.Future[bytes]] = set()
        self._connected = True
        self._closed = False

    @property
    def connected(self) -> bool:
        return self._connected and not self._closed

    def set_connected(self, connected: bool) -> None:
        if connected != self._connected:
            self._connected = connected
            if not connected:
                self._give_up_requests()
            for watcher in self._watchers:
                watcher(connected)

    def on_connection(self, changed: ConnectionChanged) -> None:
        self._watchers.append(changed)

    async def publish(self, subject: str, body: bytes) -> None:
        check_subject(subject)
        check_body(subject, body)
        if self.connected:
            self._deliver(subject, body, None)

    async def subscribe(self, subject: str, receive: Receive) -> _Interest:
        return self._add(subject, Inbox(subject, lambda delivery: receive(delivery.message)))

    async def serve(self, subject: str, answer: Answer) -> _Interest:
        async def serve_one(delivery: _Delivery) -> None:
            body = await answer(delivery.message)
            answered, answer_subject = delivery.answered, f"_answer.{delivery.message.subject}"
            check_body(answer_subject, body)
            if answered is not None and self.connected and self._bus.passes(answer_subject, body):
                asyncio.get_running_loop().call_soon(_settle, answered, body)

        return self._add(subject, Inbox(subject, serve_one, at_once=ANSWERS_AT_ONCE))

    async def request(self, subject: str, body: bytes, timeout_ms: int) -> bytes:
        check_subject(subject)
        check_body(subject, body)
        if not self.connected:
            raise NoAnswer(NoAnswerKind.DISCONNECTED, subject, timeout_ms)
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if not self._deliver(subject, body, answered):
            raise NoAnswer(NoAnswerKind.NO_RESPONDERS, subject, timeout_ms)
        self._asked.add(answered)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                return await answered
        except TimeoutError:
            raise NoAnswer(NoAnswerKind.TIMEOUT, subject, timeout_ms) from None
        except Lost:
            raise NoAnswer(NoAnswerKind.LOST, subject, timeout_ms) from None
        finally:
            self._asked.discard(answered)

    async def close(self) -> None:
        self._closed = True
        self._give_up_requests()
        for interest in list(self._interests):
            await interest.end()

    def _give_up_requests(self) -> None:
        for answered in self._asked:
            if not answered.done():
                answered.set_exception(Lost())

    def forget(self, interest: _Interest) -> None:
        if interest in self._interests:
            self._interests.remove(interest)
            self._bus.interests.remove(interest)

    def _add(self, subject: str, inbox: Inbox[_Delivery]) -> _Interest:
        interest = _Interest(self, check_subject(subject, wildcards=True), inbox)
        if not self._closed:
            self._interests.append(interest)
            self._bus.interests.add(interest)
        return interest

    def _deliver(self, subject: str, body: bytes, answered: asyncio.Future[bytes] | None) -> bool:
        """Whether anybody was there to receive it, lost or not."""
        interests = [interest for interest in self._bus.interests.matching(subject) if interest.endpoint.connected]
        if interests and self._bus.passes(subject, body):
            delivery = _Delivery(Message(subject=subject, body=body), answered)
            for interest in interests:
                interest.inbox.put(delivery)
        return bool(interests)


def _settle(answered: asyncio.Future[bytes], body: bytes) -> None:
    if not answered.done():
        answered.set_result(body)


def _matches(pattern: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    for position, wanted in enumerate(pattern):
        if wanted == ">":
            return len(parts) > position
        if position >= len(parts) or wanted not in ("*", parts[position]):
            return False
    return len(parts) == len(pattern)
