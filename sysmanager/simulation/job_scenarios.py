"""Named scenarios of planned switches, material copies and drills: what happens when, and how the jobs must end."""

from __future__ import annotations

from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import FailoverId, JobId, RecorderId
from sysmanager.domain.jobs import DrillSchedule, MaterialCopySettings
from sysmanager.protocol import clients as c
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.scenario import End, Scenario, Wish, back, switch

FIRST = FailoverId("F00001")
COPY = JobId("J00001")
BY_ITSELF = MaterialCopySettings(automatic=True)


def _deed(at_ms: int, what: Wrong, target: str = "", lasts_ms: int = 0, amount: int = 0) -> Deed:
    return Deed(at_ms=at_ms, what=what, target=target, lasts_ms=lasts_ms, amount=amount)


def _wish(at_ms: int, request: c.Request) -> Wish:
    return Wish(at_ms=at_ms, request=request)


def _drill(recorder: str, at_ms: int = 0) -> Wish:
    return _wish(at_ms, c.StartDrill(recorder=RecorderId(recorder)))


BACK = back(60_000)
"""A1 was away for 20 s, FA1 recorded for it for most of a minute; at 61 s A1 has its cameras back."""

AWAY = _deed(0, Wrong.POWER, "A1", 20_000)
RETURNED = (End(recorder="A1", phase=Phase.RETURNED, server="FA1"),)
SLOW = _deed(50_000, Wrong.COPY_SLOW, "A1", 60_000)

