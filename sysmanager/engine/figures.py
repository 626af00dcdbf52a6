"""What an engine counts for metrics (SPEC 15). Looked at when somebody asks; nothing is counted for a heartbeat."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import get_args

import msgspec

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import Failover, Phase
from sysmanager.domain.ids import CameraId, FailoverId
from sysmanager.domain.instant import Instant
from sysmanager.domain.jobs import CopyJob, JobKind
from sysmanager.domain.recorder import Assignment
from sysmanager.engine.core import Core
from sysmanager.protocol.clients import Connection, Snapshot

APPEND_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
GAP_BOUNDS_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0)

MEASURED_KEPT = 1_000
"""Of so many failovers it is remembered which cameras' gaps were counted."""

RESULTS: dict[type, str] = {
    f.ClientsNotified: "ready",
    f.FailoverCancelled: "cancelled",
    f.FailoverFailed: "failed",
    f.FailbackNotified: "returned",
    f.FailbackUndone: "failback undone",
}
"""How a failover or failback came out, by the fact that says so."""


class Distribution:
    """How many values were at most each bound, and their sum. Bounds in the unit of the values."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        place = next((place for place, bound in enumerate(self._bounds) if value <= bound), len(self._bounds))
        self._counts[place] += 1
        self.sum += value

    @property
    def buckets(self) -> list[tuple[str, int]]:
        """Each bound with the number of values up to it; the last is without bound."""
        found, total = [], 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            found.append((bound, total))
        return found


class Tally:
    """What is counted as it happens: once for each fact, never for a heartbeat. Begins at 0 with every start."""

    def __init__(self) -> None:
        self.facts: Counter[str] = Counter()
        self.results: Counter[str] = Counter(dict.fromkeys(RESULTS.values(), 0))
        self.refused = 0
        self.append_s = Distribution(APPEND_BOUNDS_S)
        self.gap_s = Distribution(GAP_BOUNDS_S)
        self._measured: dict[FailoverId, set[CameraId]] = {}
        self._measured_order: deque[FailoverId] = deque()

    def appended(self, records: Iterable[f.FactRecord], took_s: float) -> None:
        """A batch became durable."""
        self.append_s.add(took_s)
        for record in records:
            kind = type(record.fact)
            self.facts[kind.__name__] += 1
            if kind in RESULTS:
                self.results[RESULTS[kind]] += 1
            if isinstance(record.fact, f.RequestRefused):
                self.refused += record.fact.times
            if isinstance(record.fact, f.GapsMeasured):
                self._gaps(record.fact)

    def _gaps(self, fact: f.GapsMeasured) -> None:
        """Each camera of a failover counts once: when both ends of its gap are known for the first time."""
        if fact.failover not in self._measured:
            self._measured[fact.failover] = set()
            self._measured_order.append(fact.failover)
            if len(self._measured_order) > MEASURED_KEPT:
                del self._measured[self._measured_order.popleft()]
        measured = self._measured[fact.failover]
        for gap in fact.gaps:
            if gap.gap_ms is not None and gap.camera not in measured:
                measured.add(gap.camera)
                self.gap_s.add(gap.gap_ms / 1000)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that metrics tell, at one moment. Counters are those of `tally`.

    servers: by connection, role and health. assigned: by what system data wants of them. readiness: by its level. countdowns: how many
    run, with the shortest. entries: open ones by the state of the log; waiting, queued: of these, by group. jobs: open ones by kind.
    holds, failback_holds, maintenances: how many there are. braked: whether the mass-loss brake holds.
    quarantined: cameras; self_tests_failed: servers that wait.
    heard: recorders connected. canary_ms: since the last one returned was sent; deaf: too long ago. lag_ms: of the engine's loop.
    inbox: inputs that wait; replies: requests that wait for their answer. history_behind: records that the history lacks.
    """

    tally: Tally
    term: int
    servers: Mapping[tuple[str, str, str], int]
    assigned: Mapping[str, int]
    readiness: Mapping[str, int]
    countdowns: int
    shortest_countdown_ms: int | None
    holds: int
    failback_holds: int
    maintenances: int
    braked: bool
    entries: Mapping[str, int]
    waiting: Mapping[str, int]
    queued: Mapping[str, int]
    jobs: Mapping[str, int]
    worst_gap_ms: Mapping[FailoverId, int]
    alarms: int
    quarantined: int
    self_tests_failed: int
    heard: int
    recorders: int
    canary_ms: int
    deaf: bool
    reconciling: bool
    lag_ms: int
    inbox: int
    replies: int
    journal_records: int
    journal_failing: bool
    history_behind: int
    history_failing: bool


def look(
    core: Core,
    snapshot: Snapshot,
    tally: Tally,
    now: Instant,
    *,
    lag_ms: int,
    replies: int,
    journal_records: int,
    journal_failing: bool,
    history: tuple[int, bool],
) -> Figures:
    """The figures now. history: how many records it lacks, and whether it fails."""
    state, seen = core.state, core.seen
    countdowns = [row.countdown_ms for row in snapshot.recorders if row.countdown_ms is not None]
    entries = [state.failovers[entry] for entry in state.open]
    assigned, system = Counter(type(row.assignment) for row in snapshot.recorders), snapshot.system
    kinds = Counter(JobKind.COPY if isinstance(state.jobs[job], CopyJob) else JobKind.DRILL for job in state.open_jobs)
    return Figures(
        tally=tally,
        term=state.term,
        servers=Counter((row.connection.value, row.role.value, row.health.value) for row in snapshot.recorders),
        assigned={kind.__name__.lower(): assigned[kind] for kind in get_args(Assignment)},
        readiness=dict(zip(("ready", "limited", "not ready"), (system.ready, system.limited, system.not_ready), strict=True)),
        countdowns=len(countdowns),
        shortest_countdown_ms=min(countdowns, default=None),
        holds=len(state.holds),
        failback_holds=len(state.failback_holds),
        maintenances=len(state.maintenance),
        braked=state.brake is not None,
        waiting=_by_group(state, entries, Phase.WAITING),
        queued=_by_group(state, entries, Phase.QUEUED),
        jobs={kind.value: kinds[kind] for kind in JobKind},
        entries=Counter(entry.log_state.value for entry in entries),
        worst_gap_ms={entry.id: entry.worst_gap_ms for entry in entries if entry.worst_gap_ms is not None},
        alarms=len(snapshot.system.alarms),
        quarantined=sum(len(complaint.words) for complaint in seen.complaints.quarantined.values()),
        self_tests_failed=len(seen.complaints.failed),
        heard=sum(row.connection is Connection.CONNECTED for row in snapshot.recorders),
        recorders=len(state.recorders),
        canary_ms=seen.listening.quiet_ms(now),
        deaf=seen.listening.deaf(now),
        reconciling=state.reconcile is not None,
        lag_ms=lag_ms,
        inbox=core.inbox,
        replies=replies,
        journal_records=journal_records,
        journal_failing=journal_failing,
        history_behind=history[0],
        history_failing=history[1],
    )


def _by_group(state: State, entries: Iterable[Failover], phase: Phase) -> dict[str, int]:
    """How many entries of each group are in this phase; 0 for the others, so that an alert sees it end."""
    found = Counter(entry.group for entry in entries if entry.phase is phase)
    return {str(group): found[group] for group in state.groups}
