"""Pre-roll of a real recorder: from the coordinator's order to the cameras that capture holds, and to what a heartbeat says (SPEC 6)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec
import structlog

from sysmanager.documents.sealing import SealBroken, SiteKey
from sysmanager.domain.camera import Camera
from sysmanager.domain.documents import DocumentSet, SettingsDocument
from sysmanager.protocol.preroll import KeepPreroll, PrerollBeat, PrerollPart
from sysmanager.recorder.camera_plans import camera_plan
from sysmanager.recorder.capture import HeldStatus
from sysmanager.recorder.preroll import RingSettings
from sysmanager.recorder.session import CameraPlan

log = structlog.get_logger(__name__)

BURST: Final = 2
"""A camera may need so much more memory than its expected bit rate says: a moving picture does."""

LEAST_BYTES: Final = 2 << 20

AGAIN_S: Final = 10.0
"""Pause before settings that could not be had are asked for again."""

SettingsOf = Callable[[DocumentSet], Awaitable[SettingsDocument | None]]
"""Has a recorder's documents ready, fetched if need be; None, said in the log, where they cannot be had."""


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What capture shall hold. complete: the settings of all parts could be had; if not, it is worth asking again."""

    cameras: tuple[tuple[CameraPlan, RingSettings], ...]
    complete: bool


async def cameras_to_hold(order: KeepPreroll, settings_of: SettingsOf, key: SiteKey | None, memory_bytes: int) -> Holding:
    """What capture shall hold by this order. Cameras whose settings or password cannot be had are left out, with a word in the log."""
    found: list[tuple[CameraPlan, Camera, int]] = []
    complete = True
    for part in order.parts:
        settings = await settings_of(part.documents)
        if settings is None:
            complete = False
        else:
            found += _of_part(part, settings, key)
    wanted = sum(_wanted_bytes(camera, seconds) for _, camera, seconds in found)
    share = min(1.0, memory_bytes / wanted) if wanted else 1.0
    cameras = tuple(
        (plan, RingSettings(keep_ms=seconds * 1000, limit_bytes=round(_wanted_bytes(camera, seconds) * share)))
        for plan, camera, seconds in found
    )
    return Holding(cameras=cameras, complete=complete)


def _of_part(part: PrerollPart, settings: SettingsDocument, key: SiteKey | None) -> Iterable[tuple[CameraPlan, Camera, int]]:
    wanted = set(part.cameras)
    for described in settings.cameras:
        if described.id not in wanted:
            continue
        try:
            yield camera_plan(described, key), described.camera(), part.seconds
        except SealBroken as error:
            log.warning("no pre-roll of a camera", camera=described.id, why=str(error))


def _wanted_bytes(camera: Camera, seconds: int) -> int:
    return max(LEAST_BYTES, camera.bitrate_kbps * 125 * seconds * BURST)


def preroll_beats(statuses: Iterable[HeldStatus]) -> tuple[PrerollBeat, ...]:
    """How far back each camera that is held reaches now."""
    return tuple(PrerollBeat(status.camera, status.reaches_ms) for status in statuses)


SILENT_S: Final = 2.0
"""The coordinator says four times in so long that it is there."""
RETURNED_S: Final = 30.0
"""It has found out by then what happened while it was away."""


class Silence:
    """Whether what is held shall be kept beyond its age, because the coordinator is silent or was a moment ago.

    A recorder may have died since, and the failover of it begins only when the coordinator, or its successor, is back (SPEC 6). Seconds of
    the monotonic clock; one that was never heard is not silent.
    """

    def __init__(self) -> None:
        self._heard_s: float | None = None
        self._until_s = 0.0

    def heard(self, now_s: float) -> None:
        self.lasts(now_s)
        self._heard_s = now_s

    def lasts(self, now_s: float) -> bool:
        if self._heard_s is not None and now_s - self._heard_s >= SILENT_S:
            self._until_s = now_s + RETURNED_S
        return now_s < self._until_s
