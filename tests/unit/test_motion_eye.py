"""Decoding for motion: pictures of every codec that is recorded, garbage, streams that must not be decoded (SPEC 16)."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sysmanager.domain.documents import MotionMask
from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.door import FreeDoor, Guest, Visit
from sysmanager.recorder.motion_eye import CannotSee, Eye, Look, MotionWatch
from sysmanager.recorder.motion_sight import small_grey
from sysmanager.recorder.reconnect import Problem
from sysmanager.recorder.segments import Frame, StreamKind
from sysmanager.recorder.session import CameraPlan
from sysmanager.simulation.cameras.scenes import Scene, luma

GATE = CameraPlan(id=CameraId("x"), name="Gate", url="rtsp://192.0.2.1/x")
COUNT, GOP = 60, 5
CODECS = {"h264": "libx264", "hevc": "libx265", "mjpeg": "mjpeg", "mpeg4": "mpeg4"}


def encoded(codec: str, scene: Scene, *, reordered: bool = False) -> list[Frame]:
    """A loop of the scene, five pictures a second. reordered: with pictures that depend on later ones."""
    context = av.VideoCodecContext.create(CODECS[codec], "w")
    context.width, context.height, context.time_base = 320, 192, Fraction(1, 5)
    context.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    context.gop_size = GOP
    context.max_b_frames = 2 if reordered else 0
    if codec == "h264":
        context.options = {"preset": "ultrafast", "bf": "2" if reordered else "0", "sc_threshold": "0", "crf": "24"}
    if codec == "hevc":
        context.options = {"preset": "ultrafast", "x265-params": f"log-level=none:bframes=0:keyint={GOP}:min-keyint={GOP}:scenecut=0"}
    packets: list[av.Packet] = []
    for number in range(COUNT):
        planes = np.full((288, 320), 128, np.uint8)
        planes[:192] = luma(scene, number, COUNT, 320, 192)
        picture = av.VideoFrame.from_ndarray(planes, format="yuv420p").reformat(format=context.pix_fmt)
        picture.pts, picture.time_base = number, Fraction(1, 5)
        packets += context.encode(picture)
    packets += context.encode(None)
    return [Frame(bytes(p), p.is_keyframe, (p.pts or 0) * 200_000, (p.dts or 0) * 200_000) for p in packets]


def eye(*, every_frame: bool = False, mask: MotionMask | None = None) -> Eye:
    return Eye(GATE, mask or MotionMask(), lambda *_: None, every_frame=every_frame)


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_a_visitor_is_seen_in_key_frames_of_every_codec(codec: str) -> None:
    kind, looker = StreamKind(codec=codec), eye()
    stream = [frame for frame in encoded(codec, Scene.VISITOR) if frame.key][:: GOP if codec == "mjpeg" else 1]
    found = [frame.pts_us for frame in stream if looker.see(Look(frame, kind, True))]
    assert found
    assert all(24 * 200_000 <= at_us <= 41 * 200_000 for at_us in found), "while somebody is there, and when he has gone"
    assert {25 * 200_000, 30 * 200_000} <= set(found)


def test_every_frame_is_decoded_where_more_pictures_are_looked_at() -> None:
    kind, looker = StreamKind(codec="h264"), eye(every_frame=True)
    stream = encoded("h264", Scene.VISITOR)
    found = [number for number, frame in enumerate(stream) if looker.see(Look(frame, kind, number % 2 == 0))]
    assert set(range(26, 36, 2)) <= set(found)
    assert all(24 <= number <= 40 for number in found)


def test_streams_with_reordered_pictures_can_be_looked_at() -> None:
    kind, looker = StreamKind(codec="h264"), eye()
    keys = [frame for frame in encoded("h264", Scene.VISITOR, reordered=True) if frame.key]
    assert any(looker.see(Look(frame, kind, True)) for frame in keys)


def test_nothing_moves_in_an_empty_yard() -> None:
    kind, looker = StreamKind(codec="h264"), eye()
    assert not any(looker.see(Look(frame, kind, True)) for frame in encoded("h264", Scene.YARD) if frame.key)


def test_what_was_learnt_can_be_forgotten() -> None:
    kind, looker = StreamKind(codec="h264"), eye()
    empty, busy = encoded("h264", Scene.YARD), encoded("h264", Scene.VISITOR)
    for frame in empty:
        if frame.key:
            looker.see(Look(frame, kind, True))
    looker.forget()
    assert not looker.see(Look(busy[30], kind, True)), "the first picture is only learnt"


@pytest.mark.parametrize("data", [b"", b"\0" * 200, b"\0\0\0\1\x65" + b"\xff" * 500, bytes(range(256)) * 8])
@pytest.mark.parametrize("codec", ["h264", "hevc", "mjpeg"])
def test_garbage_cannot_be_seen_and_hurts_nobody(codec: str, data: bytes) -> None:
    looker = eye()
    with pytest.raises(CannotSee):
        looker.see(Look(Frame(data, True, 0, 0), StreamKind(codec=codec), True))
    good = [frame for frame in encoded("h264", Scene.YARD) if frame.key]
    assert not looker.see(Look(good[0], StreamKind(codec="h264"), True))


def test_a_codec_without_a_decoder() -> None:
    with pytest.raises(CannotSee, match="there is no decoder for nonsense"):
        eye().see(Look(Frame(b"x", True, 0, 0), StreamKind(codec="nonsense"), True))


def test_parameter_sets_from_outside_the_stream_are_used() -> None:
    whole = next(frame for frame in encoded("h264", Scene.YARD) if frame.key)
    start = whole.data.index(b"\x00\x00\x01\x65") - 1
    kind = StreamKind(codec="h264", extradata=whole.data[:start])
    assert not eye().see(Look(Frame(whole.data[start:], True, 0, 0), kind, True))
    with pytest.raises(CannotSee):
        eye().see(Look(Frame(whole.data[start:], True, 0, 0), StreamKind(codec="h264"), True))


@pytest.mark.parametrize(("width", "height", "rows"), [(1280, 720, 90), (640, 480, 120), (320, 1280, 640), (2048, 32, 2), (64, 64, 160)])
def test_pictures_are_small_in_their_own_proportions(width: int, height: int, rows: int) -> None:
    picture = av.VideoFrame(width, height, "yuv420p")
    assert small_grey(picture).shape == (rows, 160)


# ---------------------------------------------------------------- threads


class Told:
    def __init__(self, count: int) -> None:
        self.said: list[tuple[int, bool, str]] = []
        self._count = count
        self._done = threading.Event()

    def __call__(self, at_us: int, moved: bool, why: str) -> None:
        self.said.append((at_us, moved, why))
        if len(self.said) == self._count:
            self._done.set()

    def wait(self) -> list[tuple[int, bool, str]]:
        assert self._done.wait(10.0)
        return self.said


class SuspiciousDoor(FreeDoor):
    def decode(self, camera: Guest) -> Visit | Problem:  # type: ignore[override]
        return Problem(CameraState.QUARANTINED, "No picture of it is decoded.")


def test_pictures_of_one_camera_are_told_in_their_order_and_what_cannot_be_seen_counts_as_motion() -> None:
    stream = [frame for frame in encoded("h264", Scene.YARD) if frame.key]
    told, watch = Told(len(stream) + 1), MotionWatch(FreeDoor())
    looker = Eye(GATE, MotionMask(), told, every_frame=False)
    for frame in stream[:-1]:
        watch.look(looker, Look(frame, StreamKind(codec="h264"), True))
    watch.look(looker, Look(Frame(b"garbage", True, 77, 77), StreamKind(codec="h264"), True))
    watch.look(looker, Look(stream[-1], StreamKind(codec="h264"), True))
    said = told.wait()
    assert [at_us for at_us, _, _ in said[:-2]] == [frame.pts_us for frame in stream[:-1]]
    assert not any(moved for _, moved, _ in said[:-2])
    assert said[-2][:2] == (77, True)
    assert said[-2][2]
    assert said[-1][1:] == (False, "")
    watch.stop()
    watch.stop()


def test_a_stream_that_is_suspected_of_a_crash_is_not_decoded_and_recorded_all_the_time() -> None:
    told, watch = Told(1), MotionWatch(SuspiciousDoor())
    frame = next(frame for frame in encoded("h264", Scene.YARD) if frame.key)
    watch.look(Eye(GATE, MotionMask(), told, every_frame=False), Look(frame, StreamKind(codec="h264"), True))
    assert told.wait() == [(frame.pts_us, True, "No picture of it is decoded.")]
    watch.stop()


def test_a_surprise_in_one_picture_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told, watch = Told(2), MotionWatch(FreeDoor())
    looker = Eye(GATE, MotionMask(), told, every_frame=False)
    right = looker.see
    surprises = iter([True, False])

    def see(look: Look) -> bool:
        if next(surprises):
            raise IndexError("secret")
        return right(look)

    monkeypatch.setattr(looker, "see", see)
    for frame in [frame for frame in encoded("h264", Scene.YARD) if frame.key][:2]:
        watch.look(looker, Look(frame, StreamKind(codec="h264"), True))
    assert [(moved, why) for _, moved, why in told.wait()] == [(True, "IndexError"), (False, "")]
    watch.stop()


def test_who_cannot_hear_what_was_seen_keeps_it_from_no_other() -> None:
    def deaf(*_: object) -> None:
        raise RuntimeError("planted")

    told, watch = Told(1), MotionWatch(FreeDoor(), threads=1)
    frame = next(frame for frame in encoded("h264", Scene.YARD) if frame.key)
    for tell in (deaf, told):
        watch.look(Eye(GATE, MotionMask(), tell, every_frame=False), Look(frame, StreamKind(codec="h264"), True))
    assert told.wait() == [(frame.pts_us, False, "")]
    watch.stop()


def test_the_decoding_thread_of_one_camera_notes_it_at_the_door(tmp_path: Path) -> None:
    entered: list[str] = []

    class NotingDoor(FreeDoor):
        def decode(self, camera: Guest) -> Visit:
            entered.append(camera.id)
            return super().decode(camera)

    told, watch = Told(1), MotionWatch(NotingDoor())
    frame = next(frame for frame in encoded("h264", Scene.YARD) if frame.key)
    watch.look(Eye(GATE, MotionMask(), told, every_frame=False), Look(frame, StreamKind(codec="h264"), True))
    told.wait()
    assert entered == ["x"]
    watch.stop()
