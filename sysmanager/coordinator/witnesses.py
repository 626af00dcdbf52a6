"""Failover servers that can say something about a recorder, and what they said lately (SPEC 4.4, 13.3, 13.4)."""

from __future__ import annotations

from sysmanager.coordinator.maintenance import own_maintenance
from sysmanager.coordinator.opinions import FRESH_MS, REACHED_MS, Stamp
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, governing
from sysmanager.domain.failover import Opinion
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.recorder import Recorder, Role, Standby


def witnesses(view: View, seen: Seen, row: Recorder) -> list[RecorderId]:
    """Servers of the group that are heard, wait, and could take the recorder's place, by id."""
    group = governing(view, row).group
    members = (view.recorders[member] for member in sorted(view.members.get(group, ()))) if group is not None else ()
    return [
        server.id
        for server in members
        if server.role is Role.FAILOVER
        and server.id != row.id
        and isinstance(server.assignment, Standby)
        and seen.connected(server.id)
        and seen.of(server.id).service_heard()
        and own_maintenance(view, server.id) is None
    ]


def anybody_heard(view: View, seen: Seen, row: Recorder) -> bool:
    """Whether any failover server of the group is heard, free or not: if none is, it may be the group's network that is lost."""
    group = governing(view, row).group
    members = (view.recorders[member] for member in view.members.get(group, ())) if group is not None else ()
    return any(server.role is Role.FAILOVER and server.id != row.id and seen.connected(server.id) for server in members)


def _says_something(seen: Seen, stamp: Stamp, limit_ms: int) -> bool:
    """Whether what was said then counts now. A word from before a time in which nobody could be heard does not: however short that is in
    proven time, all may be different."""
    return stamp[1] == seen.listening.generation and seen.listening.since_ms(*stamp) <= limit_ms


def opinions_of(view: View, seen: Seen, row: Recorder) -> tuple[Opinion, ...]:
    """What those servers said of the recorder lately, by id."""
    about = seen.opinions.about.get(row.id, {})
    return tuple(
        Opinion(server=server, reached=about[server].reached, records=about[server].records)
        for server in (witnesses(view, seen, row) if about else ())
        if server in about and _says_something(seen, about[server].stamp, FRESH_MS)
    )


def confirmed_away(view: View, seen: Seen, row: Recorder) -> bool:
    """Whether a server that is heard says that it does not reach the recorder, and none says that it does."""
    found = opinions_of(view, seen, row)
    return bool(found) and not any(opinion.reached for opinion in found)


def seen_recording(view: View, seen: Seen, row: Recorder) -> Opinion | None:
    """The word of a server that reaches the recorder and hears that it records, if there is one."""
    return next((opinion for opinion in opinions_of(view, seen, row) if opinion.reached and opinion.records), None)


def cameras_reached(view: View, seen: Seen, row: Recorder) -> bool:
    """Whether one of those servers reached cameras of the recorder lately (SPEC 4.4)."""
    reached = seen.opinions.cameras.get(row.id)
    if not reached:
        return False
    return any(server in reached and _says_something(seen, reached[server], REACHED_MS) for server in witnesses(view, seen, row))
