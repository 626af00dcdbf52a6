"""Facts about cameras that a person lets out of quarantine."""

from __future__ import annotations

import msgspec

from sysmanager.domain.ids import CameraId, RecorderId


class CameraReleased(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="camera-released"):
    """A person lets a camera out of quarantine; the server is told until it answers."""

    recorder: RecorderId
    camera: CameraId


class ReleaseEnded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="release-ended"):
    """The server was told, and answered. sentence: why it refused; empty if it did not."""

    recorder: RecorderId
    camera: CameraId
    sentence: str = ""


QuarantineFact = CameraReleased | ReleaseEnded
