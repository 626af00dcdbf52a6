"""What the coordinator shows, kept up to date, and waiting until it shows something."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from sysmanager import api
from sysmanager.app.errors import CommandError
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import FailoverId, RecorderId

AGAIN_S = 0.5


class Watch:
    """Rows of one client, updated as changes come. `until` waits; `listen` hears of every update.

    Use: `async with Watch(client) as watch:`. The client stays open.
    """

    def __init__(self, client: api.Client) -> None:
        self._client = client
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[api.Snapshot | api.Changes], None]] = []
        self.system: api.SystemRow | None = None
        self.recorders: dict[RecorderId, api.RecorderRow] = {}
        self.failovers: dict[FailoverId, Failover] = {}

    async def __aenter__(self) -> Watch:
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def listen(self, listener: Callable[[api.Snapshot | api.Changes], None]) -> None:
        self._listeners.append(listener)

    async def until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Raises CommandError: `what` did not come about in so many seconds. `what` begins a sentence."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            raise CommandError(f"{what} within {seconds:g} s; see the folder of the site for the logs.") from None

    async def _follow(self) -> None:
        while True:
            # A coordinator that was killed, and is started again, answers for a while nothing.
            with contextlib.suppress(api.ClientError):
                async for update in self._client.changes():
                    async with self._changed:
                        self._take(update)
                        self._changed.notify_all()
                    for listener in self._listeners:
                        listener(update)
            await asyncio.sleep(AGAIN_S)

    def _take(self, update: api.Snapshot | api.Changes) -> None:
        if isinstance(update, api.Snapshot):
            self.recorders.clear()
            self.failovers.clear()
        else:
            for gone in update.removed_recorders:
                self.recorders.pop(gone, None)
        if update.system is not None:
            self.system = update.system
        self.recorders.update((row.id, row) for row in update.recorders)
        self.failovers.update((entry.id, entry) for entry in update.failovers)
