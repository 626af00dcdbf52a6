"""The containers of a segment, made in memory: MPEG-TS where it carries all streams, else NUT.

Each call gives the bytes that it adds; whatever prefix of them reaches a disk can be played. MPEG-TS carries neither MJPEG nor G.711.
Matroska would, but FFmpeg writes it cluster by cluster, so that a kill loses what is in the last, and PyAV refuses it G.711; NUT takes
every packet as it comes.
"""

from __future__ import annotations

import io
from collections import deque
from fractions import Fraction
from typing import Final, Protocol

import av
import msgspec

from sysmanager.recorder.segments import CLOCK_HZ, Container, Frame, StreamKind, container_for, has_parameter_sets

_TIME_BASE: Final = Fraction(1, CLOCK_HZ)
_ADTS_RATES: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_RAW: Final = {"pcm_alaw": "alaw", "pcm_mulaw": "mulaw", "mpeg4": "m4v", "mpeg2video": "mpegvideo"}
"""FFmpeg's names of the bare streams, where they differ from those of the codecs."""

INTERLEAVED: Final = 2
"""With sound, FFmpeg holds a packet back until it has seen what follows: two later ones say that it was handed out."""


class Muxed(msgspec.Struct, frozen=True, gc=False):
    """Bytes that were added, and the frames that are whole in the file by now."""

    data: bytes
    whole: tuple[Frame, ...]


class Muxer(Protocol):
    """One segment in the making. The first frame must be a key frame of the picture. Not thread safe."""

    def add(self, frame: Frame) -> Muxed:
        """Raises av.FFmpegError for a frame that cannot be stored."""

    def close(self) -> Muxed: ...


def muxer_for(kind: StreamKind, start_ms: int, first: Frame) -> Muxer:
    """A muxer for these streams. `first`: the key frame that it will begin with. Raises av.FFmpegError, ValueError."""
    return TsMuxer(kind, start_ms) if container_for(kind) is Container.TS else NutMuxer(kind, start_ms, first)


