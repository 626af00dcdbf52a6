"""What every bus promises, over the local one and over a NATS server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from sysmanager.bus.credentials import BusCredentials, BusUser
from sysmanager.bus.large import MAX_LARGE_BYTES, PIECE_BYTES, request_large, serve_large
from sysmanager.bus.local import LocalBus
from sysmanager.bus.nats import NatsBus
from sysmanager.bus.port import ANSWERS_AT_ONCE, MAX_BODY_BYTES, BodyTooLarge, Bus, Message, NoAnswer, NoAnswerKind
from sysmanager.bus.server import BusServer

Connect = Callable[[], Awaitable[Bus]]

pytestmark = pytest.mark.asyncio(loop_scope="module")


class LazyServer:
    """One NATS server for all tests here, started by the first that needs it."""

    def __init__(self, folder: Path) -> None:
        self._server = BusServer(folder)
        self._credentials: BusCredentials | None = None

    async def credentials(self) -> BusCredentials:
        if self._credentials is None:
            self._credentials = await self._server.start()
        return self._credentials

    async def close(self) -> None:
        await self._server.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LazyServer]:
    server = LazyServer(tmp_path_factory.mktemp("bus"))
    yield server
    await server.close()


@pytest_asyncio.fixture(loop_scope="module", params=["local", pytest.param("nats", marks=pytest.mark.process)])
async def connect(request: pytest.FixtureRequest, server: LazyServer) -> AsyncIterator[Connect]:
    made: list[Bus] = []
    local = LocalBus()

    async def connect_one() -> Bus:
        if request.param == "local":
            made.append(local.endpoint())
        else:
            bus = NatsBus(await server.credentials(), BusUser.COORDINATOR, "contract")
            made.append(bus)
            assert await bus.open(wait_ms=5000)
        return made[-1]

    yield connect_one
    for bus in made:
        await bus.close()


class Heard:
    """A receiver that one can wait for."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._changed = asyncio.Event()

    def __call__(self, message: Message) -> None:
        self.messages.append(message)
        self._changed.set()

    async def wait(self, count: int) -> list[bytes]:
        async with asyncio.timeout(5):
            while len(self.messages) < count:
                self._changed.clear()
                await self._changed.wait()
        return [message.body for message in self.messages]


async def test_published_message_reaches_all_who_subscribed(connect: Connect) -> None:
    sender, first, second = await connect(), await connect(), await connect()
    heard = [Heard(), Heard(), Heard()]
    for bus, receiver in zip((sender, first, second), heard, strict=True):
        await bus.subscribe("sm.beacon", receiver)
    await sender.publish("sm.beacon", b"one")
    for receiver in heard:
        assert await receiver.wait(1) == [b"one"]
        assert receiver.messages[0].subject == "sm.beacon"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("sm.w.a", [b"sm.w.a"]),
        ("sm.w.*", [b"sm.w.a", b"sm.w.b"]),
        ("sm.*.a", [b"sm.w.a"]),
        ("sm.w.>", [b"sm.w.a", b"sm.w.b", b"sm.w.b.c"]),
        ("sm.w.b.>", [b"sm.w.b.c"]),
    ],
)
async def test_wildcards(connect: Connect, pattern: str, expected: list[bytes]) -> None:
    bus = await connect()
    heard, end = Heard(), Heard()
    await bus.subscribe(pattern, heard)
    await bus.subscribe("sm.end", end)
    for subject in ("sm.w", "sm.w.a", "sm.w.b", "sm.w.b.c", "sm.end"):
        await bus.publish(subject, subject.encode())
    await end.wait(1)
    assert await heard.wait(len(expected)) == expected


async def test_messages_of_one_sender_keep_their_order(connect: Connect) -> None:
    sender, receiver = await connect(), await connect()
    heard = Heard()

    async def receive(message: Message) -> None:
        await asyncio.sleep(0)
        heard(message)

    await receiver.subscribe("sm.order-kept", receive)
    bodies = [b"%d" % number for number in range(500)]
    for body in bodies:
        await sender.publish("sm.order-kept", body)
    assert await heard.wait(500) == bodies


async def test_ended_subscription_hears_nothing(connect: Connect) -> None:
    bus = await connect()
    ended, going_on = Heard(), Heard()
    subscription = await bus.subscribe("sm.ended", ended)
    await bus.subscribe("sm.ended", going_on)
    await bus.publish("sm.ended", b"1")
    await ended.wait(1)
    await subscription.end()
    await subscription.end()
    await bus.publish("sm.ended", b"2")
    await going_on.wait(2)
    assert len(ended.messages) == 1


