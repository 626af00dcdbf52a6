"""Computing the report of a rehearsal from the log entry and what the recorders have."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from sysmanager.app.site.report import Report, camera_reports, gap_of, seam_of, table
from sysmanager.domain.failover import CameraGap, Timeline
from sysmanager.domain.ids import CameraId
from tests.helpers.rehearsed import ACTING, BEFORE, FO_1, MOVED, REC_1, REC_2, RETURNED, STAYED, WHOLE, at_ms, entry, sound_report, stint


def test_the_parts_of_a_gap_are_its_sum() -> None:
    timeline = Timeline(last_heard_ms=900, detected_ms=11_000, decided_ms=11_002, saved_ms=11_050, committed_ms=11_060)
    gap = gap_of(CameraGap(camera=MOVED, last_before_ms=1_000, first_after_ms=11_700, final=True), timeline)
    assert gap is not None
    assert (gap.detection_ms, gap.decision_ms, gap.saving_ms, gap.first_frame_ms) == (10_000, 2, 48, 650)
    assert gap.gap_ms == 10_700 == gap.detection_ms + gap.decision_ms + gap.saving_ms + gap.first_frame_ms
    assert gap.final


def test_a_first_frame_before_the_confirmation_is_a_negative_part() -> None:
    gap = gap_of(
        CameraGap(camera=MOVED, last_before_ms=1_000, first_after_ms=11_030),
        Timeline(detected_ms=11_000, decided_ms=11_002, saved_ms=11_050),
    )
    assert gap is not None
    assert gap.first_frame_ms == -20
    assert gap.gap_ms == 10_030 == gap.detection_ms + gap.decision_ms + gap.saving_ms + gap.first_frame_ms
    assert not gap.final


def test_no_gap_while_an_end_is_unknown() -> None:
    assert gap_of(CameraGap(camera=MOVED, first_after_ms=5), Timeline()) is None
    assert gap_of(CameraGap(camera=MOVED, last_before_ms=5), Timeline()) is None


def test_the_seam_is_an_overlap_or_a_hole() -> None:
    seam = seam_of([stint(FO_1, 2, ACTING), stint(REC_1, 0, BEFORE), stint(REC_1, 3, RETURNED)], entry())
    assert seam is not None
    assert (seam.last_of_server_ms, seam.first_of_recorder_ms) == (at_ms(99), at_ms(95))
    assert seam.overlap_ms == at_ms(99) - at_ms(95)
    hole = seam_of([stint(FO_1, 2, range(60, 90)), stint(REC_1, 3, RETURNED)], entry())
    assert hole is not None
    assert hole.overlap_ms == at_ms(89) - at_ms(95) < 0


def test_no_seam_without_footage_on_both_sides_or_a_failback() -> None:
    assert seam_of([stint(FO_1, 2, ACTING)], entry()) is None
    assert seam_of([stint(REC_1, 3, RETURNED)], entry()) is None
    assert seam_of([stint(FO_1, 2, ACTING), stint(REC_1, 3, RETURNED)], replace(entry(), failback=None)) is None


def test_gap_and_seam_only_for_cameras_that_moved() -> None:
    third = CameraId("cam-003")
    found = camera_reports(
        {REC_1: (third, MOVED), REC_2: (STAYED,)},
        {MOVED: (stint(FO_1, 2, ACTING), stint(REC_1, 3, RETURNED)), STAYED: (stint(REC_2, 0, WHOLE),)},
        entry(),
    )
    assert [each.camera for each in found] == ["cam-001", "cam-002", "cam-003"]
    moved, stayed, other = found
    assert moved.gap is not None
    assert moved.seam is not None
    assert (stayed.gap, stayed.seam, stayed.recorder) == (None, None, "REC-2")
    assert (other.gap, other.seam, other.stints, other.recorder) == (None, None, (), "REC-1")


def test_the_report_survives_its_file() -> None:
    report = sound_report()
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_the_table_has_a_line_per_camera() -> None:
    lines = table(sound_report())
    assert len(lines) == 3
    assert lines[1].split()[:8] == ["cam-001", "REC-1", "1.400", "1.000", "0.001", "0.049", "0.350", "0.267"]
    assert lines[2].split() == ["cam-002", "REC-2", "7", "130", "REC-2/e0:130"]