class _Sink:
    """The file object that PyAV writes to."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        parts, self.parts = self.parts, []
        return parts[0] if len(parts) == 1 else b"".join(parts)


class _ContainerMuxer:
    """What both containers share. `_video` and `_audio` are made by the subclass.

    _rescales: whether the streams may tick otherwise than our times do; where not, a packet's times are taken as they are.
    """

    _rescales = True

    def __init__(self, kind: StreamKind, start_ms: int, container: str, options: dict[str, str]) -> None:
        self._kind = kind
        self._start_us = start_ms * 1000
        self._last_dts = {False: -1, True: -1}
        self._sink = _Sink()
        # No shifting of times: time stamps must stand in the file exactly as given.
        options = {"flush_packets": "1", "avoid_negative_ts": "disabled", "max_interleave_delta": "1", **options}
        self._container = av.open(self._sink, "w", format=container, options=options)
        self._video: av.stream.Stream
        self._audio: av.stream.Stream | None = None
        self._held: deque[Frame] = deque()

    def add(self, frame: Frame) -> Muxed:
        stream = self._audio if frame.sound else self._video
        if stream is None:
            return Muxed(b"", ())
        data = frame.data
        if frame.sound:
            data = self._sound(data)
        elif frame.key:
            data = self._picture(frame)
        packet = av.Packet(data)
        packet.stream = stream
        if self._rescales:
            packet.time_base = _TIME_BASE
        packet.is_keyframe = frame.key or frame.sound
        dts = max(self._ticks(frame.dts_us), self._last_dts[frame.sound] + 1)
        self._last_dts[frame.sound] = packet.dts = dts
        packet.pts = dts if frame.pts_us == frame.dts_us else max(self._ticks(frame.pts_us), dts)
        self._container.mux_one(packet)
        if self._audio is None:
            return Muxed(self._sink.take(), (frame,))
        self._held.append(frame)
        whole = tuple(self._held.popleft() for _ in range(len(self._held) - INTERLEAVED)) if len(self._held) > INTERLEAVED else ()
        return Muxed(self._sink.take(), whole)

    def close(self) -> Muxed:
        self._container.close()
        whole = tuple(self._held)
        self._held.clear()
        return Muxed(self._sink.take(), whole)

    def _picture(self, frame: Frame) -> bytes:
        if frame.key and self._kind.extradata and not has_parameter_sets(self._kind.codec, frame.data):
            return self._kind.extradata + frame.data
        return frame.data

    def _sound(self, data: bytes) -> bytes:
        audio = self._kind.audio
        return adts(audio.extradata, len(data)) + data if audio is not None and audio.codec == "aac" and not _is_adts(data) else data

    def _ticks(self, at_us: int) -> int:
        return (at_us - self._start_us) * 9 // 100


class TsMuxer(_ContainerMuxer):
    """MPEG-TS, whose clock ticks as ours does. ValueError for streams that it does not carry."""

    _rescales = False

    def __init__(self, kind: StreamKind, start_ms: int) -> None:
        if container_for(kind) is not Container.TS:
            raise ValueError(f"MPEG-TS does not carry {kind.codec} with {kind.audio.codec if kind.audio else 'no sound'}")
        super().__init__(kind, start_ms, "mpegts", {"mpegts_copyts": "1"})
        self._video = self._container.add_mux_stream(kind.codec, time_base=_TIME_BASE)
        if kind.audio is not None:
            self._audio = self._container.add_mux_stream(kind.audio.codec, rate=kind.audio.rate)


class NutMuxer(_ContainerMuxer):
    """NUT, which carries everything."""

    def __init__(self, kind: StreamKind, start_ms: int, first: Frame) -> None:
        super().__init__(kind, start_ms, "nut", {})
        # The size of the picture and its parameter sets, as FFmpeg reads them off the first key frame: cameras do not always say.
        with av.open(io.BytesIO(self._picture(first)), format=_RAW.get(kind.codec, kind.codec)) as source:
            self._video = self._container.add_stream_from_template(source.streams.video[0], opaque=True)
        self._video.time_base = _TIME_BASE
        audio = kind.audio
        if audio is not None and audio.codec in _RAW:
            options = {"sample_rate": str(audio.rate), "ch_layout": audio.layout}
            with av.open(io.BytesIO(bytes(audio.rate)), format=_RAW[audio.codec], options=options) as source:
                self._audio = self._container.add_stream_from_template(source.streams.audio[0], opaque=True)
        elif audio is not None:
            self._audio = self._container.add_mux_stream(audio.codec, rate=audio.rate)


def _is_adts(data: bytes) -> bool:
    return len(data) > 7 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0


def fits_adts(config: bytes) -> bool:
    """Whether AAC with this AudioSpecificConfig can be kept."""
    try:
        adts(config, 1)
    except ValueError:
        return False
    return True


def adts(config: bytes, size_bytes: int) -> bytes:
    """The ADTS header (ISO 14496-3, 1.A.2) of one AAC frame; config: the stream's AudioSpecificConfig. ValueError where it does not fit."""
    if len(config) < 2:
        raise ValueError("the camera did not say how its AAC is made")
    kind, rate = config[0] >> 3, (config[0] & 7) << 1 | config[1] >> 7
    channels = config[1] >> 3 & 15
    if not 1 <= kind <= 4 or rate >= len(_ADTS_RATES) or not 1 <= channels <= 7 or size_bytes + 7 >= 1 << 13:
        raise ValueError("this kind of AAC does not fit into ADTS")
    size = size_bytes + 7
    return bytes(
        (
            0xFF,
            0xF1,
            (kind - 1) << 6 | rate << 2 | channels >> 2,
            (channels & 3) << 6 | size >> 11,
            size >> 3 & 0xFF,
            (size & 7) << 5 | 0x1F,
            0xFC,
        )
    )
