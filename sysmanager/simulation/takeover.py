"""Who could take over from a server that failed, as the world knows it: written a second time, apart from the coordinator's own selection.

The rule that rests on it (SPEC, the first law): a camera that some live server could record by the rules is not left dark for longer than
the failure takes to be noticed, and 10 s. Where it is not sure that somebody could, or whether somebody had to, nobody is blamed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sysmanager.coordinator.detection import group_of, why_not_automatic
from sysmanager.coordinator.maintenance import own_maintenance
from sysmanager.coordinator.state import baseline_holds, governing, open_failover_of, running_in_group, tasks_of
from sysmanager.domain.camera import Camera
from sysmanager.domain.documents import DocumentKind
from sysmanager.domain.failover import Failover, Trigger
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.domain.recorder import Acting, Recorder, Recording, Standby
from sysmanager.protocol.practice import Fault
from sysmanager.recorder import machine as m
from sysmanager.simulation.recorder import SimulatedRecorder

if TYPE_CHECKING:
    from sysmanager.simulation.origins import Well
    from sysmanager.simulation.world import World

SERVICE_MS = 30_000
DISKS_MS = 5_000
"""How long a service may try to start, and how long all disks must be lost, until that counts (SPEC 4)."""

SWIFT_MS = 50
"""A journal or a cache that takes longer for each step may make a failover as late."""

Chance = tuple[CameraId, RecorderId, int]
"""A camera, a server that could record it, and how long the failure takes to be noticed, in milliseconds."""


def failure_ms(world: World, holder: Recorder) -> int | None:
    """How long it takes until the failure that the server has now is noticed; None if it has none that must be."""
    server, core = world.recorders[holder.id], world.coordinator.core
    if core is None or server.trouble.lie is not None or server.trouble.copied:
        return None
    link = world.links[holder.id]
    if not server.powered or server.trouble.hung or link.up_cut:
        timeout_s = governing(world.shadow, holder).detection_timeout_s
        if core.seen.of(holder.id).leaving is not None:
            timeout_s = max(timeout_s, world.shadow.settings.announced_timeout_s or 0)
        # Never heard since the coordinator's start: it has a grace of minutes.
        return timeout_s * 1000 if holder.id in world.hearing.heard_ms else None
    if not world.network.open(link):
        return None
    if Fault.SERVICE in server.faults:
        return SERVICE_MS
    return DISKS_MS if server.up and server.lost_disks >= set(server.disks) else None


def chances(world: World, holder: Recorder, dark: tuple[Camera, ...], well: Well) -> Iterator[Chance]:
    """For each of the dark cameras of a server that failed, who could record it and has to by the rules."""
    state, noticed_ms = world.shadow, failure_ms(world, holder)
    group = group_of(state, holder)
    if noticed_ms is None or group is None or not isinstance(holder.assignment, Recording | Acting) or not _may_start(world, holder):
        return
    own, running = open_failover_of(state, holder.id), running_in_group(state, group)
    if (running is not None and running is not own) or baseline_holds(state, group) or (own is not None and not _swift(own)):
        return
    home = state.recorders.get(holder.home) if holder.home is not None else None
    documents = tasks_of(holder, home).documents if home is not None else None
    if home is None or documents is None or not {documents.hash_of(kind) for kind in DocumentKind} <= world.coordinator.cache.keys():
        return
    for row in state.recorders.values():
        if own is not None and own.server not in (None, row.id):
            continue  # another one is tried first, and may be lost
        server = world.recorders[row.id]
        ready = governing(state, row).group == group and well(server) and _free(world, row, server)
        if ready and _has_room(server, tasks_of(holder, home)):
            for camera in dark:
                gives = world.cameras.reaches(row.id, camera.id) and not world.cameras.full(camera.id, row.id, camera.sessions)
                if gives and not world.is_off(camera.id, row.id):
                    yield camera.id, row.id, noticed_ms


def _may_start(world: World, holder: Recorder) -> bool:
    """Whether nothing and nobody holds it: no person, no brake, no second opinion, no slow disk of the coordinator."""
    state, coordinator = world.shadow, world.coordinator
    held = state.reconcile is not None or state.brake is not None or state.settings.opinion_holds
    slow = coordinator.append_ms > SWIFT_MS or coordinator.cache_ms > SWIFT_MS or coordinator.fail_appends
    return not held and not slow and why_not_automatic(state, holder) in (None, "failover is running")


def _swift(entry: Failover) -> bool:
    """A failover by itself whose first server is still being tried."""
    return entry.trigger not in (Trigger.MANUAL, Trigger.PLANNED) and not any(attempt.end is not None for attempt in entry.attempts)


def _free(world: World, row: Recorder, server: SimulatedRecorder) -> bool:
    """Whether it is on standby, in system data and in truth, and may be taken."""
    waits = isinstance(row.assignment, Standby) and own_maintenance(world.shadow, row.id) is None
    return waits and server.state.situation is m.Situation.STANDBY and server.persisted.epoch <= row.assignment.epoch


def _has_room(server: SimulatedRecorder, home: Recorder) -> bool:
    """For all of the cameras: one that can take a part of them only is left out."""
    cameras = home.settings.cameras
    kbps = sum(camera.bitrate_kbps for camera in cameras)
    identity = server.identity
    return len(cameras) <= identity.camera_limit and kbps <= identity.bitrate_limit_kbps and set(home.settings.disks) <= set(server.disks)
