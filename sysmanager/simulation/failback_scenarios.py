"""Named scenarios of failbacks, and of servers that do not get their cameras back."""

from __future__ import annotations

from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.domain.recorder import RecorderEdit, Role
from sysmanager.protocol import clients as c
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.scenario import FIRST, End, Scenario, Wish, back, off, start

READY, RETURNED = Phase.READY, Phase.RETURNED


_A2_AGAIN = RecorderEdit(
    name="A2", address="10.0.0.2", role=Role.FAILOVER, group=GroupId("A"), failover_enabled=True, detection_timeout_s=10
)

FAILBACK_SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="what was changed on the failover server travels back",
        deeds=(off("A1", lasts_ms=20_000), Deed(at_ms=25_000, what=Wrong.DOCUMENTS, target="FA1")),
        wishes=(back(35_000),),
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"),),
    ),
    Scenario(
        name="settings that are changed on the failover server during a failback undo it, and the next one takes them along",
        deeds=(
            off("A1", lasts_ms=20_000),
            Deed(at_ms=29_000, what=Wrong.CAMERA_SLOW, target="A1", amount=9_500, lasts_ms=15_000),
            Deed(at_ms=30_600, what=Wrong.DOCUMENTS, target="FA1"),
        ),
        wishes=(back(30_000), back(45_000)),
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"),),
    ),
    Scenario(
        name="a replaced recorder is taken in as a failover server, and stands in for who took its place",
        deeds=(off("A1", lasts_ms=20_000), off("FA1", at_ms=50_000)),
        wishes=(Wish(at_ms=30_000, request=c.AdoptServer(recorder=RecorderId("A1"), group=GroupId("A"))),),
        until_ms=90_000,
        ends=(End(recorder="A1", phase=Phase.KEPT, server="FA1"), End(recorder="FA1", phase=READY, server="A1")),
    ),
    Scenario(
        name="a server that was taken in keeps cameras of another one, and comes back with the state of when it waited",
        deeds=(
            off("A1", lasts_ms=20_000),
            off("A2", at_ms=50_000, lasts_ms=20_000),
            Deed(at_ms=100_000, what=Wrong.STATE_OLD, target="A1", amount=2),
        ),
        wishes=(
            Wish(at_ms=30_000, request=c.AdoptServer(recorder=RecorderId("A1"), group=GroupId("A"))),
            Wish(at_ms=80_000, request=c.AdoptServer(recorder=RecorderId("A2"), group=GroupId("A"))),
        ),
        until_ms=130_000,
        ends=(End(recorder="A1", phase=Phase.KEPT, server="FA1"), End(recorder="A2", phase=Phase.KEPT, server="A1")),
    ),
    Scenario(
        name="who was removed and added again keeps cameras of another one, and comes back with the state of when it waited",
        groups=((2, 0),),
        deeds=(off("A1", at_ms=20_000, lasts_ms=20_000), Deed(at_ms=80_000, what=Wrong.STATE_OLD, target="A2", amount=2)),
        wishes=(
            Wish(at_ms=1_000, request=c.RemoveRecorder(recorder=RecorderId("A2"))),
            Wish(at_ms=10_000, request=c.AddRecorder(id=RecorderId("A2"), fields=_A2_AGAIN)),
            Wish(at_ms=60_000, request=c.AdoptServer(recorder=RecorderId("A1"), group=GroupId("A"))),
        ),
        until_ms=110_000,
        ends=(End(recorder="A1", phase=Phase.KEPT, server="A2"),),
    ),
    Scenario(
        name="a replaced recorder is removed while it is away; when it comes back it stands down",
        deeds=(Deed(at_ms=0, what=Wrong.CUT, target="A1", lasts_ms=60_000),),
        wishes=(Wish(at_ms=30_000, request=c.RemoveRecorder(recorder=RecorderId("A1"))),),
        until_ms=100_000,
        ends=(End(recorder="A1", phase=Phase.KEPT, server="FA1"),),
    ),
    Scenario(
        name="the journal loses that a recorder was taken in: reconcile, confirm, and it is given back",
        deeds=(off("A1", lasts_ms=20_000), Deed(at_ms=40_000, what=Wrong.JOURNAL_CUT, amount=2, lasts_ms=2_000)),
        wishes=(
            Wish(at_ms=30_000, request=c.AdoptServer(recorder=RecorderId("A1"), group=GroupId("A"))),
            Wish(at_ms=50_000, request=None),
            back(60_000),
        ),
        until_ms=100_000,
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"),),
    ),
    Scenario(
        name="it fails back by itself when it was stable for its time",
        deeds=(off("A1", lasts_ms=20_000),),
        failback_after_s=30,
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"),),
    ),
    Scenario(
        name="a crash in between begins the time anew",
        deeds=(off("A1", lasts_ms=20_000), Deed(at_ms=40_000, what=Wrong.CRASH, target="A1")),
        failback_after_s=30,
        until_ms=62_000,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="after a failover by hand only a person fails back",
        wishes=(start("A1", maintenance=False),),
        failback_after_s=30,
        until_ms=90_000,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="two failovers within an hour: it waits for a person, across a restart, and fails over all the same",
        deeds=(
            off("A1", lasts_ms=20_000),
            off("A1", at_ms=80_000, lasts_ms=20_000),
            Deed(at_ms=110_000, what=Wrong.KILLED, lasts_ms=1_000),
            off("A1", at_ms=220_000),
        ),
        wishes=(Wish(at_ms=165_000, request=c.ReleaseFailback(recorder=RecorderId("A1"))),),
        failback_after_s=30,
        until_ms=260_000,
        ends=(
            End(recorder="A1", phase=RETURNED, server="FA1"),
            End(recorder="A1", phase=RETURNED, server="FA1"),
            End(recorder="A1", phase=READY, server="FA1"),
        ),
    ),
    Scenario(
        name="a failback by itself that a person aborts does not start again by itself",
        deeds=(off("A1", lasts_ms=20_000), Deed(at_ms=45_000, what=Wrong.SLOW_SERVER, target="A1", amount=4_000, lasts_ms=60_000)),
        wishes=tuple(Wish(at_ms=at_ms, request=c.AbortFailover(failover=FIRST)) for at_ms in (52_000, 53_000, 54_000)),
        failback_after_s=30,
        until_ms=150_000,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
)
