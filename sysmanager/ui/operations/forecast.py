"""Keeps the line "If it fails now" fresh: a preview of the selected server, asked for when it is seen and not too often."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sysmanager.api import Preview
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.recorder import Acting, Recording
from sysmanager.ui.operations.commands import Operations
from sysmanager.ui.state.events import ForecastArrived
from sysmanager.ui.state.model import Forecast, Link, Place, UiState
from sysmanager.ui.state.store import Store

REFRESH_S = 2.0
"""A server that stays selected is asked about this often at most."""


class Forecaster:
    """Asks at once for a newly selected server, then every `REFRESH_S` while `visible` says that somebody can see the answer."""

    def __init__(
        self,
        operations: Operations,
        store: Store,
        visible: Callable[[], bool],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._operations = operations
        self._store = store
        self._visible = visible
        self._sleep = sleep
        self._changed = asyncio.Event()
        self._asked: RecorderId | None = None

    async def run(self) -> None:
        """Go on until cancelled."""
        unsubscribe = self._store.subscribe(self._notice)
        try:
            while True:
                await self._refresh()
                await self._pause()
        finally:
            unsubscribe()

    def wake(self) -> None:
        """Ask again now, as the line has come into view."""
        self._changed.set()

    def _notice(self, state: UiState) -> None:
        if wanted(state) != self._asked:
            self._changed.set()

    async def _pause(self) -> None:
        """Until the refresh is due or something else is selected."""
        waits = {asyncio.ensure_future(self._changed.wait()), asyncio.ensure_future(self._sleep(REFRESH_S))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._changed.clear()

    async def _refresh(self) -> None:
        recorder = wanted(self._store.state)
        self._asked = recorder
        if recorder is None or not self._visible():
            return
        answer = await self._operations.preview_failover(recorder)
        preview, sentence = (answer, "") if isinstance(answer, Preview) else (None, answer)
        forecast = Forecast(recorder=recorder, preview=preview, sentence=sentence)
        if forecast != self._store.state.forecast:
            self._store.dispatch(ForecastArrived(forecast))


def wanted(state: UiState) -> RecorderId | None:
    """The server to ask about: the selected one, if its failure would matter."""
    row = state.row
    if row is None or state.place is not Place.SERVER or state.link is not Link.CONNECTED:
        return None
    return row.id if isinstance(row.assignment, Recording | Acting) else None
