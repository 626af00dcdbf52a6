"""Named scenarios of cameras that allow one session only, and of cameras that stay dark where they are to go."""

from __future__ import annotations

from sysmanager.domain.failover import Phase
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.scenario import End, Scenario, back, off, start, switch

READY, RETURNED = Phase.READY, Phase.RETURNED


START = start("A1")


def _unreached(server: str, camera: int, at_ms: int, lasts_ms: int = 0) -> Deed:
    return Deed(at_ms=at_ms, what=Wrong.UNREACHED, target=server, amount=camera, lasts_ms=lasts_ms)


UNDO_SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="a failback that is undone gives cameras that allow one session back one by one",
        deeds=(_unreached("A1", 5, 15_000),),
        wishes=(START, back(20_000)),
        until_ms=80_000,
        cameras=6,
        sessions=1,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="the coordinator is killed while a failback is being undone",
        deeds=(_unreached("A1", 5, 15_000), Deed(at_ms=36_000, what=Wrong.KILLED, lasts_ms=2_000)),
        wishes=(START, back(20_000)),
        until_ms=100_000,
        cameras=6,
        sessions=1,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="the recorder loses its power while a failback to it is being undone",
        deeds=(_unreached("A1", 5, 15_000), off("A1", 36_000, lasts_ms=20_000)),
        wishes=(START, back(20_000)),
        until_ms=100_000,
        cameras=6,
        sessions=1,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="the failover server loses its power while a failback is being undone: the recorder takes all of it back",
        deeds=(_unreached("A1", 5, 15_000), off("FA1", 36_000)),
        wishes=(start("A1", maintenance=False), back(20_000)),
        until_ms=180_000,
        cameras=6,
        sessions=1,
        ends=(End(recorder="A1", phase=Phase.SUPERSEDED, server="FA1"), End(recorder="FA1", phase=RETURNED, server="A1")),
    ),
    Scenario(
        name="a failover of the group undoes a failback, and does not wait for the cameras that go back one by one",
        groups=((2, 2),),
        wishes=(START, back(20_000), start("A2", 24_000)),
        until_ms=80_000,
        cameras=6,
        sessions=1,
        ends=(End(recorder="A1", phase=READY, server="FA1"), End(recorder="A2", phase=READY, server="FA2")),
    ),
)

BACK_MEANWHILE = Scenario(
    name="a camera that comes back on the failover server during a failback is not left dark",
    deeds=(_unreached("FA1", 5, 15_000, 10_000), _unreached("A1", 5, 15_000), _unreached("A1", 4, 15_000, 16_000)),
    wishes=(START, back(23_000)),
    until_ms=60_000,
    cameras=6,
    sessions=2,
    ends=(End(recorder="A1", phase=READY, server="FA1"),),
)

HANDING_SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="cameras that allow one session change hands one by one in a failback",
        cameras=6,
        sessions=1,
        wishes=(START, back(20_000)),
        until_ms=60_000,
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"),),
    ),
    Scenario(
        name="cameras that allow one session change hands one by one in a planned switch",
        cameras=6,
        sessions=1,
        wishes=(switch("A1"),),
        until_ms=40_000,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="the coordinator is killed while cameras change hands one by one",
        cameras=5,
        sessions=1,
        deeds=(Deed(at_ms=23_000, what=Wrong.KILLED, lasts_ms=2_000),),
        wishes=(START, back(20_000)),
        until_ms=80_000,
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"),),
    ),
    Scenario(
        name="one camera of twelve that the recorder does not reach undoes the failback, and the failover server goes on with all",
        cameras=12,
        deeds=(_unreached("A1", 3, 15_000),),
        wishes=(START, back(20_000)),
        until_ms=60_000,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="a camera that allows one session and stays dark goes back to the failover server",
        cameras=4,
        sessions=1,
        deeds=(_unreached("A1", 2, 15_000),),
        wishes=(START, back(20_000)),
        until_ms=70_000,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="a person accepts that one camera of twelve stays dark on the recorder",
        cameras=12,
        deeds=(_unreached("A1", 3, 15_000),),
        wishes=(START, back(20_000, leave_dark=True)),
        until_ms=60_000,
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"),),
    ),
    Scenario(
        name="one camera of twelve that the failover server does not reach ends a planned switch, and the recorder goes on",
        cameras=12,
        deeds=(_unreached("FA1", 3, 0),),
        wishes=(switch("A1", 1_000),),
        until_ms=40_000,
        ends=(End(recorder="A1", phase=Phase.FAILED, server=None, attempts=("withdrawn",)),),
    ),
    Scenario(
        name="an automatic failback that is undone is tried again after ever longer waits, and then left to a person",
        cameras=12,
        deeds=(off("A1", lasts_ms=20_000), _unreached("A1", 3, 15_000)),
        failback_after_s=30,
        until_ms=420_000,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
)
