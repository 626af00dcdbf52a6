"""Cameras that a person lets out of quarantine before its time (SPEC 16): the server is told until it answers.

The quarantine is the server's own: it found the stream in its crashes, and it reports the camera as quarantined. What is outstanding here
is only that it hears of the release, so that a lost order, a lost answer and a restart are the same case.
"""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.commands import SendOrder
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, unreconciled
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol.recorders import CameraState, LetOut, OrderAnswer, Refusal, RefusalReason


def in_quarantine(seen: Seen, recorder: RecorderId, camera: CameraId) -> bool:
    """Whether the server reports so."""
    beat = seen.of(recorder).beat
    return beat is not None and any(one.camera == camera and one.state is CameraState.QUARANTINED for one in beat.cameras)


def release_orders(view: View, seen: Seen, row: Recorder) -> tuple[SendOrder, ...]:
    """What the server is to be told."""
    cameras = view.releases.get(row.id, ())
    if not cameras or not seen.connected(row.id) or unreconciled(view, row.id):
        return ()
    return tuple(SendOrder(recorder=row.id, order=LetOut(camera=camera)) for camera in cameras)


def release_answered(view: View, recorder: RecorderId, camera: CameraId, answer: OrderAnswer) -> tuple[f.AnyFact, ...]:
    """It was told, whatever it answered; where only its Watchdog could answer it is told again."""
    if camera not in view.releases.get(recorder, ()):
        return ()
    if isinstance(answer, Refusal) and answer.reason is RefusalReason.SERVICE_DOWN:
        return ()
    return (f.ReleaseEnded(recorder=recorder, camera=camera, sentence=answer.sentence if isinstance(answer, Refusal) else ""),)
