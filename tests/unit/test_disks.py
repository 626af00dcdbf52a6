"""Material disks that hang, fail, fill, vanish and come back; and that no frame is lost by it while one disk is left."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec
import pytest

from sysmanager.recorder.disks import DiskSet, DiskSettings, DiskState, late_problem, settings_for
from sysmanager.recorder.diskwriter import DiskFile, FileOwner
from sysmanager.recorder.index import read_index, spans
from sysmanager.recorder.material import CameraWriter, Recorded, SegmentSettings
from sysmanager.recorder.muxers import Muxer, muxer_for
from sysmanager.recorder.segments import AudioKind, Frame, StreamKind
from sysmanager.simulation.cameras.clip import Clip
from tests.helpers.footage import H264, QUICK_DISKS, START_US, WAIT_S, FaultyFileSystem, Gauge, marked_frames, marks, numbers, small_clip

LONG = SegmentSettings(segment_ms=3_600_000)


class Rig:
    """Two material disks, one camera's writer, and what they said."""

    def __init__(self, folder: Path, clip: Clip, settings: DiskSettings = QUICK_DISKS, segment: SegmentSettings = LONG) -> None:
        self.clip = clip
        self.files = FaultyFileSystem()
        self.paths = [folder / "a", folder / "b"]
        for path in self.paths:
            path.mkdir()
        self.gauge = Gauge()
        self.disks = DiskSet(self.paths, filesystem=self.files, settings=settings, on_change=self.gauge.notice)
        self.recorded: list[Recorded] = []
        self.writer = CameraWriter("cam-001", "rec-1", self.disks, epoch=1, settings=segment, recorded=self._recorded)
        self.disks.listen(lambda _states: self.writer.retry())
        self.disks.start()
        assert self.disks.wait_tested(5.0)
        self.next = 0

    def _recorded(self, recorded: Recorded) -> None:
        self.recorded.append(recorded)
        self.gauge.notice(recorded)

    def put(self, count: int) -> None:
        for frame in marked_frames(self.clip, count, first=self.next):
            assert self.writer.put(frame)
        self.next += count

    def state(self, path: Path) -> DiskState:
        return next(state for state in self.disks.states() if state.path == str(path))

    def used(self) -> Path:
        """The disk that holds the newest segment."""
        return max(self.paths, key=lambda path: max((p.stat().st_mtime_ns for p in path.rglob("*.ts")), default=0))

    def wait_recorded(self, count: int) -> None:
        self.gauge.wait(lambda: len(self.recorded) >= count)

    def close(self) -> None:
        self.writer.end()
        self.gauge.wait(self.writer.idle)
        self.disks.stop()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return small_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def rig(tmp_path: Path, clip: Clip) -> Iterator[Rig]:
    rig = Rig(tmp_path, clip)
    rig.writer.begin(H264)
    yield rig
    rig.files.heal()
    rig.disks.stop()


