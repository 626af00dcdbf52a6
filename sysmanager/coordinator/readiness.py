"""Whether a failover would work now, and every reason why not (SPEC 14.1). The same selection as in a failover, computed and not taken."""

from __future__ import annotations

from collections.abc import Iterator

from sysmanager.coordinator.detection import group_of
from sysmanager.coordinator.machines import shares_of
from sysmanager.coordinator.maintenance import maintenance_of, own_maintenance
from sysmanager.coordinator.preroll import eligible, wanted_seconds
from sysmanager.coordinator.readiness_drill import DAY_MS, drill_reasons
from sysmanager.coordinator.seen import CLOCK_OFF_MS, Seen
from sysmanager.coordinator.selection import Fit, Needs, fitness, rank
from sysmanager.coordinator.state import View, governing, open_failover_of, running_in_group, tasks_of, unreconciled
from sysmanager.domain.group import Group
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Acting, Broken, Recorder, Reserved, Role, Standby
from sysmanager.protocol.clients import HoldCause, Level, Readiness, Ready, ReadyReason, Topic
from sysmanager.protocol.recorders import Beat, Mode

_RANK = {Level.GOOD: 0, Level.WARNING: 1, Level.STOP: 2}
_READY = (Ready.READY, Ready.LIMITED, Ready.NOT_READY)

Reasons = Iterator[ReadyReason]


def readiness_of(view: View, seen: Seen, row: Recorder, now: Instant, needs: Needs | None = None) -> Readiness:
    """Of any server. needs: of its tasks, where the caller has kept them."""
    target = None
    match row.assignment:
        case Standby():
            reasons = list(_standby(view, seen, row))
        case Reserved(for_recorder=recorder):
            reasons = [_warning(Topic.FAILOVER, f"It is about to take over from {_name(view, recorder)}.")]
        case Broken():
            reasons = [_stop(Topic.FAILOVER, f"{row.name} was replaced and is not protected; give its tasks back to it.")]
        case _:
            reasons = list(_allowed(view, row))
            fits: list[Fit] = []
            group_id, home_id = group_of(view, row), row.home
            if group_id is not None and home_id is not None and home_id in view.recorders:
                home = tasks_of(row, view.recorders[home_id])
                fits, out = rank(view, seen, failed=row, home=home, group=view.groups[group_id], needs=needs)
                reasons += _documents(seen, row, home, now)
                if fits:
                    target = fits[0].server
                    reasons += _target(view, seen, home, fits[0], len(fits))
                    reasons += _preroll(view, seen, row, view.groups[group_id])
                    reasons += drill_reasons(view, row, now)
                else:
                    refused = " ".join(objection_words(_name(view, verdict.server), verdict.sentence) for verdict in out)
                    group = view.groups[group_id].name
                    sentence = refused or f"The group {group} has no failover server; add one to it."
                    reasons.append(_stop(Topic.CANDIDATE, f"Nobody can take over from {row.name}. {sentence}"))
    shares = shares_of(view, seen, row)
    reasons += _general(view, seen, row, shares)
    level = max((_RANK[reason.level] for reason in reasons), default=0)
    return Readiness(level=_READY[level], reasons=tuple(reasons), target=target, shares=shares)


def _good(topic: Topic, sentence: str) -> ReadyReason:
    return ReadyReason(topic=topic, level=Level.GOOD, sentence=sentence)


def _warning(topic: Topic, sentence: str) -> ReadyReason:
    return ReadyReason(topic=topic, level=Level.WARNING, sentence=sentence)


def _stop(topic: Topic, sentence: str) -> ReadyReason:
    return ReadyReason(topic=topic, level=Level.STOP, sentence=sentence)


def objection_words(name: str, sentence: str) -> str:
    """A verdict of the selection as a sentence about the server."""
    return f"{name}'s {sentence.removeprefix('its ')}." if sentence.startswith("its ") else f"{name} {sentence}."


def _cameras(number: int) -> str:
    return "1 camera" if number == 1 else f"{number} cameras"


