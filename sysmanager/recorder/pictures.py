"""Pictures of cameras for people: the last key frame of each stays in memory, and is decoded when somebody asks.

The camera is not asked: it gives no second session, and hears of nothing. Decoding runs in a thread of its own, one picture at a time, and
is noted like the opening of a stream, so that a picture that crashes the service is found (SPEC 16).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Final, Protocol

import av
import msgspec
import structlog

from sysmanager import wire
from sysmanager.bus.port import Message
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.protocol.pictures import JPEG_LIMIT_BYTES, AskPicture, NoPicture, Picture, PictureAnswer
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.door import Door, Guest
from sysmanager.recorder.reconnect import Problem
from sysmanager.recorder.segments import StreamKind

log = structlog.get_logger(__name__)

DECODE_S: Final = 4.0
PIXELS_LIMIT: Final = 40_000_000
QUALITIES: Final = (4, 8, 16, 31)
"""Of JPEG as FFmpeg counts: 2 is best, 31 least. The first that is small enough is taken."""

BYTES_WANTED: Final = JPEG_LIMIT_BYTES // 2
MADE_KEPT: Final = 16


class KeyFrame(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last one of a camera. taken_us: wall clock; arrived_s: by the monotonic clock."""

    camera: Guest
    kind: StreamKind
    data: bytes
    taken_us: int
    arrived_s: float


class KeyFrames:
    """The last key frame of each camera that has a session. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames: dict[CameraId, KeyFrame] = {}

    def keep(self, camera: Guest, kind: StreamKind, data: bytes, taken_us: int) -> None:
        frame = KeyFrame(camera=camera, kind=kind, data=data, taken_us=taken_us, arrived_s=time.monotonic())
        with self._lock:
            self._frames[camera.id] = frame

    def forget(self, camera: CameraId) -> None:
        with self._lock:
            self._frames.pop(camera, None)

    def of(self, camera: CameraId) -> KeyFrame | None:
        with self._lock:
            return self._frames.get(camera)


class Status(Protocol):
    """What is known of a camera."""

    @property
    def state(self) -> CameraState: ...
    @property
    def sentence(self) -> str: ...


class Pictures:
    """Answers `AskPicture`. status: of a camera that is recorded here, None of others. `close` ends the thread, if it can end."""

    def __init__(self, recorder: RecorderId, frames: KeyFrames, door: Door, status: Callable[[CameraId], Status | None]) -> None:
        self._recorder = recorder
        self._frames = frames
        self._door = door
        self._status = status
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="picture")
        self._made: dict[tuple[CameraId, int, int], tuple[bytes, int, int]] = {}

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def serve(self, message: Message) -> bytes:
        """Of the bus; empty for what is no question."""
        try:
            question: AskPicture = wire.decode(AskPicture, message.body)
        except wire.WireError as error:
            log.warning("message dropped", subject=message.subject, why=str(error))
            return b""
        return wire.encode(await self.answer(question))

    async def answer(self, question: AskPicture) -> PictureAnswer:
        status, frame = self._status(question.camera), self._frames.of(question.camera)
        if status is None:
            return NoPicture(sentence="This server does not record the camera now.")
        if status.state is CameraState.OFF:
            return NoPicture(sentence="The camera is off by its schedule.")
        if frame is None:
            return NoPicture(sentence=status.sentence or "The camera gave no key frame yet; try again in a moment.")
        key = (question.camera, frame.taken_us, question.width)
        if key not in self._made:
            try:
                async with asyncio.timeout(DECODE_S):
                    made = await asyncio.get_running_loop().run_in_executor(self._thread, self._decode, frame, question.width)
            except TimeoutError:
                return NoPicture(sentence=f"The picture of {frame.camera.name} could not be decoded in time; try again.")
            if isinstance(made, str):
                return NoPicture(sentence=made)
            self._made = {**dict(list(self._made.items())[1 - MADE_KEPT :]), key: made}
        jpeg, width, height = self._made[key]
        return Picture(
            recorder=self._recorder,
            camera=question.camera,
            taken_wall_ms=frame.taken_us // 1000,
            age_ms=max(0, round((time.monotonic() - frame.arrived_s) * 1000)),
            width=width,
            height=height,
            jpeg=jpeg,
        )

    def _decode(self, frame: KeyFrame, width: int) -> tuple[bytes, int, int] | str:
        """In the thread. JPEG with its size, or a sentence."""
        visit = self._door.decode(frame.camera)
        if isinstance(visit, Problem):
            return visit.sentence
        try:
            return to_jpeg(decoded(frame.kind, frame.data), width)
        except (av.FFmpegError, ValueError, OSError, MemoryError) as error:
            log.info("picture not decoded", camera=frame.camera.id, why=type(error).__name__)
            return f"The last key frame of {frame.camera.name} can't be decoded; its recording is not touched by that."
        finally:
            visit.leave()


def decoded(kind: StreamKind, data: bytes) -> av.VideoFrame:
    """One key frame. Raises av.FFmpegError, ValueError."""
    context = av.CodecContext.create(kind.codec, "r")
    assert isinstance(context, av.VideoCodecContext)
    context.thread_count = 1
    context.options = {"max_pixels": str(PIXELS_LIMIT)}
    if kind.extradata:
        context.extradata = kind.extradata
    frames = [*context.decode(av.Packet(data)), *context.decode(None)]
    if not frames:
        raise ValueError("no picture in the key frame")
    return frames[0]


def to_jpeg(frame: av.VideoFrame, width: int) -> tuple[bytes, int, int]:
    """JPEG of at most `width` pixels and `JPEG_LIMIT_BYTES`, its width and height. Raises av.FFmpegError, ValueError."""
    wide = max(2, min(width, frame.width) // 2 * 2)
    high = max(2, round(frame.height * wide / frame.width / 2) * 2)
    scaled = frame.reformat(width=wide, height=high, format="yuvj420p")
    scaled.pts = 0
    content = b""
    for quality in QUALITIES:
        encoder = av.CodecContext.create("mjpeg", "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = wide, high, "yuvj420p"
        encoder.time_base = Fraction(1, 25)
        encoder.thread_count = 1
        encoder.qmin = encoder.qmax = quality
        content = b"".join(bytes(packet) for packet in (*encoder.encode(scaled), *encoder.encode(None)))
        if len(content) <= BYTES_WANTED:
            break
    if not content or len(content) > JPEG_LIMIT_BYTES:
        raise ValueError("the picture is too large")
    return content, wide, high
