"""Which failover server takes a recorder's place (SPEC 5): hard requirements first, then a ranking, with a sentence for each candidate."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from sysmanager.coordinator.maintenance import own_maintenance
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, undoing_with, unreconciled
from sysmanager.domain.camera import Camera, CameraKind, RecordingMode, opening_order
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
    vca_off: moved cameras whose video content analysis stays off for want of channels. preroll_s: seconds that the server holds of each
    moved camera of which it holds any, at least.
    """

    server: RecorderId | None
    verdicts: tuple[Verdict, ...]
    moved: tuple[CameraId, ...] = ()
    not_moved: tuple[NotMoved, ...] = ()
    to_do: tuple[str, ...] = ()
    vca_off: tuple[CameraId, ...] = ()
    preroll_s: int = 0


class Needs(msgspec.Struct, frozen=True):
    """What a recorder's settings ask of whoever takes its tasks. cameras: those that move, in the order in which they are opened.

    recorded, kbps: how many of them are recorded at all, and their bit rate. vca: how many have video content analysis.
    """

    cameras: tuple[Camera, ...]
    recorded: int
    kbps: int
    vca: int


def needs_of(settings: SettingsSummary) -> Needs:
    """Worth keeping where many servers are compared with the same settings."""
    cameras = opening_order(tuple(camera for camera in settings.cameras if camera.moves))
    recorded = [camera for camera in cameras if camera.mode is not RecordingMode.OFF]
    return Needs(
        cameras,
        len(recorded),
        sum(camera.bitrate_kbps for camera in recorded),
        sum(1 for camera in cameras if camera.vca),
    )


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """A server that meets the hard requirements, and how well. rank_key: the smaller, the better.

    days: of retention, as many as are asked.
    """

    server: RecorderId
    rank_key: tuple[int | str, ...]
    sentence: str
    moved: tuple[Camera, ...]
    left: tuple[Camera, ...]
    days: int
    preroll_s: int = 0


def choose(
    view: View,
    seen: Seen,
    *,
    failed: Recorder,
    home: Recorder,
    group: Group,
    tried: Collection[RecorderId] = (),
    needs: Needs | None = None,
) -> Choice:
    """Choose for the cameras of `home`, which `failed` cannot record any more. tried: servers that refused or were lost in it."""
    fits, out = rank(view, seen, failed=failed, home=home, group=group, tried=tried, needs=needs)
    ranked = tuple(Verdict(server=fit.server, rank=place, sentence=fit.sentence) for place, fit in enumerate(fits, 1))
    verdicts = ranked + tuple(out)
    if not fits:
        return Choice(server=None, verdicts=verdicts)
    fit = fits[0]
    beat = seen.of(fit.server).beat
    assert beat is not None, "a server without a beat meets no requirement"
    vca_off = [] if fit.server == home.id else [camera for camera in fit.moved if camera.vca][beat.vca_channels :]
    return Choice(
        server=fit.server,
        verdicts=verdicts,
        moved=tuple(camera.id for camera in fit.moved),
        not_moved=_stays(home.settings, fit.left),
        to_do=_to_do(view.recorders[fit.server], home, beat, vca_off) if fit.server != home.id else (),
        vca_off=tuple(camera.id for camera in vca_off),
        preroll_s=fit.preroll_s,
    )


def rank(
    view: View,
    seen: Seen,
    *,
    failed: Recorder,
    home: Recorder,
    group: Group,
    tried: Collection[RecorderId] = (),
    needs: Needs | None = None,
) -> tuple[list[Fit], list[Verdict]]:
    """The servers that can take the tasks, best first, and the verdicts on those that cannot."""
    needs = needs_of(home.settings) if needs is None else needs
    fits: list[Fit] = []
    out: list[Verdict] = []
    for server in _candidates(view, home, failed, group):
        objection = "was already tried in this failover" if server.id in tried else objection_to(view, seen, server, home)
        fit = _fit(seen, server, home, group, needs) if objection is None else objection
        if isinstance(fit, Fit):
            fits.append(fit)
        else:
            out.append(Verdict(server=server.id, rank=0, sentence=fit))
    fits.sort(key=lambda found: found.rank_key)
    return fits, out


def _candidates(view: View, home: Recorder, failed: Recorder, group: Group) -> list[Recorder]:
    """Failover servers of the group, by id; and the home itself, where another one acted for it and broke down (SPEC 5)."""
    members = (view.recorders[member] for member in sorted(view.members.get(group.id, ())))
    servers = [row for row in members if row.role is Role.FAILOVER and row.id != failed.id]
    return [home, *servers] if home.id != failed.id else servers


def objection_to(view: View, seen: Seen, server: Recorder, home: Recorder) -> str | None:
    """The first hard requirement that the server does not meet, or None."""
    heard = seen.of(server.id)
    beat = heard.beat
    free = isinstance(server.assignment, Broken if server.id == home.id else Standby)
    if not free:
        return f"is {describe_assignment(server)}"
    if own_maintenance(view, server.id) is not None:
        return "is in maintenance"
    if unreconciled(view, server.id):
        return "has not been reconciled yet"
    if beat is None or not seen.connected(server.id):
        return "is not connected"
    if heard.leaving is not None:
        return "announced its shutdown"
    if heard.reports_service_failed():
        return "its recording service cannot be started"
    if not heard.service_heard():
        return "its recording service is not heard"
    if beat.mode is not Mode.STANDBY and undoing_with(view, server.id) is None:
        return "is not on standby yet"
    if beat.epoch >= view.next_epoch:
        return f"knows epoch {beat.epoch}, which is newer than system data; confirm what differs first"
    return fitness(beat, home.settings, home.version)


