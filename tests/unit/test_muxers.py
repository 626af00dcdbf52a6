"""The containers of a segment: each carries what it says, at the times it was given, and what is called whole survives any cut."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sysmanager.recorder.index import read_frames
from sysmanager.recorder.muxers import TsMuxer, adts, fits_adts, muxer_for
from sysmanager.recorder.segments import AudioKind, Container, Frame, SegmentName, StreamKind, container_for
from sysmanager.simulation.cameras.clip import Clip
from tests.helpers.footage import H264, START_US, marked_frames, small_clip

AAC = AudioKind(codec="aac", rate=8000, extradata=bytes.fromhex("1588"))
ALAW = AudioKind(codec="pcm_alaw", rate=8000)
ULAW = AudioKind(codec="pcm_mulaw", rate=8000)
JPEG = StreamKind(codec="mjpeg")
KINDS = {
    "h264": H264,
    "h264 aac": StreamKind(codec="h264", audio=AAC),
    "h264 alaw": StreamKind(codec="h264", audio=ALAW),
    "jpeg": JPEG,
    "jpeg ulaw": StreamKind(codec="mjpeg", audio=ULAW),
}
FRAME_US = 1_000_000 // 15
SOUND_US = 64_000


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return small_clip(tmp_path_factory.mktemp("clip"))


def jpeg() -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, "yuvj420p", Fraction(1, 15)
    picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24").reformat(format="yuvj420p")
    return bytes(encoder.encode(picture)[0])


def aac() -> list[bytes]:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 8000, "mono", "fltp"
    packets = []
    for number in range(24):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, number * 1024
        packets += encoder.encode(frame)
    return [bytes(packet) for packet in packets]


def stream(kind: StreamKind, clip: Clip, count: int = 30) -> list[Frame]:
    """Pictures and sound in the order in which a camera sends them."""
    if kind.codec == "mjpeg":
        picture = jpeg()
        frames = [Frame(picture, True, START_US + number * FRAME_US, START_US + number * FRAME_US) for number in range(count)]
    else:
        frames = marked_frames(clip, count)
    if kind.audio is None:
        return frames
    pieces = aac() if kind.audio.codec == "aac" else [b"\xd5" * 512] * 40
    length_us = 128_000 if kind.audio.codec == "aac" else SOUND_US
    sounds = [Frame(piece, False, START_US + at * length_us, START_US + at * length_us, True) for at, piece in enumerate(pieces)]
    ends_us = frames[-1].dts_us
    sound = [each for each in sounds if each.dts_us <= ends_us]
    return sorted([*frames, *sound], key=lambda frame: (frame.dts_us, frame.sound))


def segment_path(folder: Path, kind: StreamKind) -> Path:
    name = SegmentName(camera="cam", recorder="r", epoch=1, start_ms=START_US // 1000, container=container_for(kind))
    path = folder / name.relative
    path.parent.mkdir(parents=True)
    assert SegmentName.parse(path) == name
    return path


def test_mpeg_ts_wherever_it_carries_all_streams() -> None:
    containers = {name: container_for(kind) for name, kind in KINDS.items()}
    assert containers == {
        "h264": Container.TS,
        "h264 aac": Container.TS,
        "h264 alaw": Container.NUT,
        "jpeg": Container.NUT,
        "jpeg ulaw": Container.NUT,
    }


@pytest.mark.parametrize("name", KINDS)
def test_what_was_put_in_comes_out_at_its_times(tmp_path: Path, clip: Clip, name: str) -> None:
    kind = KINDS[name]
    frames = stream(kind, clip)
    muxer = muxer_for(kind, START_US // 1000, frames[0])
    muxed = [*(muxer.add(frame) for frame in frames), muxer.close()]
    path = segment_path(tmp_path, kind)
    path.write_bytes(b"".join(each.data for each in muxed))
    pictures = [frame for frame in frames if not frame.sound]
    found = list(read_frames(path))
    assert len(found) == len(pictures)
    assert max(abs(read.at_us - put.pts_us) for read, put in zip(found, pictures, strict=True)) <= 20
    assert [read.key for read in found] == [put.key for put in pictures]
    assert sorted((frame.dts_us, frame.sound) for each in muxed for frame in each.whole) == [
        (frame.dts_us, frame.sound) for frame in frames
    ]
    with av.open(str(path)) as container:
        decoded = {"video": 0, "audio": 0}
        for packet in container.demux():
            decoded[packet.stream.type] += len(packet.decode())
    assert decoded["video"] == len(pictures)
    assert bool(decoded["audio"]) is (kind.audio is not None)


@pytest.mark.parametrize("name", KINDS)
def test_what_is_called_whole_can_be_read_from_every_cut(tmp_path: Path, clip: Clip, name: str) -> None:
    kind = KINDS[name]
    frames = stream(kind, clip, 16)
    muxer = muxer_for(kind, START_US // 1000, frames[0])
    path = segment_path(tmp_path, kind)
    content, whole = b"", 0
    for frame in frames:
        muxed = muxer.add(frame)
        content += muxed.data
        whole += sum(not each.sound for each in muxed.whole)
        path.write_bytes(content)
        assert len(list(read_frames(path))) >= whole
    assert whole >= 14
    muxer.close()


def test_sound_that_stops_does_not_hold_the_picture_back(clip: Clip) -> None:
    kind = KINDS["h264 alaw"]
    frames = stream(kind, clip)
    muxer = muxer_for(kind, START_US // 1000, frames[0])
    muxer.add(frames[0])
    muxer.add(frames[1])
    pictures = [frame for frame in frames[2:] if not frame.sound]
    held = [len(muxer.add(frame).data) for frame in pictures]
    assert all(size > 0 for size in held[1:])
    muxer.close()


def test_a_picture_that_is_none_is_refused_by_the_library(clip: Clip) -> None:
    with pytest.raises((av.FFmpegError, ValueError, IndexError)):
        muxer_for(StreamKind(codec="h264", audio=ALAW), 0, Frame(b"no picture at all", True, 0, 0)).close()


def test_mpeg_ts_refuses_what_it_does_not_carry() -> None:
    for kind in (JPEG, KINDS["h264 alaw"]):
        with pytest.raises(ValueError, match="does not carry"):
            TsMuxer(kind, 0)


@pytest.mark.parametrize(
    ("config", "fits"), [("1588", True), ("1210", True), ("11", False), ("", False), ("2b8a", False), ("1780", False), ("1500", False)]
)
def test_which_aac_fits_into_adts(config: str, fits: bool) -> None:
    assert fits_adts(bytes.fromhex(config)) is fits


def test_an_adts_header_says_kind_rate_channels_and_length() -> None:
    assert adts(bytes.fromhex("1208"), 371).hex() == "fff150402f5ffc"
    assert adts(bytes.fromhex("1210"), 371).hex() == "fff150802f5ffc"
