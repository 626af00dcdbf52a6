"""Named scenarios of servers that are shut down in order."""

from __future__ import annotations

from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import RecorderId
from sysmanager.protocol.clients import StartFailover
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.scenario import End, Scenario, Wish

COPY_GOES = "a second server of the same id is shut down in order: nothing moves"

LEAVING_SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="a failover server that announced its shutdown is passed over while it is still heard",
        groups=((2, 2),),
        deeds=(Deed(at_ms=0, what=Wrong.SHUTDOWN, target="FA1"),),
        wishes=(Wish(at_ms=3_000, request=StartFailover(recorder=RecorderId("A1"))),),
        ends=(End(recorder="A1", phase=Phase.READY, server="FA2"),),
    ),
    Scenario(
        name="the only failover server is shut down and comes back: the failover waits for it",
        deeds=(Deed(at_ms=0, what=Wrong.SHUTDOWN, target="FA1", lasts_ms=30_000), Deed(at_ms=0, what=Wrong.POWER, target="A1")),
        until_ms=80_000,
        ends=(End(recorder="A1", phase=Phase.READY, server="FA1"),),
    ),
    Scenario(
        name=COPY_GOES,
        deeds=(Deed(at_ms=0, what=Wrong.CLONE, target="A1", amount=1),),
        until_ms=30_000,
    ),
)
