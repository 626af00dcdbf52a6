"""Named scenarios of detection and safety: no frames, brake, second opinion, announced shutdown, maintenance (SPEC 4, 13)."""

from __future__ import annotations

from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.maintenance import Scope, Target
from sysmanager.domain.system import SystemSettings
from sysmanager.protocol import clients as c
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.run import START_MS
from sysmanager.simulation.scenario import End, Scenario, Wish
from sysmanager.simulation.world import WALL_MS

WITHHELD, READY = Phase.WITHHELD, Phase.READY


def off(server: str, at_ms: int = 0) -> Deed:
    return Deed(at_ms=at_ms, what=Wrong.POWER, target=server)


def start(recorder: str, at_ms: int) -> Wish:
    return Wish(at_ms=at_ms, request=c.StartFailover(recorder=RecorderId(recorder)))


def maintenance(target: Target, at_ms: int, lasts_ms: int) -> Wish:
    until_wall_ms = WALL_MS + START_MS + at_ms + lasts_ms
    return Wish(at_ms=at_ms, request=c.StartMaintenance(target=target, reason="work on the machine", until_wall_ms=until_wall_ms))


def server(server: str) -> Target:
    return Target(scope=Scope.RECORDER, id=server)


SAFETY_SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="cut off from its cameras, which the failover server reaches",
        deeds=(Deed(at_ms=0, what=Wrong.CAMERAS_CUT, target="A1"),),
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="cameras that nobody reaches are no failure of their recorder",
        deeds=(Deed(at_ms=0, what=Wrong.CAMERAS, target="A1", lasts_ms=50_000),),
    ),
    Scenario(
        name="it says that it records and writes nothing",
        deeds=(Deed(at_ms=0, what=Wrong.FROZEN, target="A1"),),
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="many cut off from the coordinator, and not from one another: the brake holds, then goes on",
        groups=((3, 3),),
        deeds=(Deed(at_ms=0, what=Wrong.MASS), *(Deed(at_ms=0, what=Wrong.CUT, target=one) for one in ("A1", "A2", "A3"))),
        until_ms=100_000,
        ends=tuple(End(recorder=one, phase=READY, server=spare) for one, spare in (("A3", "FA1"), ("A1", "FA2"), ("A2", "FA3"))),
    ),
    Scenario(
        name="many cut off from everybody: confirmed, and no brake",
        groups=((3, 3),),
        deeds=tuple(Deed(at_ms=0, what=Wrong.CUT, target=one, amount=1) for one in ("A1", "A2", "A3")),
        until_ms=30_000,
        ends=tuple(End(recorder=one, phase=READY, server=spare) for one, spare in (("A1", "FA1"), ("A3", "FA2"), ("A2", "FA3"))),
    ),
    Scenario(
        name="a second opinion holds while others reach the recorder, and it records",
        deeds=(Deed(at_ms=1_000, what=Wrong.CUT, target="A1", lasts_ms=60_000),),
        wishes=(Wish(at_ms=0, request=c.EditSystem(revision=1, settings=SystemSettings(opinion_holds=True))),),
        until_ms=80_000,
        ends=(End(recorder="A1", phase=WITHHELD, server=None),),
    ),
    Scenario(
        name="an announced shutdown is covered before it happens",
        deeds=(Deed(at_ms=0, what=Wrong.SHUTDOWN, target="A1"),),
        until_ms=15_000,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="a second server of the same id is not believed after a restart of the coordinator",
        deeds=(Deed(at_ms=0, what=Wrong.CLONE, target="A1"), Deed(at_ms=2_000, what=Wrong.KILLED, lasts_ms=6_000)),
        until_ms=60_000,
    ),
    Scenario(
        name="in maintenance nothing fails over by itself, and when it is over it does",
        deeds=(off("A1", at_ms=1_000),),
        wishes=(maintenance(server("A1"), 0, 40_000),),
        until_ms=70_000,
        ends=(End(recorder="A1", phase=WITHHELD, server=None), End(recorder="A1", phase=READY, server="FA1")),
    ),
    Scenario(
        name="a group in maintenance: by hand it works all the same",
        deeds=(off("A1", at_ms=1_000),),
        wishes=(maintenance(Target(scope=Scope.GROUP, id="A"), 0, 600_000), start("A1", 20_000)),
        ends=(End(recorder="A1", phase=WITHHELD, server=None), End(recorder="A1", phase=READY, server="FA1")),
    ),
    Scenario(
        name="a failover server in maintenance is passed over",
        groups=((2, 2),),
        deeds=(off("A1", at_ms=1_000),),
        wishes=(maintenance(server("FA1"), 0, 600_000),),
        ends=(End(recorder="A1", phase=READY, server="FA2"),),
    ),
)
