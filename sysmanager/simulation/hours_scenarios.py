"""Named scenarios of schedules: what is off is no failure, is not recorded by whoever takes over, and is no gap (SPEC 2, 4.4, 14.4).

A simulation begins at 08:00 with 12 s in which the site starts; so 08:15 is 888 s later.
"""

from __future__ import annotations

from sysmanager.domain.failover import Phase
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.scenario import End, Scenario, back, off, switch

QUARTER_MS = 888_000
HALF_PAST_MS = 1_788_000
ALL_OFF = {"A1-c1": "o", "A1-c2": "o"}
"""Off until 08:15."""

OFF_LATER = {"A1-c1": "co", "A1-c2": "co"}
"""Off from 08:15 to 08:30."""

AT_MOTION = {"A1-c1": "m", "A1-c2": "m"}

READY = (End(recorder="A1", phase=Phase.READY, server="FA1"),)


HOURS_SCENARIOS: tuple[Scenario, ...] = (
    Scenario(name="all cameras off by their schedule: no failure of their recorder", hours=ALL_OFF, until_ms=120_000),
    Scenario(name="their time begins and they are recorded", hours=ALL_OFF, until_ms=QUARTER_MS + 60_000),
    Scenario(name="their time ends, and nobody takes the recorder for dark", hours=OFF_LATER, until_ms=QUARTER_MS + 60_000),
    Scenario(
        name="one camera off, the other dark: found out",
        hours={"A1-c1": "o"},
        deeds=(Deed(at_ms=0, what=Wrong.CAMERAS_CUT, target="A1"),),
        ends=READY,
    ),
    Scenario(
        name="cut off from its cameras while they are off: found out when their time begins",
        hours=ALL_OFF,
        deeds=(Deed(at_ms=QUARTER_MS - 60_000, what=Wrong.CAMERAS_CUT, target="A1"),),
        until_ms=QUARTER_MS + 60_000,
        ends=READY,
    ),
    Scenario(
        name="the recorder is lost while its cameras are off; who takes over records from when their time begins",
        hours=ALL_OFF,
        deeds=(off("A1", QUARTER_MS - 60_000, lasts_ms=30_000),),
        until_ms=QUARTER_MS + 60_000,
        ends=READY,
    ),
    Scenario(
        name="the recorder is lost while its cameras are off, and its material is read only after they are recorded again",
        hours=OFF_LATER,
        deeds=(off("A1", HALF_PAST_MS - 60_000, lasts_ms=110_000),),
        until_ms=HALF_PAST_MS + 90_000,
        ends=READY,
    ),
    Scenario(
        name="the recorder is lost just before the time of its cameras ends: the gap ends with it",
        hours=OFF_LATER,
        deeds=(off("A1", QUARTER_MS - 4_000, lasts_ms=30_000),),
        until_ms=QUARTER_MS + 60_000,
        ends=READY,
    ),
    Scenario(
        name="a failback while the cameras are off",
        hours=ALL_OFF,
        deeds=(off("A1", 0, lasts_ms=20_000),),
        wishes=(back(40_000),),
        until_ms=80_000,
        ends=(End(recorder="A1", phase=Phase.RETURNED, server="FA1"),),
    ),
    Scenario(
        name="nobody takes over for an hour, in which a camera is off twice: none of that is missing",
        hours={"A1-c1": "cococ", "A1-c2": "ccoc"},
        deeds=(off("FA1", 0, lasts_ms=3_700_000), off("A1", QUARTER_MS - 100_000, lasts_ms=3_100_000)),
        until_ms=4_100_000,
        ends=READY,
    ),
    Scenario(name="all cameras wait for motion: no failure of their recorder", hours=AT_MOTION, until_ms=120_000),
    Scenario(
        name="cut off from cameras that record at motion only: found out",
        hours=AT_MOTION,
        deeds=(Deed(at_ms=0, what=Wrong.CAMERAS_CUT, target="A1"),),
        ends=READY,
    ),
    Scenario(
        name="the recorder is lost while its cameras wait for motion",
        hours=AT_MOTION,
        deeds=(off("A1", 20_000, lasts_ms=30_000),),
        wishes=(back(70_000),),
        until_ms=110_000,
        ends=(End(recorder="A1", phase=Phase.RETURNED, server="FA1"),),
    ),
    Scenario(
        name="a planned switch while one camera is off",
        hours={"A1-c2": "o"},
        wishes=(switch("A1"),),
        ends=READY,
    ),
)
