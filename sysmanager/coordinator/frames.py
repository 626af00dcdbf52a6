"""Whether a recorder that should record gets frames (SPEC 4.4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.ids import CameraId
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol.recorders import BEAT_INTERVAL_MS, Beat, CameraBeat, CameraState, Mode

GIVES_FRAMES = (CameraState.RECORDING, CameraState.WAITING)
"""States in which the recorder gets frames of a camera, be it that they are only watched for motion."""

NEW_MS = 3 * BEAT_INTERVAL_MS
"""A frame older than this is none of the present."""


def expected_cameras(row: Recorder) -> tuple[CameraId, ...]:
    """Cameras that the recorder is to record, and that another server could take: of those somebody sees that they are dark.

    Which of them its schedule switches off for the moment, the recorder says itself (`nothing_due`).
    """
    cameras = row.settings.cameras if row.records else ()
    return tuple(camera.id for camera in cameras if camera.moves and camera.mode is not RecordingMode.OFF)


def expects_frames(row: Recorder) -> bool:
    """Whether there are any such cameras."""
    return row.records and any(camera.mode is not RecordingMode.OFF and camera.moves for camera in row.settings.cameras)


def nothing_due(beat: Beat, expected: Iterable[CameraId]) -> bool:
    """Whether all cameras that the recorder is to record are off by their schedule now: then it is not dark, however silent they are.

    Those that another recorder holds are not due on this one either, be it all of them; one that it does not name at all is.
    """
    idle = {camera.camera for camera in beat.cameras if camera.state is CameraState.OFF}
    idle.update(beat.without)
    return bool(idle) and idle.issuperset(expected)


def records_by_right(beat: Beat) -> bool:
    """Whether it does what it should, as far as its cameras show: one of them gives it frames, or none of them is to be recorded now."""
    for camera in beat.cameras:
        if camera.state in GIVES_FRAMES:
            return True
    return all(camera.state is CameraState.OFF for camera in beat.cameras)


def settled_cameras(cameras: Collection[CameraBeat]) -> set[CameraId]:
    """Cameras of which the server has frames, or is to have none now: nobody waits for their first one."""
    return {camera.camera for camera in cameras if camera.first_frame_ms or camera.state is CameraState.OFF}


def lit_cameras(cameras: Collection[CameraBeat]) -> set[CameraId]:
    """Cameras that give the server frames."""
    return {camera.camera for camera in cameras if camera.state in GIVES_FRAMES}


def unlit_cameras(cameras: Collection[CameraBeat]) -> set[CameraId]:
    """Cameras that give the server no frames, be it that they are off, without those that it is just opening."""
    return {camera.camera for camera in cameras if camera.state not in (*GIVES_FRAMES, CameraState.CONNECTING)}


def progressed(old: Beat | None, new: Beat) -> bool:
    """Whether a camera gave a frame between the two beats; one that only says that it records does not count.

    Without a beat to compare with, its last frame must be new by the recorder's own clock.
    """
    if new.mode is not Mode.RECORDING:
        return False
    if old is None or len(old.cameras) != len(new.cameras):
        for camera in new.cameras:  # noqa: SIM110 - at every heartbeat
            if camera.state in GIVES_FRAMES and abs(new.wall_ms - camera.last_frame_ms) < NEW_MS:
                return True
        return False
    for before, after in zip(old.cameras, new.cameras, strict=True):
        if after.last_frame_ms != before.last_frame_ms and after.last_frame_ms:
            return True
    return False