def test_frames_are_reported_once_each_when_written(rig: Rig) -> None:
    rig.put(12)
    rig.wait_recorded(12)
    rig.close()
    assert [recorded.frame_ms for recorded in rig.recorded] == [frame.pts_us // 1000 for frame in marked_frames(rig.clip, 12)]
    assert numbers(rig.paths, "cam-001") == list(range(12))


def test_segments_are_cut_at_key_frames_without_losing_or_doubling(tmp_path: Path, clip: Clip) -> None:
    rig = Rig(tmp_path, clip, segment=SegmentSettings(segment_ms=600))
    rig.writer.begin(H264)
    rig.put(50)
    rig.close()
    assert numbers(rig.paths, "cam-001", 1) == list(range(50))
    span = spans(rig.paths, "cam-001", 1)
    assert span is not None
    assert (span.frames, span.segments) == (50, 5)


def test_a_new_epoch_and_a_new_stream_begin_new_segments(rig: Rig) -> None:
    rig.put(7)
    rig.writer.set_epoch(9)
    rig.put(5)
    rig.writer.begin(H264)
    late = marked_frames(rig.clip, 5, first=12)
    assert [rig.writer.put(frame) for frame in late] == [False, False, False, True, True]
    rig.close()
    assert numbers(rig.paths, "cam-001", 1) == list(range(10))
    assert numbers(rig.paths, "cam-001", 9) == [10, 11, 15, 16]


def test_a_segment_that_cannot_be_completed_holds_nothing_up(rig: Rig) -> None:
    """With sound FFmpeg looks at a picture only when more follows, or at the end."""
    rig.writer.begin(StreamKind(codec="h264", audio=AudioKind(codec="aac", rate=48_000, extradata=bytes.fromhex("1188"))))
    assert rig.writer.put(Frame(b"\xff" * 3, True, START_US, START_US))
    rig.writer.end()
    rig.gauge.wait(rig.writer.idle)
    assert rig.writer.damaged_frames == 1


class NotThere:
    """Disks of which none can be written, until they come."""

    def __init__(self, disks: DiskSet) -> None:
        self._disks = disks
        self.there = False

    def open(self, relative: PurePosixPath, spread_by: str, owner: FileOwner) -> DiskFile | None:
        return self._disks.open(relative, spread_by, owner) if self.there else None


def test_what_waits_for_a_disk_and_cannot_be_stored_keeps_nothing_else_waiting(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two streams wait; of the older the first second is given up for want of memory, and what follows it makes no segment."""
    disks = NotThere(rig.disks)
    settings = SegmentSettings(segment_ms=3_600_000, memory_limit_bytes=20_000)
    writer = CameraWriter("cam-001", "rec-1", disks, epoch=1, settings=settings, recorded=rig.gauge.notice)
    broken = b"\0\0\0\1broken"

    def make(kind: StreamKind, start_ms: int, first: Frame) -> Muxer:
        if first.data == broken:
            raise ValueError("planted")
        return muxer_for(kind, start_ms, first)

    monkeypatch.setattr("sysmanager.recorder.material.muxer_for", make)
    good = [frame for frame in marked_frames(rig.clip, 40) if frame.key]
    second_us = good[1].dts_us - good[0].dts_us

    def put(place: int, data: bytes) -> None:
        at_us = START_US + place * second_us
        assert writer.put(Frame(data, True, at_us, at_us))

    writer.begin(H264)
    put(0, good[0].data + b"\0" * 10_000)
    put(1, broken)
    put(2, good[1].data)
    writer.begin(H264)
    put(3, broken)
    writer.begin(H264)
    put(4, good[2].data + b"\0" * 10_000)
    assert writer.lost_frames == 1
    disks.there = True
    writer.retry()
    writer.end()
    rig.gauge.wait(writer.idle)
    assert writer.damaged_frames == 2
    assert len(numbers(rig.paths, "cam-001")) == 2


def test_who_fails_when_a_disk_is_lost_keeps_it_from_no_other(rig: Rig) -> None:
    class Failing:
        """The owner of a file that can't hear that its disk is lost."""

        def accepted(self, file_bytes: int) -> None: ...

        def synced(self, file_bytes: int) -> None: ...

        def closed(self, path: Path, file_bytes: int) -> None: ...

        def lost(self, problem: str) -> None:
            raise RuntimeError("planted")

    def fail(_states: tuple[DiskState, ...]) -> None:
        raise RuntimeError("planted")

    rig.disks.listen(fail)
    for number in range(8):
        assert rig.disks.open(PurePosixPath(f"cam-{number}/2026-01-01/x.ts"), f"cam-{number}", Failing()) is not None
    rig.put(10)
    rig.wait_recorded(10)
    for path in rig.paths:  # one after the other, so that the watch has to go on after both
        rig.files.hang(path)
        rig.gauge.wait(lambda path=path: not rig.state(path).writable)  # type: ignore[misc]
    rig.files.heal()
    rig.gauge.wait(lambda: any(state.writable for state in rig.disks.states()))
    rig.put(10)
    rig.wait_recorded(20)
    rig.close()
    assert sorted(set(numbers(rig.paths, "cam-001"))) == list(range(20))


def test_a_complete_segment_has_a_line_in_the_index(rig: Rig) -> None:
    rig.put(10)
    rig.close()
    (segment,) = rig.used().rglob("*.ts")
    line = read_index(segment.with_name("rec-1.idx"))[segment.name]
    assert (line.frames, line.size_bytes) == (10, segment.stat().st_size)


def test_a_name_that_is_taken_is_not_written_over(rig: Rig) -> None:
    rig.put(5)
    rig.close()
    (first,) = rig.used().rglob("*.ts")
    content = first.read_bytes()
    disks = DiskSet([rig.used()], settings=QUICK_DISKS)
    disks.start()
    assert disks.wait_tested(5.0)
    writer = CameraWriter("cam-001", "rec-1", disks, epoch=1, settings=LONG, recorded=rig.gauge.notice)
    writer.begin(H264)
    for frame in marked_frames(rig.clip, 5):
        writer.put(frame)
    writer.end()
    rig.gauge.wait(writer.idle)
    disks.stop()
    assert first.read_bytes() == content
    assert first.with_name(first.stem + "-1.ts").exists()


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS, errno.ENOENT, errno.EACCES])
def test_a_disk_that_fails_is_lost_and_its_frames_go_to_the_other(rig: Rig, number: int) -> None:
    rig.put(13)
    rig.wait_recorded(13)
    bad = rig.used()
    rig.files.fail(bad, number)
    rig.put(12)
    rig.wait_recorded(25)
    state = rig.state(bad)
    assert not state.writable
    assert state.problem.endswith(".")
    assert str(bad) in state.problem
    rig.close()
    assert set(numbers(rig.paths, "cam-001")) == set(range(25))
    good = next(path for path in rig.paths if path != bad)
    kept = numbers([good], "cam-001")
    assert kept == list(range(kept[0], 25))
    span = spans(rig.paths, "cam-001", 1)
    assert span is not None
    assert span.frames == 25


