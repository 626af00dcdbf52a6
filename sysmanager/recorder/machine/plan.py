"""Which cameras are recorded, and whether this machine has what the settings need (SPEC 5, 6)."""

from __future__ import annotations

from sysmanager.domain.camera import Camera, RecordingMode, opening_order
from sysmanager.domain.documents import SettingsSummary
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.protocol.recorders import DiskBeat, Refusal, RefusalReason
from sysmanager.recorder.machine.effects import CapturePlan
from sysmanager.recorder.machine.state import Identity, Persisted


def cameras_to_open(settings: SettingsSummary, *, foreign: bool, without: tuple[CameraId, ...]) -> tuple[Camera, ...]:
    """In opening order. Of a foreign home only cameras that move."""
    return opening_order(
        tuple(
            camera
            for camera in settings.cameras
            if camera.mode is not RecordingMode.OFF and camera.id not in without and (camera.moves or not foreign)
        )
    )


def plan_of(persisted: Persisted, settings: SettingsSummary) -> CapturePlan:
    """ValueError when the task is not to record."""
    if persisted.home is None:
        raise ValueError("a recorder on standby has no plan")
    foreign = persisted.home != persisted.recorder
    cameras = cameras_to_open(settings, foreign=foreign, without=persisted.without)
    opened = {camera.id for camera in cameras}
    return CapturePlan(
        epoch=persisted.epoch,
        home=persisted.home,
        documents=persisted.documents,
        cameras=cameras,
        left=tuple(camera.id for camera in settings.cameras if camera.id not in opened),
        disks=settings.disks,
        retention_days=settings.retention_days,
    )


def refusal_of(
    identity: Identity, disks: tuple[DiskBeat, ...], home: RecorderId, settings: SettingsSummary, without: tuple[CameraId, ...]
) -> Refusal | None:
    """Why these settings cannot be applied here; None if they can. The epoch is left to the caller.

    The room is asked for foreign cameras only: its own a recorder records as configured, and the limits only warn (SPEC, first law).
    """
    by_label = {disk.path: disk for disk in disks}
    missing = [label for label in settings.disks if label not in by_label]
    if missing:
        return Refusal(
            reason=RefusalReason.DISK_MISSING,
            sentence=f"The settings record to {', '.join(missing)}, which this server does not have; add it to the server's configuration.",
        )
    usable = [by_label[label] for label in settings.disks] if settings.disks else list(disks)
    if not any(disk.writable for disk in usable):
        named = ", ".join(disk.path for disk in usable) or "none is configured"
        return Refusal(
            reason=RefusalReason.NO_WRITABLE_DISK,
            sentence=f"No material disk of this server can be written ({named}); free or repair one.",
        )
    if home != identity.recorder:
        return _room(identity, cameras_to_open(settings, foreign=True, without=without))
    return None


def _room(identity: Identity, cameras: tuple[Camera, ...]) -> Refusal | None:
    if len(cameras) > identity.camera_limit:
        return Refusal(
            reason=RefusalReason.NO_ROOM,
            sentence=f"The settings have {len(cameras)} cameras to record and this server takes {identity.camera_limit} at most.",
        )
    needed_kbps = sum(camera.bitrate_kbps for camera in cameras)
    if needed_kbps > identity.bitrate_limit_kbps:
        return Refusal(
            reason=RefusalReason.NO_ROOM,
            sentence=f"The cameras need {needed_kbps} kbit/s and this server takes {identity.bitrate_limit_kbps} kbit/s at most.",
        )
    return None