def _name(view: View, recorder: str) -> str:
    row = view.recorders.get(recorder)  # type: ignore[call-overload]  # an id is text
    return row.name if row is not None else recorder


# ---------------------------------------------------------------- of a server that records


def _allowed(view: View, row: Recorder) -> Reasons:
    """Whether a failover would start by itself at all."""
    governor, own = governing(view, row), open_failover_of(view, row.id)
    if own is not None:
        yield _warning(Topic.FAILOVER, f"A failover of it is under way, see {own.id} in the failover log.")
    elif governor.group is None or governor.group not in view.groups:
        yield _stop(Topic.FAILOVER, f"{governor.name} is in no failover group; choose one in its settings.")
    elif not governor.failover_enabled:
        yield _stop(Topic.FAILOVER, f"Failover is off for {governor.name}; switch it on in its settings.")
    elif (maintenance := maintenance_of(view, row)) is not None:
        sentence = f"{row.name} is in maintenance ({maintenance.reason or 'no reason given'}): no failover starts by itself."
        yield _stop(Topic.FAILOVER, sentence)
    elif row.id in view.holds:
        held = view.holds[row.id].cause
        words = "by a person" if held is HoldCause.PERSON else held.value.removeprefix("held ")
        yield _stop(Topic.FAILOVER, f"Automatic failover of {row.name} is held {words}; release it when that is over.")
    elif view.reconcile is not None and not view.reconcile.confirmed:
        yield _stop(Topic.FAILOVER, "Automatic failover is held until what differs is confirmed.")
    else:
        yield from _under_way(view, row, governor.group)


def _under_way(view: View, row: Recorder, group: str) -> Reasons:
    running = running_in_group(view, group)  # type: ignore[arg-type]  # an id is text
    if running is not None:
        yield _warning(Topic.FAILOVER, f"{running.id} is running in the group; a failover of {row.name} would wait for it.")
    else:
        yield _good(Topic.FAILOVER, "Automatic failover is on.")


def _documents(seen: Seen, row: Recorder, home: Recorder, now: Instant) -> Reasons:
    documents = home.documents
    if documents is None:
        yield _stop(Topic.DOCUMENTS, f"The settings of {row.name} are not in the cache; connect it once so that they can be fetched.")
        return
    days = max(0, now.wall_ms - row.documents_wall_ms) // DAY_MS if row.documents_wall_ms else 0
    age = "" if days == 0 else f", fetched {days} day{'' if days == 1 else 's'} ago"
    beat = seen.of(row.id).beat
    if row.id in seen.doubted:
        yield _stop(Topic.DOCUMENTS, f"Settings of {row.name} are missing from the cache; they are fetched as soon as it is connected.")
    elif beat is None or not seen.connected(row.id):
        yield _warning(
            Topic.DOCUMENTS, f"Settings of revision {documents.revision} are in the cache{age}; {row.name} does not confirm them."
        )
    elif beat.documents is None or not beat.documents.same_content(documents):
        newest = f"revision {beat.documents.revision}" if beat.documents is not None else "none"
        yield _warning(
            Topic.DOCUMENTS, f"The cache holds settings of revision {documents.revision}, {row.name} has {newest}; they are being fetched."
        )
    else:
        yield _good(Topic.DOCUMENTS, f"Settings of revision {documents.revision} are in the cache{age}, as {row.name} has them.")


