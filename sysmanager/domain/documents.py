"""The three documents of a recorder's configuration (SPEC 1, 3).

A document is JSON. Secrets in it are sealed; its hash is taken with every secret replaced by an HMAC, so that sealing anew changes nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

import msgspec

from sysmanager.domain.camera import Camera, CameraKind, FailoverPriority, RecordingMode
from sysmanager.domain.ids import CameraId, DocumentHash


class DocumentKind(StrEnum):
    SETTINGS = "settings"
    MASKS = "masks"
    SCHEDULES = "schedules"


class DocumentSet(msgspec.Struct, frozen=True, kw_only=True):
    """Which three documents are current on a recorder. `revision` grows by one with every change on the recorder."""

    revision: int
    settings: DocumentHash
    masks: DocumentHash
    schedules: DocumentHash

    def hash_of(self, kind: DocumentKind) -> DocumentHash:
        match kind:
            case DocumentKind.SETTINGS:
                return self.settings
            case DocumentKind.MASKS:
                return self.masks
            case DocumentKind.SCHEDULES:
                return self.schedules
            case _:
                assert_never(kind)

    def same_content(self, other: DocumentSet) -> bool:
        """Whether both name the same three documents, whatever the revision."""
        return (self.settings, self.masks, self.schedules) == (other.settings, other.masks, other.schedules)


class SealedSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret as it stands in a document: its HMAC under the site key, and the sealed text. Neither shows it."""

    hmac: str
    sealed: str


class CameraSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One camera in the settings document; the fields of `Camera`, and how to reach it.

    url: stream address without credentials. user, password: empty where the camera asks for none.
    retention_days: how long its footage is kept; as the recorder says if None.
    motion_before_s, motion_after_s: what is kept before and after a motion. motion_per_s: how many pictures a second are looked at for it;
    0: key frames only, which costs least.
    """

    id: CameraId
    name: str
    url: str = ""
    user: str = ""
    password: SealedSecret | None = None
    kind: CameraKind = CameraKind.IP
    priority: FailoverPriority = FailoverPriority.MEDIUM
    sessions: int = 1
    vca: bool = False
    bitrate_kbps: int = 2000
    mode: RecordingMode = RecordingMode.CONTINUOUS
    retention_days: int | None = None
    motion_before_s: int = 5
    motion_after_s: int = 10
    motion_per_s: int = 0

    def camera(self) -> Camera:
        return Camera(
            id=self.id,
            name=self.name,
            kind=self.kind,
            priority=self.priority,
            sessions=self.sessions,
            vca=self.vca,
            bitrate_kbps=self.bitrate_kbps,
            mode=self.mode,
        )


class SettingsDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a recorder: general, cameras, disks.

    disks: material paths or drive letters, in order. retention_days: how long footage is kept.
    """

    format: int = 1
    name: str
    retention_days: int = 14
    disks: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    cameras: tuple[CameraSettings, ...] = ()


class MasksDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Motion masks: per camera the blocked cells of its grid, by number, and the sensitivity from 0 to 100."""

    format: int = 1
    masks: dict[CameraId, MotionMask] = {}


class MotionMask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    columns: int = 16
    rows: int = 9
    blocked: tuple[int, ...] = ()
    sensitivity: int = 50


class SchedulesDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Per camera seven days of 96 cells of 15 minutes, each day as text of ``o`` off, ``m`` motion, ``c`` continuous.

    time_zone: whose hours they are, as "Europe/Helsinki", so that a failover server elsewhere keeps the same; empty: of the machine.
    """

    format: int = 1
    time_zone: str = ""
    schedules: dict[CameraId, tuple[str, ...]] = {}


class SettingsSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What of a settings document decisions rest on; kept in the journal with the hash that it was read from."""

    retention_days: int = 14
    disks: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    cameras: tuple[Camera, ...] = ()


def summary_of(settings: SettingsDocument) -> SettingsSummary:
    """The settings without addresses and secrets."""
    return SettingsSummary(
        retention_days=settings.retention_days,
        disks=settings.disks,
        plugins=settings.plugins,
        cameras=tuple(camera.camera() for camera in settings.cameras),
    )
