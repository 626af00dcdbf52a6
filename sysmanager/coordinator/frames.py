"""Whether a recorder that should record gets frames (SPEC 4.4)."""

from __future__ import annotations

from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.ids import CameraId
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol.recorders import Beat, CameraState, Mode


def expected_cameras(row: Recorder) -> tuple[CameraId, ...]:
    """Cameras that the recorder is to record all the time, and that another server could take: of those somebody sees that they are dark.

    One that records at motion only may be silent for good reasons; one that is off is not missed.
    """
    if not row.records:
        return ()
    return tuple(camera.id for camera in row.settings.cameras if camera.moves and camera.mode is RecordingMode.CONTINUOUS)


def progressed(old: Beat | None, new: Beat) -> bool:
    """Whether a camera gave a frame between the two beats; one that only says that it records does not count."""
    if new.mode is not Mode.RECORDING:
        return False
    if old is None or len(old.cameras) != len(new.cameras):
        for camera in new.cameras:  # noqa: SIM110 - at every heartbeat
            if camera.state is CameraState.RECORDING:
                return True
        return False
    for before, after in zip(old.cameras, new.cameras, strict=True):
        if after.last_frame_ms != before.last_frame_ms and after.last_frame_ms:
            return True
    return False
