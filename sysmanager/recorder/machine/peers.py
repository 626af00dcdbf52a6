"""What a recording service says to other servers that ask, and what it tries for the coordinator (SPEC 4.4, 13.4)."""

from __future__ import annotations

from sysmanager.protocol.probes import PeerAnswer
from sysmanager.protocol.recorders import CameraBeat, CameraState
from sysmanager.recorder.machine.state import MachineState, Situation


def peer_answer(state: MachineState, cameras: tuple[CameraBeat, ...]) -> PeerAnswer:
    """Whether it records: it has a task, and at least one camera gives it frames, or all are off by their schedule.

    cameras: as they are at this moment.
    """
    states = {camera.state for camera in cameras}
    records = state.situation is Situation.RECORDING and (CameraState.RECORDING in states or states == {CameraState.OFF})
    return PeerAnswer(recorder=state.persisted.recorder, records=records)
