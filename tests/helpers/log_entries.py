"""Made-up entries of the failover log: alike enough to be plausible, different enough to be told apart. The same seed, the same entries."""

from __future__ import annotations

import random

from sysmanager.domain.failover import CameraGap, Failover, Phase, Reason, StepRecord, Timeline, Trigger
from sysmanager.domain.ids import CameraId, FailoverId, GroupId, RecorderId
from sysmanager.domain.rights import COORDINATOR, Actor, RoleName

BEGIN_MS = 1_600_000_000_000
EVERY_MS = 300_000
NOTES = ("the recorder is back", "disk swap in the hall", "power cut", "")
PEOPLE = (Actor(name="anna", role=RoleName.OPERATOR), Actor(name="Bert", role=RoleName.ADMINISTRATOR))
PHASES = (Phase.RETURNED, Phase.CANCELLED, Phase.FAILED, Phase.SUPERSEDED, Phase.READY)


def entry(number: int, chance: random.Random, *, recorders: int = 1000, cameras: int = 8) -> Failover:
    """The entry with this number. Entries of several recorders and failover servers, in time about as in their numbers."""
    which = chance.randrange(recorders)
    recorder, group = RecorderId(f"REC-{which:04d}"), GroupId(f"group-{which // 50}")
    phase = chance.choices(PHASES, (80, 11, 5, 3, 1))[0]
    started_ms = BEGIN_MS + number * EVERY_MS + chance.randrange(EVERY_MS * 2)
    moved = phase not in (Phase.CANCELLED, Phase.FAILED)
    names = tuple(CameraId(f"{recorder}-c{camera}") for camera in range(cameras))
    rare = (" zebra" if number % 50_021 == 7 else "") + (" giraffe" if number % 97 == 0 else "")
    return Failover(
        id=FailoverId(f"F{number:05d}"),
        number=number,
        recorder=recorder,
        home=recorder,
        group=group,
        trigger=chance.choices(tuple(Trigger)[:4], (70, 5, 5, 20))[0],
        actor=COORDINATOR if chance.random() < 0.8 else chance.choice(PEOPLE),
        phase=phase,
        started_ms=started_ms,
        ended_ms=started_ms + 60_000 if phase.ended else 0,
        server=RecorderId(f"FO-{which // 10:03d}") if moved else None,
        moved=names if moved else (),
        gaps=tuple(
            CameraGap(camera=camera, last_before_ms=started_ms, first_after_ms=started_ms + chance.randrange(60_000))
            for camera in (names if moved else ())
        ),
        steps=tuple(StepRecord(number=step, done_wall_ms=started_ms + step, duration_ms=1) for step in range(1, 9 if moved else 3)),
        timeline=Timeline(committed_ms=started_ms + 5_000 if moved else 0),
        reason=chance.choice(tuple(Reason)) if not moved else None,
        note=chance.choice(NOTES) + rare,
    )