JOB_SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="planned switch, and back",
        wishes=(switch("A1"), _wish(15_000, c.StartFailback(failover=FIRST))),
        until_ms=40_000,
        ends=(End(recorder="A1", phase=Phase.RETURNED, server="FA1"),),
    ),
    Scenario(
        name="planned switch undone: the cameras stay dark on the server, whose disks do not take frames",
        deeds=(Deed(at_ms=120, what=Wrong.ALL_DISKS, target="FA1"),),
        wishes=(switch("A1"),),
        ends=(End(recorder="A1", phase=Phase.FAILED, server=None, attempts=("withdrawn",)),),
    ),
    Scenario(
        name="planned switch: the recorder loses its power in the middle, and is replaced without delay",
        deeds=(_deed(250, Wrong.POWER, "A1"),),
        wishes=(switch("A1"),),
        until_ms=20_000,
        ends=(End(recorder="A1", phase=Phase.READY, server="FA1"),),
    ),
    Scenario(
        name="planned switch: the server refuses and there is no other; the recorder goes on",
        deeds=(Deed(at_ms=0, what=Wrong.REFUSE, target="FA1"),),
        wishes=(switch("A1", at_ms=1_500),),
        ends=(End(recorder="A1", phase=Phase.FAILED, server=None, attempts=("refused",)),),
    ),
    Scenario(
        name="planned switch gives way to a failover of the group",
        deeds=(_deed(0, Wrong.POWER, "A2"), _deed(0, Wrong.SLOW_SERVER, "FA1", 0, 7_000)),
        wishes=(switch("A1", at_ms=8_500),),
        ends=(
            End(recorder="A1", phase=Phase.CANCELLED, server=None, attempts=("withdrawn",)),
            End(recorder="A2", phase=Phase.READY, server="FA1"),
        ),
    ),
    Scenario(
        name="footage goes home by itself after a failback",
        deeds=(AWAY,),
        wishes=(BACK,),
        copies=BY_ITSELF,
        until_ms=90_000,
        ends=RETURNED,
        jobs=("material copy ready",),
    ),
    Scenario(
        name="footage goes home when a person wants it, and not twice",
        deeds=(AWAY,),
        wishes=(BACK, _wish(70_000, c.StartCopy(failover=FIRST)), _wish(85_000, c.StartCopy(failover=FIRST))),
        until_ms=100_000,
        ends=RETURNED,
        jobs=("material copy ready",),
    ),
    Scenario(
        name="a copy goes on after its target, its source and the coordinator died in turn",
        deeds=(
            AWAY,
            SLOW,
            _deed(64_000, Wrong.CRASH, "A1"),
            _deed(75_000, Wrong.POWER, "FA1", 8_000),
            _deed(90_000, Wrong.KILLED, lasts_ms=2_000),
        ),
        wishes=(BACK,),
        copies=BY_ITSELF,
        until_ms=150_000,
        ends=RETURNED,
        jobs=("material copy ready",),
    ),
    Scenario(
        name="no space for a copy: it waits, and recording goes on",
        deeds=(AWAY, _deed(55_000, Wrong.COPY_FULL, "A1", 30_000)),
        wishes=(BACK,),
        copies=BY_ITSELF,
        until_ms=110_000,
        ends=RETURNED,
        jobs=("material copy ready",),
    ),
    Scenario(
        name="copies rot on the disks at home: nothing is marked copied, and the next try works",
        deeds=(AWAY, _deed(55_000, Wrong.COPY_ROTS, "A1", 25_000)),
        wishes=(BACK, _wish(90_000, c.StartCopy(failover=FIRST))),
        copies=BY_ITSELF,
        until_ms=120_000,
        ends=RETURNED,
        jobs=("material copy failed: not verified", "material copy ready"),
    ),
    Scenario(
        name="the source serves damaged footage: it is fetched again, then given up and named",
        deeds=(AWAY, _deed(55_000, Wrong.COPY_DAMAGED, "FA1", 60_000)),
        wishes=(BACK,),
        copies=BY_ITSELF,
        until_ms=90_000,
        ends=RETURNED,
        jobs=("material copy failed: not verified",),
    ),
    Scenario(
        name="a copy yields to a take-over of its source, and goes on after it",
        deeds=(AWAY, SLOW, _deed(55_000, Wrong.POWER, "A2"), _deed(55_000, Wrong.SLOW_SERVER, "FA1", 20_000, 6_000)),
        wishes=(BACK,),
        copies=BY_ITSELF,
        until_ms=150_000,
        ends=(*RETURNED, End(recorder="A2", phase=Phase.READY, server="FA1")),
        jobs=("material copy ready",),
    ),
    Scenario(
        name="paused, resumed, paused and cancelled by hand",
        deeds=(AWAY, SLOW),
        wishes=(
            BACK,
            _wish(64_000, c.PauseJob(job=COPY)),
            _wish(70_000, c.ResumeJob(job=COPY)),
            _wish(75_000, c.PauseJob(job=COPY)),
            _wish(80_000, c.CancelJob(job=COPY)),
        ),
        copies=BY_ITSELF,
        until_ms=100_000,
        ends=RETURNED,
        jobs=("material copy cancelled: cancelled",),
    ),
    Scenario(
        name="a copy waits for its hours",
        deeds=(AWAY,),
        wishes=(BACK,),
        copies=MaterialCopySettings(automatic=True, hours="08:02-08:30", limit_kbps=100_000),
        until_ms=150_000,
        ends=RETURNED,
        jobs=("material copy ready",),
    ),
    Scenario(
        name="footage over the border of an hour is copied hour by hour",
        deeds=(_deed(3_540_000, Wrong.POWER, "A1", 20_000),),
        wishes=(_wish(3_620_000, c.StartFailback(failover=FIRST)),),
        copies=BY_ITSELF,
        until_ms=3_660_000,
        ends=RETURNED,
        jobs=("material copy ready",),
    ),
    Scenario(name="a drill of a healthy recorder", wishes=(_drill("A1"),), until_ms=20_000, jobs=("drill ready",)),
    Scenario(
        name="a drill finds the cameras dark",
        deeds=(_deed(0, Wrong.CAMERAS, "A1", 20_000),),
        wishes=(_drill("A1", 2_000),),
        until_ms=20_000,
        jobs=("drill failed: cameras without frames",),
    ),
    Scenario(
        name="a failover of another recorder takes the server out of its drill",
        deeds=(_deed(0, Wrong.POWER, "A2"),),
        wishes=(_drill("A1", 8_000),),
        ends=(End(recorder="A2", phase=Phase.READY, server="FA1"),),
        jobs=("drill cancelled: needed",),
    ),
    Scenario(
        name="the server falls silent in its drill",
        deeds=(_deed(2_000, Wrong.POWER, "FA1", 20_000),),
        wishes=(_drill("A1", 500),),
        until_ms=30_000,
        jobs=("drill failed: no connection",),
    ),
    Scenario(
        name="the server refuses the drill",
        deeds=(_deed(0, Wrong.REFUSE, "FA1"),),
        wishes=(_drill("A1", 500),),
        until_ms=20_000,
        jobs=("drill failed: refused",),
    ),
    Scenario(
        name="a person ends a drill",
        wishes=(_drill("A1"), _wish(1_500, c.CancelJob(job=COPY))),
        until_ms=20_000,
        jobs=("drill cancelled: cancelled",),
    ),
    Scenario(
        name="drills begin by themselves, one after the other",
        drills=DrillSchedule(every_days=1),
        until_ms=200_000,
        jobs=("drill ready", "drill ready"),
    ),
)
