"""The measured hole of each camera (SPEC 14.4): provisional from reports, final from the footage on the disks."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.table import Case
from sysmanager.domain.documents import SettingsSummary
from sysmanager.domain.failover import CameraGap, Failover
from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import Beat

GAP_WAIT_MS = 30_000
"""How long after the commit first frames are waited for before the gaps are written down as they are."""


def last_frames(beat: Beat | None, settings: SettingsSummary) -> tuple[CameraGap, ...]:
    """What the failed server last reported: the provisional beginning of each gap, for the cameras that can move."""
    last = {camera.camera: camera.last_frame_ms for camera in beat.cameras} if beat is not None else {}
    return tuple(CameraGap(camera=camera.id, last_before_ms=last.get(camera.id, 0)) for camera in settings.cameras if camera.moves)


def measured(seen: Seen, entry: Failover) -> tuple[CameraGap, ...]:
    """The gaps with all that is known by now. A beginning that was read from the disks stays; an end, once known, stays."""
    if entry.server is None:
        return entry.gaps
    first = _first_frames(seen, entry)
    footage = seen.footage.get((entry.recorder, entry.previous_epoch))
    spans = {span.camera: span for span in footage.spans} if footage is not None else {}
    gaps = []
    for gap in entry.gaps:
        if not gap.first_after_ms and first.get(gap.camera):
            gap = replace(gap, first_after_ms=first[gap.camera])
        if not gap.final and gap.camera in spans:
            gap = replace(gap, last_before_ms=spans[gap.camera].last_frame_ms, final=True)
        gaps.append(gap)
    return tuple(gaps)


def _first_frames(seen: Seen, entry: Failover) -> dict[CameraId, int]:
    assert entry.server is not None, "asked only for an entry with a server"
    beat = seen.of(entry.server).beat
    if beat is None or beat.epoch != entry.epoch:
        return {}
    return {camera.camera: camera.first_frame_ms for camera in beat.cameras}


def unmeasured(gaps: Iterable[CameraGap], moved: Iterable[CameraId]) -> tuple[CameraId, ...]:
    """Cameras that moved and have no first frame yet."""
    known = {gap.camera for gap in gaps if gap.first_after_ms}
    return tuple(camera for camera in moved if camera not in known)


def worth_writing(case: Case) -> bool:
    """Written once all cameras have their first frame, and again only when that says more: not with every single camera."""
    entry = case.failover
    now_measured = measured(case.seen, entry)
    if now_measured == entry.gaps:
        return False
    return not unmeasured(now_measured, entry.moved) or (bool(unmeasured(entry.gaps, entry.moved)) and case.waited_ms >= GAP_WAIT_MS)


def written(case: Case) -> tuple[f.AnyFact, ...]:
    """What is known by now, as a fact."""
    return (f.GapsMeasured(failover=case.failover.id, gaps=measured(case.seen, case.failover)),)


def awaits_footage(entry: Failover) -> bool:
    """Whether the beginning of a gap still rests on a last report instead of the recorder's disks."""
    return entry.server is not None and not entry.phase.before_commit and any(not gap.final for gap in entry.gaps)
