"""Named scenarios of a stream that crashes whoever opens it (SPEC 16)."""

from __future__ import annotations

from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import RecorderId
from sysmanager.protocol import clients as c
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.scenario import End, Scenario, Wish

FOUND = "a stream that crashes its recorder is quarantined, and the others are recorded"
MOVED = "a stream that crashes its recorder crashes the failover server too, and is quarantined there"

POISON_SCENARIOS: tuple[Scenario, ...] = (
    Scenario(name=FOUND, deeds=(Deed(at_ms=0, what=Wrong.POISON, target="A1", amount=1),), until_ms=300_000),
    Scenario(
        name=MOVED,
        deeds=(Deed(at_ms=0, what=Wrong.POISON, target="A1", amount=0),),
        wishes=(Wish(at_ms=60_000, request=c.StartFailover(recorder=RecorderId("A1"))),),
        until_ms=150_000,
        ends=(End(recorder="A1", phase=Phase.READY, server="FA1"),),
    ),
)
