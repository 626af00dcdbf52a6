"""Named scenarios of a stream that crashes whoever opens it (SPEC 16)."""

from __future__ import annotations

from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.protocol import clients as c
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.scenario import End, Scenario, Wish

FOUND = "a stream that crashes its recorder is quarantined, and the others are recorded"
MOVED = "a stream that crashes its recorder crashes the failover server too, and is quarantined there"
RELEASED_BY_HAND = "a camera whose stream was mended is released before its quarantine is over"
RELEASED_BY_WHO_MENDED = "who mends the stream of a camera has it released wherever it is in quarantine"
RELEASED_IN_A_RESTART = "a release that the coordinator's death left untold is told by the next one"
_CAMERA = CameraId("A1-c2")

POISON_SCENARIOS: tuple[Scenario, ...] = (
    Scenario(name=FOUND, deeds=(Deed(at_ms=0, what=Wrong.POISON, target="A1", amount=1),), until_ms=300_000),
    Scenario(
        name=MOVED,
        deeds=(Deed(at_ms=0, what=Wrong.POISON, target="A1", amount=0),),
        wishes=(Wish(at_ms=60_000, request=c.StartFailover(recorder=RecorderId("A1"))),),
        until_ms=150_000,
        ends=(End(recorder="A1", phase=Phase.READY, server="FA1"),),
    ),
    Scenario(
        name=RELEASED_BY_HAND,
        deeds=(Deed(at_ms=0, what=Wrong.POISON, target="A1", amount=1, lasts_ms=60_000),),
        wishes=(Wish(at_ms=70_000, request=c.ReleaseCamera(recorder=RecorderId("A1"), camera=_CAMERA)),),
        until_ms=85_000,
    ),
    Scenario(
        name=RELEASED_BY_WHO_MENDED,
        deeds=(Deed(at_ms=0, what=Wrong.POISON, target="A1", amount=7, lasts_ms=60_000),),
        until_ms=75_000,
    ),
    Scenario(
        name=RELEASED_IN_A_RESTART,
        deeds=(
            Deed(at_ms=0, what=Wrong.POISON, target="A1", amount=1, lasts_ms=60_000),
            Deed(at_ms=70_004, what=Wrong.KILLED, lasts_ms=4_000),
        ),
        wishes=(Wish(at_ms=70_000, request=c.ReleaseCamera(recorder=RecorderId("A1"), camera=_CAMERA)),),
        until_ms=95_000,
    ),
)