def _target(view: View, seen: Seen, home: Recorder, fit: Fit, count: int) -> Reasons:
    """The server that would take over, and what it would do less well."""
    server = view.recorders[fit.server]
    heard = seen.of(server.id)
    beat = heard.beat
    assert beat is not None, "a server that fits was heard"
    others = f"; {count - 1} more could" if count > 1 else ""
    yield _good(Topic.CANDIDATE, f"{server.name} would take over {_cameras(len(fit.moved))}{others}.")
    if fit.rank_key[0]:
        yield _warning(Topic.CANDIDATE, f"{server.name} was not heard for two heartbeats.")
    if beat.self_test is not None and not beat.self_test.passed:
        yield _warning(Topic.SELF_TEST, f"{server.name} failed its self-test: {beat.self_test.problems[0]}")
    if fit.left:
        yield _warning(Topic.ROOM, f"{_cameras(len(fit.left))} would not be protected: {server.name} has no room for more.")
    lost = [disk.path for disk in beat.disks if not disk.writable]
    if lost:
        yield _warning(Topic.DISKS, f"{server.name} cannot write to {', '.join(lost)}, which {home.name} does not use.")
    days, wanted = fit.days, home.settings.retention_days
    if days < wanted:
        yield _warning(Topic.DISKS, f"The free space of {server.name} lasts for {days} of {wanted} days of retention.")
    else:
        yield _good(Topic.DISKS, f"{server.name} writes to the same disks, and has space for {wanted} days.")
    if server.id == home.id:
        return
    off = [camera for camera in fit.moved if camera.vca][beat.vca_channels :]
    if off:
        yield _warning(Topic.VCA, f"Video content analysis would be off for {_cameras(len(off))}: {server.name} has no more channels.")
    missing = [plugin for plugin in home.settings.plugins if plugin not in beat.plugins]
    if missing:
        yield _warning(Topic.PLUGINS, f"{server.name} lacks the plug-ins {', '.join(missing)}; they do not travel.")
    if abs(heard.clock_offset_ms) > CLOCK_OFF_MS:
        yield _warning(Topic.CLOCK, f"The clock of {server.name} is {abs(heard.clock_offset_ms) / 1000:.0f} s off; set it.")
    dark = [held.camera for held in beat.preroll.cameras if not held.held_ms]
    if any(camera.id in dark for camera in fit.moved):
        yield _warning(Topic.CAMERAS, f"{server.name} gets no frames from {_cameras(len(dark))} whose pre-roll it is to keep.")
    elif fit.preroll_s:
        yield _good(Topic.CAMERAS, f"{server.name} reaches the cameras whose pre-roll it keeps.")


