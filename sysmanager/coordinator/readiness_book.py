"""The readiness of every server, kept up to date: only what a change touches is computed anew (SPEC 14.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.readiness import readiness_of
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.selection import Needs, needs_of
from sysmanager.coordinator.state import View, tasks_of
from sysmanager.domain.documents import SettingsSummary
from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder, Role
from sysmanager.protocol.clients import Readiness, Ready

STEP = 150
"""Of so many servers the readiness is computed at a time: some milliseconds, so that a change in a large group holds up nothing."""


class ReadinessBook:
    """Owned by the engine's core. `touch…` and `rests_on` say what changed; `update` looks at what that touches.

    counts: servers by level.
    """

    def __init__(self) -> None:
        self._known: dict[RecorderId, Readiness] = {}
        self._needs: dict[RecorderId, tuple[SettingsSummary, Needs]] = {}
        self._touched: set[RecorderId] = set()
        self._groups: set[GroupId] = set()
        self._waiting: dict[RecorderId, None] = {}
        self.counts: dict[Ready, int] = dict.fromkeys(Ready, 0)

    @property
    def known(self) -> Mapping[RecorderId, Readiness]:
        """As last computed."""
        return self._known

    @property
    def pending(self) -> bool:
        """Whether something was touched that was not looked at yet."""
        return bool(self._touched or self._waiting or self._groups)

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
        for recorder in sorted(self._touched):
            self._expand(view, seen, recorder)
        for group in sorted(self._groups):
            self._waiting.update(dict.fromkeys(sorted(view.members.get(group, ()))))
        self._touched.clear()
        self._groups.clear()
        self._waiting.update(dict.fromkeys(also))
        changed: list[RecorderId] = []
        for recorder in list(self._waiting)[:limit]:
            del self._waiting[recorder]
            before, after = self._known.get(recorder), None
            row = view.recorders.get(recorder)
            if row is not None:
                after = readiness_of(view, seen, row, now, self._needs_of(view, row))
            if before != after:
                self._put(recorder, before, after)
                changed.append(recorder)
        return tuple(changed)

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

    def _put(self, recorder: RecorderId, before: Readiness | None, after: Readiness | None) -> None:
        if before is not None:
            self.counts[before.level] -= 1
        if after is None:
            self._known.pop(recorder, None)
            self._needs.pop(recorder, None)
        else:
            self.counts[after.level] += 1
            self._known[recorder] = after

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
