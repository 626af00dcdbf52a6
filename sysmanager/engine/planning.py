"""When the core looks at what again: one heap of deadlines (DESIGN), by the monotonic clock."""

from __future__ import annotations

import heapq
from abc import abstractmethod
from collections.abc import Hashable

from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.decide import due_failover_ms
from sysmanager.coordinator.jobs.orders import REFUSED_MS
from sysmanager.coordinator.probing import probes, watch_of
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import State
from sysmanager.domain.ids import FailoverId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.protocol.jobs import JobOrder
from sysmanager.protocol.probes import Probe
from sysmanager.protocol.recorders import Order, Record

PROOF_INTERVAL_MS = 20
"""How often a canary is sent ahead of its time while a deadline waits for proof that the coordinator could hear."""

REFUSED_AGAIN_MS = 60_000
"""Pause before an order that was refused is sent again, when the recorder reports nothing new."""

DARK_AGAIN_MS = 10_000
"""The same for an order to record: a disk that can be written again is reported by nobody, and cameras are dark until then."""


class Planning:
    """The part of the core that knows when. A deadline is named by its kind and whom it is for; the earlier one of two counts."""

    state: State
    seen: Seen
    _heap: list[tuple[int, str]]
    _due: dict[str, int]
    _proving: set[RecorderId]
    _last_proof_ms: int
    _work_recorders: set[RecorderId]

    @abstractmethod
    def _push(self, taken: i.Input, now: Instant, token: Hashable = None) -> None: ...

    @property
    def next_due_ms(self) -> int | None:
        """When `tick` has something to do, by the monotonic clock."""
        return self._heap[0][0] if self._heap else None

    def _recorder_due(self, recorder: RecorderId, now: Instant) -> bool:
        row = self.state.recorders.get(recorder)
        due_ms = watch_of(self.state, self.seen, row, now).due_ms if row is not None else None
        if row is None or due_ms is None:
            self._push(i.Review(recorder=recorder), now)
            return False
        provable_ms = self.seen.listening.provable_ms(now)
        if due_ms - now.mono_ms > provable_ms:
            self._schedule(f"recorder {recorder}", due_ms - provable_ms)
            return False
        # By the clock the timeout is over; what is missing is the proof that nothing was said meanwhile.
        self._proving.add(recorder)
        self._schedule(f"recorder {recorder}", now.mono_ms + PROOF_INTERVAL_MS)
        if now.mono_ms - self._last_proof_ms < PROOF_INTERVAL_MS:
            return False
        self._last_proof_ms = now.mono_ms
        return True

    def _probe_due(self, recorder: RecorderId, now: Instant) -> None:
        """Something may be to be asked about the recorder, and what keeps its failover from starting may be over."""
        row = self.state.recorders.get(recorder)
        if row is None:
            return
        watch = watch_of(self.state, self.seen, row, now)
        if watch.look_ms is None:
            return
        self._schedule(f"probe {recorder}", watch.look_ms)
        if probes(self.state, self.seen, row, watch.probe, now):
            self._work_recorders.add(recorder)
        if not self.seen.connected(recorder):
            self._push(i.Review(recorder=recorder), now)

    def _plan_again(self, recorder: RecorderId, order: Order, now: Instant) -> None:
        """When an order that was refused is sent once more, if the recorder reports nothing new before.

        One for a job has a deadline of its own: the one of another order may come when it has not waited long enough, and is then over.
        """
        if isinstance(order, JobOrder):
            self._schedule(f"again {order.job} {recorder}", now.mono_ms + REFUSED_MS)
        else:
            self._schedule(f"refused {recorder}", now.mono_ms + (DARK_AGAIN_MS if isinstance(order, Record) else REFUSED_AGAIN_MS))

    def _schedule(self, key: str, due_ms: int) -> None:
        known = self._due.get(key)
        if known is None or due_ms < known:
            self._due[key] = due_ms
            heapq.heappush(self._heap, (due_ms, key))

    def _plan_recorder(self, recorder: RecorderId, now: Instant) -> Probe | None:
        """Plan when to look at it again. What is to be asked about it now."""
        row = self.state.recorders.get(recorder)
        if row is None:
            return None
        watch = watch_of(self.state, self.seen, row, now)
        if watch.look_ms is not None:
            self._schedule(f"probe {recorder}", watch.look_ms)
        if watch.due_ms is not None:
            # Time that is not proven yet may well be: look when the timeout would be over by the clock.
            self._schedule(f"recorder {recorder}", max(now.mono_ms, watch.due_ms - self.seen.listening.provable_ms(now)))
        return watch.probe

    def _plan_failover(self, failover: FailoverId, now: Instant) -> None:
        if failover not in self.state.open:
            return
        due_ms = due_failover_ms(self.state, self.seen, self.state.failovers[failover], now)
        if due_ms is not None and due_ms > now.mono_ms:
            self._schedule(f"failover {failover}", due_ms)