def fitness(beat: Beat, settings: SettingsSummary, version: str) -> str | None:
    """Whether a server meets the hard requirements of settings that were made on software `version`; None if it does (SPEC 5, 8)."""
    if version and version != beat.version and _minor(beat.version) != _minor(version):
        return f"runs version {beat.version}, the settings are of version {version}"
    writable = [disk.path for disk in beat.disks if disk.writable]
    missing = [path for path in settings.disks if path not in writable]
    if missing:
        return f"cannot write to {', '.join(missing)}"
    if not writable:
        return "has no writable material disk"
    return None


def _minor(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2])


def _fit(seen: Seen, server: Recorder, home: Recorder, group: Group, needs: Needs) -> Fit | str:
    """How well a server that meets the hard requirements fits; a sentence if it lacks room and the group allows no partial failover."""
    heard = seen.of(server.id)
    beat = heard.beat
    assert beat is not None, "a server without a beat meets no requirement"
    at_home = server.id == home.id
    # Its own cameras a recorder records as configured: its limits are for those of others.
    moved, left = (needs.cameras, ()) if at_home else _fill(needs, beat)
    if left and not group.partial:
        return f"has room for {len(moved)} of {len(needs.cameras)} cameras"
    wanted_vca = sum(1 for camera in moved if camera.vca) if left else needs.vca
    vca = min(wanted_vca, beat.vca_channels)
    days = min(_retention_days(beat, moved if left else None, needs), home.settings.retention_days)
    late = seen.silence_ms(server.id) >= 2 * BEAT_INTERVAL_MS
    # It may work all the same, and is taken where nobody else is: a camera that could be recorded comes before tidiness.
    failing = beat.self_test is not None and not beat.self_test.passed
    place = group.preference.index(server.id) if server.id in group.preference else UNLISTED
    held, held_s = held_preroll(beat, moved)
    revision = beat.documents.revision if beat.documents is not None else 0
    offset_s = abs(heard.clock_offset_ms) // 1000
    key = (
        late,
        failing,
        0 if at_home else 1,
        # An unprotected camera is worse than a gap: pre-roll counts among those that leave equally many behind.
        len(left),
        -held,
        -held_s,
        -vca,
        -days,
        -beat.hardware.rating,
        -revision,
        offset_s,
        place,
        server.id,
    )
    parts = [f"room for {len(moved)} of {len(needs.cameras)} cameras"]
    if held:
        parts.append(f"pre-roll of {held} of them, {held_s} s")
    if wanted_vca:
        parts.append(f"{vca} of {wanted_vca} VCA channels")
    parts.append(f"{days} of {home.settings.retention_days} days of retention")
    if beat.hardware.words:
        parts.append(beat.hardware.words)
    if offset_s:
        parts.append(f"clock {offset_s} s off")
    if late:
        parts.append("not heard for two heartbeats")
    if failing:
        parts.append("its self-test failed")
    if at_home:
        parts.append(f"is {home.id} itself, well again")
    return Fit(server=server.id, rank_key=key, sentence="; ".join(parts), moved=moved, left=left, days=days, preroll_s=held_s)


def held_preroll(beat: Beat, cameras: tuple[Camera, ...]) -> tuple[int, int]:
    """Of how many of these cameras the server holds pre-roll, and how many whole seconds of each at least."""
    if not beat.preroll.cameras:
        return 0, 0
    wanted = {camera.id for camera in cameras}
    held = [found.held_ms for found in beat.preroll.cameras if found.camera in wanted and found.held_ms]
    return len(held), min(held, default=0) // 1000


def _fill(needs: Needs, beat: Beat) -> tuple[tuple[Camera, ...], tuple[Camera, ...]]:
    if needs.recorded <= beat.camera_limit and needs.kbps <= beat.bitrate_limit_kbps:
        return needs.cameras, ()
    return room(needs.cameras, beat)


def room(cameras: tuple[Camera, ...], beat: Beat) -> tuple[tuple[Camera, ...], tuple[Camera, ...]]:
    """Fill the server by priority; what does not fit by number or bit rate stays. What is not recorded needs no room."""
    moved: list[Camera] = []
    left: list[Camera] = []
    count = kbps = 0
    for camera in cameras:
        if camera.mode is RecordingMode.OFF:
            moved.append(camera)
        elif count < beat.camera_limit and kbps + camera.bitrate_kbps <= beat.bitrate_limit_kbps:
            moved.append(camera)
            count += 1
            kbps += camera.bitrate_kbps
        else:
            left.append(camera)
    return tuple(moved), tuple(left)


def _retention_days(beat: Beat, cameras: tuple[Camera, ...] | None, needs: Needs) -> int:
    """For how many days the free space lasts at the expected bit rates. cameras: None for all of them."""
    kbps = needs.kbps if cameras is None else sum(camera.bitrate_kbps for camera in cameras if camera.mode is not RecordingMode.OFF)
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


def _to_do(server: Recorder, home: Recorder, beat: Beat, vca_off: list[Camera]) -> tuple[str, ...]:
    """What a failover cannot do by itself and a person must (SPEC 6, step 5)."""
    lines = [
        f"Connect the analogue camera {camera.name} elsewhere, or repair {home.name}."
        for camera in home.settings.cameras
        if camera.kind is CameraKind.ANALOGUE
    ]
    lines += [
        f"Install the plug-in {plugin} on {server.name}; it does not travel."
        for plugin in home.settings.plugins
        if plugin not in beat.plugins
    ]
    channels = f"{beat.vca_channels} VCA channel{'' if beat.vca_channels == 1 else 's'}"
    lines += [f"Video content analysis of {camera.name} is off: {server.name} has {channels}." for camera in vca_off]
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
