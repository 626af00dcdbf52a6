"""The measured hole of each camera (SPEC 14.4): provisional from reports, final from the footage on the disks."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.heard import Heard
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.table import Case
from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.documents import SettingsSummary
from sysmanager.domain.failover import CameraGap, Failover
from sysmanager.domain.ids import CameraId
from sysmanager.domain.instant import Instant
from sysmanager.domain.schedule import CELL_S
from sysmanager.protocol.recorders import CameraBeat, CameraState, FootageSpan, ReportFootage

GAP_WAIT_MS = 30_000
"""How long after the commit first frames are waited for before the gaps are written down as they are."""


CELL_MS = CELL_S * 1000
"""Two times of a schedule that are off lie at least so far apart."""

SLACK_MS = 60_000
"""The disks may say that a gap began earlier than the last report did."""


def last_frames(heard: Heard, settings: SettingsSummary, now: Instant) -> tuple[CameraGap, ...]:
    """What the failed server last reported: the provisional beginning of each gap, for the cameras that can move and are recorded."""
    beat = heard.beat
    last = {camera.camera: camera for camera in beat.cameras} if beat is not None else {}
    return tuple(
        CameraGap(
            camera=camera.id,
            last_before_ms=_covered_until(last.get(camera.id)),
            before_offset_ms=heard.clock_offset_by(now),
            error_ms=heard.clock_error_ms,
            off_before=camera.id in last and last[camera.id].state is CameraState.OFF,
            watched_before=camera.id in last and last[camera.id].state is CameraState.WAITING,
        )
        for camera in settings.cameras
        if camera.moves and camera.mode is not RecordingMode.OFF
    )


def _covered_until(camera: CameraBeat | None) -> int:
    """Its last frame; of one that is off by its schedule, when that began: since then nothing is missing."""
    if camera is None:
        return 0
    return camera.off_from_ms if camera.state is CameraState.OFF else camera.last_frame_ms


def measured(seen: Seen, entry: Failover, now: Instant) -> tuple[CameraGap, ...]:
    """The gaps with all that is known by now. A beginning that was read from the disks stays; an end, once known, stays."""
    if entry.server is None:
        return entry.gaps
    shown, after = _shown(seen, entry), seen.of(entry.server)
    footage = seen.footage.get((entry.recorder, entry.previous_epoch))
    spans = {span.camera: span for span in footage.spans} if footage is not None and not footage.goes_on else {}
    off = {told.camera: told.times for told in seen.off_times.get(entry.id, ())}
    gaps = []
    for gap in entry.gaps:
        camera = shown.get(gap.camera)
        ends = not gap.first_after_ms and camera is not None and (camera.first_frame_ms > 0 or camera.state is CameraState.OFF)
        if ends and camera is not None:
            gap = replace(
                gap,
                first_after_ms=camera.first_frame_ms,
                off_from_ms=camera.off_from_ms,
                off_until_ms=camera.off_until_ms,
            )
            gap = _compared(seen, entry, gap, now)
            if not gap.first_after_ms:
                gap = replace(gap, first_after_ms=_ends_where_off_begins(gap))
        # A beginning that was read before the other's first frame was known is looked at once more: it may have been earlier than that.
        if gap.camera in spans and (ends or not gap.final):
            if not gap.last_before_ms:
                # Its service was not heard before it broke, at most its Watchdog: its clock is known only since it is back.
                before = seen.of(entry.recorder)
                gap = replace(gap, before_offset_ms=before.clock_offset_ms, error_ms=gap.error_ms + before.clock_error_ms)
            elif gap.apart and after.beat is not None:
                gap = _compared(seen, entry, gap, now)
            last_ms = _last_before(spans[gap.camera], gap)
            covered_ms = gap.last_before_ms if gap.off_before or gap.watched_before else 0
            gap = replace(gap, last_before_ms=max(last_ms, covered_ms), final=True)
        if gap.camera in off:
            gap = replace(gap, earlier_off=_within(gap, off[gap.camera]))
        gaps.append(gap)
    return tuple(gaps)


def _last_before(span: FootageSpan, gap: CameraGap) -> int:
    """The last frame before the one that took over had its first. One that hung goes on until it is told."""
    if gap.first_after_ms:
        first_ms = gap.first_after_ms - gap.after_offset_ms + gap.before_offset_ms
        for from_ms, until_ms in span.pauses:
            if from_ms < first_ms <= until_ms:
                return from_ms
    return span.last_frame_ms


def _compared(seen: Seen, entry: Failover, gap: CameraGap, now: Instant) -> CameraGap:
    """Both clocks compared with ours as it is set now: it may have been set since the entry was opened.

    How far is known to a coordinator that saw it open. Another one compares the clock of the one that broke anew, if it was heard.
    """
    assert entry.server is not None, "asked only for an entry with a server"
    before, after = seen.of(entry.recorder), seen.of(entry.server)
    gap = replace(gap, after_offset_ms=after.clock_offset_by(now))
    if seen.saw_open(entry.id):
        set_ms = seen.set_since_opening_ms(entry.id, now)
        return replace(gap, before_offset_ms=gap.before_offset_ms - set_ms, error_ms=gap.error_ms + after.clock_error_ms)
    if before.offsets is None:
        return replace(gap, error_ms=gap.error_ms + after.clock_error_ms, apart=gap.last_before_ms > 0)
    error_ms = before.clock_error_ms + after.clock_error_ms
    return replace(gap, before_offset_ms=before.clock_offset_by(now), error_ms=error_ms, apart=False)


def _within(gap: CameraGap, times: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Of the times that were off, those between the beginning of the gap and the last of them, which is known without asking."""
    began_ms = gap.last_before_ms - gap.before_offset_ms + gap.after_offset_ms
    return tuple((from_ms, until_ms) for from_ms, until_ms in times if until_ms > began_ms and until_ms <= gap.off_from_ms)