def test_a_disk_that_hangs_is_lost_in_time_and_disturbs_nobody(rig: Rig) -> None:
    rig.put(11)
    rig.wait_recorded(11)
    bad = rig.used()
    rig.files.hang(bad)
    begun = time.monotonic()
    rig.put(9)
    assert time.monotonic() - begun < QUICK_DISKS.hang_limit_s
    rig.wait_recorded(20)
    assert time.monotonic() - begun < QUICK_DISKS.hang_limit_s + 2.0
    # On a busy machine the disk's thread has its turn late: then the bytes have waited longer than the call that hangs.
    assert any(words in rig.state(bad).problem for words in ("does not answer", "too slow"))
    rig.put(10)
    rig.close()
    good = next(path for path in rig.paths if path != bad)
    kept = numbers([good], "cam-001")
    assert kept == list(range(kept[0], 30))
    assert kept[0] <= 11
    assert [recorded.frame_ms for recorded in rig.recorded] == [frame.pts_us // 1000 for frame in marked_frames(rig.clip, 30)]


def test_stuck_threads_of_a_hanging_disk_are_few(rig: Rig) -> None:
    rig.files.hang(rig.paths[0])
    rig.gauge.wait(lambda: not rig.state(rig.paths[0]).writable)
    done = threading.Event()
    done.wait(QUICK_DISKS.retry_every_s * 8 + QUICK_DISKS.hang_limit_s * 3)
    stuck = [thread for thread in threading.enumerate() if thread.name == f"disk {rig.paths[0]}"]
    assert 1 <= len(stuck) <= QUICK_DISKS.stuck_threads
    rig.files.heal()
    rig.gauge.wait(lambda: rig.state(rig.paths[0]).writable)


@pytest.mark.parametrize(
    ("busy_s", "behind_s", "last", "said"),
    [
        (0.0, 0.0, False, ""),
        (1.5, 1.5, False, ""),
        (1.6, 0.0, False, "does not answer"),
        (1.6, 1.7, True, "does not answer"),
        (1.4, 1.6, False, "does not answer"),  # what waits was there a moment before the call that hangs
        (0.2, 1.6, False, "is too slow"),
        (0.2, 1.6, True, ""),
        (1.4, 1.6, True, ""),
    ],
)
def test_a_disk_that_hangs_is_told_from_one_that_is_slow(busy_s: float, behind_s: float, last: bool, said: str) -> None:
    problem = late_problem(Path("d"), busy_s, behind_s, 1.5, last=last)
    assert said in problem
    assert bool(problem) == bool(said)


def test_a_slow_disk_is_left_for_a_faster_one_but_the_last_is_kept(tmp_path: Path, clip: Clip) -> None:
    settings = DiskSettings(hang_limit_s=0.3, tick_s=0.02, retry_every_s=60.0, reserve_bytes=1000)
    rig = Rig(tmp_path, clip, settings)
    rig.writer.begin(H264)
    rig.put(5)
    rig.wait_recorded(5)
    slow = rig.used()
    rig.files.slow(slow, 0.05)
    rig.put(20)
    rig.wait_recorded(25)
    assert "too slow" in rig.state(slow).problem
    last = next(path for path in rig.paths if path != slow)
    rig.files.slow(last, 0.05)
    rig.put(20)
    rig.wait_recorded(45)
    assert rig.state(last).writable
    rig.close()
    assert set(numbers([last], "cam-001")) >= set(range(25, 45))


def test_a_full_disk_is_left_before_it_fails(rig: Rig) -> None:
    rig.put(10)
    rig.wait_recorded(10)
    bad = rig.used()
    rig.files.fill(bad, 999)
    rig.gauge.wait(lambda: not rig.state(bad).writable)
    assert "full" in rig.state(bad).problem
    assert rig.state(bad).free_bytes == 999
    rig.put(10)
    rig.wait_recorded(20)
    rig.files.heal()
    rig.gauge.wait(lambda: rig.state(bad).writable)
    rig.close()
    assert set(numbers(rig.paths, "cam-001")) == set(range(20))


def test_a_folder_that_vanishes_is_lost_and_is_not_made_anew(rig: Rig) -> None:
    bad = rig.paths[1]
    away = bad.rename(bad.with_name("away"))
    rig.gauge.wait(lambda: not rig.state(bad).writable)
    assert "is not there" in rig.state(bad).problem
    assert not bad.exists()
    away.rename(bad)
    rig.gauge.wait(lambda: rig.state(bad).writable)


def test_without_any_disk_frames_wait_until_one_comes_back(rig: Rig) -> None:
    for path in rig.paths:
        rig.files.fail(path)
    rig.gauge.wait(lambda: not any(state.writable for state in rig.disks.states()))
    rig.put(12)
    assert not rig.recorded
    rig.files.heal()
    rig.wait_recorded(12)
    rig.close()
    assert numbers(rig.paths, "cam-001") == list(range(12))


def test_what_waits_is_limited_by_whole_groups_of_pictures(tmp_path: Path, clip: Clip) -> None:
    frames = marked_frames(clip, 60)
    limit = sum(len(frame.data) for frame in frames[-20:])
    rig = Rig(tmp_path, clip, segment=SegmentSettings(segment_ms=3_600_000, memory_limit_bytes=limit))
    rig.writer.begin(H264)
    for path in rig.paths:
        rig.files.fail(path)
    rig.gauge.wait(lambda: not any(state.writable for state in rig.disks.states()))
    rig.put(60)
    lost = rig.writer.lost_frames
    assert lost >= 35
    rig.files.heal()
    rig.wait_recorded(60 - lost)
    rig.close()
    assert numbers(rig.paths, "cam-001") == list(range(lost, 60))
    assert lost % 5 == 0


def test_a_queue_that_overflows_loses_the_disk_not_the_frames(tmp_path: Path, clip: Clip) -> None:
    settings = DiskSettings(
        hang_limit_s=60.0, tick_s=0.02, health_every_s=60.0, retry_every_s=60.0, reserve_bytes=1000, queue_limit_bytes=20_000, burst_s=0.1
    )
    rig = Rig(tmp_path, clip, settings)
    rig.writer.begin(H264)
    rig.put(5)
    rig.wait_recorded(5)
    bad = rig.used()
    rig.files.hang(bad)
    rig.put(50)  # more than the limit, but in one burst
    while rig.state(bad).writable:
        rig.put(5)
        rig.gauge.pause()
        assert rig.next < 5000
    assert "too slow" in rig.state(bad).problem
    good = next(path for path in rig.paths if path != bad)
    rig.wait_recorded(rig.next)
    rig.close()
    rig.files.heal()
    kept = numbers([good], "cam-001")
    assert kept == list(range(kept[0], rig.next))


def test_open_files_are_synced_now_and_then(rig: Rig) -> None:
    before = rig.files.syncs
    rig.put(5)
    rig.gauge.wait(lambda: rig.files.syncs > before)


def test_what_is_written_together_is_taken_when_it_is_handed_over(rig: Rig) -> None:
    for turn in range(1, 4):
        rig.disks.hold()
        rig.put(10)
        rig.disks.hand_over()
        rig.wait_recorded(10 * turn)
    rig.disks.hold()  # by one that dies before it hands over: a disk looks for itself now and then
    rig.put(10)
    rig.wait_recorded(40)


def test_what_comes_after_frames_that_were_handed_over_waits_for_no_others(tmp_path: Path, clip: Clip) -> None:
    """Who hands over has gathered; the disk's own patience is for frames that come one by one."""
    rig = Rig(tmp_path, clip, settings=msgspec.structs.replace(QUICK_DISKS, gather_s=2 * WAIT_S))
    rig.writer.begin(H264)
    rig.disks.hold()
    rig.put(10)
    rig.disks.hand_over()
    rig.wait_recorded(10)
    rig.put(1)
    rig.wait_recorded(11)
    rig.close()


def test_damaged_frames_are_counted_and_passed_over(rig: Rig) -> None:
    at_us = marked_frames(rig.clip, 1)[0].pts_us
    assert rig.writer.put(Frame(b"no start code", True, at_us - 1, at_us - 1))
    rig.put(8)
    rig.close()
    assert rig.writer.damaged_frames == 1
    assert numbers(rig.paths, "cam-001") == list(range(8))


def test_a_clock_that_was_set_back_begins_a_new_segment(rig: Rig) -> None:
    rig.put(10)
    for frame in marked_frames(rig.clip, 10, first=10, start_us=marked_frames(rig.clip, 1)[0].pts_us - 60_000_000):
        assert rig.writer.put(frame)
    rig.close()
    assert len(rig.recorded) == 20
    found = [marks(path) for path in sorted(rig.used().rglob("*.ts"))]
    assert [[number for number, _ in segment] for segment in found] == [list(range(10, 20)), list(range(10))]
    assert max(abs(error_us) for segment in found for _, error_us in segment) <= 20


def test_cameras_are_spread_over_the_disks(rig: Rig) -> None:
    class Owner:
        def accepted(self, file_bytes: int) -> None: ...
        def synced(self, file_bytes: int) -> None: ...
        def closed(self, path: Path, file_bytes: int) -> None: ...
        def lost(self, problem: str) -> None: ...

    def place(camera: str) -> Path:
        file = rig.disks.open(PurePosixPath(camera) / "day" / f"{time.monotonic_ns()}.ts", camera, Owner())
        assert file is not None
        file.close()
        return file.path.parent.parent.parent

    places = {camera: place(camera) for camera in (f"cam-{number}" for number in range(60))}
    shares = [sum(1 for path in places.values() if path == disk) for disk in rig.paths]
    assert min(shares) >= 15
    assert all(place(camera) == path for camera, path in places.items())


@pytest.mark.parametrize(("minimum_free_mb", "reserve_mb"), [(64, 32), (100, 50), (128, 64), (1024, 64)])
def test_a_disk_is_full_well_below_what_retention_keeps_free(minimum_free_mb: int, reserve_mb: int) -> None:
    """At one threshold the disk is lost and found again each time before the oldest footage has gone."""
    assert settings_for(minimum_free_mb << 20).reserve_bytes == reserve_mb << 20
