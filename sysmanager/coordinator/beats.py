"""What two heartbeats of one server differ in, as far as a decision could rest on it."""

from __future__ import annotations

from msgspec.structs import replace

from sysmanager.coordinator.jobs.seen import jobs_differ
from sysmanager.protocol.recorders import Beat


def unsettled(old: Beat, new: Beat) -> bool:
    """Whether between two beats the service was started anew, or lost a disk: then it has not been stable."""
    if (old.instance, old.boot) != (new.instance, new.boot):
        return True
    writable = {disk.path for disk in new.disks if disk.writable}
    return any(disk.writable and disk.path not in writable for disk in old.disks)


def disk_returned(old: Beat, new: Beat) -> bool:
    """Whether a material disk can be written, and so read, that could not before."""
    lost = {disk.path for disk in old.disks if not disk.writable}
    return any(disk.writable and disk.path in lost for disk in new.disks)


def _preroll_differs(old: Beat, new: Beat) -> bool:
    """What is held grows with every second; which plan is followed, the room for it, and of which cameras there is any, is news."""
    before, after = old.preroll, new.preroll
    if (before.plan, before.memory_mb, before.limit_s) != (after.plan, after.memory_mb, after.limit_s):
        return True
    if len(before.cameras) != len(after.cameras):
        return True
    return any(
        one.camera != other.camera or (one.held_ms == 0) is not (other.held_ms == 0)
        for one, other in zip(before.cameras, after.cameras, strict=True)
    )


def _failed(beat: Beat) -> tuple[str, ...] | None:
    """What the self-test found; when it was is no news."""
    return beat.self_test.problems if beat.self_test is not None else None


def _rest_differs(old: Beat, new: Beat) -> bool:
    """Of all but cameras and disks."""
    return (
        old.mode is not new.mode
        or old.epoch != new.epoch
        or old.home != new.home
        or old.documents != new.documents
        or old.without != new.without
        or old.boot != new.boot
        or old.version != new.version
        or old.camera_limit != new.camera_limit
        or old.bitrate_limit_kbps != new.bitrate_limit_kbps
        or old.vca_channels != new.vca_channels
        or old.plugins != new.plugins
        or old.hardware != new.hardware
        or old.machine != new.machine
        or _failed(old) != _failed(new)
        or _preroll_differs(old, new)
        or jobs_differ(old, new)
    )


def differs(old: Beat, new: Beat) -> bool:
    """Whether two beats differ in something that a decision could rest on; counters, clocks, free space and frame times are not that."""
    if len(old.cameras) != len(new.cameras) or len(old.disks) != len(new.disks):
        return True
    # Nearly always all that is left of the two is the same: one comparison in C tells that.
    rest = replace(new, sequence=old.sequence, wall_ms=old.wall_ms, mono_ms=old.mono_ms, cameras=old.cameras, disks=old.disks)
    if rest != old and _rest_differs(old, new):
        return True
    if old.disks is not new.disks:
        for disk, disk_now in zip(old.disks, new.disks, strict=True):
            if disk.writable is not disk_now.writable or disk.path != disk_now.path:
                return True
    for camera, camera_now in zip(old.cameras, new.cameras, strict=True):
        if (
            camera.state is not camera_now.state
            or camera.camera != camera_now.camera
            or camera.first_frame_ms != camera_now.first_frame_ms
            or camera.sentence != camera_now.sentence
        ):
            return True
    return False
