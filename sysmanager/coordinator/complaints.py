"""What servers say is wrong with them and lasts: since when, and in which words. For alarms; kept by what is heard, lost at a restart."""

from __future__ import annotations

import msgspec

from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.protocol.recorders import Beat, CameraState


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """quarantined: cameras that are in quarantine (SPEC 16). since_wall_ms: since when there is one, by the coordinator's wall clock."""

    quarantined: tuple[CameraId, ...]
    since_wall_ms: int


class Complaints:
    """By server. `take` is told of each heartbeat that says something new."""

    def __init__(self) -> None:
        self.known: dict[RecorderId, Complaint] = {}

    def take(self, beat: Beat, wall_ms: int) -> None:
        quarantined = tuple(camera.camera for camera in beat.cameras if camera.state is CameraState.QUARANTINED)
        before = self.known.get(beat.recorder)
        if not quarantined:
            self.known.pop(beat.recorder, None)
        elif before is None or before.quarantined != quarantined:
            since_ms = before.since_wall_ms if before is not None else wall_ms
            self.known[beat.recorder] = Complaint(quarantined=quarantined, since_wall_ms=since_ms)

    def forget(self, recorder: RecorderId) -> None:
        self.known.pop(recorder, None)
