"""Leave to fetch material: for one job, one source, one target and one epoch, for a day; and only the order to copy carries it."""

from __future__ import annotations

import pytest

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.local import LocalBus
from sysmanager.bus.port import Message
from sysmanager.coordinator.inputs import OrderAnswered
from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.domain.ids import CameraId, Epoch, JobId, RecorderId
from sysmanager.engine.field import Field
from sysmanager.protocol.jobs import Accepted, CopyMaterial, PauseCopy
from sysmanager.protocol.material import job_of, token_for
from sysmanager.protocol.recorders import Order

KEY = b"k" * 32
JOB = JobId("J00007")
F, A, B = RecorderId("F"), RecorderId("A"), RecorderId("B")


def token(until_s: int = 1_000) -> str:
    return token_for(KEY, job=JOB, source=F, target=A, epoch=Epoch(3), until_s=until_s)


def test_it_lets_its_target_in_until_its_end() -> None:
    assert job_of(token(), KEY, source=F, target=A, epoch=Epoch(3), now_s=1_000) == JOB
    assert job_of(token(), KEY, source=F, target=A, epoch=Epoch(3), now_s=1_001) is None


@pytest.mark.parametrize(
    ("source", "target", "epoch", "key"),
    [(A, A, Epoch(3), KEY), (F, B, Epoch(3), KEY), (F, A, Epoch(4), KEY), (F, A, Epoch(3), b"x" * 32)],
)
def test_it_lets_nobody_else_in(source: RecorderId, target: RecorderId, epoch: Epoch, key: bytes) -> None:
    assert job_of(token(), key, source=source, target=target, epoch=epoch, now_s=1) is None


@pytest.mark.parametrize(
    "text", ["", "1.2.3", "2" + token()[1:], token().replace("1000", "9999"), "1.J.\u0661.x", f"1.J.{'9' * 13}.x", token()[:-1]]
)
def test_what_is_no_token_lets_nobody_in(text: str) -> None:
    assert job_of(text, KEY, source=F, target=A, epoch=Epoch(3), now_s=1) is None


async def test_only_the_order_to_copy_carries_it_and_the_coordinator_never_sees_it() -> None:
    bus = LocalBus()
    got: list[Order] = []

    async def take(message: Message) -> bytes:
        order: Order = wire.decode(Order, message.body)
        got.append(order)
        return wire.encode(Accepted(job=JOB))

    await bus.endpoint().serve(subjects.order(A), take)
    copy = CopyMaterial(job=JOB, source=F, address="https://f", epoch=Epoch(3), home=A, camera=CameraId("c"), hours=())
    field = Field(bus.endpoint(), MemoryDocumentStore(), material_key=KEY)
    answered = await field.order(A, copy)
    assert isinstance(answered, OrderAnswered)
    assert answered.order == copy
    sent = got[0]
    assert isinstance(sent, CopyMaterial)
    assert job_of(sent.token, KEY, source=F, target=A, epoch=Epoch(3), now_s=1) == JOB
    await field.order(A, PauseCopy(job=JOB))
    assert got[1] == PauseCopy(job=JOB)
    await Field(bus.endpoint(), MemoryDocumentStore()).order(A, copy)
    assert got[2] == copy
