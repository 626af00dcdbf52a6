"""A canary is told after the heartbeats that had arrived before it, however many of them wait (SPEC 4: silence is proven, not assumed)."""

from __future__ import annotations

import asyncio

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.local import LocalBus
from sysmanager.coordinator import inputs as i
from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.domain.ids import InstanceId, RecorderId
from sysmanager.engine.field import Field
from sysmanager.protocol.clients import Reply
from sysmanager.protocol.recorders import Ask, Beacon, Leaving, ServiceState, Standing, WatchdogBeat

MANY = 600


class Order:
    """A listener that notes what it was told, in order: heartbeats as "beat", canaries as their number."""

    def __init__(self) -> None:
        self.told: list[str | int] = []
        self.all_came = asyncio.Event()

    def hear(self, taken: i.Input) -> None:
        self.told.append("beat")
        if self.told.count("beat") % MANY == 0:
            self.all_came.set()

    def canary(self, term: int, sequence: int) -> None:
        self.told.append(sequence)

    async def standing(self, ask: Ask) -> Standing | None:
        return None

    async def announced(self, leaving: Leaving) -> Reply | None:
        return None

    def name_of(self, recorder: RecorderId) -> str:
        return recorder


def beacon(sequence: int) -> bytes:
    return wire.encode(Beacon(term=1, sequence=sequence, wall_ms=0))


async def told_of(messages: list[tuple[str, bytes]], later: list[tuple[str, bytes]] | None = None) -> list[str | int]:
    """What a listener hears of messages that all wait at the same time; later: those that come after one turn of the loop."""
    bus, order = LocalBus(), Order()
    field = Field(bus.endpoint(), MemoryDocumentStore())
    await field.open(order)
    sender = bus.endpoint()
    for subject, body in messages:
        await sender.publish(subject, body)
    await asyncio.sleep(0)
    for subject, body in later or ():
        await sender.publish(subject, body)
    await asyncio.wait_for(order.all_came.wait(), 10)
    await asyncio.sleep(0)
    await field.close()
    return order.told


def beats(count: int) -> list[tuple[str, bytes]]:
    said = WatchdogBeat(recorder=RecorderId("A"), instance=InstanceId("a"), wall_ms=0, service=ServiceState.RUNNING, failed_starts=0)
    return [(subjects.watchdog(RecorderId("A")), wire.encode(said))] * count


async def test_a_canary_overtakes_no_heartbeat_that_came_before_it() -> None:
    assert await told_of([*beats(MANY), (subjects.BEACON, beacon(1))]) == ["beat"] * MANY + [1]


async def test_heartbeats_that_come_after_a_canary_do_not_keep_it() -> None:
    told = await told_of([*beats(MANY // 2), (subjects.BEACON, beacon(1))], [*beats(MANY // 2), (subjects.BEACON, beacon(2))])
    assert told.index(1) == MANY // 2
    assert told[-1] == 2


async def test_what_makes_no_sense_counts_as_heard() -> None:
    nonsense = [(subjects.watchdog(RecorderId("A")), b"nonsense")]
    told = await told_of([*nonsense * 300, *beats(MANY), (subjects.BEACON, beacon(1))])
    assert told == ["beat"] * MANY + [1]
