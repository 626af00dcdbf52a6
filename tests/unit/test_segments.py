from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysmanager.recorder.index import IndexLine, read_index, read_segment, rebuild, segments, spans
from sysmanager.recorder.muxers import TsMuxer
from sysmanager.recorder.segments import SegmentName, StreamKind, camera_folder
from tests.helpers.footage import H264, START_US, marked_frames, marks, numbers, small_clip

ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)


@given(st.builds(SegmentName, camera=ids, recorder=ids, epoch=st.integers(0, 2**53), start_ms=st.integers(0, 4_102_444_800_000)))
def test_a_name_tells_all(name: SegmentName) -> None:
    path = Path("disk") / name.relative
    assert SegmentName.parse(path) == name
    assert SegmentName.parse(path.with_name(f"{path.stem}-3{path.suffix}")) == name
    assert not set(str(name.relative)) & set('<>:"\\|?*')


def test_a_name_as_people_see_it() -> None:
    name = SegmentName(camera="cam-001", recorder="rec_A", epoch=12, start_ms=1_790_000_000_042)
    assert str(name.relative) == "cam-001/2026-09-21/141320.042_cam-001@rec_A_e12.ts"


@pytest.mark.parametrize("name", ["x.ts", "141320.042_cam@rec_e1.mp4", "996199.000_cam@rec_e1.ts", ".write-test-1"])
def test_other_files_are_no_segments(name: str) -> None:
    assert SegmentName.parse(Path("disk/cam/2026-09-21") / name) is None


def test_names_that_windows_reserves_make_other_folders() -> None:
    assert camera_folder("CON") == "CON!"
    assert camera_folder("com1") == "com1!"
    assert camera_folder("console") == "console"


def write_segment(disk: Path, count: int, *, first: int = 0, recorder: str = "rec-1", epoch: int = 1) -> Path:
    """A complete segment without its line in the index."""
    frames = marked_frames(small_clip(disk.parent / "cache"), count, first=first)
    name = SegmentName(camera="cam-001", recorder=recorder, epoch=epoch, start_ms=frames[0].pts_us // 1000)
    muxer = TsMuxer(H264, name.start_ms)
    path = disk / name.relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join([*(muxer.add(frame).data for frame in frames), muxer.close().data]))
    return path


def test_times_of_frames_can_be_read_from_the_file_alone(tmp_path: Path) -> None:
    path = write_segment(tmp_path / "disk", 20, first=5)
    found = marks(path)
    assert [number for number, _ in found] == list(range(5, 25))
    assert max(abs(error_us) for _, error_us in found) <= 20


