"""What becomes of a recorder that was replaced and does not get its cameras back (SPEC 10).

It is taken in as a failover server, or removed. In both cases who acts for it keeps the cameras for good.
"""

from __future__ import annotations

from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.selection import room
from sysmanager.coordinator.state import View, unreconciled
from sysmanager.domain.camera import CameraKind, opening_order
from sysmanager.domain.failover import Failover, Phase, StayCause
from sysmanager.domain.ids import GroupId, shown
from sysmanager.domain.recorder import Acting, Broken, Recorder, Role
from sysmanager.protocol import clients as c

NAMED = 20
"""So many cameras are named in one line."""


def replaced_in(view: View, row: Recorder) -> Failover | None:
    """The entry in which this standard recorder was replaced; None if it is not replaced."""
    entry = view.failovers.get(row.assignment.failover) if isinstance(row.assignment, Broken) else None
    return entry if entry is not None and entry.home == row.id and row.role is Role.STANDARD else None


def keeping_stops(view: View, row: Recorder) -> list[str]:
    """Everything that keeps the acting server from keeping this recorder's cameras; empty if it may."""
    if not isinstance(row.assignment, Broken):
        return [f"{row.name} is not replaced; only a server that was replaced leaves its cameras to another one."]
    entry = replaced_in(view, row)
    if entry is None:
        return [f"{row.name} has no cameras that another server keeps; it stands by again once it is connected and has stood down."]
    server = view.recorders.get(entry.server) if entry.server is not None else None
    if entry.phase is not Phase.READY or server is None or not isinstance(server.assignment, Acting):
        return [f"{entry.id} is “{entry.log_state}”; wait until it is “Failover ready”."]
    stops = []
    if server.documents is None:
        stops.append(f"The settings of {server.name} are not in the cache yet; wait until it is heard and they were fetched.")
    for row_id in (row.id, server.id):
        other = next((failover for failover in view.open_with.get(row_id, ()) if failover != entry.id), None)
        if other is not None:
            stops.append(f"{view.recorders[row_id].name} takes part in {other} as well; wait until that is over.")
    for row_id in (row.id, server.id):
        job = next(iter(view.jobs_with.get(row_id, ())), None)
        if job is not None:
            stops.append(f"{view.recorders[row_id].name} takes part in the job {job}; wait until it has ended, or cancel it.")
    if view.reconcile is not None and not view.reconcile.confirmed:
        stops.append("The coordinator is reconciling; confirm what differs first.")
    elif unreconciled(view, row.id) or unreconciled(view, server.id):
        stops.append(f"{row.name} or {server.name} has not been reconciled yet; wait until it is heard.")
    return stops


def beyond_room(seen: Seen, server: Recorder, entry: Failover) -> tuple[str, ...]:
    """Names of cameras for which the acting server has no room once all of them are its own: it then records them all the same.

    By what it reports of itself; of one that is not heard yet, those that the failover left behind.
    """
    beat = seen.of(server.id).beat
    if beat is None:
        return tuple(camera.name for camera in entry.not_moved if camera.cause is StayCause.NO_ROOM)
    cameras = opening_order(tuple(camera for camera in server.settings.cameras if camera.kind is CameraKind.IP))
    return tuple(camera.name for camera in room(cameras, beat)[1])


def _room_line(seen: Seen, server: Recorder, entry: Failover) -> tuple[str, ...]:
    names = beyond_room(seen, server, entry)
    if not names:
        return ()
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    cameras = "1 of these cameras" if len(names) == 1 else f"{len(names)} of these cameras"
    return (
        f"{server.name} has no room for {cameras} ({', '.join(names[:NAMED])}{more}) and records them all the same: move them to another "
        "server, or give it more room.",
    )


def left_to_do(view: View, seen: Seen, entry: Failover) -> tuple[str, ...]:
    """What a person must do by hand once the acting server has the cameras for good."""
    assert entry.server is not None, "a failover server acts"
    server = view.recorders[entry.server]
    analogue = [camera for camera in server.settings.cameras if camera.kind is CameraKind.ANALOGUE]
    lines = [
        f"Connect the analogue camera {one.name} to {server.name}, or take it out of the settings of {server.name}." for one in analogue
    ]
    lines += _room_line(seen, server, entry)
    return (*lines, *(line for line in entry.to_do if not any(camera.name in line for camera in analogue)))


def preview_adoption(view: View, seen: Seen, row: Recorder, group_id: GroupId) -> c.Preview:
    """What taking it in as a failover server would do now."""
    stops = keeping_stops(view, row)
    group = view.groups.get(group_id)
    if group is None:
        stops.append(f"There is no group {shown(group_id)}; see the list of groups.")
    found = [c.Check(level=c.Level.STOP, sentence=sentence) for sentence in stops]
    entry = replaced_in(view, row)
    if stops or entry is None or entry.server is None or group is None:
        return c.Preview(allowed=False, checks=tuple(found))
    server = view.recorders[entry.server]
    to_do = left_to_do(view, seen, entry)
    found.append(
        c.Check(level=c.Level.GOOD, sentence=f"{server.name} keeps the cameras of {row.name} for good, with its settings and group.")
    )
    found.append(c.Check(level=c.Level.GOOD, sentence=f"{row.name} becomes a failover server of the group {group.name}."))
    if not seen.connected(row.id):
        found.append(c.Check(level=c.Level.WARNING, sentence=f"{row.name} is not connected; it protects nobody until it is."))
    found += [c.Check(level=c.Level.WARNING, sentence=line) for line in to_do]
    return c.Preview(
        allowed=True,
        checks=tuple(found),
        target=server.id,
        moves=tuple(camera.id for camera in server.settings.cameras if camera.moves),
        to_do=to_do,
    )
