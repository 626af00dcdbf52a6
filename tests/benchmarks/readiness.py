"""How long readiness takes after one change, and who lands where, at 1,000 and 10,000 recorders with 32 cameras each.

Sites of groups of 20 recorders and 2 failover servers, all heard and cached. One change of a recorder touches one; one of a failover server
its group. Requirement: under 5 ms at 10,000 recorders, median of 200; 99th percentile and the time for everything are reported beside it.
Who lands where: one run with any two failures, and one group of 1,000.

    python -m tests.benchmarks.readiness
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.facts import DocumentsCached, FactRecord, GroupSaved, RecorderAdded
from sysmanager.coordinator.landing import who_lands_where
from sysmanager.domain.camera import Camera
from sysmanager.domain.documents import DocumentSet, SettingsSummary
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, DocumentHash, Epoch, GroupId, InstanceId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder, Recording, Role, Standby
from sysmanager.domain.rights import COORDINATOR
from sysmanager.engine.core import Core
from sysmanager.protocol.clients import Ready
from sysmanager.protocol.recorders import Beat, DiskBeat, Mode
from tests.benchmarks.machine import arguments, quantile, tell

LIMIT_MS = 5.0
CHANGES = 200
NOW = Instant(mono_ms=1_000, wall_ms=1_800_000_000_000)
DOCUMENTS = DocumentSet(revision=1, settings=DocumentHash("s"), masks=DocumentHash("m"), schedules=DocumentHash("h"))


def settings_of(name: str) -> SettingsSummary:
    cameras = tuple(Camera(id=CameraId(f"{name}-{n:02d}"), name=f"Camera {n}", vca=n < 2) for n in range(32))
    return SettingsSummary(disks=("D:", "E:"), cameras=cameras)


def beat_of(name: str, *, standby: bool, vca: int = 2) -> Beat:
    return Beat(
        recorder=RecorderId(name),
        instance=InstanceId(name),
        boot=1,
        sequence=1,
        wall_ms=NOW.wall_ms,
        version="1.0.0",
        mode=Mode.STANDBY if standby else Mode.RECORDING,
        epoch=Epoch(0),
        home=None if standby else RecorderId(name),
        documents=None if standby else DOCUMENTS,
        disks=(DiskBeat("D:", True, 6_000_000, 8_000_000), DiskBeat("E:", True, 6_000_000, 8_000_000)),
        vca_channels=vca,
    )


def site(recorders: int, group_size: int) -> Core:
    """All in system data, cached and heard; what was touched by that is looked at."""
    facts: list[Any] = []
    names: list[tuple[str, bool]] = []
    for number in range(0, recorders, group_size):
        group = GroupId(f"g{number}")
        facts.append(GroupSaved(group=Group(id=group, name=group)))
        for member in range(group_size + 2):
            standby = member >= group_size
            name = f"{'f' if standby else 'r'}{number + member:06d}-{member}"
            names.append((name, standby))
            row = Recorder(
                id=RecorderId(name),
                name=name,
                role=Role.FAILOVER if standby else Role.STANDARD,
                group=group,
                assignment=Standby(epoch=Epoch(0)) if standby else Recording(epoch=Epoch(0)),
            )
            facts.append(RecorderAdded(recorder=row))
            if not standby:
                facts.append(DocumentsCached(recorder=row.id, documents=DOCUMENTS, settings=settings_of(name), version="1.0.0"))
    core = Core([FactRecord(term=1, wall_ms=NOW.wall_ms, actor=COORDINATOR, fact=fact) for fact in facts], NOW)
    for name, standby in names:
        core.take(i.Heard(message=beat_of(name, standby=standby)), NOW)
    for name, _ in names:
        core.readiness.touch(RecorderId(name))
    return core


def settle(core: Core) -> float:
    """Milliseconds until everything that was touched has been looked at."""
    begun = time.perf_counter()
    core.look_at_readiness(NOW)
    while core.readiness.pending:
        core.look_at_readiness(NOW)
    return (time.perf_counter() - begun) * 1000


def changes(core: Core, name: str, change: Callable[[int], None]) -> dict[str, float]:
    times = []
    for number in range(CHANGES):
        change(number)
        times.append(settle(core))
    return {f"{name} p50 ms": quantile(times, 0.5), f"{name} p99 ms": quantile(times, 0.99)}


def measure(recorders: int, group_size: int) -> dict[str, Any]:
    core = site(recorders, group_size)
    everything_ms = settle(core)
    standard = [row.id for row in core.state.recorders.values() if row.role is Role.STANDARD]
    spares = [row.id for row in core.state.recorders.values() if row.role is Role.FAILOVER]

    def heard(recorder: RecorderId, standby: bool, number: int) -> None:
        core.seen.observe(beat_of(recorder, standby=standby, vca=2 + number % 7), NOW)
        core.readiness.touch(recorder)

    of_recorder = changes(core, "recorder", lambda number: heard(standard[number * 37 % len(standard)], False, number))
    of_spare = changes(core, "failover server", lambda number: heard(spares[number * 37 % len(spares)], True, number))
    begun = time.perf_counter()
    found = who_lands_where(core.state, core.seen, two=True)
    landing_ms = (time.perf_counter() - begun) * 1000
    assert core.readiness.counts[Ready.READY] == len(core.state.recorders), core.readiness.counts
    return {
        "recorders": recorders,
        "per group": group_size,
        **of_recorder,
        **of_spare,
        "everything ms": everything_ms,
        "who lands where ms": landing_ms,
        "pairs": sum(group.pairs for group in found.pairs),
    }


def main() -> int:
    args = arguments("Readiness after one change, and who lands where.").parse_args()
    rows = [measure(1_000, 20), measure(10_000, 20), measure(1_000, 1_000)]
    good = max(rows[1]["recorder p50 ms"], rows[1]["failover server p50 ms"]) < LIMIT_MS
    return tell("Readiness and landing", rows, args.json, good=good)


if __name__ == "__main__":
    sys.exit(main())
