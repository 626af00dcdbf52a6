"""The moving picture that synthetic cameras loop: made once by libx264, kept in a cache folder."""

from __future__ import annotations

import os
import struct
import uuid
from fractions import Fraction
from pathlib import Path

import av
import msgspec
import numpy as np

from sysmanager.simulation.cameras.scenes import Scene, luma


class ClipShape(msgspec.Struct, frozen=True, kw_only=True):
    """Picture and length of a clip. `gop_frames` is the distance of key frames; the clip holds whole groups of pictures."""

    width: int = 640
    height: int = 360
    fps: int = 15
    gop_frames: int = 15
    groups: int = 10
    bit_rate_kbps: int = 500
    scene: Scene = Scene.BARS

    def check(self) -> None:
        """ValueError with one sentence when a clip of this shape cannot be made."""
        if self.width % 2 or self.height % 2 or not 32 <= self.width <= 7680 or not 32 <= self.height <= 4320:
            raise ValueError(f"picture size {self.width}x{self.height} is not possible: use even numbers between 32x32 and 7680x4320")
        if not 1 <= self.fps <= 120:
            raise ValueError(f"{self.fps} frames per second are not possible: use 1 to 120")
        if not 1 <= self.gop_frames <= 600 or not 1 <= self.groups <= 600:
            raise ValueError("a clip needs 1 to 600 groups of 1 to 600 frames")
        if not 10 <= self.bit_rate_kbps <= 50_000:
            raise ValueError(f"{self.bit_rate_kbps} kbit/s is not possible: use 10 to 50000")

    @property
    def file_name(self) -> str:
        scene = "" if self.scene is Scene.BARS else f"_{self.scene}"
        return f"clip_{self.width}x{self.height}_{self.fps}fps_g{self.gop_frames}x{self.groups}_{self.bit_rate_kbps}k{scene}.mp4"


class ClipFrame(msgspec.Struct, frozen=True):
    """One encoded picture as NAL units without start codes. A key frame begins with its parameter sets."""

    key: bool
    units: tuple[bytes, ...]


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """A loop of encoded frames that begins with a key frame, and its parameter sets (SPS, PPS)."""

    shape: ClipShape
    frames: tuple[ClipFrame, ...]
    parameter_sets: tuple[bytes, ...]


def load_clip(cache: Path, shape: ClipShape) -> Clip:
    """The clip of this shape from the cache folder, made first when it is not there or cannot be read.

    About 0.3 s for 10 s of 640x360. ValueError for an impossible shape, OSError when the folder cannot be written.
    """
    shape.check()
    path = cache / shape.file_name
    if path.exists():
        try:
            return _read(path, shape)
        except (av.FFmpegError, ValueError, struct.error, IndexError):
            path.unlink(missing_ok=True)  # damaged: made anew below
    cache.mkdir(parents=True, exist_ok=True)
    scratch = cache / f".{uuid.uuid4().hex}.mp4"
    try:
        _encode(scratch, shape)
        os.replace(scratch, path)  # noqa: PTH105 - replaces in one step, also where another process was faster
    finally:
        scratch.unlink(missing_ok=True)
    return _read(path, shape)


def _encode(path: Path, shape: ClipShape) -> None:
    options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "g": str(shape.gop_frames),
        "keyint_min": str(shape.gop_frames),
        "sc_threshold": "0",
        "bf": "0",
        "maxrate": f"{shape.bit_rate_kbps}k",
        "bufsize": f"{shape.bit_rate_kbps}k",
        "threads": "1",
    }
    total = shape.gop_frames * shape.groups
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=shape.fps, options=options)
        stream.width, stream.height, stream.pix_fmt = shape.width, shape.height, "yuv420p"
        stream.bit_rate = shape.bit_rate_kbps * 1000
        for number in range(total):
            planes = np.full((shape.height * 3 // 2, shape.width), 128, np.uint8)
            planes[: shape.height] = luma(shape.scene, number, total, shape.width, shape.height)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, shape.fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _read(path: Path, shape: ClipShape) -> Clip:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        sets = _parameter_sets(bytes(stream.codec_context.extradata or b""))
        frames: list[ClipFrame] = []
        for packet in container.demux(stream):
            units = _units(bytes(packet))
            if units:
                frames.append(ClipFrame(packet.is_keyframe, (*sets, *units) if packet.is_keyframe else units))
    if len(frames) != shape.gop_frames * shape.groups or not frames[0].key or len(sets) < 2:
        raise ValueError(f"{path.name} is not the clip that its name promises")
    return Clip(shape=shape, frames=tuple(frames), parameter_sets=sets)


def _parameter_sets(extradata: bytes) -> tuple[bytes, ...]:
    """SPS and PPS of an avcC record (ISO 14496-15, 5.2.4.1)."""
    sets: list[bytes] = []
    at = 5
    for mask in (0x1F, 0xFF):
        count = extradata[at] & mask
        at += 1
        for _ in range(count):
            (size,) = struct.unpack_from(">H", extradata, at)
            sets.append(extradata[at + 2 : at + 2 + size])
            at += 2 + size
    return tuple(sets)


def _units(data: bytes) -> tuple[bytes, ...]:
    units: list[bytes] = []
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        unit = data[at + 4 : at + 4 + size]
        if unit and unit[0] & 0x1F not in (6, 7, 8, 9):  # parameter sets come from avcC; the encoder's SEI and AUD are not needed
            units.append(unit)
        at += 4 + size
    return tuple(units)
