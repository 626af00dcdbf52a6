"""One segment of footage: its name, its frames, and the MPEG-TS around them, made in memory.

The name tells camera, recorder, epoch and start in UTC; a frame's time stamp inside the file counts from that start at 90 kHz. So the
wall-clock time of every frame can be read from the files alone, also from one that a killed process left.
"""

from __future__ import annotations

import datetime as dt
import re
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Final

import av
import msgspec

SUFFIX: Final = ".ts"
CLOCK_HZ: Final = 90_000
CODECS: Final = frozenset({"h264", "hevc", "mpeg4", "mpeg2video"})
"""What MPEG-TS carries of what cameras send. It does not carry MJPEG."""

_TIME_BASE = Fraction(1, CLOCK_HZ)
_NAME = re.compile(r"(\d{2})(\d{2})(\d{2})\.(\d{3})_([A-Za-z0-9_-]+)@([A-Za-z0-9_-]+)_e(\d+)(?:-\d+)?\.ts")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)")


class SegmentName(msgspec.Struct, frozen=True, kw_only=True):
    """What the name of a segment says. `start_ms`: milliseconds since the epoch that time stamps in the file count from."""

    camera: str
    recorder: str
    epoch: int
    start_ms: int

    @property
    def relative(self) -> PurePosixPath:
        """Where the segment lies on its material disk: `<camera>/<day>/<time>_<camera>@<recorder>_e<epoch>.ts`."""
        start = dt.datetime.fromtimestamp(self.start_ms // 1000, dt.UTC)
        file = f"{start:%H%M%S}.{self.start_ms % 1000:03d}_{self.camera}@{self.recorder}_e{self.epoch}{SUFFIX}"
        return PurePosixPath(camera_folder(self.camera)) / f"{start:%Y-%m-%d}" / file

    @classmethod
    def parse(cls, path: Path) -> SegmentName | None:
        """Read a segment's name back; None for a file that is none."""
        found = _NAME.fullmatch(path.name)
        if found is None:
            return None
        hour, minute, second, ms, camera, recorder, epoch = found.groups()
        try:
            day = dt.datetime.strptime(path.parent.name, "%Y-%m-%d").replace(tzinfo=dt.UTC)
            start = day.replace(hour=int(hour), minute=int(minute), second=int(second))
        except ValueError:
            return None
        return cls(camera=camera, recorder=recorder, epoch=int(epoch), start_ms=int(start.timestamp()) * 1000 + int(ms))


def camera_folder(camera: str) -> str:
    """Name of a camera's folder: its id, with a mark where Windows reserves the name for a device."""
    return f"{camera}!" if _RESERVED.fullmatch(camera) else camera


class StreamKind(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream is, as far as a segment must know. `extradata`: parameter sets from outside the stream (Annex B), maybe empty."""

    codec: str
    extradata: bytes = b""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One encoded picture. Times in microseconds of wall clock: shown at `pts_us`, decoded at `dts_us` (never later)."""

    data: bytes
    key: bool
    pts_us: int
    dts_us: int


class _Sink:
    """The file object that PyAV writes to."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        parts, self.parts = self.parts, []
        return b"".join(parts)


class TsMuxer:
    """MPEG-TS of one segment. Each call gives the bytes it adds; whatever prefix of them reaches a disk can be played.

    The first frame must be a key frame. Not thread safe. ValueError for a codec that MPEG-TS does not carry.
    """

    def __init__(self, kind: StreamKind, start_ms: int) -> None:
        if kind.codec not in CODECS:
            raise ValueError(f"MPEG-TS does not carry {kind.codec}")
        self._kind = kind
        self._start_us = start_ms * 1000
        self._last_dts = -1
        self._sink = _Sink()
        # copyts, and no shifting of negative times: time stamps must stand in the file exactly as given.
        options = {"mpegts_copyts": "1", "flush_packets": "1", "avoid_negative_ts": "disabled"}
        self._container = av.open(self._sink, "w", format="mpegts", options=options)
        self._stream = self._container.add_mux_stream(kind.codec, time_base=_TIME_BASE)

    def add(self, frame: Frame) -> bytes:
        data = frame.data
        if frame.key and self._kind.extradata and not _has_parameter_sets(self._kind.codec, data):
            data = self._kind.extradata + data
        packet = av.Packet(data)
        packet.stream = self._stream
        packet.time_base = _TIME_BASE
        packet.is_keyframe = frame.key
        self._last_dts = packet.dts = max(self._ticks(frame.dts_us), self._last_dts + 1)
        packet.pts = max(self._ticks(frame.pts_us), self._last_dts)
        self._container.mux_one(packet)
        return self._sink.take()

    def close(self) -> bytes:
        self._container.close()
        return self._sink.take()

    def _ticks(self, at_us: int) -> int:
        return (at_us - self._start_us) * 9 // 100


def _has_parameter_sets(codec: str, data: bytes) -> bool:
    """Whether an Annex B key frame brings its own SPS. They come first, so the head is enough."""
    head = data[:512]
    at = head.find(b"\x00\x00\x01")
    while 0 <= at < len(head) - 3:
        kind = head[at + 3]
        if (codec == "h264" and kind & 0x1F == 7) or (codec == "hevc" and kind >> 1 & 0x3F == 33):
            return True
        at = head.find(b"\x00\x00\x01", at + 3)
    return codec not in ("h264", "hevc")
