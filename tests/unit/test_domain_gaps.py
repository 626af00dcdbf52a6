"""A measured gap, its parts, and what gaps come to (SPEC 14.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sysmanager.domain.failover import CameraGap, Failover, Phase, Timeline, Trigger
from sysmanager.domain.gaps import GapParts, GapTotal, parts_of, sum_of, total_of
from sysmanager.domain.ids import CameraId, FailoverId, GroupId, RecorderId
from sysmanager.domain.rights import COORDINATOR

CAMERA = CameraId("c")
LINE = Timeline(last_heard_ms=900, detected_ms=11_000, decided_ms=11_010, saved_ms=11_400, committed_ms=11_500)


def gap(before_ms: int, after_ms: int, camera: str = "c", **more: int | bool) -> CameraGap:
    return CameraGap(camera=CameraId(camera), last_before_ms=before_ms, first_after_ms=after_ms, **more)  # type: ignore[arg-type]


def parts(detection: int, decision: int, saving: int, first_frame: int) -> GapParts:
    return GapParts(detection_ms=detection, decision_ms=decision, saving_ms=saving, first_frame_ms=first_frame)


@pytest.mark.parametrize(
    ("found", "line", "expected"),
    [
        (gap(1_000, 12_000), LINE, parts(10_000, 10, 390, 600)),
        (gap(1_000, 11_300), LINE, parts(10_000, 10, 290, 0)),
        (gap(11_200, 12_000), LINE, parts(0, 0, 200, 600)),
        (gap(1_000, 9_000), LINE, parts(8_000, 0, 0, 0)),
        (gap(9_000, 2_000), LINE, parts(0, 0, 0, 0)),
        (gap(1_000, 12_000), Timeline(detected_ms=11_000), parts(10_000, 0, 0, 1_000)),
        (gap(1_000, 0), LINE, None),
        (gap(0, 1_000), LINE, None),
    ],
    ids=["plain", "frames before the confirmation", "recorded on", "frames before the trigger", "pre-roll", "not saved", "dark", "unknown"],
)
def test_the_parts_come_to_the_gap(found: CameraGap, line: Timeline, expected: GapParts | None) -> None:
    assert parts_of(found, line) == expected


@given(st.lists(st.integers(1, 10**6), min_size=5, max_size=5), st.integers(-5_000, 5_000), st.integers(-5_000, 5_000))
def test_whatever_the_moments_no_part_is_negative_and_their_sum_is_the_gap(moments: list[int], before: int, after: int) -> None:
    first, last, detected, decided, saved = moments
    found = gap(first, last, before_offset_ms=before, after_offset_ms=after)
    split = parts_of(found, Timeline(detected_ms=detected, decided_ms=decided, saved_ms=saved))
    assert split is not None
    spans = (split.detection_ms, split.decision_ms, split.saving_ms, split.first_frame_ms)
    assert min(spans) >= 0
    assert sum(spans) == found.gap_ms


def test_every_time_that_was_off_within_it_is_no_gap() -> None:
    found = gap(1_000, 100_000, after_offset_ms=500, off_from_ms=60_500, off_until_ms=70_500)
    assert found.gap_ms == 88_500
    found = replace(found, earlier_off=((0, 5_500), (20_500, 30_500), (40_500, 41_500)))
    assert found.holes() == ((5_000, 20_000), (30_000, 40_000), (41_000, 60_000), (70_000, 99_500))
    assert found.gap_ms == 73_500
    assert replace(found, off_from_ms=60_500, off_until_ms=200_000).holes()[-1] == (41_000, 60_000)


def test_clocks_that_differ_do_not_make_a_gap() -> None:
    assert gap(105_000, 106_000, before_offset_ms=5_000, after_offset_ms=-1_000).gap_ms == 7_000


def entry(*gaps: CameraGap, committed: bool = True) -> Failover:
    return Failover(
        id=FailoverId("F00001"),
        number=1,
        recorder=RecorderId("A"),
        home=RecorderId("A"),
        group=GroupId("g"),
        trigger=Trigger.MANUAL,
        actor=COORDINATOR,
        phase=Phase.READY,
        started_ms=1,
        moved=tuple(one.camera for one in gaps if one.camera != "stays"),
        gaps=gaps,
        timeline=LINE if committed else replace(LINE, committed_ms=0),
    )


def test_what_one_failover_adds() -> None:
    found = total_of(entry(gap(1_000, 4_000, "a", final=True), gap(1_000, 3_000, "b"), gap(1_000, 0, "d"), gap(1, 9, "stays")))
    assert found == GapTotal(failovers=1, gaps=2, unknown=1, provisional=1, worst_ms=3_000, sum_ms=5_000)
    assert total_of(entry(gap(1_000, 4_000), committed=False)) == GapTotal()


def test_availability_is_the_share_of_the_time_with_footage() -> None:
    assert GapTotal().available_ppm is None
    assert GapTotal(sum_ms=1_000, camera_ms=1_000_000).available_ppm == 999_000
    assert GapTotal(sum_ms=5_000, camera_ms=1_000).available_ppm == 0
    assert sum_of((GapTotal(worst_ms=3, sum_ms=3, gaps=1), GapTotal(worst_ms=7, sum_ms=8, gaps=2))) == GapTotal(
        worst_ms=7, sum_ms=11, gaps=3
    )