def off_question(seen: Seen, entry: Failover) -> ReportFootage | None:
    """What to ask of who took over, where a gap is so long that a camera may have been off more than once in it; asked once."""
    if entry.server is None or entry.id in seen.off_times:
        return None
    began_ms = {
        gap.camera: gap.last_before_ms - gap.before_offset_ms + gap.after_offset_ms
        for gap in entry.gaps
        if gap.last_before_ms and gap.first_after_ms and gap.off_until_ms
    }
    long = {gap.camera: began_ms[gap.camera] for gap in entry.gaps if gap.off_from_ms - began_ms.get(gap.camera, gap.off_from_ms) > CELL_MS}
    heard = seen.of(entry.server)
    if not long or heard.beat is None or heard.beat.epoch != entry.epoch or not heard.service_heard() or not seen.connected(entry.server):
        return None
    return ReportFootage(epoch=entry.epoch, cameras=tuple(long), off_since_ms=max(1, min(long.values()) - SLACK_MS))


def _ends_where_off_begins(gap: CameraGap) -> int:
    """The end of the gap of a camera that is off on the server that took over: nothing is missing since. By that server's clock."""
    began_ms = gap.last_before_ms - gap.before_offset_ms + gap.after_offset_ms
    return began_ms if gap.off_before else max(began_ms, gap.off_from_ms)


def _shown(seen: Seen, entry: Failover) -> dict[CameraId, CameraBeat]:
    assert entry.server is not None, "asked only for an entry with a server"
    beat = seen.of(entry.server).beat
    if beat is None or beat.epoch != entry.epoch:
        return {}
    return {camera.camera: camera for camera in beat.cameras}


def unmeasured(gaps: Iterable[CameraGap], moved: Iterable[CameraId]) -> tuple[CameraId, ...]:
    """Cameras that moved, are recorded, and have no first frame yet; one that is off by its schedule is not waited for."""
    dark = {gap.camera for gap in gaps if not gap.first_after_ms}
    return tuple(camera for camera in moved if camera in dark)


def worth_writing(case: Case) -> bool:
    """Written once all cameras have their first frame, and again only when that says more: not with every single camera."""
    entry = case.failover
    now_measured = measured(case.seen, entry, case.now)
    if now_measured == entry.gaps:
        return False
    return not unmeasured(now_measured, entry.moved) or (bool(unmeasured(entry.gaps, entry.moved)) and case.waited_ms >= GAP_WAIT_MS)


def written(case: Case) -> tuple[f.AnyFact, ...]:
    """What is known by now, as a fact."""
    return (f.GapsMeasured(failover=case.failover.id, gaps=measured(case.seen, case.failover, case.now)),)


def awaits_footage(entry: Failover) -> bool:
    """Whether the beginning of a gap still rests on a last report instead of the recorder's disks."""
    return entry.server is not None and not entry.phase.before_commit and any(not gap.final for gap in entry.gaps)
