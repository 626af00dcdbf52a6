"""What a recording service says to other servers that ask, and what it tries for the coordinator (SPEC 4.4, 13.4)."""

from __future__ import annotations

from sysmanager.protocol.probes import PeerAnswer
from sysmanager.protocol.recorders import CameraBeat, CameraState
from sysmanager.recorder.machine.state import MachineState, Situation

GIVES = (CameraState.RECORDING, CameraState.WAITING)
"""States in which a camera gives frames."""


def peer_answer(state: MachineState, cameras: tuple[CameraBeat, ...]) -> PeerAnswer:
    """Whether it records: it has a task, and at least one camera gives it frames, or all are off by their schedule.

    cameras: as they are at this moment.
    """
    states = {camera.state for camera in cameras}
    records = state.situation is Situation.RECORDING and (not states.isdisjoint(GIVES) or states == {CameraState.OFF})
    return PeerAnswer(recorder=state.persisted.recorder, records=records)
