"""What servers say is wrong with them and lasts: since when, and in which words. For alarms; kept by what is heard, lost at a restart."""

from __future__ import annotations

import msgspec

from sysmanager.domain.ids import RecorderId
from sysmanager.protocol.recorders import Beat, CameraState


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """One thing. since_wall_ms: since when it lasts, by the coordinator's wall clock, in whatever words."""

    words: tuple[str, ...]
    since_wall_ms: int


class Complaints:
    """By server. `take` is told of each heartbeat that says something new.

    quarantined: the cameras that are in quarantine. failed: what its self-test found (SPEC 16).
    """

    def __init__(self) -> None:
        self.quarantined: dict[RecorderId, Complaint] = {}
        self.failed: dict[RecorderId, Complaint] = {}

    def take(self, beat: Beat, wall_ms: int) -> None:
        quarantined = tuple(str(camera.camera) for camera in beat.cameras if camera.state is CameraState.QUARANTINED)
        _keep(self.quarantined, beat.recorder, quarantined, wall_ms)
        _keep(self.failed, beat.recorder, beat.self_test.problems if beat.self_test is not None else (), wall_ms)

    def forget(self, recorder: RecorderId) -> None:
        self.quarantined.pop(recorder, None)
        self.failed.pop(recorder, None)


def _keep(known: dict[RecorderId, Complaint], recorder: RecorderId, words: tuple[str, ...], wall_ms: int) -> None:
    before = known.get(recorder)
    if not words:
        known.pop(recorder, None)
    elif before is None or before.words != words:
        known[recorder] = Complaint(words=words, since_wall_ms=before.since_wall_ms if before is not None else wall_ms)
