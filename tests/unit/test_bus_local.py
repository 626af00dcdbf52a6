import asyncio

import pytest

from sysmanager.bus.local import LocalBus
from sysmanager.bus.port import Message, NoAnswer, NoAnswerKind


async def echo(message: Message) -> bytes:
    return message.body


async def test_filter_loses_messages_and_answers() -> None:
    bus = LocalBus()
    one, other = bus.endpoint(), bus.endpoint()
    await other.serve("sm.order.r1", echo)
    seen: list[str] = []

    def lose_answers(subject: str, body: bytes) -> bool:
        seen.append(subject)
        return not subject.startswith("_answer.")

    bus.filter = lose_answers
    with pytest.raises(NoAnswer) as caught:
        await one.request("sm.order.r1", b"x", 10)
    assert caught.value.kind is NoAnswerKind.TIMEOUT
    assert seen == ["sm.order.r1", "_answer.sm.order.r1"]
    bus.filter = None
    assert await one.request("sm.order.r1", b"x", 1000) == b"x"


async def test_cut_off_endpoint_neither_hears_nor_says_anything() -> None:
    bus = LocalBus()
    one, other = bus.endpoint(), bus.endpoint()
    changes: list[bool] = []
    heard: list[bytes] = []
    other.on_connection(changes.append)
    await other.subscribe("sm.beacon", lambda message: heard.append(message.body))
    await other.serve("sm.order.r1", echo)
    other.set_connected(False)
    assert not other.connected
    await one.publish("sm.beacon", b"lost")
    await other.publish("sm.beacon", b"lost")
    with pytest.raises(NoAnswer) as caught:
        await one.request("sm.order.r1", b"", 1000)
    assert caught.value.kind is NoAnswerKind.NO_RESPONDERS
    with pytest.raises(NoAnswer) as caught:
        await other.request("sm.ask", b"", 1000)
    assert caught.value.kind is NoAnswerKind.DISCONNECTED
    other.set_connected(True)
    await one.publish("sm.beacon", b"heard")
    await asyncio.sleep(0)
    assert heard == [b"heard"]
    assert changes == [False, True]


async def test_publishing_does_not_call_receivers_itself() -> None:
    bus = LocalBus().endpoint()
    heard: list[bytes] = []
    await bus.subscribe("sm.beacon", lambda message: heard.append(message.body))
    await bus.publish("sm.beacon", b"1")
    assert heard == []
    await asyncio.sleep(0)
    assert heard == [b"1"]


async def test_receiver_may_end_its_own_subscription() -> None:
    bus = LocalBus().endpoint()
    heard: list[bytes] = []

    async def receive(message: Message) -> None:
        heard.append(message.body)
        await subscription.end()

    subscription = await bus.subscribe("sm.beacon", receive)
    await bus.publish("sm.beacon", b"1")
    await bus.publish("sm.beacon", b"2")
    for _ in range(5):
        await asyncio.sleep(0)
    assert heard == [b"1"]
