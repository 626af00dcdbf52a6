"""Which maintenance covers a recorder, and when one is over (SPEC 13.6)."""

from __future__ import annotations

from collections.abc import Iterable

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.state import View, governing
from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.maintenance import SYSTEM, Maintenance, Scope, Target, key_of
from sysmanager.domain.recorder import Broken, Recorder

_SYSTEM_KEY = SYSTEM.key

LOOK_MS = 60_000
"""How often the wall clock is looked at for the end of a maintenance, at least: it may have been set."""


def own_maintenance(view: View, recorder: RecorderId) -> Maintenance | None:
    """The maintenance of this very server. It keeps a failover server from being a candidate (SPEC 5); one of its group does not, so
    that a failover by hand still finds it."""
    return view.maintenance.get(key_of(Scope.RECORDER, recorder)) if view.maintenance else None


def maintenance_of(view: View, row: Recorder) -> Maintenance | None:
    """What keeps this server from failing over by itself: its own maintenance, that of the group that governs it, or the system's.

    A server that acts is not covered by the maintenance of the recorder that it acts for: its cameras are to be protected meanwhile.
    """
    if not view.maintenance:
        return None
    found = view.maintenance.get(key_of(Scope.RECORDER, row.id))
    group = governing(view, row).group
    if found is None and group is not None:
        found = view.maintenance.get(key_of(Scope.GROUP, group))
    return found if found is not None else view.maintenance.get(_SYSTEM_KEY)


def covered(view: View, target: Target) -> Iterable[RecorderId]:
    """Servers that a maintenance of this target concerns. One that acts is concerned by its home's group as well."""
    if target.scope is Scope.SYSTEM:
        return tuple(view.recorders)
    if target.scope is Scope.GROUP:
        return tuple(view.members.get(GroupId(target.id), ()))
    return (RecorderId(target.id),)


def ended(view: View, now: Instant) -> tuple[f.AnyFact, ...]:
    """Facts for every maintenance whose end has come by the wall clock."""
    return tuple(
        f.MaintenanceEnded(target=found.target, sentence="Its time is over.")
        for found in view.maintenance.values()
        if found.until_wall_ms <= now.wall_ms
    )


def due_ms(view: View, now: Instant) -> int | None:
    """When to look for ends again, by the monotonic clock; None while nothing is in maintenance."""
    if not view.maintenance:
        return None
    next_ms = min(found.until_wall_ms for found in view.maintenance.values())
    return now.mono_ms + min(LOOK_MS, max(1, next_ms - now.wall_ms))


def over_with_failover(view: View, row: Recorder) -> f.MaintenanceEnded | None:
    """The maintenance that came with a failover by hand is over when that failover is, and the recorder is not replaced any more."""
    found = own_maintenance(view, row.id)
    if found is None or found.failover is None or isinstance(row.assignment, Broken):
        return None
    entry = view.failovers.get(found.failover)
    if entry is not None and not entry.phase.ended:
        return None
    return f.MaintenanceEnded(target=found.target, sentence="The failover by hand that it came with is over.")
