"""A camera as the settings document of its recorder describes it (SPEC 2)."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sysmanager.domain.ids import CameraId


class CameraKind(StrEnum):
    """How the camera reaches its recorder. Analogue cameras hang on a capture card and do not move in a failover."""

    IP = "ip"
    ANALOGUE = "analogue"


class FailoverPriority(StrEnum):
    """Which cameras go first when room is short. `never` stays behind in every failover."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NEVER = "never"

    @property
    def rank(self) -> int:
        """0 for the highest; sorts cameras in the order in which they are opened (SPEC 6, step 4)."""
        return _RANKS[self._value_]


_RANKS = {priority.value: rank for rank, priority in enumerate(FailoverPriority)}


class RecordingMode(StrEnum):
    """What the recorder keeps of the camera."""

    OFF = "off"
    MOTION = "motion"
    CONTINUOUS = "continuous"


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """What the coordinator knows of a camera: all but its address and credentials, which stay in the document.

    sessions: how many streams the camera gives at once; unknown counts as 1 (SPEC 2).
    bitrate_kbps: expected, for the room on a failover server (SPEC 5).
    """

    id: CameraId
    name: str
    kind: CameraKind = CameraKind.IP
    priority: FailoverPriority = FailoverPriority.MEDIUM
    sessions: int = 1
    vca: bool = False
    bitrate_kbps: int = 2000
    mode: RecordingMode = RecordingMode.CONTINUOUS

    @property
    def moves(self) -> bool:
        """Whether the camera goes along in a failover."""
        return self.kind is CameraKind.IP and self.priority is not FailoverPriority.NEVER


def opening_order(cameras: tuple[Camera, ...]) -> tuple[Camera, ...]:
    """High priority first, then by id: the order in which a recorder opens them (SPEC 6)."""
    return tuple(sorted(cameras, key=lambda camera: (camera.priority.rank, camera.id)))
