"""What of a camera's frames reaches its writer: nothing of a time that is off, everything else in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.recorder.camera_rules import CameraRules
from sysmanager.recorder.disks import DiskSet
from sysmanager.recorder.gate import Gate
from sysmanager.recorder.index import read_frames, segments
from sysmanager.recorder.material import CameraWriter, SegmentSettings
from sysmanager.recorder.preroll import PreRoll, RingSettings
from sysmanager.recorder.segments import Frame
from sysmanager.recorder.session import CameraPlan
from sysmanager.recorder.timetable import ALWAYS, Timetable
from tests.helpers.footage import H264, QUICK_DISKS, START_US, FaultyFileSystem, Gauge, marked_frames, small_clip
from tests.helpers.hours import turning

GATE = CameraPlan(id=CameraId("x"), name="Gate", url="rtsp://192.0.2.1/x")


class Site:
    """A camera's gate in front of a real writer and a folder."""

    def __init__(self, folder: Path, hours: Timetable) -> None:
        folder.mkdir()
        self.folder = folder
        self.gauge = Gauge()
        self.disks = DiskSet([folder], filesystem=FaultyFileSystem(), on_change=self.gauge.notice, settings=QUICK_DISKS)
        self.disks.start()
        assert self.disks.wait_tested(5.0)
        self.writer = CameraWriter("x", "A", self.disks, epoch=1, settings=SegmentSettings(), recorded=self.gauge.notice)
        self.gate = Gate(GATE, self.writer, CameraRules(hours=hours))

    def written_us(self) -> list[int]:
        """Capture times of what lies on the disk, after all was written."""
        self.gate.end()
        self.gauge.wait(self.writer.idle)
        self.disks.stop()
        return [frame.at_us for piece in segments([self.folder], "x") for frame in read_frames(piece.path)]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    clip = small_clip(tmp_path_factory.mktemp("clip"))
    return marked_frames(clip, 90)


def seconds(count: int) -> int:
    """Whole seconds after the first frame, in microseconds since 1970."""
    return (START_US // 1_000_000 + count) * 1_000_000


def cut(*edges: int) -> Timetable:
    """Off before the first of these seconds after the first frame, on until the second, off until the third, and so on."""
    return turning("oc", *(seconds(edge) // 1_000_000 for edge in edges))


def test_the_hours_of_these_tests() -> None:
    hours = cut(1, 3)
    modes = [hours.mode(seconds(at) // 1000).value for at in range(5)]
    assert modes == ["off", "continuous", "continuous", "off", "off"]


def test_no_frame_of_a_time_that_is_off_is_kept_and_it_begins_with_the_first_key_frame(frames: list[Frame], tmp_path: Path) -> None:
    site = Site(tmp_path / "disk", cut(1, 3))
    site.gate.begin(H264)
    taken = [site.gate.put(frame) for frame in frames]
    assert taken[0], "a frame that is not kept was used all the same"
    inside = [frame for frame in frames if seconds(1) <= frame.pts_us < seconds(3)]
    first = next(at for at, frame in enumerate(inside) if frame.key)
    written = site.written_us()
    assert len(written) == len(inside) - first
    assert abs(written[0] - inside[first].pts_us) < 100
    assert abs(written[-1] - inside[-1].pts_us) < 100


def test_each_time_is_a_piece_of_its_own(frames: list[Frame], tmp_path: Path) -> None:
    site = Site(tmp_path / "disk", cut(1, 2, 3, 4))
    site.gate.begin(H264)
    for frame in frames:
        site.gate.put(frame)
    site.written_us()
    assert len(segments([site.folder], "x")) == 2


def test_a_schedule_can_change_while_it_records(frames: list[Frame], tmp_path: Path) -> None:
    site = Site(tmp_path / "disk", ALWAYS)
    site.gate.begin(H264)
    for frame in frames[:30]:
        site.gate.put(frame)
    site.gate.follow(GATE, CameraRules(hours=cut(60)))
    for frame in frames[30:]:
        site.gate.put(frame)
    assert len(site.written_us()) == 30


def test_pre_roll_is_kept_from_when_its_time_began(frames: list[Frame], tmp_path: Path) -> None:
    site = Site(tmp_path / "disk", cut(2))
    held = PreRoll(RingSettings(keep_ms=60_000))
    held.begin(H264)
    for frame in frames[:60]:
        held.put(frame)
    held.record(site.gate)
    for frame in frames[60:]:
        held.put(frame)
    held.end()
    written = site.written_us()
    assert min(written) >= seconds(2) - 100
    first = next(frame for frame in frames if frame.key and frame.pts_us >= seconds(2))
    assert len(written) == sum(frame.pts_us >= first.pts_us for frame in frames)


def test_before_a_stream_there_are_no_frames(frames: list[Frame], tmp_path: Path) -> None:
    site = Site(tmp_path / "disk", cut(60))
    with pytest.raises(RuntimeError):
        site.gate.put(frames[0])
    site.disks.stop()
