"""The session with the coordinator: following what changes, and changing the role in the demo."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from sysmanager.api import Client, ClientError, Snapshot
from sysmanager.domain.rights import RoleName
from sysmanager.ui.state.events import ChangesArrived, LinkChanged, NoticeShown, SessionChanged, SnapshotArrived
from sysmanager.ui.state.model import Link, Tone
from sysmanager.ui.state.store import Store

RETRY_S: tuple[float, ...] = (0.5, 1.0, 2.0, 5.0)
"""Waits before the coordinator is followed again; the last one repeats."""


class SessionSwitcher(Protocol):
    """Opens sessions in other roles, where that is allowed: in the demo."""

    @property
    def roles(self) -> tuple[RoleName, ...]:
        """The roles that are offered."""
        ...

    async def switch(self, role: RoleName) -> Client:
        """A new session in this role; the old one stays open and is closed by the caller. Raises ClientError."""
        ...


async def follow(client: Client, store: Store, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Put what the coordinator says into the store until the client is closed. A lost link is shown, and followed again."""
    failures = 0
    while True:
        try:
            async for update in client.changes():
                failures = 0
                store.dispatch(SnapshotArrived(update) if isinstance(update, Snapshot) else ChangesArrived(update))
            return
        except ClientError as error:
            store.dispatch(LinkChanged(Link.LOST, str(error)))
        await sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
        failures += 1


class Tasks:
    """Keeps coroutines that views start alive until they end, and ends them with the window."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run on the loop of this thread. What goes wrong in it is a defect and reaches the loop's exception handler."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def busy(self) -> int:
        """How many have not ended."""
        return len(self._tasks)

    async def end(self) -> None:
        """Cancel all and wait until they are gone."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Session:
    """Who works in this window. `client` is the open session; switching the role opens another and closes it."""

    def __init__(self, client: Client, store: Store, switcher: SessionSwitcher | None = None) -> None:
        self._client = client
        self._store = store
        self._switcher = switcher
        self._following: asyncio.Task[None] | None = None
        store.dispatch(SessionChanged(client.actor, switcher.roles if switcher is not None else ()))

    @property
    def client(self) -> Client:
        return self._client

    def start(self) -> None:
        """Begin to follow the coordinator."""
        self._following = asyncio.get_running_loop().create_task(follow(self._client, self._store))

    async def switch(self, role: RoleName) -> None:
        """Go on in another role; the old session stays where the new one cannot be had."""
        if self._switcher is None or role is self._client.actor.role:
            return
        try:
            client = await self._switcher.switch(role)
        except ClientError as error:
            self._store.dispatch(NoticeShown(Tone.BAD, str(error)))
            return
        await self.close()
        self._client = client
        self._store.dispatch(SessionChanged(client.actor, self._switcher.roles))
        self.start()

    async def close(self) -> None:
        """End following and the session."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None
        await self._client.close()