def _preroll(view: View, seen: Seen, row: Recorder, group: Group) -> Reasons:
    cameras = eligible(row, group.preroll) if group.preroll is not None else ()
    if not cameras:
        return
    wanted_s, wanted = wanted_seconds(view, row), {camera.id for camera in cameras}
    best: tuple[int, int, str] = (0, 0, "")
    for member in sorted(view.members.get(group.id, ())):
        if not isinstance(view.recorders[member].assignment, Standby):
            continue
        beat = seen.of(member).beat
        if beat is None or not beat.preroll.cameras:
            continue
        held = [one.held_ms // 1000 for one in beat.preroll.cameras if one.camera in wanted and one.held_ms]
        best = max(best, (len(held), min(held, default=0), view.recorders[member].name))
    count, seconds, name = best
    if not count:
        yield _warning(Topic.PREROLL, f"No failover server keeps pre-roll of its {len(cameras)} cameras that the group wants it of.")
    elif count < len(cameras) or seconds < wanted_s:
        yield _warning(
            Topic.PREROLL, f"Pre-roll of {count} of {len(cameras)} cameras on {name} covers {min(seconds, wanted_s)} of {wanted_s} s."
        )
    else:
        yield _good(Topic.PREROLL, f"Pre-roll of {count} cameras on {name} covers {wanted_s} s.")


# ---------------------------------------------------------------- of a failover server that waits


def _standby(view: View, seen: Seen, row: Recorder) -> Reasons:
    group = view.groups.get(row.group) if row.group is not None else None
    beat = seen.of(row.id).beat
    if group is None:
        yield _stop(Topic.FAILOVER, f"{row.name} is in no failover group; choose one in its settings.")
        return
    if beat is None or not seen.connected(row.id):
        yield _stop(Topic.CONNECTION, f"{row.name} is not connected; switch it on and check its network.")
        return
    heard = seen.of(row.id)
    if own_maintenance(view, row.id) is not None:
        yield _stop(Topic.FAILOVER, f"{row.name} is in maintenance and takes nobody's place.")
    if heard.service_heard() and beat.mode is Mode.RECORDING and beat.epoch < row.assignment.epoch:
        # What it said last is of the task that it was just relieved of.
        sentence = f"{row.name} is being relieved of the cameras that it had, and is ready when it waits; see its log if it stays so."
        yield _warning(Topic.CONNECTION, sentence)
    elif heard.reports_service_failed() or not heard.service_heard() or beat.mode is not Mode.STANDBY:
        yield _stop(Topic.CONNECTION, f"The recording service of {row.name} is not on standby; see its Watchdog's log if it stays so.")
    lost = [disk.path for disk in beat.disks if not disk.writable]
    if lost and len(lost) == len(beat.disks):
        yield _stop(Topic.DISKS, f"{row.name} can write to none of its material disks; repair one.")
    elif lost:
        yield _warning(Topic.DISKS, f"{row.name} cannot write to {', '.join(lost)}.")
    yield from _self_test(row, beat)
    yield from _of_use(view, seen, row, group)
    if group.preroll is not None and not beat.preroll.memory_mb:
        yield _warning(Topic.PREROLL, f"The group wants pre-roll, and {row.name} cannot keep any.")


def _self_test(row: Recorder, beat: Beat) -> Reasons:
    """What it finds of itself, every minute (SPEC 16)."""
    tested = beat.self_test
    if tested is None:
        return
    for problem in tested.problems:
        yield _warning(Topic.SELF_TEST, f"{row.name} failed its self-test: {problem}")
    if tested.passed:
        yield _good(Topic.SELF_TEST, f"{row.name} passed its self-test.")


def _of_use(view: View, seen: Seen, row: Recorder, group: Group) -> Reasons:
    """For how many recorders of the group it could stand in."""
    beat = seen.of(row.id).beat
    assert beat is not None, "asked of one that was heard"
    members = [view.recorders[member] for member in view.members.get(group.id, ())]
    holders = [other for other in members if other.records and other.role is Role.STANDARD]
    objections = [objection for other in holders if (objection := fitness(beat, other.settings, other.version)) is not None]
    if not holders:
        yield _warning(Topic.CANDIDATE, f"The group {group.name} has no recorder that it could stand in for.")
    elif len(objections) == len(holders):
        yield _stop(Topic.CANDIDATE, f"{row.name} could stand in for no recorder of the group: it {sorted(objections)[0]}.")
    elif objections:
        yield _warning(
            Topic.CANDIDATE, f"{row.name} could stand in for {len(holders) - len(objections)} of {len(holders)} recorders of the group."
        )
    else:
        yield _good(Topic.CANDIDATE, f"{row.name} could stand in for each of the {len(holders)} recorders of the group.")


# ---------------------------------------------------------------- of every server


def _general(view: View, seen: Seen, row: Recorder, shares: tuple[str, ...]) -> Reasons:
    heard = seen.of(row.id)
    if isinstance(row.assignment, Acting | Reserved) or row.records:
        if not heard.ever:
            yield _warning(Topic.CONNECTION, f"{row.name} was not seen since the coordinator's start.")
        elif not seen.connected(row.id):
            yield _warning(Topic.CONNECTION, f"{row.name} is not connected.")
    if unreconciled(view, row.id):
        yield _warning(Topic.FAILOVER, f"{row.name} has not been reconciled yet.")
    if heard.beat is not None and seen.connected(row.id):
        offset_ms = heard.clock_offset_ms
        if abs(offset_ms) > CLOCK_OFF_MS:
            yield _warning(
                Topic.CLOCK, f"The clock of {row.name} is {abs(offset_ms) / 1000:.0f} s off; set it, so that gaps can be measured."
            )
        else:
            yield _good(Topic.CLOCK, f"The clock of {row.name} agrees with the coordinator's.")
    if shares:
        accepted = view.shared.get(row.id)
        sentence = f"{row.name} shares its machine with {', '.join(shares)}: one breakdown takes both"
        if accepted is not None and accepted.shares == shares:
            yield _warning(Topic.MACHINE, f"{sentence}; accepted by {accepted.actor.name}.")
        else:
            yield _stop(Topic.MACHINE, f"{sentence}; move one of them, or confirm that it may be so.")
