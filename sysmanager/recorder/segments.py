"""One segment of footage: its name, its streams and its frames.

The name tells camera, recorder, epoch and start in UTC; a frame's time stamp inside the file counts from that start. So the wall-clock
time of every frame can be read from the files alone, also from one that a killed process left.
"""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec


class Container(StrEnum):
    """The format of a segment; the value ends its file name."""

    TS = ".ts"
    NUT = ".nut"


SUFFIXES: Final = frozenset(container.value for container in Container)
CLOCK_HZ: Final = 90_000
TS_CODECS: Final = frozenset({"h264", "hevc", "mpeg4", "mpeg2video"})
CODECS: Final = TS_CODECS | {"mjpeg"}
"""What is recorded of what cameras send."""

TS_SOUND: Final = frozenset({"aac"})
SOUND: Final = TS_SOUND | {"pcm_alaw", "pcm_mulaw"}
"""Sound that is kept; a camera's other sound is left out, its picture is recorded all the same."""

_NAME = re.compile(r"(\d{2})(\d{2})(\d{2})\.(\d{3})_([A-Za-z0-9_-]+)@([A-Za-z0-9_-]+)_e(\d+)(?:-\d+)?(\.ts|\.nut)")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)")


class SegmentName(msgspec.Struct, frozen=True, kw_only=True):
    """What the name of a segment says. `start_ms`: milliseconds since the epoch that time stamps in the file count from."""

    camera: str
    recorder: str
    epoch: int
    start_ms: int
    container: Container = Container.TS

    @property
    def relative(self) -> PurePosixPath:
        """Where the segment lies on its material disk: `<camera>/<day>/<time>_<camera>@<recorder>_e<epoch>.ts`, or `.nut`."""
        start = dt.datetime.fromtimestamp(self.start_ms // 1000, dt.UTC)
        file = f"{start:%H%M%S}.{self.start_ms % 1000:03d}_{self.camera}@{self.recorder}_e{self.epoch}{self.container.value}"
        return PurePosixPath(camera_folder(self.camera)) / f"{start:%Y-%m-%d}" / file

    @classmethod
    def parse(cls, path: Path) -> SegmentName | None:
        """Read a segment's name back; None for a file that is none."""
        found = _NAME.fullmatch(path.name)
        if found is None:
            return None
        hour, minute, second, ms, camera, recorder, epoch, suffix = found.groups()
        try:
            day = dt.datetime.strptime(path.parent.name, "%Y-%m-%d").replace(tzinfo=dt.UTC)
            start = day.replace(hour=int(hour), minute=int(minute), second=int(second))
        except ValueError:
            return None
        return cls(
            camera=camera,
            recorder=recorder,
            epoch=int(epoch),
            start_ms=int(start.timestamp()) * 1000 + int(ms),
            container=Container(suffix),
        )


def camera_folder(camera: str) -> str:
    """Name of a camera's folder: its id, with a mark where Windows reserves the name for a device."""
    return f"{camera}!" if _RESERVED.fullmatch(camera) else camera


class AudioKind(msgspec.Struct, frozen=True, kw_only=True):
    """The sound beside a picture. rate: samples a second. layout: as FFmpeg names it. extradata: AudioSpecificConfig of AAC."""

    codec: str
    rate: int
    layout: str = "mono"
    extradata: bytes = b""


class StreamKind(msgspec.Struct, frozen=True, kw_only=True):
    """What the streams of a session are, as far as a segment must know.

    extradata: parameter sets from outside the stream (Annex B), maybe empty.
    """

    codec: str
    extradata: bytes = b""
    audio: AudioKind | None = None


def container_for(kind: StreamKind) -> Container:
    """MPEG-TS where it carries all streams."""
    return Container.TS if kind.codec in TS_CODECS and (kind.audio is None or kind.audio.codec in TS_SOUND) else Container.NUT


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One encoded picture, or a piece of sound. Times in microseconds of wall clock: shown at `pts_us`, decoded at `dts_us` (never later).

    key: a picture that others depend on; never of sound.
    """

    data: bytes
    key: bool
    pts_us: int
    dts_us: int
    sound: bool = False


def has_parameter_sets(codec: str, data: bytes) -> bool:
    """Whether an Annex B key frame brings its own SPS. They come first, so the head is enough."""
    head = data[:512]
    at = head.find(b"\x00\x00\x01")
    while 0 <= at < len(head) - 3:
        kind = head[at + 3]
        if (codec == "h264" and kind & 0x1F == 7) or (codec == "hevc" and kind >> 1 & 0x3F == 33):
            return True
        at = head.find(b"\x00\x00\x01", at + 3)
    return codec not in ("h264", "hevc")
