"""What the measured gaps come to, per recorder, group and system (SPEC 14.4).

Ended entries as the tables sum them up, open ones as they are.
"""

from __future__ import annotations

from msgspec.structs import replace

from sysmanager.coordinator.state import View
from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.gaps import GapTotal, sum_of, total_of
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder, Role
from sysmanager.protocol.clients import GapTotals, GroupGaps, RecorderGaps


def gap_totals(view: View, now: Instant) -> GapTotals:
    totals: dict[RecorderId, GapTotal] = dict(view.gap_totals)
    for open_id in view.open:
        entry = view.failovers[open_id]
        totals[entry.home] = totals.get(entry.home, GapTotal()).plus(total_of(entry))
    removed = [total for recorder, total in totals.items() if recorder not in view.recorders]
    rows = [row for _, row in sorted(view.recorders.items()) if row.role is Role.STANDARD or row.id in totals]
    recorders = [
        RecorderGaps(recorder=row.id, total=replace(totals.get(row.id, GapTotal()), camera_ms=_camera_ms(row, now))) for row in rows
    ]
    by_id = {found.recorder: found.total for found in recorders}
    groups = [
        GroupGaps(group=group, total=sum_of(by_id[member] for member in sorted(view.members.get(group, ())) if member in by_id))
        for group in sorted(view.groups)
    ]
    return GapTotals(system=sum_of([*by_id.values(), *removed]), groups=tuple(groups), recorders=tuple(recorders))


def _camera_ms(row: Recorder, now: Instant) -> int:
    """Its cameras that are recorded, over the time since it is in system data."""
    cameras = sum(1 for camera in row.settings.cameras if camera.mode is not RecordingMode.OFF)
    return cameras * max(0, now.wall_ms - row.added_wall_ms) if row.added_wall_ms else 0