async def test_slow_receiver_loses_the_oldest_and_counts(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysmanager.bus.inbox.Inbox.__init__.__kwdefaults__", {"at_once": 1, "limit": 10})
    bus = await connect()
    gate, heard = asyncio.Event(), Heard()

    at_the_gate = asyncio.Event()

    async def receive(message: Message) -> None:
        at_the_gate.set()
        await gate.wait()
        heard(message)

    subscription = await bus.subscribe("sm.slow", receive)
    await bus.publish("sm.slow", b"first")
    await asyncio.wait_for(at_the_gate.wait(), 5)
    for number in range(30):
        await bus.publish("sm.slow", b"%d" % number)
    for _ in range(500):
        if subscription.dropped == 20:
            break
        await asyncio.sleep(0.01)
    gate.set()
    assert await heard.wait(11) == [b"first", *(b"%d" % number for number in range(20, 30))]
    assert subscription.dropped == 20


async def test_what_waits_for_a_receiver_is_counted(connect: Connect) -> None:
    bus = await connect()
    gate, heard = asyncio.Event(), Heard()

    async def receive(message: Message) -> None:
        await gate.wait()
        heard(message)

    subscription = await bus.subscribe("sm.counted", receive)
    assert subscription.waiting == 0
    for number in range(5):
        await bus.publish("sm.counted", b"%d" % number)
    for _ in range(500):
        if subscription.waiting == 4:
            break
        await asyncio.sleep(0.01)
    assert subscription.waiting == 4, "the first one is with the receiver"
    gate.set()
    await heard.wait(5)
    assert subscription.waiting == 0


async def test_failing_receiver_hears_the_next_message(connect: Connect) -> None:
    bus = await connect()
    heard = Heard()

    def receive(message: Message) -> None:
        heard(message)
        raise RuntimeError("a fault of the receiver")

    async def receive_later(message: Message) -> None:
        receive(message)

    await bus.subscribe("sm.faulty", receive)
    await bus.subscribe("sm.faulty", receive_later)
    await bus.publish("sm.faulty", b"1")
    await bus.publish("sm.faulty", b"2")
    assert sorted(await heard.wait(4)) == [b"1", b"1", b"2", b"2"]


async def test_request_is_answered(connect: Connect) -> None:
    asker, server = await connect(), await connect()

    async def answer(message: Message) -> bytes:
        return message.subject.encode() + b" " + message.body

    await server.serve("sm.order.r1", answer)
    assert await asker.request("sm.order.r1", b"hello", 5000) == b"sm.order.r1 hello"


async def test_a_server_can_be_asked_as_soon_as_it_serves_however_busy_its_connection_is(connect: Connect) -> None:
    asker, server = await connect(), await connect()

    async def answer(message: Message) -> bytes:
        return message.body

    for number in range(40):
        for _ in range(20):
            await server.publish("sm.noise", bytes(MAX_BODY_BYTES))
        await server.serve(f"sm.at-once.{number}", answer)
        assert await asker.request(f"sm.at-once.{number}", b"here", 20_000) == b"here"


async def test_requests_are_answered_at_the_same_time(connect: Connect) -> None:
    asker, server = await connect(), await connect()
    all_here = asyncio.Event()
    waiting = 0

    async def answer(message: Message) -> bytes:
        nonlocal waiting
        waiting += 1
        if waiting == ANSWERS_AT_ONCE:
            all_here.set()
        await all_here.wait()
        return message.body

    await server.serve("sm.together", answer)
    bodies = [b"%d" % number for number in range(ANSWERS_AT_ONCE)]
    assert await asyncio.gather(*(asker.request("sm.together", body, 5000) for body in bodies)) == bodies


async def test_nobody_there(connect: Connect) -> None:
    bus = await connect()
    with pytest.raises(NoAnswer, match="Nobody answers") as caught:
        await bus.request("sm.order.nobody", b"", 5000)
    assert caught.value.kind is NoAnswerKind.NO_RESPONDERS


async def test_server_that_ended_is_nobody(connect: Connect) -> None:
    asker, server = await connect(), await connect()

    async def answer(message: Message) -> bytes:
        return message.body

    serving = await server.serve("sm.order.gone", answer)
    assert await asker.request("sm.order.gone", b"1", 5000) == b"1"
    await server.close()
    assert not server.connected
    await serving.end()

    async def until_gone() -> None:
        while True:
            await asker.request("sm.order.gone", b"2", 1000)

    with pytest.raises(NoAnswer):
        await asyncio.wait_for(until_gone(), 5)


@pytest.mark.parametrize("fault", ["never", "raises", "too large"])
async def test_no_answer_in_time(connect: Connect, fault: str) -> None:
    bus = await connect()

    async def answer(message: Message) -> bytes:
        if fault == "raises":
            raise RuntimeError("a fault of the server")
        if fault == "never":
            await asyncio.Event().wait()
        return bytes(MAX_BODY_BYTES + 1)

    await bus.serve("sm.mute", answer)
    with pytest.raises(NoAnswer, match="within 50 ms") as caught:
        await bus.request("sm.mute", b"", 50)
    assert caught.value.kind is NoAnswerKind.TIMEOUT


async def test_a_request_does_not_outlive_its_connection(connect: Connect) -> None:
    bus, other = await connect(), await connect()
    asked = asyncio.Event()

    async def never(message: Message) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    await other.serve("sm.mute", never)
    asking = asyncio.ensure_future(bus.request("sm.mute", b"", 600_000))
    async with asyncio.timeout(5):
        await asked.wait()
        await bus.close()
        with pytest.raises(NoAnswer, match="the connection to the bus was lost meanwhile") as caught:
            await asking
    assert caught.value.kind is NoAnswerKind.LOST


async def test_body_limit(connect: Connect) -> None:
    bus = await connect()
    heard = Heard()
    await bus.subscribe("sm.size", heard)
    await bus.publish("sm.size", bytes(MAX_BODY_BYTES))
    with pytest.raises(BodyTooLarge, match="262145 bytes"):
        await bus.publish("sm.size", bytes(MAX_BODY_BYTES + 1))
    with pytest.raises(BodyTooLarge):
        await bus.request("sm.size", bytes(MAX_BODY_BYTES + 1), 100)
    assert await heard.wait(1) == [bytes(MAX_BODY_BYTES)]


@pytest.mark.parametrize("subject", ["", "sm..a", ".sm", "sm.", "sm a", "sm.*", "sm.>", "sm\r\nPUB x 0"])
async def test_wrong_subject_is_refused(connect: Connect, subject: str) -> None:
    bus = await connect()
    with pytest.raises(ValueError):
        await bus.publish(subject, b"")
    with pytest.raises(ValueError):
        await bus.request(subject, b"", 100)


async def test_closing_twice_and_publishing_afterwards_is_harmless(connect: Connect) -> None:
    bus = await connect()
    await bus.close()
    await bus.close()
    await bus.publish("sm.beacon", b"")
    with pytest.raises(NoAnswer) as caught:
        await bus.request("sm.ask", b"", 100)
    assert caught.value.kind is NoAnswerKind.DISCONNECTED


@pytest.mark.parametrize(
    ("request_bytes", "answer_bytes"),
    [
        (0, 0),
        (1, PIECE_BYTES),
        (PIECE_BYTES, PIECE_BYTES + 1),
        (PIECE_BYTES + 1, 1),
        (3 * PIECE_BYTES, 2 * PIECE_BYTES),
        (MAX_LARGE_BYTES, MAX_LARGE_BYTES),
    ],
)
async def test_large_bodies_go_both_ways(connect: Connect, request_bytes: int, answer_bytes: int) -> None:
    asker, server = await connect(), await connect()
    pattern = bytes(range(251)) * (MAX_LARGE_BYTES // 251 + 1)
    seen: list[bytes] = []

    async def answer(message: Message) -> bytes:
        seen.append(message.body)
        return pattern[7 : 7 + answer_bytes]

    await serve_large(server, "sm.store", answer)
    assert await request_large(asker, "sm.store", pattern[:request_bytes], 20_000) == pattern[7 : 7 + answer_bytes]
    assert seen == [pattern[:request_bytes]]


async def test_large_request_to_nobody(connect: Connect) -> None:
    bus = await connect()
    with pytest.raises(NoAnswer) as caught:
        await request_large(bus, "sm.documents.nobody", bytes(PIECE_BYTES + 1), 5000)
    assert caught.value.kind is NoAnswerKind.NO_RESPONDERS
    with pytest.raises(BodyTooLarge):
        await request_large(bus, "sm.documents.nobody", bytes(MAX_LARGE_BYTES + 1), 5000)
