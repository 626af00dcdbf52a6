"""What a site consists of and where each thing of it lies under its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, GroupId, RecorderId
from sysmanager.domain.recorder import RecorderEdit, Role

SITE_NAME = "Practice site"
GROUP = Group(id=GroupId("SITE"), name="Site", description="Both recorders of this machine and their failover server")
STANDARD = (RecorderId("REC-1"), RecorderId("REC-2"))
FAILOVER = RecorderId("FO-1")
RECORDERS = (*STANDARD, FAILOVER)
DETECTION_TIMEOUT_S = 10
DISKS = {"D:": "disk-d", "E:": "disk-e"}
"""Material disks: the label in settings documents, the same on every recorder, and the folder in each recorder's own."""

CAMERA_USER = "site"
CAMERAS_LIMIT = 64


@dataclass(frozen=True, slots=True)
class RecorderPlace:
    """The files of one recorder. logs: the folder that all parts of the site log into."""

    id: RecorderId
    folder: Path
    logs: Path

    @property
    def configuration(self) -> Path:
        return self.folder / "recorder.toml"

    @property
    def settings(self) -> Path:
        return self.folder / "settings.json"

    @property
    def bus(self) -> Path:
        return self.folder / "bus.json"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def disks(self) -> dict[str, Path]:
        return {label: self.folder / name for label, name in DISKS.items()}

    @property
    def standby(self) -> bool:
        return self.id == FAILOVER

    @property
    def edit(self) -> RecorderEdit:
        """How it is added to system data."""
        return RecorderEdit(
            name=self.id,
            address="127.0.0.1",
            role=Role.FAILOVER if self.standby else Role.STANDARD,
            group=GROUP.id,
            failover_enabled=True,
            detection_timeout_s=DETECTION_TIMEOUT_S,
        )


@dataclass(frozen=True, slots=True)
class SiteLayout:
    """Paths under the folder of a site. `root` is absolute."""

    root: Path

    @property
    def site_file(self) -> Path:
        return self.root / "site.json"

    @property
    def coordinator(self) -> Path:
        return self.root / "coordinator"

    @property
    def site_key(self) -> Path:
        return self.root / "keys" / "site.key"

    @property
    def cameras(self) -> Path:
        return self.root / "cameras"

    @property
    def camera_password(self) -> Path:
        return self.cameras / "password"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def recorder(self, recorder: RecorderId) -> RecorderPlace:
        return RecorderPlace(recorder, self.root / recorder, self.logs)

    @property
    def recorders(self) -> tuple[RecorderPlace, ...]:
        return tuple(self.recorder(recorder) for recorder in RECORDERS)


def shares(cameras: tuple[str, ...]) -> dict[RecorderId, tuple[CameraId, ...]]:
    """Which standard recorder has which cameras: every second one each."""
    return {recorder: tuple(CameraId(camera) for camera in cameras[index :: len(STANDARD)]) for index, recorder in enumerate(STANDARD)}
