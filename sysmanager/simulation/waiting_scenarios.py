"""Named scenarios of failover servers that wait and test themselves (SPEC 16)."""

from __future__ import annotations

from sysmanager.domain.failover import Phase
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.scenario import End, Scenario, off

OTHERS_FIRST = "a failover server whose self-test fails comes after one whose passed"
ALONE = "a failover server whose self-test fails is taken where there is no other"


WAITING_SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name=OTHERS_FIRST,
        groups=((2, 2),),
        deeds=(Deed(at_ms=0, what=Wrong.SELF_TEST, target="FA1"), off("A1", at_ms=5_000)),
        ends=(End(recorder="A1", phase=Phase.READY, server="FA2"),),
    ),
    Scenario(
        name=ALONE,
        deeds=(Deed(at_ms=0, what=Wrong.SELF_TEST, target="FA1"), off("A1", at_ms=5_000)),
        ends=(End(recorder="A1", phase=Phase.READY, server="FA1"),),
    ),
)
