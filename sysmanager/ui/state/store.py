"""Holds the state and tells who listens: the first change at once, later ones merged to at most ten updates a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sysmanager.ui.state.events import ChangesArrived, Event, SnapshotArrived
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.reducer import reduce

UPDATE_INTERVAL_S = 0.1


class Clock(Protocol):
    """What of an asyncio event loop the store needs; a test gives its own."""

    def time(self) -> float:
        """Seconds on a monotonic clock."""
        ...

    def call_later(self, delay: float, callback: Callable[[], None], /) -> object:
        """Call once, `delay` seconds from now."""
        ...


Listener = Callable[[UiState], None]


class Store:
    """The state of one window.

    What a person did is announced at once, and so is the first change from the coordinator; those that follow within
    `UPDATE_INTERVAL_S` of the last announcement are merged to the newest. To be used from the thread of its clock only.
    """

    def __init__(self, state: UiState, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._listeners: list[Listener] = []
        self._announced_at: float | None = None
        self._pending = False

    @property
    def state(self) -> UiState:
        """The newest state, announced or not."""
        return self._state

    @property
    def settled(self) -> bool:
        """Whether everything was announced."""
        return not self._pending

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every announced state, and with the present one now. Returns how to end that."""
        self._listeners.append(listener)
        listener(self._state)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def dispatch(self, event: Event) -> None:
        """Apply the event and announce the state, now or merged with what comes."""
        state = reduce(self._state, event)
        if state is self._state:
            return
        self._state = state
        if not isinstance(event, SnapshotArrived | ChangesArrived):
            self._announce()
            return
        if self._pending:
            return
        now = self._clock.time()
        due = now if self._announced_at is None else self._announced_at + UPDATE_INTERVAL_S
        if now >= due:
            self._announce()
        else:
            self._pending = True
            self._clock.call_later(due - now, self._announce_pending)

    def _announce_pending(self) -> None:
        if self._pending:
            self._announce()

    def _announce(self) -> None:
        self._pending = False
        self._announced_at = self._clock.time()
        for listener in tuple(self._listeners):
            listener(self._state)
