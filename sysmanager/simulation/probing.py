"""What a simulated server finds that asks another one, or its cameras."""

from __future__ import annotations

from collections.abc import Callable

from sysmanager.domain.ids import RecorderId
from sysmanager.protocol.probes import CamerasProbed, PeerAnswer, Probe, ProbeAnswer, ProbeRecorder, RecorderProbed
from sysmanager.simulation.surroundings import Surroundings

PROBING_MS = (20, 300)
"""How long it takes to reach cameras, or to find that they are not reached."""


def find_out(around: Surroundings, server: RecorderId, probe: Probe, answered: Callable[[ProbeAnswer], object]) -> None:
    """Try what the coordinator asks of the server; the answer comes later."""
    if isinstance(probe, ProbeRecorder):

        def heard(answer: PeerAnswer | None) -> None:
            answered(RecorderProbed(reached=answer is not None, records=answer is not None and answer.records))

        around.ask_peer(server, probe.recorder, heard)
        return
    reached = tuple(camera for camera in probe.cameras if around.cameras.reaches(server, camera))
    around.after(around.between(PROBING_MS), answered, CamerasProbed(reached=reached))
