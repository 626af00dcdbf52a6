"""The rules of failback that must hold at every step; lines in the tables of `checkers` name them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sysmanager.coordinator import facts as f
from sysmanager.domain.failover import Failover, Phase, Trigger
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.rights import COORDINATOR

if TYPE_CHECKING:
    from sysmanager.simulation.checkers import Step

FLAP_MS = 3_600_000

STALE_MS = 3_500
"""What a server said last holds for three heartbeats, and half a second for its way."""


def automatic_failback_where_allowed(step: Step) -> str | None:
    """By itself only what may: set so, after an automatic failover, held by nobody, stable, in its hours (SPEC 8, 13.5)."""
    fact = step.fact
    if not isinstance(fact, f.FailbackStarted) or not fact.automatic:
        return None
    world, state, now_ms = step.world, step.state, step.world.agenda.now_ms
    entry = state.failovers[fact.failover]
    row, recorder = state.recorders[entry.home], world.recorders[entry.home]
    after_ms = row.failback_after_s * 1000
    if not row.automatic_failback:
        return f"{row.id} fails back by itself, and is not set so."
    if any(one.actor != COORDINATOR for one in _chain(step, entry)):
        return f"{row.id} fails back by itself after a failover by hand."
    if row.id in state.failback_holds:
        return f"{row.id} fails back by itself, although that is held."
    if not _in_hours(row.failback_hours, step.record.wall_ms):
        return f"{row.id} fails back by itself outside {row.failback_hours}."
    if entry.failback_tries and entry.failback is not None and not world.coordinator.wall_step_ms:
        pause_ms, since_ms = min(after_ms << entry.failback_tries, 3_600_000), step.record.wall_ms - entry.failback.ended_ms
        if since_ms < pause_ms - 1_000:
            return f"{row.id} fails back by itself {since_ms} ms after a try was undone; it waits {pause_ms} ms."
    up_since_ms = recorder.up_since_ms if recorder.up else None
    ran_ms = recorder.trouble.ran_ms
    if up_since_ms is None and ran_ms is not None and now_ms - ran_ms[1] < STALE_MS + world.links[row.id].slowest_ms:
        up_since_ms = ran_ms[0]  # it is connected until it was silent for three heartbeats (SPEC 4, 8): nobody can know better
    if up_since_ms is None:
        return f"{row.id} fails back by itself, and does not run."
    stable_ms = now_ms - max(up_since_ms, world.hearing.started_ms)
    if stable_ms < after_ms:
        return f"{row.id} was stable for {stable_ms} ms and fails back by itself; it has to be for {after_ms} ms."
    if recorder.trouble.disks_lost_ms is not None and (
        recorder.trouble.disks_mended_ms is None or now_ms - recorder.trouble.disks_mended_ms < after_ms
    ):
        return f"{row.id} fails back by itself, and had lost its disks a moment ago."
    return None


def flapping_is_held(step: Step) -> str | None:
    """After the second of two failovers within an hour automatic failback is held until a person acknowledged it (SPEC 13.5)."""
    fact, world = step.fact, step.world
    if not isinstance(fact, f.FailbackStarted) or not fact.automatic or world.coordinator.wall_step_ms:
        return None
    home = step.world.history.all[fact.failover].home
    commits: list[int] = []
    released = -1
    for number, record in enumerate(world.facts, 1):
        match record.fact:
            case f.TasksMoved(failover=failover) if _failed(step.world.history.all[failover], home):
                commits.append(record.wall_ms)
                if number in world.coordinator.cuts:
                    released = len(commits)  # the journal lost what was written with it, the hold among it
            case f.FailbackReleased(recorder=recorder) if recorder == home:
                released = len(commits)
            case f.RecorderEdited(recorder=recorder, fields=fields) if recorder == home and not fields.automatic_failback:
                released = len(commits)
            case _:
                pass
    if len(commits) >= 2 and commits[-1] - commits[-2] < FLAP_MS and released < len(commits):
        return f"{home} fails back by itself after two failovers within an hour, and nobody acknowledged it."
    return None


SETTLED_MS = 3_500
"""By then a service that runs has been heard with what it records by, over a link that is not slow."""


def edits_travel_back(step: Step) -> str | None:
    """What was changed on the failover server is what the recorder records by afterwards (SPEC 8)."""
    fact, entry, world = step.fact, step.before, step.world
    if not isinstance(fact, f.FailbackCommitted) or entry is None or entry.server is None or entry.failback is None:
        return None
    server, link, now_ms = world.recorders[entry.server], world.links[entry.server], world.agenda.now_ms
    taken, present = entry.failback.documents, server.persisted.documents
    settled = server.up and server.up_since_ms is not None and now_ms - server.up_since_ms >= SETTLED_MS
    heard = now_ms - world.hearing.heard_ms.get(server.id, -SETTLED_MS) < SETTLED_MS and not link.slowest_ms and not link.loss
    if not settled or not heard or server.persisted.home != entry.home or taken is None or present is None:
        return None
    if not taken.same_content(present):
        return f"{entry.home} gets its tasks back by other settings than {server.id} records by."
    return None


def _failed(entry: Failover, home: RecorderId) -> bool:
    return entry.recorder == home and entry.trigger is not Trigger.PLANNED


def _chain(step: Step, entry: Failover) -> list[Failover]:
    """The entry, and those in which the servers that it replaced had taken over, back to the home."""
    chain = [entry]
    while chain[-1].recorder != entry.home:
        broke = chain[-1]
        others = (one for one in step.world.history.all.values() if one.phase is Phase.SUPERSEDED and one.home == entry.home)
        earlier = [one for one in others if one.server == broke.recorder and one.number < broke.number]
        if not earlier:
            break
        chain.append(max(earlier, key=lambda one: one.number))
    return chain


def _in_hours(hours: str, wall_ms: int) -> bool:
    """As drawn for simulated sites: nothing, or one window of every day."""
    if not hours:
        return True
    clock = f"{datetime.fromtimestamp(wall_ms / 1000, tz=UTC):%H:%M}"
    begin, end = hours.split("-")
    return begin <= clock < end


def no_camera_vanishes(step: Step) -> str | None:
    """Who has cameras in system data reports settings with all of them: no simulated person takes one out of a server's settings."""
    fact = step.fact
    row = step.state.recorders.get(fact.recorder) if isinstance(fact, f.DocumentsCached) else None
    if row is None or not isinstance(fact, f.DocumentsCached):
        return None
    gone = {camera.id for camera in row.settings.cameras} - {camera.id for camera in fact.settings.cameras}
    return f"{row.id} had {', '.join(sorted(gone))}, and its new settings do not." if gone else None
