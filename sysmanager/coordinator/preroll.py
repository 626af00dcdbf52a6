"""Which failover server on standby keeps the last seconds of which cameras (SPEC 6): planned within the limits that the servers report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.selection import UNLISTED, fitness
from sysmanager.coordinator.state import View, governing, unreconciled
from sysmanager.domain.camera import Camera, FailoverPriority, RecordingMode, opening_order
from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.domain.recorder import Recorder, Role, Standby
from sysmanager.protocol.preroll import KeepPreroll, PrerollPart
from sysmanager.protocol.recorders import Beat, Mode

OPEN_S = 5
"""How long a take-over may last after the timeout until all cameras are opened (SPEC 6, step 4)."""

GOP_S = 2
"""The longest group of pictures that is reckoned with: pre-roll begins with a key frame."""

LEAST_S = 10
"""When memory is short fewer cameras are kept rather than less than this of each: the last seconds alone bridge no timeout."""

SESSIONS = 2
SESSIONS_AWAY = 3
"""A camera must allow so many: one for who records it, one for the server that keeps the pre-roll, and, while another server acts for its
recorder, one for the recorder, which may still record it and gets it back."""

_encoder = msgspec.json.Encoder()


def wanted_seconds(view: View, holder: Recorder) -> int:
    """How far back the pre-roll of its cameras must reach so that there is no gap: timeout, opening, one group of pictures."""
    return governing(view, holder).detection_timeout_s + OPEN_S + GOP_S


def eligible(holder: Recorder, priority: FailoverPriority) -> tuple[Camera, ...]:
    """Cameras that move, are recorded, allow one session more, and have this priority or a higher one."""
    return opening_order(
        tuple(
            camera
            for camera in holder.settings.cameras
            if camera.moves
            and camera.mode is not RecordingMode.OFF
            and camera.sessions >= (SESSIONS if holder.home == holder.id else SESSIONS_AWAY)
            and camera.priority.rank <= priority.rank
        )
    )


class _Share(msgspec.Struct):
    """What one standby is to keep of one recorder's cameras. seconds: wanted; at most what the server keeps of a camera at all."""

    holder: Recorder
    documents: DocumentSet
    cameras: tuple[Camera, ...]
    seconds: int


def plans(view: View, seen: Seen, group: Group) -> dict[RecorderId, KeepPreroll]:
    """For every failover server of the group that can keep pre-roll now, what it shall keep; possibly nothing."""
    standbys = _standbys(view, seen, group)
    shares: dict[RecorderId, list[_Share]] = {server.id: [] for server in standbys}
    if standbys and group.preroll is not None:
        loads = dict.fromkeys(shares, 0)
        for holder in _holders(view, group):
            _place(view, seen, holder, eligible(holder, group.preroll), standbys, shares, loads)
    return {server.id: _order(server, _within_limits(_beat(seen, server.id), shares[server.id])) for server in standbys}


def preroll_orders(view: View, seen: Seen, group: Group) -> dict[RecorderId, KeepPreroll]:
    """The orders that are outstanding: for servers on standby that keep something else than they shall, and did not refuse it."""
    return {server: wanted for server, wanted in plans(view, seen, group).items() if _is_outstanding(seen, server, wanted)}


def _is_outstanding(seen: Seen, server: RecorderId, wanted: KeepPreroll) -> bool:
    if _beat(seen, server).preroll.plan == wanted.plan:
        return False
    told = seen.preroll.get(server)
    # A beat that is older than the answer does not show it yet.
    settled = told is not None and told.plan == wanted.plan and (told.refusal or seen.of(server).beat_ms <= told.at_ms)
    return not settled


def concerns_preroll(view: View, seen: Seen, row: Recorder) -> bool:
    """Whether news of the server may change which standby of its group keeps what."""
    group = view.groups.get(row.group) if row.group is not None else None
    beat = seen.of(row.id).beat
    return (group is not None and group.preroll is not None) or (beat is not None and beat.preroll.plan != "")


def _beat(seen: Seen, server: RecorderId) -> Beat:
    beat = seen.of(server).beat
    assert beat is not None, "a server that can keep pre-roll was heard"
    return beat


def _can_keep(view: View, seen: Seen, row: Recorder) -> bool:
    heard = seen.of(row.id)
    beat = heard.beat
    if not isinstance(row.assignment, Standby) or beat is None or not seen.connected(row.id) or not heard.service_heard():
        return False
    obeys = beat.mode is Mode.STANDBY and beat.epoch == row.assignment.epoch and not unreconciled(view, row.id)
    return obeys and beat.preroll.memory_mb > 0 and beat.preroll.limit_s > 0


