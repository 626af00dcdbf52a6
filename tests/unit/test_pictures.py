"""Pictures of cameras: made of the last key frame in memory, small enough, and never at the cost of the recording."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sysmanager import wire
from sysmanager.bus.port import Message
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.protocol.pictures import JPEG_LIMIT_BYTES, AskPicture, NoPicture, Picture, PictureAnswer
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder import pictures
from sysmanager.recorder.case_file import save_cases
from sysmanager.recorder.door import FreeDoor, QuarantineDoor
from sysmanager.recorder.pictures import KeyFrames, Pictures, decoded, to_jpeg
from sysmanager.recorder.quarantine import Case
from sysmanager.recorder.reconnect import Problem
from sysmanager.recorder.segments import StreamKind
from sysmanager.recorder.session import CameraPlan
from sysmanager.recorder.suspects import read_notes
from sysmanager.simulation.cameras.clip import ClipShape, load_clip

GATE = CameraPlan(id=CameraId("gate"), name="Gate", url="rtsp://192.0.2.1/gate", mark="m")
H264 = StreamKind(codec="h264")


@pytest.fixture(scope="module")
def key_frame(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    clip = load_clip(tmp_path_factory.getbasetemp() / "camera-clip", ClipShape(width=1280, height=720, groups=1))
    return b"".join(b"\0\0\0\1" + unit for unit in clip.frames[0].units)


def frames_with(data: bytes, kind: StreamKind = H264, taken_us: int = 5_000_000) -> KeyFrames:
    frames = KeyFrames()
    frames.keep(GATE, kind, data, taken_us)
    return frames


RECORDING = Problem(CameraState.RECORDING, "")


def made(frames: KeyFrames, door: FreeDoor | QuarantineDoor | None = None, status: Problem | None = RECORDING) -> Pictures:
    return Pictures(RecorderId("R"), frames, door or FreeDoor(), lambda camera: status)


def size_of(jpeg: bytes) -> tuple[int, int]:
    frame = decoded(StreamKind(codec="mjpeg"), jpeg)
    return frame.width, frame.height


async def test_the_last_key_frame_becomes_a_small_picture(key_frame: bytes) -> None:
    answer = await made(frames_with(key_frame)).answer(AskPicture(camera=GATE.id))
    assert isinstance(answer, Picture)
    assert (answer.recorder, answer.camera, answer.taken_wall_ms) == ("R", "gate", 5_000)
    assert (answer.width, answer.height) == (640, 360) == size_of(answer.jpeg)
    assert answer.age_ms < 60_000
    assert len(answer.jpeg) <= JPEG_LIMIT_BYTES


@pytest.mark.parametrize(("asked", "size"), [(320, (320, 180)), (1920, (1280, 720))])
async def test_it_is_as_wide_as_asked_and_never_blown_up(key_frame: bytes, asked: int, size: tuple[int, int]) -> None:
    answer = await made(frames_with(key_frame)).answer(AskPicture(camera=GATE.id, width=asked))
    assert isinstance(answer, Picture)
    assert (answer.width, answer.height) == size


async def test_a_camera_that_sends_jpeg_itself_has_a_picture_too() -> None:
    jpeg, *_ = to_jpeg(av.VideoFrame.from_ndarray(np.zeros((480, 800, 3), np.uint8), format="rgb24"), 800)
    answer = await made(frames_with(jpeg, StreamKind(codec="mjpeg"))).answer(AskPicture(camera=GATE.id))
    assert isinstance(answer, Picture)
    assert (answer.width, answer.height) == (640, 384)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (None, "This server does not record the camera now."),
        (Problem(CameraState.UNREACHABLE, "Gate does not answer."), "Gate does not answer."),
        (Problem(CameraState.CONNECTING, ""), "The camera gave no key frame yet; try again in a moment."),
        (Problem(CameraState.OFF, ""), "The camera is off by its schedule."),
    ],
)
async def test_without_a_key_frame_it_says_why(status: Problem | None, sentence: str) -> None:
    frames = frames_with(b"x")
    frames.forget(GATE.id)
    frames.forget(GATE.id)
    assert await made(frames, status=status).answer(AskPicture(camera=GATE.id)) == NoPicture(sentence=sentence)


@pytest.mark.parametrize("status", [None, Problem(CameraState.OFF, "")])
async def test_no_picture_is_given_of_a_camera_that_is_off_whatever_was_kept(key_frame: bytes, status: Problem | None) -> None:
    assert isinstance(await made(frames_with(key_frame), status=status).answer(AskPicture(camera=GATE.id)), NoPicture)


async def test_of_a_camera_that_was_lost_the_last_picture_is_given(key_frame: bytes) -> None:
    lost = Problem(CameraState.UNREACHABLE, "Gate does not answer.")
    assert isinstance(await made(frames_with(key_frame), status=lost).answer(AskPicture(camera=GATE.id)), Picture)


@pytest.mark.parametrize("data", [b"", b"garbage" * 99, b"\0\0\0\1\x65" + b"\xff" * 500], ids=["nothing", "garbage", "half"])
async def test_what_cannot_be_decoded_is_one_sentence(data: bytes) -> None:
    answer = await made(frames_with(data)).answer(AskPicture(camera=GATE.id))
    assert answer == NoPicture(sentence="The last key frame of Gate can't be decoded; its recording is not touched by that.")


async def test_the_same_key_frame_is_decoded_once_and_a_new_one_again(key_frame: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, decodings = frames_with(key_frame), []
    right = pictures.decoded
    monkeypatch.setattr(pictures, "decoded", lambda kind, data: (decodings.append(1), right(kind, data))[1])
    service = made(frames)
    for _ in range(3):
        assert isinstance(await service.answer(AskPicture(camera=GATE.id)), Picture)
    assert len(decodings) == 1
    frames.keep(GATE, H264, key_frame, 6_000_000)
    again = await service.answer(AskPicture(camera=GATE.id))
    assert isinstance(again, Picture)
    assert again.taken_wall_ms == 6_000
    service.close()


async def test_a_decoder_that_hangs_is_not_waited_for(key_frame: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    hang = threading.Event()
    monkeypatch.setattr(pictures, "DECODE_S", 0.05)
    monkeypatch.setattr(pictures, "decoded", lambda kind, data: hang.wait(30))
    service = made(frames_with(key_frame))
    answer = await service.answer(AskPicture(camera=GATE.id))
    assert answer == NoPicture(sentence="The picture of Gate could not be decoded in time; try again.")
    hang.set()
    service.close()


async def test_what_is_being_decoded_is_noted_and_who_is_suspected_waits(
    key_frame: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[str] = []
    right = pictures.decoded

    def look(kind: StreamKind, data: bytes) -> av.VideoFrame:
        noted.extend(note.suspect.camera for note in read_notes(tmp_path))
        return right(kind, data)

    monkeypatch.setattr(pictures, "decoded", look)
    answer = await made(frames_with(key_frame), QuarantineDoor(tmp_path)).answer(AskPicture(camera=GATE.id))
    assert isinstance(answer, Picture)
    assert noted == ["gate"]
    assert read_notes(tmp_path) == ()
    save_cases(tmp_path, [Case(camera=GATE.id, mark="m")])
    suspected = await made(frames_with(key_frame), QuarantineDoor(tmp_path)).answer(AskPicture(camera=GATE.id))
    assert isinstance(suspected, NoPicture)
    assert suspected.sentence.startswith("Pictures of Gate are not decoded yet: its stream was being opened when the recording service cr")


async def test_it_answers_over_the_bus_and_drops_what_is_no_question(key_frame: bytes) -> None:
    service = made(frames_with(key_frame))
    question = wire.encode(AskPicture(camera=GATE.id))
    answer: PictureAnswer = wire.decode(PictureAnswer, await service.serve(Message(subject="s", body=question)))
    assert isinstance(answer, Picture)
    assert await service.serve(Message(subject="s", body=b"1 {}")) == b""
    too_wide = question.replace(b"640", b"64000")
    assert await service.serve(Message(subject="s", body=too_wide)) == b""


def test_a_picture_of_noise_stays_below_its_limit() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1080, 1920, 3), np.uint8)
    jpeg, width, height = to_jpeg(av.VideoFrame.from_ndarray(noise, format="rgb24"), 640)
    assert (width, height) == (640, 360)
    assert len(jpeg) <= JPEG_LIMIT_BYTES


def test_a_picture_that_cannot_be_made_small_enough_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "JPEG_LIMIT_BYTES", 10)
    with pytest.raises(ValueError, match="too large"):
        to_jpeg(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24"), 640)


def test_a_picture_of_many_pixels_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 640, 480, "yuvj420p", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.zeros((480, 640, 3), np.uint8), format="rgb24").reformat(format="yuvj420p")
    frame.pts = 0
    data = b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
    monkeypatch.setattr(pictures, "PIXELS_LIMIT", 1000)
    with pytest.raises((av.FFmpegError, ValueError)):
        decoded(StreamKind(codec="mjpeg"), data)