def test_every_cut_of_a_segment_can_be_read_up_to_the_cut(tmp_path: Path) -> None:
    frames = marked_frames(small_clip(tmp_path / "cache"), 12)
    muxer = TsMuxer(H264, START_US // 1000)
    path = tmp_path / SegmentName(camera="cam-001", recorder="r", epoch=1, start_ms=START_US // 1000).relative
    path.parent.mkdir(parents=True)
    content = b""
    for count, frame in enumerate(frames, 1):
        content += muxer.add(frame).data
        path.write_bytes(content)
        assert [number for number, _ in marks(path)] == list(range(count))
    muxer.close()


def test_parameter_sets_from_outside_go_before_each_key_frame(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "cache")
    sets = b"".join(b"\x00\x00\x00\x01" + unit for unit in clip.parameter_sets)
    bare = [frame for frame in marked_frames(clip, 6) if frame.key]
    muxer = TsMuxer(StreamKind(codec="h264", extradata=sets), START_US // 1000)
    stripped = bare[0].data.replace(sets, b"")
    assert stripped != bare[0].data
    assert sets in muxer.add(type(bare[0])(stripped, True, bare[0].pts_us, bare[0].dts_us)).data
    muxer.close()


def test_a_codec_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="mjpeg"):
        TsMuxer(StreamKind(codec="mjpeg"), 0)


def test_footage_without_an_index_is_reported_from_the_files(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    write_segment(disk, 10)
    write_segment(disk, 10, first=10)
    write_segment(disk, 5, first=40, epoch=2)
    span = spans([disk, tmp_path / "not there"], "cam-001", 1)
    assert span is not None
    assert (span.frames, span.segments) == (20, 2)
    assert abs(span.first_frame_ms - START_US // 1000) <= 1
    assert abs(span.last_frame_ms - (START_US + 19 * 1_000_000 // 15) // 1000) <= 1
    assert spans([disk], "cam-001", 3) is None
    assert spans([disk], "cam-002", 1) is None
    assert numbers([disk], "cam-001") == [*range(20), *range(40, 45)]


@pytest.mark.parametrize(
    ("second", "why", "told"), [(40, "", 1), (20, "", 0), (40, "motion", 0)], ids=["a pause", "a short one", "no motion"]
)
def test_a_time_without_frames_is_told_where_footage_was_kept_all_the_time(tmp_path: Path, second: int, why: str, told: int) -> None:
    """15 frames a second: the first segment ends with frame 9; one on another disk repeats its beginning."""
    write_segment(tmp_path / "a", 10)
    write_segment(tmp_path / "b", 5)
    path = write_segment(tmp_path / "a", 5, first=second)
    found = read_segment(path)
    assert found is not None
    line = IndexLine(
        file=path.name,
        size_bytes=path.stat().st_size,
        frames=found.frames,
        first_frame_ms=found.first_frame_ms,
        last_frame_ms=found.last_frame_ms,
        why=why,
    )
    (path.parent / "rec-1.idx").write_bytes(line.encode())
    span = spans([tmp_path / "a", tmp_path / "b"], "cam-001", 1)
    assert span is not None
    assert len(span.pauses) == told
    for from_ms, until_ms in span.pauses:
        assert abs(from_ms - (START_US + 9 * 1_000_000 // 15) // 1000) <= 1
        assert until_ms == found.first_frame_ms


def test_frames_on_two_disks_count_once(tmp_path: Path) -> None:
    write_segment(tmp_path / "a", 10)
    write_segment(tmp_path / "b", 10, first=5)
    span = spans([tmp_path / "a", tmp_path / "b"], "cam-001", 1)
    assert span is not None
    assert (span.frames, span.segments) == (15, 2)


def test_an_index_is_rebuilt_and_then_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    first = write_segment(disk, 10)
    write_segment(disk, 10, first=10)
    write_segment(disk, 5, first=20, recorder="other")
    before = segments([disk], "cam-001", recorder="rec-1")
    assert rebuild(first.parent, "rec-1") == 2
    assert rebuild(first.parent, "rec-1") == 0
    monkeypatch.setattr("sysmanager.recorder.index.read_segment", lambda path: pytest.fail(f"{path} was read"))
    assert segments([disk], "cam-001", recorder="rec-1") == before


def test_a_torn_line_spoils_only_itself(tmp_path: Path) -> None:
    index = tmp_path / "rec-1.idx"
    lines = [IndexLine(file=f"{n}.ts", size_bytes=n, frames=n, first_frame_ms=n, last_frame_ms=n) for n in (1, 2, 3)]
    index.write_bytes(lines[0].encode() + lines[1].encode()[:20] + b"\xff\x00" + lines[2].encode())
    assert set(read_index(index)) == {"1.ts", "3.ts"}
    assert read_index(tmp_path / "none.idx") == {}


def test_a_line_for_another_size_is_not_believed(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    path = write_segment(disk, 10)
    rebuild(path.parent, "rec-1")
    os.truncate(path, path.stat().st_size // 2 // 188 * 188)
    (found,) = segments([disk], "cam-001")
    assert 0 < found.frames < 10


def test_a_segment_without_a_frame_is_nothing(tmp_path: Path) -> None:
    path = write_segment(tmp_path / "disk", 3)
    path.write_bytes(b"")
    assert read_segment(path) is None
    path.write_bytes(b"\x47garbage" * 500)
    assert read_segment(path) is None
