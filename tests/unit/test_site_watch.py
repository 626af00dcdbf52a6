"""Waiting for what the coordinator shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sysmanager import api
from sysmanager.app.errors import CommandError
from sysmanager.app.site.watch import Watch
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.recorder import Recording, Role


def system(sentence: str) -> api.SystemRow:
    return api.SystemRow(site="Site", state=api.CoordinatorState.WATCHING, sentence=sentence, health=api.Health.GOOD)


def row(name: str, condition: str) -> api.RecorderRow:
    return api.RecorderRow(
        id=RecorderId(name),
        name=name,
        address="",
        role=Role.STANDARD,
        group=None,
        revision=1,
        failover_enabled=True,
        detection_timeout_s=10,
        assignment=Recording(epoch=0),  # type: ignore[arg-type] # an epoch is a number
        connection=api.Connection.CONNECTED,
        health=api.Health.GOOD,
        condition=condition,
    )


class Scripted:
    """A client whose changes a test sends."""

    def __init__(self) -> None:
        self.news: asyncio.Queue[api.Snapshot | api.Changes] = asyncio.Queue()

    async def changes(self) -> AsyncIterator[api.Snapshot | api.Changes]:
        while True:
            yield await self.news.get()


async def test_rows_come_change_and_go() -> None:
    client: Any = Scripted()
    seen: list[object] = []
    async with Watch(client) as watch:
        watch.listen(seen.append)
        client.news.put_nowait(
            api.Snapshot(sequence=1, system=system("a"), groups=(), recorders=(row("A", "x"), row("B", "x")), failovers=())
        )
        await watch.until(lambda: len(watch.recorders) == 2, 5, "Nothing came")
        client.news.put_nowait(api.Changes(sequence=2, recorders=(row("A", "y"),), removed_recorders=(RecorderId("B"),)))
        await watch.until(lambda: watch.recorders[RecorderId("A")].condition == "y", 5, "Nothing came")
        assert set(watch.recorders) == {"A"}
        assert watch.system is not None
        assert watch.system.sentence == "a"
        client.news.put_nowait(api.Snapshot(sequence=9, system=system("b"), groups=(), recorders=(row("C", "x"),), failovers=()))
        await watch.until(lambda: set(watch.recorders) == {"C"}, 5, "Nothing came")
    assert len(seen) == 3


async def test_what_does_not_come_is_said_in_one_sentence() -> None:
    client: Any = Scripted()
    async with Watch(client) as watch:
        with pytest.raises(CommandError, match=r"^It did not come within 0\.01 s; "):
            await watch.until(lambda: False, 0.01, "It did not come")
