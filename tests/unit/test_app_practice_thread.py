"""The coordinator of the demo in its thread: sessions of other loops end with it, and a start that fails says so."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sysmanager import api
from sysmanager.app.engine_thread import PracticeSite
from sysmanager.bus.local import LocalBus
from sysmanager.domain.rights import RoleName
from sysmanager.simulation.demo_site import demo_plan
from sysmanager.simulation.live import SimulatedSite


def practice() -> PracticeSite:
    return PracticeSite(SimulatedSite(demo_plan(standard=1, seed=1), seed=1), name="Practice")


async def test_sessions_of_another_loop_end_with_it() -> None:
    site = practice()
    await asyncio.to_thread(site.start)
    client = site.client(RoleName.ADMINISTRATOR)
    following = client.changes()
    first = await anext(following)
    assert isinstance(first, api.Snapshot)
    assert first.system.site == "Practice"

    async def follow() -> None:
        async for _ in following:
            pass

    task = asyncio.create_task(follow())
    await asyncio.to_thread(site.end)
    async with asyncio.timeout(5):
        with pytest.raises(api.ClientError):
            await task
    with pytest.raises(api.ClientError):
        await client.snapshot()
    await client.close()
    await asyncio.to_thread(site.end)
    assert not [thread for thread in threading.enumerate() if thread.name == "engine"]


@pytest.fixture
async def unstarted(monkeypatch: pytest.MonkeyPatch) -> PracticeSite:
    """One whose start failed, and was raised where it was asked for."""

    async def fail(_: SimulatedSite, __: LocalBus) -> None:
        raise RuntimeError("no site today")

    monkeypatch.setattr(SimulatedSite, "start", fail)
    site = practice()
    with pytest.raises(RuntimeError, match="no site today"):
        await asyncio.to_thread(site.start)
    return site


async def test_a_practice_whose_start_failed_can_be_ended(unstarted: PracticeSite) -> None:
    await asyncio.to_thread(unstarted.end)
    assert not [thread for thread in threading.enumerate() if thread.name == "engine"]


async def test_an_end_in_the_moment_between_a_loop_that_closed_and_its_thread_is_waited_for(unstarted: PracticeSite) -> None:
    site = unstarted
    await asyncio.to_thread(site._thread.join)
    over = threading.Event()

    class Late(threading.Thread):
        """Over only when somebody waits for it."""

        def join(self, timeout: float | None = None) -> None:
            over.set()
            super().join(timeout)

    site._thread = Late(target=over.wait, name="engine")
    site._thread.start()
    await asyncio.to_thread(site.end)
    assert not site._thread.is_alive()
