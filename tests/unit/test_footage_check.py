"""The footage checker: what it passes, and the sentence for each thing that is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from sysmanager.app.site.footage_check import Judgement, judge, main
from sysmanager.app.site.frames import read_footage
from sysmanager.app.site.report import CameraReport, Report, Seam
from sysmanager.domain.ids import Epoch
from sysmanager.simulation.cameras.clip import Clip
from tests.helpers.footage import START_US, small_clip
from tests.helpers.rehearsed import (
    ACTING,
    BEFORE,
    FO_1,
    MOVED,
    REC_1,
    REC_2,
    RETURNED,
    STAYED,
    WHOLE,
    Footage,
    at_ms,
    sound_report,
    stint,
    write_sound,
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return small_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def footage(tmp_path: Path, clip: Clip) -> Footage:
    return Footage(tmp_path, clip)


def judged(footage: Footage, report: Report) -> Judgement:
    machines = sorted(path.name for path in footage.root.iterdir() if path.is_dir())
    return judge(report, read_footage(footage.root, machines, report.moments.started_ms * 1000))


def changed(report: Report, **fields: object) -> Report:
    """With other fields in what is said of the camera that moved."""
    cameras = tuple(replace(each, **fields) if each.camera == MOVED else each for each in report.cameras)
    return replace(report, cameras=cameras)


def of_moved(report: Report) -> CameraReport:
    return next(each for each in report.cameras if each.camera == MOVED)


def said(found: Judgement, sentence: str) -> bool:
    return any(sentence in finding for finding in found.findings)


def test_sound_footage_passes_and_is_measured(footage: Footage) -> None:
    write_sound(footage)
    found = judged(footage, sound_report())
    assert found.findings == ()
    moved, stayed = found.cameras
    assert moved.gap_by_time_ms == pytest.approx(21 * 1000 / 15, abs=0.1)
    assert moved.gap_by_number_ms == pytest.approx(21 * 1000 / 15, abs=0.1)
    assert (moved.missing, moved.both, moved.frames) == (20, 5, 115)
    assert (stayed.gap_by_time_ms, stayed.frames) == (None, 130)


def test_footage_of_an_earlier_run_is_left_alone(footage: Footage) -> None:
    write_sound(footage)
    footage.write(FO_1, STAYED, 1, range(0, 40), start_us=START_US - 10_000_000)
    assert judged(footage, sound_report()).findings == ()


@pytest.mark.parametrize(("off_ms", "right"), [(90, True), (-90, True), (110, False), (-110, False)])
def test_a_gap_that_the_footage_contradicts(footage: Footage, off_ms: int, right: bool) -> None:
    write_sound(footage)
    report = sound_report()
    gap = of_moved(report).gap
    assert gap is not None
    wrong = replace(gap, gap_ms=gap.gap_ms + off_ms, first_frame_ms=gap.first_frame_ms + off_ms)
    found = judged(footage, changed(report, gap=wrong))
    assert (found.findings == ()) is right
    assert said(found, f"cam-001: the report states a gap of {wrong.gap_ms} ms, and by the capture times") is not right
    assert said(found, f"cam-001: the report states a gap of {wrong.gap_ms} ms, and by the frame numbers") is not right


def test_parts_that_do_not_make_the_gap_and_a_provisional_one(footage: Footage) -> None:
    write_sound(footage)
    report = sound_report()
    gap = of_moved(report).gap
    assert gap is not None
    found = judged(footage, changed(report, gap=replace(gap, saving_ms=gap.saving_ms + 1, final=False)))
    assert said(found, "cam-001: the parts of the gap come to 1401 ms and the gap to 1400 ms.")
    assert said(found, "cam-001: the gap in the report is provisional")
    assert len(found.findings) == 2


def test_no_gap_in_the_report(footage: Footage) -> None:
    write_sound(footage)
    assert said(judged(footage, changed(sound_report(), gap=None)), "cam-001: the report states no gap, and by the footage it is 1400 ms.")


def without(numbers: Sequence[int], *gone: int) -> list[int]:
    return [number for number in numbers if number not in gone]


def rewritten(footage: Footage, numbers: Sequence[int], segments: int | None = None) -> Report:
    """The sound footage, with other frames of the camera that stayed, and the report telling as much."""
    footage.write(REC_1, MOVED, 0, BEFORE)
    footage.write(FO_1, MOVED, 2, ACTING)
    footage.write(REC_1, MOVED, 3, RETURNED)
    footage.write(REC_2, STAYED, 0, numbers)
    report = sound_report()
    cameras = tuple(
        replace(each, stints=(stint(REC_2, 0, numbers, segments),)) if each.camera == STAYED else each for each in report.cameras
    )
    return replace(report, cameras=cameras)


def test_a_frame_missing_inside_a_segment(footage: Footage) -> None:
    found = judged(footage, rewritten(footage, without(WHOLE, 47)))
    assert len(found.findings) == 1
    assert said(found, "1 frame is missing after frame 46.")


def test_a_frame_missing_between_segments(footage: Footage) -> None:
    # Twenty frames a segment: the first segment ends with 19.
    found = judged(footage, rewritten(footage, without(WHOLE, 20, 21)))
    assert len(found.findings) == 1
    assert said(found, "cam-002: REC-2, between ")
    assert said(found, "2 frames are missing.")


def test_a_frame_doubled_inside_a_segment(footage: Footage) -> None:
    found = judged(footage, rewritten(footage, [*range(0, 31), *range(30, 130)]))
    assert len(found.findings) == 1
    assert said(found, "frame 30 is there 2 times.")


def test_frames_doubled_between_segments(footage: Footage) -> None:
    found = judged(footage, rewritten(footage, [*range(0, 20), *range(18, 130)]))
    assert len(found.findings) == 1
    assert said(found, "2 frames are doubled.")


def test_frames_in_the_wrong_order(footage: Footage) -> None:
    assert said(judged(footage, rewritten(footage, [*range(0, 5), 6, 5, *range(7, 130)])), "frame 5 comes after frame 6.")


def test_frames_lost_where_the_tasks_went_back(footage: Footage) -> None:
    acting = range(60, 93)
    footage.write(REC_1, MOVED, 0, BEFORE)
    footage.write(FO_1, MOVED, 2, acting)
    footage.write(REC_1, MOVED, 3, RETURNED)
    footage.write(REC_2, STAYED, 0, WHOLE)
    report = sound_report()
    stints = (stint(REC_1, 0, BEFORE), stint(REC_1, 3, RETURNED), stint(FO_1, 2, acting))
    seam = Seam(last_of_server_ms=at_ms(99), first_of_recorder_ms=at_ms(95), overlap_ms=267)
    found = judged(footage, changed(report, stints=stints, seam=seam))
    assert said(found, "cam-001: 2 frames are missing where the tasks went back.")
    assert said(found, "cam-001: the report states an overlap of 267 ms at the failback, and by the footage it is -200 ms.")
    assert len(found.findings) == 2


def test_counts_that_differ(footage: Footage) -> None:
    write_sound(footage)
    report = sound_report()
    stints = of_moved(report).stints
    wrong = (replace(stints[0], frames=41, segments=5), *stints[1:])
    found = judged(footage, changed(report, stints=wrong))
    assert found.findings == (
        "cam-001: REC-1 under epoch 0 has 40 frames and the report says 41.",
        "cam-001: REC-1 under epoch 0 has 2 segments and the report says 5.",
    )


def test_a_stamp_that_is_off(footage: Footage) -> None:
    write_sound(footage)
    report = sound_report()
    stints = of_moved(report).stints
    found = judged(footage, changed(report, stints=(*stints[:2], replace(stints[2], first_frame_ms=stints[2].first_frame_ms - 150))))
    assert found.findings == ("cam-001: FO-1 under epoch 2: the first frame is stamped -150 ms away from its capture.",)


def test_footage_where_it_should_not_be(footage: Footage) -> None:
    write_sound(footage)
    footage.write(FO_1, STAYED, 2, range(60, 80))
    footage.write(REC_2, MOVED, 0, range(60, 80))
    footage.write(FO_1, MOVED, 4, range(110, 125))
    footage.write(REC_1, MOVED, 1, range(60, 70))
    found = judged(footage, sound_report())
    assert said(found, "cam-002: FO-1 has 20 frames under epoch 2, and the camera is REC-2's and did not move.")
    assert said(found, "cam-001: REC-2 has 20 frames under epoch 0, and it neither had the camera nor acted for the one that had.")
    assert said(found, "cam-001: FO-1 has 15 frames under epoch 4, and it acted under epoch 2.")
    assert said(
        found, "cam-001: REC-1 has 10 frames under epoch 1, which is neither from before the failover nor the epoch of the failback."
    )
    assert said(found, "cam-001: REC-1 under epoch 1 has 10 frames that the report does not name.")


def test_footage_from_after_the_kill(footage: Footage) -> None:
    write_sound(footage)
    found = judged(footage, replace(sound_report(), moments=replace(sound_report().moments, killed_ms=at_ms(30))))
    assert any("captured after it was killed" in finding for finding in found.findings)


def test_footage_that_ends_early_or_begins_late(footage: Footage) -> None:
    write_sound(footage)
    report = sound_report()
    late = replace(report.moments, recording_ms=at_ms(-3), killed_ms=at_ms(39) + 1200, stopping_ms=at_ms(129) + 1100)
    assert judged(footage, replace(report, moments=late)).findings == (
        "cam-001: the footage begins after all cameras were said to be recorded.",
        "cam-001: the footage ends 1200 ms before the recorder was broken.",
        "cam-001: the footage ends 1100 ms before the end of the rehearsal.",
        "cam-002: the footage begins after all cameras were said to be recorded.",
        "cam-002: the footage ends 1100 ms before the end of the rehearsal.",
    )


def test_names_and_marks_that_contradict(footage: Footage) -> None:
    write_sound(footage)
    footage.write(REC_2, STAYED, 0, range(130, 140), recorder="REC-9", marks_of="cam-007")
    found = judged(footage, sound_report())
    assert said(found, "the name says that REC-9 recorded it, and it lies with REC-2.")
    assert said(found, "frames of cam-007 in the footage of cam-002.")


def test_a_camera_that_nobody_named_and_an_empty_failover(footage: Footage) -> None:
    write_sound(footage)
    footage.write(REC_2, "cam-003", 0, range(0, 20))
    report = sound_report()
    found = judged(footage, replace(report, entry=replace(report.entry, moved=())))
    assert said(found, "footage of cam-003, which is no camera of the report.")
    assert said(found, "In F00001 no camera moved")


def test_missing_footage(footage: Footage) -> None:
    footage.write(REC_1, MOVED, 0, BEFORE)
    footage.write(REC_2, STAYED, 0, WHOLE)
    found = judged(footage, sound_report())
    assert said(found, "cam-001: FO-1 under epoch 2 should have 40 frames and has none.")
    assert said(found, "cam-001: there is no footage on both sides of the failover.")
    assert said(found, "cam-001: there is no footage on both sides of the failback.")


def test_a_piece_cut_off_by_a_kill_counts_as_far_as_it_goes(footage: Footage) -> None:
    write_sound(footage)
    empty, cut = footage.root / REC_1 / "disk-d" / "cam-001", footage.write(REC_2, STAYED, 1, range(130, 140))[0]
    day = next(empty.iterdir())
    (day / "101010.000_cam-001@REC-1_e0.ts").write_bytes(b"")
    (day / "101010.001_cam-001@REC-1_e0.ts").write_bytes(b"\x47" * 50)
    (day / "REC-1.idx").write_bytes(b"{}\n")
    cut.write_bytes(cut.read_bytes()[: 188 * 12])
    pieces = read_footage(footage.root, ["REC-1", "REC-2"], at_ms(0) * 1000)
    assert {piece.path.name for piece in pieces if not piece.frames} == set()
    last = next(piece for piece in pieces if piece.epoch == 1)
    assert 0 < len(last.frames) < 10
    assert [frame.number for frame in last.frames] == list(range(130, 130 + len(last.frames)))


# ---------------------------------------------------------------- as a program


def test_exit_status_and_output(footage: Footage, capsys: pytest.CaptureFixture[str]) -> None:
    write_sound(footage)
    file = footage.root / "report.json"
    file.write_bytes(msgspec.json.encode(sound_report()))
    assert main([str(footage.root), str(file)]) == 0
    told = capsys.readouterr()
    assert "cam-001" in told.out
    assert "1.400" in told.out
    assert told.err == ""

    report = sound_report()
    file.write_bytes(msgspec.json.encode(replace(report, entry=replace(report.entry, previous_epoch=Epoch(3)))))
    assert main([str(footage.root), str(file)]) == 1
    assert "captured after it was killed" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b'{"\x80": 1}'])
def test_what_is_no_report_is_refused_with_a_sentence(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.json"
    file.write_bytes(content)
    assert main([str(tmp_path), str(file)]) == 2
    assert "is no report of a rehearsal" in capsys.readouterr().err


def test_a_missing_report_or_folder_and_another_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.json"
    assert main([str(tmp_path), str(file)]) == 2
    assert "can't be read" in capsys.readouterr().err
    file.write_bytes(msgspec.json.encode(sound_report()))
    assert main([str(tmp_path / "nothing"), str(file)]) == 2
    assert "There is no folder" in capsys.readouterr().err
    file.write_bytes(msgspec.json.encode(replace(sound_report(), format=1)))
    assert main([str(tmp_path), str(file)]) == 2
    assert "has the format 1" in capsys.readouterr().err


def test_it_owes_nothing_to_the_recorder() -> None:
    code = "import sys, sysmanager.app.site.footage_check; print([n for n in sys.modules if n.startswith('sysmanager.recorder')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_with_pre_roll_no_frame_may_be_missing_at_the_failover(footage: Footage) -> None:
    write_sound(footage)
    (finding,) = judged(footage, replace(sound_report(), preroll=True)).findings
    assert finding.startswith(f"{MOVED}: ")
    assert finding.endswith("frames are missing at the failover, and there may be no gap.")
