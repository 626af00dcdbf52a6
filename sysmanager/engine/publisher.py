"""Rows that changed, for all clients: made from the core's tables when they are durable, numbered without a hole."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import msgspec

from sysmanager.domain.failover import Failover
from sysmanager.domain.group import Group
from sysmanager.domain.ids import FailoverId, GroupId, JobId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.engine.core import Core
from sysmanager.engine.job_rows import job_row
from sysmanager.engine.rows import recorder_row, system_row
from sysmanager.protocol.clients import Alarm, Changes, Connection, Health, JobRow, RecorderRow, Snapshot, SystemRow

REFRESH_MS = 250
"""How often rows are looked at that change by time alone: silence, countdowns, how long a server has been stable."""

ROUND_MS = 30_000
"""Within this time every row is looked at once, for free space and the like."""

ROWS_AT_ONCE = 400
"""So many rows of servers are made at a time: some hundredths of a second of the engine's loop. The others follow with the next refresh."""

NUMBERS_PER_START = 1 << 32
"""Changes of two starts of a coordinator never have the same or neighbouring numbers."""

PIECE_WEIGHT = 500
"""So many cameras and other parts of rows one message takes, each of some 200 bytes: when a whole network segment falls silent, all of its
rows change four times a second, and a message that does not fit the bus would cost every client a snapshot of everything."""

JOBS_AT_ONCE = 20
"""Rows of jobs in one message; each may name many cameras."""

Receive = Callable[[Changes], None]


