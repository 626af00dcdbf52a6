"""Which failover server takes a recorder's place (SPEC 5): hard requirements first, then a ranking, with a sentence for each candidate."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, unreconciled
from sysmanager.domain.camera import Camera, CameraKind, opening_order
from sysmanager.domain.documents import SettingsSummary
from sysmanager.domain.failover import NotMoved, StayCause, Verdict
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.domain.recorder import Broken, Recorder, Role, Standby
from sysmanager.protocol.recorders import BEAT_INTERVAL_MS, Beat, Mode

UNLISTED = 1_000_000
"""Place of a failover server that the group's order does not name: after all that it names."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a selection. server None: there is no candidate; the verdicts say why not.

    moved: cameras in the order in which they are opened. not_moved, to_do: what stays behind, and what a person must do.
    """

    server: RecorderId | None
    verdicts: tuple[Verdict, ...]
    moved: tuple[CameraId, ...] = ()
    not_moved: tuple[NotMoved, ...] = ()
    to_do: tuple[str, ...] = ()


class _Fit(msgspec.Struct, frozen=True, kw_only=True):
    rank_key: tuple[int | str, ...]
    sentence: str
    moved: tuple[Camera, ...]
    left: tuple[Camera, ...]


def choose(view: View, seen: Seen, *, failed: Recorder, home: Recorder, group: Group, tried: Collection[RecorderId] = ()) -> Choice:
    """Choose for the cameras of `home`, which `failed` cannot record any more. tried: servers that refused or were lost in it."""
    fits: list[tuple[tuple[int | str, ...], RecorderId, _Fit]] = []
    out: list[Verdict] = []
    for server in _candidates(view, home, failed, group):
        objection = "was already tried in this failover" if server.id in tried else _objection(view, seen, server, home)
        fit = None if objection else _fit(seen, server, home, failed, group)
        if isinstance(fit, _Fit):
            fits.append((fit.rank_key, server.id, fit))
        else:
            out.append(Verdict(server=server.id, rank=0, sentence=objection or fit or ""))
    fits.sort(key=lambda found: found[0])
    ranked = tuple(Verdict(server=server, rank=rank, sentence=fit.sentence) for rank, (_, server, fit) in enumerate(fits, 1))
    verdicts = ranked + tuple(out)
    if not fits:
        return Choice(server=None, verdicts=verdicts)
    _, chosen, fit = fits[0]
    stays = _stays(home.settings, fit.left)
    return Choice(
        server=chosen,
        verdicts=verdicts,
        moved=tuple(camera.id for camera in fit.moved),
        not_moved=stays,
        to_do=_to_do(view.recorders[chosen], home, seen.of(chosen).beat),
    )


def _candidates(view: View, home: Recorder, failed: Recorder, group: Group) -> list[Recorder]:
    """Failover servers of the group, by id; and the home itself, where another one acted for it and broke down (SPEC 5)."""
    members = (view.recorders[member] for member in sorted(view.members.get(group.id, ())))
    servers = [row for row in members if row.role is Role.FAILOVER and row.id != failed.id]
    return [home, *servers] if home.id != failed.id else servers


def _objection(view: View, seen: Seen, server: Recorder, home: Recorder) -> str | None:
    """The first hard requirement that the server does not meet, or None."""
    heard = seen.of(server.id)
    beat = heard.beat
    free = isinstance(server.assignment, Broken if server.id == home.id else Standby)
    if not free:
        return f"is {describe_assignment(server)}"
    if unreconciled(view, server.id):
        return "has not been reconciled yet"
    if beat is None or not seen.connected(server.id):
        return "is not connected"
    if heard.reports_service_failed():
        return "its recording service cannot be started"
    if not heard.service_heard():
        return "its recording service is not heard"
    if beat.mode is not Mode.STANDBY:
        return "is not on standby yet"
    if beat.epoch >= view.next_epoch:
        return f"knows epoch {beat.epoch}, which is newer than system data; confirm what differs first"
    return fitness(beat, home.settings, home.version)


def fitness(beat: Beat, settings: SettingsSummary, version: str) -> str | None:
    """Whether a server meets the hard requirements of settings that were made on software `version`; None if it does (SPEC 5, 8)."""
    if version and _minor(beat.version) != _minor(version):
        return f"runs version {beat.version}, the settings are of version {version}"
    writable = {disk.path for disk in beat.disks if disk.writable}
    missing = [path for path in settings.disks if path not in writable]
    if missing:
        return f"cannot write to {', '.join(missing)}"
    if not writable:
        return "has no writable material disk"
    return None


def _minor(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2])


def _fit(seen: Seen, server: Recorder, home: Recorder, failed: Recorder, group: Group) -> _Fit | str:
    """How well a server that meets the hard requirements fits; a sentence if it lacks room and the group allows no partial failover."""
    beat = seen.of(server.id).beat
    assert beat is not None, "a server without a beat meets no requirement"
    cameras = opening_order(tuple(camera for camera in home.settings.cameras if camera.moves))
    moved, left = room(cameras, beat)
    if left and not group.partial:
        return f"has room for {len(moved)} of {len(cameras)} cameras"
    wanted_vca = sum(1 for camera in moved if camera.vca)
    vca = min(wanted_vca, beat.vca_channels)
    days = _retention_days(beat, moved)
    late = seen.silence_ms(server.id) >= 2 * BEAT_INTERVAL_MS
    place = group.preference.index(server.id) if server.id in group.preference else UNLISTED
    revision = beat.documents.revision if beat.documents is not None else 0
    key = (
        late,
        0 if server.id == home.id else 1,
        len(left),
        -vca,
        -min(days, home.settings.retention_days),
        -revision,
        abs(beat.wall_ms - seen.of(server.id).beat_wall_ms) // 1000,
        place,
        server.id,
    )
    parts = [f"room for {len(moved)} of {len(cameras)} cameras"]
    if wanted_vca:
        parts.append(f"{vca} of {wanted_vca} VCA channels")
    parts.append(f"{min(days, home.settings.retention_days)} of {home.settings.retention_days} days of retention")
    if late:
        parts.append("not heard for two heartbeats")
    if server.id == home.id:
        parts.append(f"is {home.id} itself, well again")
    return _Fit(rank_key=key, sentence="; ".join(parts), moved=moved, left=left)


def room(cameras: tuple[Camera, ...], beat: Beat) -> tuple[tuple[Camera, ...], tuple[Camera, ...]]:
    """Fill the server by priority; what does not fit by number or bit rate stays."""
    moved: list[Camera] = []
    left: list[Camera] = []
    kbps = 0
    for camera in cameras:
        if len(moved) < beat.camera_limit and kbps + camera.bitrate_kbps <= beat.bitrate_limit_kbps:
            moved.append(camera)
            kbps += camera.bitrate_kbps
        else:
            left.append(camera)
    return tuple(moved), tuple(left)


def _retention_days(beat: Beat, cameras: tuple[Camera, ...]) -> int:
    """For how many days the free space lasts at the expected bit rates."""
    kbps = sum(camera.bitrate_kbps for camera in cameras)
    free_mb = sum(disk.free_mb for disk in beat.disks if disk.writable)
    return 9999 if kbps == 0 else min(9999, free_mb * 8000 // (kbps * 86_400))


def _stays(settings: SettingsSummary, left: tuple[Camera, ...]) -> tuple[NotMoved, ...]:
    stays = [_analogue_or_never(camera) for camera in settings.cameras if not camera.moves]
    stays += [
        NotMoved(
            camera=camera.id,
            name=camera.name,
            sentence="Not protected: the failover server has no room for it.",
            cause=StayCause.NO_ROOM,
        )
        for camera in left
    ]
    return tuple(stays)


def _analogue_or_never(camera: Camera) -> NotMoved:
    if camera.kind is CameraKind.ANALOGUE:
        cause, sentence = StayCause.ANALOGUE, "An analogue camera hangs on the recorder's capture card and cannot move."
    else:
        cause, sentence = StayCause.NEVER, "Its failover priority is never."
    return NotMoved(camera=camera.id, name=camera.name, sentence=sentence, cause=cause)


def _to_do(server: Recorder, home: Recorder, beat: Beat | None) -> tuple[str, ...]:
    """What a failover cannot do by itself and a person must (SPEC 6, step 5)."""
    lines = [
        f"Connect the analogue camera {camera.name} elsewhere, or repair {home.name}."
        for camera in home.settings.cameras
        if camera.kind is CameraKind.ANALOGUE
    ]
    have = beat.plugins if beat is not None else ()
    lines += [
        f"Install the plug-in {plugin} on {server.name}; it does not travel." for plugin in home.settings.plugins if plugin not in have
    ]
    channels = beat.vca_channels if beat is not None else 0
    wanted = [camera for camera in opening_order(tuple(c for c in home.settings.cameras if c.moves)) if camera.vca]
    lines += [f"Video content analysis of {camera.name} is off: {server.name} has {channels} VCA channels." for camera in wanted[channels:]]
    return tuple(lines)


def describe_assignment(row: Recorder) -> str:
    """The assignment in a few words: "acting for TA-REC-05"."""
    match row.assignment:
        case Broken():
            return "broken"
        case Standby():
            return "on standby"
        case other:
            return f"{type(other).__name__.lower()} for {other.for_recorder}" if hasattr(other, "for_recorder") else "recording"