def _standbys(view: View, seen: Seen, group: Group) -> list[Recorder]:
    """In the order of the group."""
    servers = [view.recorders[member] for member in view.members.get(group.id, ())]
    places = {server: place for place, server in enumerate(group.preference)}
    able = [row for row in servers if row.role is Role.FAILOVER and _can_keep(view, seen, row)]
    return sorted(able, key=lambda row: (places.get(row.id, UNLISTED), row.id))


def _holders(view: View, group: Group) -> list[Recorder]:
    """Servers whose cameras failover servers of the group may have to take over, by home."""
    rows = [view.recorders[member] for member in view.members.get(group.id, ())]
    protected = [
        row
        for row in rows
        if row.records
        and row.documents is not None
        and governing(view, row).group == group.id
        and governing(view, row).failover_enabled
        and not _changes_hands(view, row)
    ]
    return sorted(protected, key=lambda row: (row.home or "", row.id))


def _changes_hands(view: View, row: Recorder) -> bool:
    """While its cameras move, the one that takes them needs every session; it goes on keeping what it has."""
    entries = (view.failovers[open_id] for open_id in view.open_with.get(row.id, ()))
    return any(entry.phase.hands_over for entry in entries)


def _place(
    view: View,
    seen: Seen,
    holder: Recorder,
    cameras: tuple[Camera, ...],
    standbys: Iterable[Recorder],
    shares: dict[RecorderId, list[_Share]],
    loads: dict[RecorderId, int],
) -> None:
    """All cameras of one recorder go to one server, as it is one server that takes over: to the one that has them, or the one with the
    least to do for its memory."""
    fitting = [server for server in standbys if fitness(_beat(seen, server.id), holder.settings, holder.version) is None]
    if not cameras or not fitting or holder.documents is None:
        return
    known = {camera.id for camera in cameras}
    having = [server for server in fitting if any(held.camera in known for held in _beat(seen, server.id).preroll.cameras)]
    server = having[0] if having else min(fitting, key=lambda server: loads[server.id])
    report = _beat(seen, server.id).preroll
    seconds = min(wanted_seconds(view, holder), report.limit_s)
    shares[server.id].append(_Share(holder, holder.documents, cameras, seconds))
    loads[server.id] += sum(camera.bitrate_kbps for camera in cameras) * seconds // report.memory_mb


def _within_limits(beat: Beat, shares: list[_Share]) -> list[PrerollPart]:
    """By priority as many cameras as the server may open and as fit its memory with `LEAST_S` each.

    What is left of the memory lengthens all alike.
    """
    ordered = sorted(((camera, share) for share in shares for camera in share.cameras), key=lambda one: (one[0].priority.rank, one[0].id))
    memory_kbit = beat.preroll.memory_mb * 8000
    kept: dict[RecorderId, list[CameraId]] = {}
    count = kbps = least_kbit = more_kbit = 0
    for camera, share in ordered:
        least_s = min(LEAST_S, share.seconds)
        fits = count < beat.camera_limit and kbps + camera.bitrate_kbps <= beat.bitrate_limit_kbps
        if not fits or least_kbit + camera.bitrate_kbps * least_s > memory_kbit:
            continue
        kept.setdefault(share.holder.id, []).append(camera.id)
        count += 1
        kbps += camera.bitrate_kbps
        least_kbit += camera.bitrate_kbps * least_s
        more_kbit += camera.bitrate_kbps * (share.seconds - least_s)
    left_kbit = memory_kbit - least_kbit
    parts: list[PrerollPart] = []
    for share in shares:
        cameras = kept.get(share.holder.id)
        if not cameras:
            continue
        least_s = min(LEAST_S, share.seconds)
        more_s = share.seconds - least_s
        seconds = least_s + (more_s if more_kbit <= left_kbit else more_s * left_kbit // more_kbit)
        home = share.holder.home or share.holder.id
        parts.append(PrerollPart(home=home, documents=share.documents, cameras=tuple(cameras), seconds=seconds))
    return parts


def _order(server: Recorder, parts: list[PrerollPart]) -> KeepPreroll:
    content = tuple(parts)
    plan = hashlib.sha256(_encoder.encode(content)).hexdigest()[:16] if content else ""
    return KeepPreroll(epoch=server.assignment.epoch, plan=plan, parts=content)