class Publisher:
    """Knows the last row of everything, and whom to tell. All calls on the engine's loop."""

    def __init__(self, site: str, *, practice: bool = False) -> None:
        self._site = site
        self._practice = practice
        self._sequence = 0
        self._recorders: dict[RecorderId, RecorderRow] = {}
        self._groups: dict[GroupId, Group] = {}
        self._failovers: dict[FailoverId, Failover] = {}
        self._jobs: dict[JobId, JobRow] = {}
        self._system: SystemRow | None = None
        self._moving: dict[RecorderId, None] = {}
        self._touched: dict[RecorderId, None] = {}
        self._round: list[RecorderId] = []
        self._receivers: list[Receive] = []
        self.lag_ms = 0
        self.history_trouble: str | None = None
        self._history_since_ms = 0

    def subscribe(self, receive: Receive) -> Callable[[], None]:
        """Hear every change from now on; the result ends that."""
        self._receivers.append(receive)

        def end() -> None:
            if receive in self._receivers:
                self._receivers.remove(receive)

        return end

    @property
    def sequence(self) -> int:
        """Number of the last published change."""
        return self._sequence

    def snapshot(self) -> Snapshot:
        """Everything, as of the last published change: what was published was durable."""
        assert self._system is not None, "published before"
        return Snapshot(
            sequence=self._sequence,
            system=self._system,
            groups=tuple(self._groups.values()),
            recorders=tuple(self._recorders.values()),
            failovers=tuple(sorted(self._failovers.values(), key=lambda entry: -entry.number)),
            jobs=tuple(sorted(self._jobs.values(), key=lambda job: -job.number)),
        )

    def restart(self, core: Core) -> None:
        """The tables were read from the journal: all rows are made anew.

        The numbers go on above all that an earlier start could have given, with a hole, so that every client asks for a snapshot.
        """
        self._recorders, self._failovers, self._groups, self._jobs = {}, {}, {}, {}
        self._round, self._moving, self._touched = [], {}, {}
        self._sequence = max(self._sequence + 1, (core.state.term + 1) * NUMBERS_PER_START)
        core.touched_recorders.update(core.state.recorders)
        core.touched_failovers.update(core.state.failovers)
        core.touched_jobs.update(core.state.jobs)
        core.groups_changed = True

    def cannot_save(self, why: str, now: Instant) -> None:
        """Tell that nothing can be changed at the moment. Looks at no table: they are not to be shown."""
        if self._system is None:
            return
        alarm = Alarm(key="journal", sentence=why, since_wall_ms=now.wall_ms, health=Health.BAD)
        others = tuple(known for known in self._system.alarms if known.key != alarm.key)
        sentence = "The coordinator cannot save changes: nothing can be changed, and no failover can start"
        self._system = msgspec.structs.replace(self._system, sentence=sentence, health=Health.BAD, alarms=(alarm, *others))
        self._sequence += 1
        self._tell(Changes(sequence=self._sequence, system=self._system))

    def _tell(self, changes: Changes) -> None:
        for receive in tuple(self._receivers):
            receive(changes)

    def refresh(self, core: Core, now: Instant) -> None:
        """Look again at rows that move by themselves, and at a share of all others."""
        for recorder in list(islice(self._moving, ROWS_AT_ONCE)):
            # Where more move than that, as when a whole network fell silent, they take turns: the engine has to hear meanwhile.
            del self._moving[recorder]
            self._moving[recorder] = None
            core.touched_recorders.add(recorder)
        core.touched_jobs.update(core.state.open_jobs)
        if not self._round:
            self._round = list(core.state.recorders)
        share = max(1, len(core.state.recorders) * REFRESH_MS // ROUND_MS)
        core.touched_recorders.update(self._round[:share])
        core.look_at_readiness(now, also=self._round[:share])
        del self._round[:share]
        self.publish(core, now)

    def publish(self, core: Core, now: Instant, *, rows_only: bool = False) -> None:
        """Tell the receivers what is different since the last time. rows_only: leave the system row, which looks at all, for later."""
        recorders, removed = self._changed_recorders(core, now)
        groups, removed_groups = self._changed_groups(core)
        failovers = self._changed_failovers(core)
        jobs, removed_jobs = self._changed_jobs(core, now)
        system = self._system
        if not rows_only or system is None:
            counts = core.readiness.counts
            system = system_row(core.state, core.seen, now, site=self._site, practice=self._practice, lag_ms=self.lag_ms, ready=counts)
            system = self._with_history(system, now)
        system_changed = system != self._system
        self._system = system
        if not (recorders or removed or groups or removed_groups or failovers or jobs or removed_jobs or system_changed):
            return
        pieces = _pieces(recorders, failovers)
        first_rows, first_entries = pieces[0]
        self._sequence += 1
        first = Changes(
            sequence=self._sequence,
            system=system if system_changed else None,
            groups=groups,
            removed_groups=removed_groups,
            recorders=first_rows,
            removed_recorders=removed,
            failovers=first_entries,
            jobs=jobs[:JOBS_AT_ONCE],
            removed_jobs=removed_jobs,
        )
        self._tell(first)
        for rows, entries in pieces[1:]:
            self._sequence += 1
            self._tell(Changes(sequence=self._sequence, recorders=rows, failovers=entries))
        for begin in range(JOBS_AT_ONCE, len(jobs), JOBS_AT_ONCE):
            self._sequence += 1
            self._tell(Changes(sequence=self._sequence, jobs=jobs[begin : begin + JOBS_AT_ONCE]))

    def _with_history(self, system: SystemRow, now: Instant) -> SystemRow:
        """An alarm while old entries and the audit log cannot be kept or searched; what protects goes on without them."""
        if self.history_trouble is None:
            self._history_since_ms = 0
            return system
        self._history_since_ms = self._history_since_ms or now.wall_ms
        sentence = f"Old entries and the audit log cannot be searched: {self.history_trouble}"
        alarm = Alarm(key="history", sentence=sentence, since_wall_ms=self._history_since_ms)
        return msgspec.structs.replace(system, alarms=(*system.alarms, alarm))

    def _changed_recorders(self, core: Core, now: Instant) -> tuple[tuple[RecorderRow, ...], tuple[RecorderId, ...]]:
        changed: list[RecorderRow] = []
        removed: list[RecorderId] = []
        self._touched.update(dict.fromkeys(sorted(core.touched_recorders)))
        core.touched_recorders.clear()
        for recorder in list(islice(self._touched, ROWS_AT_ONCE)):
            del self._touched[recorder]
            row = core.state.recorders.get(recorder)
            old = self._recorders.get(recorder)
            if row is None:
                if old is not None:
                    del self._recorders[recorder]
                    removed.append(recorder)
                self._moving.pop(recorder, None)
                continue
            new = recorder_row(core.state, core.seen, row, now, core.readiness.shown(core.state, core.seen, row, now))
            still = new.connection is Connection.CONNECTED and new.countdown_ms is None and not new.stable_ms
            if still:
                self._moving.pop(recorder, None)
            else:
                self._moving.setdefault(recorder)
            if new != old:
                self._recorders[recorder] = new
                changed.append(new)
        return tuple(changed), tuple(removed)

    def _changed_groups(self, core: Core) -> tuple[tuple[Group, ...], tuple[GroupId, ...]]:
        if not core.groups_changed:
            return (), ()
        core.groups_changed = False
        changed = tuple(group for group in core.state.groups.values() if self._groups.get(group.id) != group)
        removed = tuple(group for group in self._groups if group not in core.state.groups)
        self._groups = dict(core.state.groups)
        return changed, removed

    def _changed_jobs(self, core: Core, now: Instant) -> tuple[tuple[JobRow, ...], tuple[JobId, ...]]:
        if not core.touched_jobs:
            return (), ()
        changed: list[JobRow] = []
        removed = tuple(job_id for job_id in self._jobs if job_id not in core.state.jobs)
        for job_id in removed:
            del self._jobs[job_id]
        for job_id in sorted(core.touched_jobs & core.state.jobs.keys()):
            job = core.state.jobs[job_id]
            row = job_row(core.state, core.seen, job, now)
            if self._jobs.get(job_id) != row:
                self._jobs[job_id] = row
                changed.append(row)
        core.touched_jobs.clear()
        return tuple(changed), removed

    def _changed_failovers(self, core: Core) -> tuple[Failover, ...]:
        changed = []
        for failover in sorted(core.touched_failovers):
            entry = core.state.failovers.get(failover) or core.last_rows.get(failover)
            if entry is not None and self._failovers.get(failover) != entry:
                self._failovers[failover] = entry
                changed.append(entry)
        core.touched_failovers.clear()
        core.last_rows.clear()
        if len(self._failovers) > len(core.state.failovers):
            # What left memory is no longer in snapshots: clients ask the history for it.
            self._failovers = {key: entry for key, entry in self._failovers.items() if key in core.state.failovers}
        return tuple(changed)


def _pieces(rows: tuple[RecorderRow, ...], entries: tuple[Failover, ...]) -> list[tuple[tuple[RecorderRow, ...], tuple[Failover, ...]]]:
    """Rows and entries in portions that fit a message, in their order; one portion at least."""
    pieces: list[tuple[list[RecorderRow], list[Failover]]] = [([], [])]
    weight = 0

    def begin_if_full(more: int) -> None:
        nonlocal weight
        if weight and weight + more > PIECE_WEIGHT:
            pieces.append(([], []))
            weight = 0
        weight += more

    for row in rows:
        reasons = len(row.readiness.reasons) if row.readiness is not None else 0
        begin_if_full(5 + len(row.cameras) + len(row.disks) + reasons)
        pieces[-1][0].append(row)
    for entry in entries:
        parts = len(entry.gaps) + len(entry.moved) + len(entry.not_moved) + len(entry.verdicts) + len(entry.to_do) + len(entry.attempts)
        begin_if_full(15 + parts)
        pieces[-1][1].append(entry)
    return [(tuple(rows), tuple(entries)) for rows, entries in pieces]
