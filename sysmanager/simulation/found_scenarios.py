"""Scenarios that the seeds found: what went wrong once, and how it must end."""

from __future__ import annotations

from sysmanager.domain.camera import FailoverPriority
from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.protocol import clients as c
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.scenario import End, Scenario, Wish, back, off

FOUND_SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="edited during the failover, then the server loses its state: it gets the documents that it was given",
        deeds=(
            Deed(at_ms=0, what=Wrong.SLOW_SERVER, target="FA1", amount=3_000, lasts_ms=10_000),
            Deed(at_ms=100, what=Wrong.DOCUMENTS, target="A1"),
            Deed(at_ms=800, what=Wrong.DISK_SLOW, amount=2_000, lasts_ms=5_500),
            Deed(at_ms=6_200, what=Wrong.KILLED, lasts_ms=3_000),
            Deed(at_ms=6_500, what=Wrong.STATE_LOST, target="FA1"),
        ),
        wishes=(Wish(at_ms=0, request=c.StartFailover(recorder=RecorderId("A1"))),),
        ends=(End(recorder="A1", phase=Phase.READY, server="FA1"),),
    ),
    Scenario(
        name="a second server of the same id does not hide that the first is cut off",
        deeds=(
            Deed(at_ms=0, what=Wrong.CLONE, target="A1", lasts_ms=60_000),
            Deed(at_ms=2_500, what=Wrong.CUT, target="A1"),
        ),
        ends=(End(recorder="A1", phase=Phase.READY, server="FA1"),),
    ),
    Scenario(
        name="a copy that speaks first after a restart does not hide that an acting server records",
        groups=((2, 2),),
        deeds=(
            Deed(at_ms=8_000, what=Wrong.CLONE, target="FA1", lasts_ms=45_000),
            Deed(at_ms=9_900, what=Wrong.KILLED, lasts_ms=6_050),
        ),
        wishes=(Wish(at_ms=0, request=c.StartFailover(recorder=RecorderId("A1"))),),
        ends=(End(recorder="A1", phase=Phase.READY, server="FA1"),),
    ),
    Scenario(
        name="documents that a failover found missing are fetched when the recorder is back, and the next one works",
        deeds=(
            Deed(at_ms=0, what=Wrong.CACHE_LOST, target="A1"),
            Deed(at_ms=0, what=Wrong.POWER, target="A1", lasts_ms=20_000),
            Deed(at_ms=40_000, what=Wrong.POWER, target="A1"),
        ),
        ends=(
            End(recorder="A1", phase=Phase.FAILED, server=None, attempts=("withdrawn",)),
            End(recorder="A1", phase=Phase.READY, server="FA1"),
        ),
    ),
    Scenario(
        name="restored to before two servers were taken in: who keeps cameras of another one gets its own back only by a failback",
        deeds=(
            off("A1", lasts_ms=20_000),
            off("A2", at_ms=60_000, lasts_ms=20_000),
            Deed(at_ms=110_000, what=Wrong.RESTORED, amount=9, lasts_ms=2_000),
        ),
        wishes=(
            Wish(at_ms=40_000, request=c.AdoptServer(recorder=RecorderId("A1"), group=GroupId("A"))),
            Wish(at_ms=95_000, request=c.AdoptServer(recorder=RecorderId("A2"), group=GroupId("A"))),
            Wish(at_ms=120_000, request=None),
            back(140_000),
        ),
        until_ms=160_000,
        ends=(End(recorder="A1", phase=Phase.RETURNED, server="FA1"),),
    ),
    Scenario(
        name="an acting server with the state of an earlier failover, and no documents in the cache: the replaced recorder has them",
        deeds=(
            off("A2", lasts_ms=20_000),
            off("A1", at_ms=60_000, lasts_ms=20_000),
            Deed(at_ms=100_000, what=Wrong.CACHE_LOST, target="A1"),
            Deed(at_ms=100_000, what=Wrong.STATE_OLD, target="FA1", amount=2),
        ),
        wishes=(back(35_000),),
        until_ms=150_000,
        ends=(End(recorder="A2", phase=Phase.RETURNED, server="FA1"), End(recorder="A1", phase=Phase.READY, server="FA1")),
    ),
    Scenario(
        name="a replaced recorder that cannot save, and knows an order which the journal lost, stands down in the end",
        deeds=(
            off("A1", lasts_ms=20_000),
            Deed(at_ms=18_000, what=Wrong.SAVE_FAILS, target="A1", lasts_ms=50_000),
            Deed(at_ms=36_500, what=Wrong.JOURNAL_CUT, amount=3, lasts_ms=2_000),
        ),
        wishes=(back(30_000),),
        until_ms=110_000,
        ends=(End(recorder="A1", phase=Phase.READY, server="FA1"),),
    ),
    Scenario(
        name="cameras come back on who loses them and on who keeps pre-roll in one moment: the time in which they were dark is the gap",
        preroll=FailoverPriority.LOW,
        deeds=(
            Deed(at_ms=19_000, what=Wrong.CAMERAS, target="A1", lasts_ms=8_000),
            Deed(at_ms=20_000, what=Wrong.CUT, target="A1", lasts_ms=20_000),
        ),
        ends=(End(recorder="A1", phase=Phase.READY, server="FA1"),),
    ),
)
