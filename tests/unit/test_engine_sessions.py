"""Sessions on the engine's own loop leave nothing behind."""

from __future__ import annotations

import asyncio

from sysmanager.engine.clients import LocalClient
from sysmanager.protocol.clients import Snapshot
from tests.helpers.engine_site import ADMIN, EngineSite
from tests.helpers.virtual_time import in_virtual_time


@in_virtual_time
async def test_a_session_that_is_given_up_while_it_waits_leaves_no_task_behind() -> None:
    site = EngineSite()
    await site.start()
    begun = asyncio.Event()

    async def follow() -> None:
        async for update in LocalClient(site.engine, ADMIN).changes():
            assert isinstance(update, Snapshot)
            begun.set()

    following = asyncio.create_task(follow())
    await begun.wait()
    await asyncio.sleep(0)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if "Event.wait" in repr(task.get_coro())]
    await site.close()
