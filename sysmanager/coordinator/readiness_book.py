"""The readiness of every server, kept up to date: only what a change touches is computed anew (SPEC 14.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.maintenance import maintenance_of
from sysmanager.coordinator.readiness import readiness_of
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.selection import Needs, needs_of
from sysmanager.coordinator.state import View, tasks_of
from sysmanager.domain.documents import SettingsSummary
from sysmanager.domain.ids import Epoch, GroupId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.maintenance import Maintenance
from sysmanager.domain.recorder import Assignment, Recorder, Role
from sysmanager.protocol.clients import Readiness, Ready

STEP = 150
"""Of so many servers the readiness is computed at a time: some milliseconds, so that a change in a large group holds up nothing."""

_Basis = tuple[Assignment, GroupId | None, bool, bool, Maintenance | None]


def _basis(view: View, row: Recorder) -> _Basis:
    """What people see of the server beside its readiness, and what the readiness would contradict if it were of earlier."""
    return row.assignment, row.group, row.failover_enabled, row.id in view.holds, maintenance_of(view, row)


class ReadinessBook:
    """Owned by the engine's core. `touch…` and `rests_on` say what changed; `update` looks at what that touches.

    counts: servers by level.
    """

    def __init__(self) -> None:
        self._known: dict[RecorderId, Readiness] = {}
        self._of: dict[RecorderId, _Basis] = {}
        self._needs: dict[RecorderId, tuple[SettingsSummary, Needs]] = {}
        self._touched: set[RecorderId] = set()
        self._groups: set[GroupId] = set()
        self._waiting: dict[RecorderId, None] = {}
        self._next_epoch = Epoch(1)
        self.counts: dict[Ready, int] = dict.fromkeys(Ready, 0)

    @property
    def known(self) -> Mapping[RecorderId, Readiness]:
        """As last computed."""
        return self._known

    @property
    def pending(self) -> bool:
        """Whether something was touched that was not looked at yet."""
        return bool(self._touched or self._waiting or self._groups)

    def shown(self, view: View, seen: Seen, row: Recorder, now: Instant) -> Readiness | None:
        """To be shown beside the row as it is now: computed anew, if not looked at since system data says something else of the server.

        None: never looked at. What it rests on of others, or of what is reported, may still be behind.
        """
        known = self._known.get(row.id)
        if known is None or self._of[row.id] == _basis(view, row):
            return known
        self._look(view, seen, row, now)
        return self._known[row.id]

    def touch(self, recorder: RecorderId) -> None:
        """Something about the server changed: in system data or in what it reports."""
        self._touched.add(recorder)

    def touch_group(self, group: GroupId) -> None:
        """Something changed on which every server of the group rests."""
        self._groups.add(group)

    def rests_on(self, view: View, fact: f.AnyFact) -> None:
        """Called before and after a fact is applied: who is in the group of the server then, rests on what it is and needs."""
        if isinstance(fact, f.RecorderAdded | f.RecorderEdited | f.RecorderRemoved | f.DocumentsCached):
            row = view.recorders.get(fact.recorder.id if isinstance(fact, f.RecorderAdded) else fact.recorder)
            if row is not None and row.group is not None:
                self._groups.add(row.group)
        if isinstance(fact, f.DrillEnded) and fact.job in view.jobs:
            self._touched.update(view.jobs[fact.job].servers)

        if isinstance(fact, f.AdoptionFact):
            entry = view.failovers[fact.failover]
            rows = (view.recorders.get(server) for server in (entry.home, entry.server) if server is not None)
            self._groups.update(row.group for row in rows if row is not None and row.group is not None)

    def update(self, view: View, seen: Seen, now: Instant, limit: int = STEP, *, also: Iterable[RecorderId] = ()) -> tuple[RecorderId, ...]:
        """Look at `limit` of the servers that were touched, the longest waiting first; those whose readiness differs now.

        also: to be looked at as well, for what changes by time alone: ages, free space, clocks.
        """
        for recorder in sorted(self._touched | self._caught_up(view, seen)):
            self._expand(view, seen, recorder)
        for group in sorted(self._groups):
            self._waiting.update(dict.fromkeys(sorted(view.members.get(group, ()))))
        self._touched.clear()
        self._groups.clear()
        self._waiting.update(dict.fromkeys(also))
        changed: list[RecorderId] = []
        for recorder in list(self._waiting)[:limit]:
            del self._waiting[recorder]
            row = view.recorders.get(recorder)
            if self._look(view, seen, row, now) if row is not None else self._forget(recorder):
                changed.append(recorder)
        return tuple(changed)

    def _caught_up(self, view: View, seen: Seen) -> set[RecorderId]:
        """Servers that knew an epoch newer than system data had when this was asked last, and that it has given since, or the other way."""
        before, self._next_epoch = self._next_epoch, view.next_epoch
        if before == view.next_epoch:
            return set()
        low, high = min(before, view.next_epoch), max(before, view.next_epoch)
        beats = ((recorder, heard.beat) for recorder in seen.ahead if (heard := seen.recorders.get(recorder)) is not None)
        return {recorder for recorder, beat in beats if beat is not None and low <= beat.epoch < high}

    def _look(self, view: View, seen: Seen, row: Recorder, now: Instant) -> bool:
        """Whether it differs from what was known."""
        before, after = self._known.get(row.id), readiness_of(view, seen, row, now, self._needs_of(view, row))
        self._of[row.id] = _basis(view, row)
        if before == after:
            return False
        if before is not None:
            self.counts[before.level] -= 1
        self.counts[after.level] += 1
        self._known[row.id] = after
        return True

    def _forget(self, recorder: RecorderId) -> bool:
        """Whether there was anything to forget of a server that left system data."""
        before = self._known.pop(recorder, None)
        if before is None:
            return False
        self.counts[before.level] -= 1
        del self._of[recorder]
        self._needs.pop(recorder, None)
        return True

    def _expand(self, view: View, seen: Seen, recorder: RecorderId) -> None:
        """The server itself, whoever could be replaced by it, and whoever shares its machine."""
        self._waiting[recorder] = None
        row = view.recorders.get(recorder)
        if row is not None and row.role is Role.FAILOVER and row.group is not None:
            self._groups.add(row.group)
        for open_id in view.open_with.get(recorder, ()):
            # Who acts for a recorder that is well again would give its cameras back to it.
            server = view.failovers[open_id].server
            if server is not None:
                self._waiting[server] = None
        heard = seen.recorders.get(recorder)
        if heard is not None and heard.beat is not None and heard.beat.machine:
            together = seen.on_machine.get(heard.beat.machine, ())
            if len(together) > 1:
                self._waiting.update(dict.fromkeys(sorted(together)))

    def _needs_of(self, view: View, row: Recorder) -> Needs | None:
        """Of its tasks; made anew when the settings are others."""
        home = view.recorders.get(row.home) if row.home is not None else None
        if home is None:
            return None
        settings = tasks_of(row, home).settings
        known = self._needs.get(row.id)
        if known is None or known[0] is not settings:
            known = self._needs[row.id] = (settings, needs_of(settings))
        return known[1]
