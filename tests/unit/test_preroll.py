"""The last seconds of a camera: how far back they reach, what they cost, and that they are written first and once (SPEC 6)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysmanager.recorder import preroll as preroll_module
from sysmanager.recorder.disks import DiskSet
from sysmanager.recorder.index import read_frames, segments
from sysmanager.recorder.material import CameraWriter, SegmentSettings
from sysmanager.recorder.preroll import FrameRing, PreRoll, RingSettings
from sysmanager.recorder.segments import AudioKind, Frame, StreamKind
from sysmanager.simulation.cameras.clip import Clip
from tests.helpers.footage import H264, QUICK_DISKS, START_US, FaultyFileSystem, Gauge, marked_frames, numbers, small_clip

GOP_MS = 5 * 1000 // 15


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return small_clip(tmp_path_factory.mktemp("clip"))


def plain(count: int, *, first: int = 0, gop: int = 5, size: int = 10) -> list[Frame]:
    """Frames 100 ms apart; a key frame each `gop`."""
    return [Frame(b"x" * size, number % gop == 0, number * 100_000, number * 100_000) for number in range(first, first + count)]


def ring(keep_ms: int = 1_000, limit_bytes: int = 10_000) -> FrameRing:
    made = FrameRing(RingSettings(keep_ms=keep_ms, limit_bytes=limit_bytes))
    made.begin(H264)
    return made


def test_a_ring_reaches_back_as_far_as_it_was_told_and_at_most_one_group_further() -> None:
    kept = ring(keep_ms=1_000)
    for frame in plain(100):
        assert kept.put(frame)
        if frame.pts_us >= 1_500_000:
            assert 1_000 <= kept.reaches_ms(frame.pts_us) < 1_000 + 500
    frames = [frame for _, frame in kept.empty()]
    assert frames == plain(100)[-len(frames) :]
    assert frames[0].key
    assert (kept.size_bytes, kept.reaches_ms(10**9)) == (0, 0)


def test_a_ring_can_be_told_to_reach_further_or_less_far() -> None:
    kept = ring(keep_ms=1_000)
    for frame in plain(40):
        kept.put(frame)
    kept.resize(RingSettings(keep_ms=3_000))
    for frame in plain(40, first=40):
        kept.put(frame)
    assert 3_000 <= kept.reaches_ms(7_900_000) < 3_500
    kept.resize(RingSettings(keep_ms=500))
    kept.put(plain(1, first=80)[0])
    assert 500 <= kept.reaches_ms(8_000_000) <= 1_000


def test_a_ring_that_keeps_all_lets_go_only_what_is_beyond_its_memory() -> None:
    kept = ring(keep_ms=1_000, limit_bytes=400)
    kept.keep_all = True
    for frame in plain(30):
        kept.put(frame)
    assert kept.reaches_ms(2_900_000) == 2_900
    for frame in plain(30, first=30):
        kept.put(frame)
    assert 3_500 <= kept.reaches_ms(5_900_000) <= 4_000
    assert kept.size_bytes <= 400
    kept.keep_all = False
    for frame in plain(1, first=60):
        kept.put(frame)
    assert 1_000 <= kept.reaches_ms(6_000_000) < 1_500


def test_where_memory_is_short_it_reaches_less_far_and_says_so() -> None:
    kept = ring(keep_ms=5_000, limit_bytes=120)
    for frame in plain(100):
        kept.put(frame)
    assert kept.size_bytes <= 120
    assert kept.reaches_ms(9_900_000) == 900


def test_a_group_that_is_too_large_alone_is_given_up_up_to_the_next_key_frame() -> None:
    kept = ring(limit_bytes=45)
    taken = [kept.put(frame) for frame in plain(12, gop=10)]
    assert taken == [True] * 5 + [False] * 5 + [True, True]
    assert [frame.pts_us for _, frame in kept.empty()] == [1_000_000, 1_100_000]


def test_nothing_is_kept_before_a_key_frame_and_nothing_taken_before_a_session() -> None:
    kept = ring()
    assert [kept.put(frame) for frame in plain(3, first=3)] == [False, False, True]
    with pytest.raises(RuntimeError):
        FrameRing(RingSettings(keep_ms=1)).put(plain(1)[0])


def test_what_an_earlier_session_gave_stays_and_each_stream_has_its_kind() -> None:
    kept = ring(keep_ms=60_000)
    for frame in plain(7):
        kept.put(frame)
    kept.begin(H264)
    assert not kept.put(plain(1, first=8)[0])
    for frame in plain(5, first=10):
        kept.put(frame)
    kinds = [(kind is not None, frame.pts_us // 100_000) for kind, frame in kept.empty()]
    assert kinds == [(at in (0, 10), at) for at in (*range(7), *range(10, 15))]


def test_the_kind_of_a_stream_survives_its_first_group() -> None:
    kept = ring(keep_ms=100)
    for frame in plain(30):
        kept.put(frame)
    kinds = [kind for kind, _ in kept.empty()]
    assert kinds[0] == H264
    assert set(kinds[1:]) == {None}


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=80), st.integers(50, 400))
def test_a_ring_is_bounded_and_begins_with_a_key_frame(drawn: list[tuple[bool, int]], limit_bytes: int) -> None:
    kept = ring(limit_bytes=limit_bytes)
    for number, (key, size) in enumerate(drawn):
        kept.put(Frame(b"x" * size, key, number * 100_000, number * 100_000))
        assert kept.size_bytes <= limit_bytes
    frames = [frame for _, frame in kept.empty()]
    assert not frames or frames[0].key
    assert [frame.pts_us for frame in frames] == sorted(frame.pts_us for frame in frames)


# ---------------------------------------------------------------- taking over


class Rig:
    """A disk, a writer of one camera, and a pre-roll before it."""

    def __init__(self, folder: Path, keep_ms: int = 2_000) -> None:
        self.disk = folder / "disk"
        self.disk.mkdir()
        self.files = FaultyFileSystem()
        self.gauge = Gauge()
        self.disks = DiskSet([self.disk], filesystem=self.files, settings=QUICK_DISKS)
        settings = SegmentSettings(segment_ms=3_600_000)
        self.writer = CameraWriter("cam-001", "FO-1", self.disks, epoch=3, settings=settings, recorded=self.gauge.notice)
        self.preroll = PreRoll(RingSettings(keep_ms=keep_ms))
        self.disks.start()
        assert self.disks.wait_tested(5.0)

    def put(self, frames: list[Frame]) -> None:
        for frame in frames:
            assert self.preroll.put(frame)

    def numbers(self) -> list[int]:
        self.preroll.end()
        self.gauge.wait(self.writer.idle)
        return numbers([self.disk], "cam-001", 3)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.files.heal()
    rig.disks.stop()


def test_the_past_is_written_first_and_the_present_goes_on_behind_it(rig: Rig, clip: Clip) -> None:
    frames = marked_frames(clip, 100)
    rig.preroll.begin(H264)
    rig.put(frames[:60])
    reaches_ms = rig.preroll.reaches_ms(frames[59].pts_us)
    assert 2_000 <= reaches_ms <= 2_000 + GOP_MS
    rig.preroll.record(rig.writer)
    assert rig.preroll.reaches_ms(frames[59].pts_us) == 0
    rig.put(frames[60:])
    found = rig.numbers()
    assert found == list(range(found[0], 100))
    assert found[0] <= 60 - 2 * 15
    (segment,) = segments([rig.disk], "cam-001", 3)
    assert segment.first_frame_ms == frames[found[0]].pts_us // 1000


def test_a_slow_disk_gets_the_past_in_portions_and_no_frame_is_lost(rig: Rig, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preroll_module, "WAITING_LIMIT_BYTES", 2_000)
    frames = marked_frames(clip, 80)
    rig.preroll.begin(H264)
    rig.put(frames[:60])
    rig.files.slow(rig.disk, 0.01)
    rig.preroll.record(rig.writer)
    assert rig.writer.waiting_bytes < 6_000
    rig.put(frames[60:])
    rig.files.heal()
    found = rig.numbers()
    assert found == list(range(found[0], 80))


def test_a_session_that_breaks_while_the_past_is_written_loses_none_of_it(rig: Rig, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preroll_module, "WAITING_LIMIT_BYTES", 1)
    frames = marked_frames(clip, 80)
    rig.preroll.begin(H264)
    rig.put(frames[:40])
    rig.preroll.record(rig.writer)
    rig.preroll.begin(H264)
    rig.put(frames[60:])
    assert rig.numbers() == [*range(5, 40), *range(60, 80)]


def test_taking_over_before_the_first_key_frame_records_from_it(rig: Rig, clip: Clip) -> None:
    frames = marked_frames(clip, 20)
    rig.preroll.begin(H264)
    rig.preroll.record(rig.writer)
    assert [rig.preroll.put(frame) for frame in frames[3:6]] == [False, False, True]
    rig.put(frames[6:])
    assert rig.numbers() == list(range(5, 20))


def test_taking_over_before_the_session_is_there_records_when_it_comes(rig: Rig, clip: Clip) -> None:
    rig.preroll.record(rig.writer)
    rig.preroll.begin(H264)
    rig.put(marked_frames(clip, 20))
    assert rig.numbers() == list(range(20))
    with pytest.raises(RuntimeError):
        rig.preroll.record(rig.writer)


def test_a_held_session_that_ends_leaves_nothing(rig: Rig, clip: Clip) -> None:
    rig.preroll.begin(H264)
    rig.put(marked_frames(clip, 20))
    rig.preroll.end()
    assert not list(rig.disk.rglob("*.ts"))


def test_a_group_that_makes_no_segment_is_counted_and_the_next_key_frame_begins_one(rig: Rig, clip: Clip) -> None:
    kind = StreamKind(codec="h264", audio=AudioKind(codec="pcm_alaw", rate=8000))
    garbage = [Frame(b"no picture", number == 0, START_US + number * 1000, START_US + number * 1000) for number in range(3)]
    rig.writer.begin(kind)
    for frame in garbage:
        rig.writer.put(frame)
    for frame in marked_frames(clip, 10, start_us=START_US + 1_000_000):
        rig.writer.put(frame)
    rig.writer.end()
    rig.gauge.wait(rig.writer.idle)
    assert rig.writer.damaged_frames == 1
    assert len([*read_frames(next(rig.disk.rglob("*.nut")))]) == 10
