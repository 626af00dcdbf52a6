"""The gate of a camera that records at motion: what is looked at, what cannot be looked at, what a heartbeat shows (SPEC 16)."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.documents import CameraSettings, MasksDocument, MotionMask, SchedulesDocument, SettingsDocument
from sysmanager.domain.ids import CameraId
from sysmanager.domain.schedule import week_of
from sysmanager.recorder import gate as module
from sysmanager.recorder.camera_rules import LEAST_BYTES, CameraRules, camera_rules
from sysmanager.recorder.disks import DiskSet
from sysmanager.recorder.gate import LATE_S, TOO_SLOW, Gate
from sysmanager.recorder.index import read_frames, segments
from sysmanager.recorder.material import CameraWriter, SegmentSettings
from sysmanager.recorder.motion_cut import CutSettings
from sysmanager.recorder.motion_eye import Eye, Look
from sysmanager.recorder.segments import Frame
from sysmanager.recorder.session import CameraPlan
from sysmanager.recorder.timetable import Timetable
from tests.helpers.footage import H264, QUICK_DISKS, START_US, FaultyFileSystem, Gauge, marked_frames, small_clip
from tests.helpers.hours import turning

GATE = CameraPlan(id=CameraId("x"), name="Gate", url="rtsp://192.0.2.1/x")
AT_MOTION = Timetable(week_of(RecordingMode.MOTION, None), lambda _at_s: 0)
CUT = CutSettings(before_us=1_000_000, after_us=1_000_000)
STARTS_S = START_US // 1_000_000


class Watcher:
    """Looks at nothing by itself: the test says what it sees."""

    def __init__(self) -> None:
        self.looks: list[tuple[Eye, Look]] = []

    def look(self, eye: Eye, look: Look) -> None:
        self.looks.append((eye, look))

    def tell(self, *, moved: bool = False, why: str = "") -> None:
        """Of all that waits."""
        while self.looks:
            eye, look = self.looks.pop(0)
            if look.judge:
                eye.tell(look.frame.pts_us, moved, why)


class Rig:
    def __init__(self, folder: Path, rules: CameraRules) -> None:
        folder.mkdir()
        self.folder = folder
        self.gauge = Gauge()
        self.disks = DiskSet([folder], filesystem=FaultyFileSystem(), on_change=self.gauge.notice, settings=QUICK_DISKS)
        self.disks.start()
        assert self.disks.wait_tested(5.0)
        self.writer = CameraWriter("x", "A", self.disks, epoch=1, settings=SegmentSettings(), recorded=self.gauge.notice)
        self.watcher = Watcher()
        self.now_s = 100.0
        self.gate = Gate(GATE, self.writer, rules, self.watcher, clock=lambda: self.now_s)
        self.gate.begin(H264)

    def put(self, frames: list[Frame], *, moved: bool = False, why: str = "") -> None:
        for frame in frames:
            self.gate.put(frame)
            self.watcher.tell(moved=moved, why=why)

    def written(self) -> list[tuple[str, int, int]]:
        """Of each piece why it was kept, and its first and last frame by number."""
        self.gate.end()
        self.gauge.wait(self.writer.idle)
        self.disks.stop()
        found = []
        for piece in segments([self.folder], "x"):
            numbers = [round((frame.at_us - START_US) * 15 / 1_000_000) for frame in read_frames(piece.path)]
            found.append((piece.why, min(numbers), max(numbers)))
        return found


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    """15 a second, a key frame every third of a second."""
    return marked_frames(small_clip(tmp_path_factory.mktemp("clip")), 240)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "disk", CameraRules(hours=AT_MOTION, cut=CUT))


def test_only_some_key_frames_are_looked_at(rig: Rig, frames: list[Frame]) -> None:
    for frame in frames[:60]:
        assert rig.gate.put(frame)
    looked = [look.frame for _, look in rig.watcher.looks]
    assert all(frame.key for frame in looked)
    assert [round((frame.pts_us - START_US) * 15 / 1e6) for frame in looked] == [0, 10, 20, 30, 40, 50]
    rig.disks.stop()


def test_a_finer_rate_decodes_everything_and_looks_as_often_as_asked(tmp_path: Path, frames: list[Frame]) -> None:
    rig = Rig(tmp_path / "disk", CameraRules(hours=AT_MOTION, cut=CUT, pictures_per_s=5))
    for frame in frames[:60]:
        rig.gate.put(frame)
    assert len(rig.watcher.looks) == 60
    assert [round((look.frame.pts_us - START_US) * 15 / 1e6) for _, look in rig.watcher.looks if look.judge] == list(range(0, 60, 3))
    rig.disks.stop()


def test_nothing_moves_nothing_is_written_and_the_camera_waits(rig: Rig, frames: list[Frame]) -> None:
    rig.put(frames)
    now_ms = frames[-1].pts_us // 1000
    assert rig.gate.waits_for_motion(now_ms)
    assert rig.gate.watched_ms == (frames[0].pts_us // 1000, now_ms)
    rig.gate.set_epoch(2)
    assert rig.gate.watched_ms == (0, 0)
    assert rig.written() == []


def test_a_motion_is_written_and_the_index_says_why(rig: Rig, frames: list[Frame]) -> None:
    rig.put(frames[:90])
    rig.put(frames[90:91], moved=True)
    rig.put(frames[91:100])
    assert not rig.gate.waits_for_motion(frames[100].pts_us // 1000)
    rig.put(frames[100:])
    assert rig.gate.waits_for_motion(frames[-1].pts_us // 1000)
    assert rig.written() == [("motion", 75, 105)]


def test_what_cannot_be_looked_at_is_recorded_and_said(rig: Rig, frames: list[Frame]) -> None:
    rig.put(frames[:60])
    with capture_logs() as logs:
        rig.put(frames[60:120], why="no picture came out of it")
        assert rig.gate.trouble == "no picture came out of it"
        rig.put(frames[120:])
    assert rig.gate.trouble == ""
    assert [(line["log_level"], line.get("why")) for line in logs] == [("warning", "no picture came out of it"), ("info", None)]
    (piece,) = rig.written()
    assert piece[1] <= 60
    assert piece[2] >= 119


@pytest.fixture
def silent(rig: Rig) -> Rig:
    """Nobody looks any more."""
    rig.watcher.tell = lambda **_: None  # type: ignore[method-assign]
    return rig


def test_what_is_not_looked_at_in_time_is_recorded(silent: Rig, frames: list[Frame]) -> None:
    for frame in frames:
        silent.now_s += 1 / 15
        silent.put([frame])
    assert silent.gate.trouble == TOO_SLOW
    (piece,) = silent.written()
    assert piece[1] <= (LATE_S + 0.5) * 15
    assert piece[2] == 239


def test_a_pause_of_the_machine_does_not_lose_what_waits(silent: Rig, frames: list[Frame]) -> None:
    silent.put(frames[:30])
    silent.now_s += 3_600
    silent.put(frames[30:])
    assert silent.written()[0][1] <= 15


def test_too_much_that_waits_is_recorded(silent: Rig, frames: list[Frame], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_LIMIT", 5)
    silent.put(frames)
    assert silent.gate.trouble == TOO_SLOW
    assert silent.written()


def hours(letters: str, *seconds: int) -> CameraRules:
    return CameraRules(hours=turning(letters, *(STARTS_S + second for second in seconds)), cut=CUT)


def test_from_motion_to_continuous_and_back(tmp_path: Path, frames: list[Frame]) -> None:
    rig = Rig(tmp_path / "disk", hours("mc", 4, 8))
    rig.put(frames)
    pieces = rig.written()
    assert [why for why, _, _ in pieces] == ["continuous"]
    assert 35 <= pieces[0][1] <= 60, "with what waited when it began"
    assert pieces[0][2] == 119


def test_what_is_off_is_not_kept_for_a_motion_that_follows(tmp_path: Path, frames: list[Frame]) -> None:
    rig = Rig(tmp_path / "disk", hours("om", 4))
    rig.put(frames, moved=True)
    assert rig.written() == [("motion", 60, 239)]


def test_a_motion_that_is_told_after_the_time_ended_is_kept(tmp_path: Path, frames: list[Frame]) -> None:
    rig = Rig(tmp_path / "disk", hours("mo", 4))
    for frame in frames[:60]:
        rig.gate.put(frame)
    waiting = rig.watcher.looks.copy()
    for frame in frames[60:]:
        rig.gate.put(frame)
    rig.watcher.looks = waiting
    rig.watcher.tell(moved=True)
    (piece,) = rig.written()
    assert piece[2] == 59


def test_after_a_time_without_looking_it_is_learnt_anew(tmp_path: Path, frames: list[Frame], monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[int] = []
    monkeypatch.setattr(Eye, "forget", lambda self: forgotten.append(1))
    rig = Rig(tmp_path / "disk", hours("mc", 4, 8))
    rig.put(frames)
    assert forgotten == [1]
    rig.disks.stop()


def test_another_mask_is_another_eye(rig: Rig, frames: list[Frame]) -> None:
    rig.gate.put(frames[0])
    rig.gate.follow(GATE, CameraRules(hours=AT_MOTION, cut=CUT))
    for frame in frames[1:11]:
        rig.gate.put(frame)
    rig.gate.follow(GATE, CameraRules(hours=AT_MOTION, cut=CUT, mask=MotionMask(blocked=(1,))))
    for frame in frames[11:21]:
        rig.gate.put(frame)
    first, second, third = (eye for eye, _ in rig.watcher.looks)
    assert first is second
    assert third is not second
    rig.disks.stop()


def test_without_anybody_who_looks_everything_is_recorded(rig: Rig, frames: list[Frame]) -> None:
    rig.gate = Gate(GATE, rig.writer, CameraRules(hours=AT_MOTION, cut=CUT))
    rig.gate.begin(H264)
    rig.put(frames)
    assert rig.written() == [("motion", 0, 239)]


def test_the_rules_of_cameras_come_from_three_documents() -> None:
    cameras = (
        CameraSettings(id=CameraId("a"), name="a", mode=RecordingMode.MOTION, motion_before_s=3, motion_after_s=20, motion_per_s=4),
        CameraSettings(id=CameraId("b"), name="b", bitrate_kbps=8_000),
    )
    mask = MotionMask(blocked=(1,), sensitivity=70)
    week = ("o" * 96,) * 7
    found = camera_rules(
        SettingsDocument(name="A", cameras=cameras),
        MasksDocument(masks={CameraId("a"): mask}),
        SchedulesDocument(time_zone="UTC", schedules={CameraId("b"): week}),
    )
    one, other = found[CameraId("a")], found[CameraId("b")]
    assert (one.hours.mode(0), one.mask, one.pictures_per_s) == (RecordingMode.MOTION, mask, 4)
    assert (one.cut.before_us, one.cut.after_us, one.cut.limit_bytes) == (3_000_000, 20_000_000, 2 * 2_000 * 125 * 73)
    assert (other.hours.mode(0), other.mask) == (RecordingMode.OFF, MotionMask())
    assert other.cut.limit_bytes > LEAST_BYTES
    assert camera_rules(SettingsDocument(name="A", cameras=cameras))[CameraId("b")].hours.mode(0) is RecordingMode.CONTINUOUS
