"""Footage as MP4: every frame once, across pieces, epochs and recorders; holes and seams are told (SPEC 16)."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from sysmanager.recorder.export import Exported, ExportFailed, export
from sysmanager.recorder.library import pieces
from sysmanager.recorder.segments import AudioKind, StreamKind
from sysmanager.simulation.cameras.clip import Clip
from tests.helpers.footage import START_US, small_clip
from tests.helpers.pieces import mp4_numbers, put_piece

START_MS = START_US // 1000
EVER_MS = START_MS + 10**9


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return small_clip(tmp_path_factory.mktemp("clip"))


def exported(tmp_path: Path, *disks: Path, from_ms: int = 0, until_ms: int = EVER_MS) -> Exported:
    (done,) = export(list(pieces(disks or (tmp_path / "disk",), ["cam-001"], from_ms, until_ms)), tmp_path / "out.mp4", from_ms, until_ms)
    return done


def test_pieces_of_one_recorder_are_one_run_with_every_frame_once(tmp_path: Path, clip: Clip) -> None:
    put_piece(tmp_path / "disk", clip, 20)
    put_piece(tmp_path / "disk", clip, 30, first=20)
    done = exported(tmp_path)
    assert mp4_numbers(done.file) == list(range(50))
    (run,) = done.runs
    assert (run.recorder, run.epoch, run.frames, run.seam) == ("REC-1", 1, 50, "start")
    assert (run.first_frame_ms, run.last_frame_ms) == (START_MS, START_MS + 49_000 // 15)
    assert len(done.sha256) == 64
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out.mp4"]


def test_the_picture_of_footage_with_sound_of_a_telephone_is_exported(tmp_path: Path, clip: Clip) -> None:
    """MPEG-TS carries no G.711, so that such a piece is of another container."""
    kind = StreamKind(codec="h264", audio=AudioKind(codec="pcm_alaw", rate=8000))
    put_piece(tmp_path / "disk", clip, 20, kind=kind)
    put_piece(tmp_path / "disk", clip, 30, first=20, kind=kind)
    assert mp4_numbers(exported(tmp_path).file) == list(range(50))


def test_two_recorders_that_recorded_at_once_give_every_frame_once(tmp_path: Path, clip: Clip) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    put_piece(one, clip, 40)
    put_piece(two, clip, 60, first=25, recorder="FO-1", epoch=2, shift_us=8_000)
    put_piece(one, clip, 30, first=70, epoch=3)
    done = exported(tmp_path, one, two)
    assert mp4_numbers(done.file) == list(range(100))
    assert [(run.recorder, run.epoch, run.frames, run.seam) for run in done.runs] == [
        ("REC-1", 1, 40, "start"),
        ("FO-1", 2, 45, "same frames"),
        ("REC-1", 3, 15, "same frames"),
    ]


@pytest.mark.parametrize("shift_us", [-8_000, 8_000])
def test_a_recorder_that_begins_where_the_other_begins_a_new_piece_loses_and_doubles_nothing(
    tmp_path: Path, clip: Clip, shift_us: int
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    put_piece(two, clip, 30, recorder="FO-1", epoch=2)
    put_piece(two, clip, 15, first=30, recorder="FO-1", epoch=2)
    put_piece(one, clip, 40, first=30, epoch=3, shift_us=shift_us)
    done = exported(tmp_path, one, two)
    assert mp4_numbers(done.file) == list(range(70))
    assert [(run.recorder, run.frames, run.seam) for run in done.runs] == [("FO-1", 45, "start"), ("REC-1", 25, "same frames")]


@pytest.mark.parametrize("shift_us", [-8_000, 8_000])
def test_where_they_differ_there_the_new_piece_is_a_seam_all_the_same(tmp_path: Path, clip: Clip, shift_us: int) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    put_piece(two, clip, 30, recorder="FO-1", epoch=2)
    put_piece(two, clip, 15, first=30, recorder="FO-1", epoch=2)
    put_piece(one, clip, 40, first=30, epoch=3, shift_us=shift_us, marked_as="cam-002")
    done = exported(tmp_path, one, two)
    assert mp4_numbers(done.file)[:30] == list(range(30))
    assert done.runs[-1].seam == "key frame"


def test_where_two_recordings_differ_the_seam_is_a_key_frame(tmp_path: Path, clip: Clip) -> None:
    put_piece(tmp_path / "disk", clip, 40)
    put_piece(tmp_path / "disk", clip, 40, first=20, recorder="FO-1", epoch=2, marked_as="cam-002")
    done = exported(tmp_path)
    assert mp4_numbers(done.file) == list(range(60))
    assert [(run.frames, run.seam) for run in done.runs] == [(20, "start"), (40, "key frame")]


def test_what_another_piece_holds_already_is_passed_over(tmp_path: Path, clip: Clip) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    put_piece(one, clip, 40)
    put_piece(two, clip, 20, first=10)
    assert mp4_numbers(exported(tmp_path, one, two).file) == list(range(40))


def test_a_hole_stays_a_hole_and_is_told(tmp_path: Path, clip: Clip) -> None:
    put_piece(tmp_path / "disk", clip, 15)
    put_piece(tmp_path / "disk", clip, 15, first=75, recorder="FO-1", epoch=2)
    done = exported(tmp_path)
    assert [run.seam for run in done.runs] == ["start", "hole"]
    with av.open(str(done.file)) as container:
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(90 / 15, abs=0.2)


def test_a_span_begins_at_the_key_frame_that_it_needs_and_ends_where_it_was_told(tmp_path: Path, clip: Clip) -> None:
    put_piece(tmp_path / "disk", clip, 45)
    at = [START_MS + number * 1000 // 15 for number in range(45)]
    assert mp4_numbers(exported(tmp_path, from_ms=at[22], until_ms=at[31]).file) == list(range(20, 32))


def test_a_piece_that_was_cut_by_a_kill_gives_what_it_has(tmp_path: Path, clip: Clip) -> None:
    path = put_piece(tmp_path / "disk", clip, 20, indexed=False)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    put_piece(tmp_path / "disk", clip, 20, first=40, epoch=2)
    found = mp4_numbers(exported(tmp_path).file)
    assert found[-20:] == list(range(40, 60))
    assert found[:-20] == list(range(len(found) - 20))
    assert 5 <= len(found) - 20 < 20


def test_nothing_to_export_is_one_sentence_and_leaves_no_file(tmp_path: Path, clip: Clip) -> None:
    put_piece(tmp_path / "disk", clip, 20)
    with pytest.raises(ExportFailed, match="no footage of this camera"):
        exported(tmp_path, from_ms=EVER_MS - 1)
    assert not list(tmp_path.glob("*.mp4"))


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path, clip: Clip) -> None:
    put_piece(tmp_path / "disk", clip, 20)
    (tmp_path / "out.mp4").write_bytes(b"precious")
    with pytest.raises(ExportFailed, match="is there already"):
        exported(tmp_path)
    assert (tmp_path / "out.mp4").read_bytes() == b"precious"
