"""From the plan of the machine to what capture is given, passwords opened in memory only; and from capture to heartbeats."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
import structlog

from sysmanager.documents.sealing import SealBroken, SealedSecret, SiteKey, unseal
from sysmanager.domain.documents import CameraSettings, SettingsDocument
from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraBeat, CameraState, DiskBeat
from sysmanager.protocol.values import TEXT_LIMIT
from sysmanager.recorder.capture import CameraStatus
from sysmanager.recorder.disks import DiskState
from sysmanager.recorder.machine import CapturePlan
from sysmanager.recorder.session import CameraPlan

log = structlog.get_logger(__name__)

CLOSED = "Its password can't be opened with the site key of this server; copy the key there, or type the password again."


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """cameras: for capture. closed: cameras whose password cannot be opened; they are shown as failed."""

    cameras: tuple[CameraPlan, ...]
    closed: tuple[CameraId, ...]


def open_plan(plan: CapturePlan, settings: SettingsDocument, key: SiteKey | None) -> Opened:
    """The plan's cameras in its order, with their addresses and passwords."""
    by_id = {camera.id: camera for camera in settings.cameras}
    return plans_of((by_id[camera.id] for camera in plan.cameras), key)


def plans_of(described: Iterable[CameraSettings], key: SiteKey | None) -> Opened:
    """Cameras as a settings document has them, with their addresses and passwords."""
    cameras: list[CameraPlan] = []
    closed: list[CameraId] = []
    for camera in described:
        try:
            cameras.append(camera_plan(camera, key))
        except SealBroken as error:
            log.warning("camera not recorded", camera=camera.id, why=str(error))
            closed.append(camera.id)
    return Opened(cameras=tuple(cameras), closed=tuple(closed))


def camera_plan(camera: CameraSettings, key: SiteKey | None) -> CameraPlan:
    """How a camera is opened; the same settings give an equal plan. Raises SealBroken."""
    return CameraPlan(
        id=camera.id,
        name=camera.name,
        url=camera.url,
        user=camera.user,
        password=_password(camera, key),
        priority=camera.priority.rank,
        mark=_mark(camera),
    )


def _mark(camera: CameraSettings) -> str:
    """Of the address and the credentials, by their HMAC: it shows no secret."""
    parts = (camera.url, camera.user, camera.password.hmac if camera.password is not None else "")
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()


def _password(camera: CameraSettings, key: SiteKey | None) -> str:
    """Raises SealBroken."""
    if camera.password is None:
        return ""
    if key is None:
        raise SealBroken("The site key of this recorder can't be used, so that its password can't be opened; copy the key there.")
    return unseal(SealedSecret(hmac=camera.password.hmac, sealed=camera.password.sealed), key)


def camera_beats(statuses: Iterable[CameraStatus], closed: Iterable[CameraId]) -> tuple[CameraBeat, ...]:
    """By id, as capture gives them; those that cannot be opened come last."""
    seen = tuple(
        CameraBeat(
            each.camera,
            each.state,
            each.first_frame_ms,
            each.last_frame_ms,
            each.sentence[:TEXT_LIMIT],
            each.off.from_ms,
            each.off.until_ms,
        )
        for each in statuses
    )
    return (*seen, *(CameraBeat(camera, CameraState.FAILED, sentence=CLOSED) for camera in closed))


def disk_beats(states: Iterable[DiskState], labels: dict[str, str]) -> tuple[DiskBeat, ...]:
    """labels: from the folder of each disk to the name that settings use."""
    return tuple(
        DiskBeat(
            path=labels[state.path],
            writable=state.writable,
            free_mb=state.free_bytes >> 20,
            total_mb=state.total_bytes >> 20,
            problem=state.problem,
        )
        for state in states
    )
