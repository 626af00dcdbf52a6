"""Named scenarios of backups and restores (SPEC 7); see `scenarios`."""

from __future__ import annotations

from sysmanager.domain.ids import RecorderId
from sysmanager.protocol import clients as c
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.scenario import FIRST, End, Scenario, Wish, off
from sysmanager.simulation.scenarios import READY, RETURNED, SCENARIOS

BACKUP_SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="the queue waits for a slow baseline, and goes on after 10 s",
        groups=((3, 2),),
        deeds=(Deed(at_ms=0, what=Wrong.BACKUP_SLOW, amount=25_000, lasts_ms=40_000), off("A1"), off("A2", at_ms=1_500)),
        until_ms=60_000,
        ends=(End(recorder="A1", phase=READY, server="FA1"), End(recorder="A2", phase=READY, server="FA2")),
    ),
    Scenario(
        name="a baseline that cannot be made holds nobody up, and is made later",
        groups=((3, 2),),
        deeds=(Deed(at_ms=0, what=Wrong.BACKUP_FAILS, amount=2), off("A1"), off("A2", at_ms=1_500)),
        until_ms=200_000,
        ends=(End(recorder="A1", phase=READY, server="FA1"), End(recorder="A2", phase=READY, server="FA2")),
    ),
    Scenario(
        name="the coordinator dies in the middle of a baseline, and makes it when it is back",
        groups=((3, 2),),
        deeds=(
            Deed(at_ms=0, what=Wrong.BACKUP_SLOW, amount=6_000, lasts_ms=40_000),
            off("A1"),
            Deed(at_ms=13_500, what=Wrong.KILLED, lasts_ms=1_000),
        ),
        until_ms=60_000,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="one baseline for the failovers of several groups",
        groups=((2, 1), (2, 1), (2, 1)),
        deeds=(
            Deed(at_ms=0, what=Wrong.BACKUP_SLOW, amount=4_000, lasts_ms=60_000),
            *(off(server, at_ms=500 * place) for place, server in enumerate(("A1", "B1", "C1"))),
        ),
        until_ms=60_000,
        ends=tuple(End(recorder=f"{letter}1", phase=READY, server=f"F{letter}1") for letter in "ABC"),
    ),
    Scenario(
        name="restored from a backup of before the failover: reconcile, confirm, and it fails over and back",
        groups=((3, 2),),
        wishes=(
            Wish(at_ms=0, request=c.BackUp()),
            Wish(at_ms=45_000, request=None),
            Wish(at_ms=50_000, request=c.StartFailback(failover=FIRST)),
            Wish(at_ms=60_000, request=c.StartFailover(recorder=RecorderId("A2"))),
        ),
        deeds=(off("A1", at_ms=2_000, lasts_ms=20_000), Deed(at_ms=35_000, what=Wrong.RESTORED, amount=9, lasts_ms=2_000)),
        until_ms=90_000,
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"), End(recorder="A2", phase=READY, server="FA1")),
    ),
    Scenario(
        name="restored while a server is away: it is reconciled when it comes",
        groups=((3, 2),),
        wishes=(Wish(at_ms=0, request=c.BackUp()), Wish(at_ms=45_000, request=None), Wish(at_ms=80_000, request=None)),
        deeds=(
            off("A1", at_ms=2_000, lasts_ms=90_000),
            Deed(at_ms=30_000, what=Wrong.CUT, target="FA1", lasts_ms=35_000),
            Deed(at_ms=35_000, what=Wrong.RESTORED, amount=9, lasts_ms=2_000),
        ),
        until_ms=100_000,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
)

ALL_SCENARIOS = SCENARIOS + BACKUP_SCENARIOS
"""Every named scenario there is."""
