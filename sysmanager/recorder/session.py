"""The session with one camera: open, read, hand over, and again, for ever.

PyAV blocks where nothing can interrupt it. So each try runs under a token: a watch that loses patience takes the token away and starts
another thread; the old one finds that out when it returns, at the latest after its own timeouts, and ends.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import av
import msgspec
import structlog

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.door import Door, Visit
from sysmanager.recorder.frameclock import SteadyClock
from sysmanager.recorder.frametiming import FrameTiming
from sysmanager.recorder.intake import Intake
from sysmanager.recorder.muxers import fits_adts
from sysmanager.recorder.pictures import KeyFrames
from sysmanager.recorder.reconnect import Problem, Waits, opening_problem
from sysmanager.recorder.redaction import redact, with_credentials
from sysmanager.recorder.segments import CODECS, SOUND, AudioKind, Frame, StreamKind

log = structlog.get_logger()

SOUND_SAMPLES = 1024
"""Samples in a packet of sound, about."""

UNREAD_LIMIT = 64
"""With so many packets read and not handed on, a session's own thread does it: nobody else has come to it."""

NO_STREAM = StreamKind(codec="")
RECORDING = Problem(CameraState.RECORDING, "")


class CameraPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A camera to record. `url` without credentials; `priority`: 0 is opened first. Its text never shows the password.

    mark: another one when its address or credentials are others.
    """

    id: CameraId
    name: str
    url: str
    user: str = ""
    password: str = ""
    priority: int = 0
    mark: str = ""

    def __repr__(self) -> str:
        return f"CameraPlan({self.id!r}, {redact(self.url)!r})"


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Patience with a camera, in seconds. `stall_s`: without a packet for so long, the session is opened anew.

    agent: as whom the recorder names itself to cameras; who looks into a camera's log finds the recorder.
    """

    agent: str = "System Manager"

    socket_timeout_s: float = 3.0
    open_timeout_s: float = 6.0
    open_limit_s: float = 10.0
    stall_s: float = 3.0


def agent_of(recorder: str) -> str:
    """As whom a recorder names itself to cameras: one line of a header, whatever its id holds."""
    return f"System Manager ({''.join(letter for letter in recorder if letter.isascii() and letter.isprintable())})"


class FrameSink(Protocol):
    """Where the frames of a session go: a writer, or what keeps them for one. No call waits for a disk."""

    def begin(self, kind: StreamKind) -> None:
        """A stream begins."""

    def put(self, frame: Frame) -> bool:
        """False when the frame was dropped: before the first key frame."""

    def end(self) -> None:
        """The stream ended. Harmless when none had begun."""


class CameraSession:
    """Gives the frames of one camera to `writer`. `changed` is called from its threads with each new state; two calls may overtake
    each other, `problem` is the newest.

    `start` and `stop` return at once. `watch` is called by the owner a few times a second with the seconds that passed.
    """

    def __init__(
        self,
        plan: CameraPlan,
        writer: FrameSink,
        *,
        settings: SessionSettings,
        clock: SteadyClock,
        chance: random.Random,
        changed: Callable[[CameraPlan, Problem], None],
        door: Door,
        key_frames: KeyFrames,
        intake: Intake,
    ) -> None:
        self.plan = plan
        self._intake = intake
        self._door = door
        self._key_frames = key_frames
        self._writer = writer
        self._settings = settings
        self._clock = clock
        self._waits = Waits(chance)
        self._changed = changed
        self._lock = threading.Lock()
        self._try: Try | None = None
        self._ended = False
        self._problem: Problem | None = None
        self._threads: list[threading.Thread] = []

    @property
    def problem(self) -> Problem:
        """What is known of the camera now."""
        with self._lock:
            return self._problem or Problem(CameraState.CONNECTING, "")

    @property
    def ended(self) -> bool:
        with self._lock:
            return self._ended

    def start(self) -> None:
        self._report(None, Problem(CameraState.CONNECTING, ""))
        self._launch(0.0)

    def stop(self) -> None:
        """End the session. A thread that is blocked in the camera is left to end by itself."""
        with self._lock:
            self._end()

    def finish(self) -> None:
        """End the session with all that the camera captured until now, which may still be on its way; `stop` ends the wait for it."""
        with self._lock:
            if self._try is not None and self._try.opened:
                self._try.until_us = self._clock.now_us()
            else:
                self._end()

    def _end(self) -> None:
        """With the lock held: hand on what was read, and end."""
        if self._try is not None:
            self._take_in(self._try)
        self._close()

    def _close(self) -> None:
        if self._ended:
            return
        self._ended = True
        current, self._try = self._try, None
        if current is not None:
            current.over.set()
        self._writer.end()

    def join(self, timeout_s: float) -> bool:
        """Wait until the session's threads ended; False when one has not."""
        until = time.monotonic() + timeout_s
        for thread in list(self._threads):
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def watch(self, passed_s: float) -> None:
        """Lose patience with a camera that sends nothing, or with a call that does not return."""
        with self._lock:
            current = self._try
            if current is None or current.packets != current.packets_seen or not current.blocking:
                if current is not None:
                    current.packets_seen, current.quiet_s = current.packets, 0.0
                return
            current.quiet_s += passed_s
            limit_s = self._settings.stall_s if current.opened else self._settings.open_limit_s
            if current.quiet_s < limit_s:
                return
            self._take_in(current)
            if self._ended:
                return
            current.over.set()
            self._try = None
            self._writer.end()
        name = self.plan.name
        if current.opened:
            problem = Problem(CameraState.STALLED, f"{name} is connected but sends nothing. The session is opened anew.")
        else:
            problem = Problem(CameraState.UNREACHABLE, f"{name} does not answer. Check its power, its network and its address.")
        self._report(None, problem)
        self._launch(self._waits.next_s(problem.state))

    # -- threads

    def _launch(self, wait_s: float) -> None:
        current = Try()
        thread = threading.Thread(target=self._run, args=(current, wait_s), name=f"camera {self.plan.id}", daemon=True)
        with self._lock:
            if self._ended:
                return
            self._try = current
            self._threads = [old for old in self._threads if old.is_alive()]
            self._threads.append(thread)
        thread.start()

    def _run(self, current: Try, wait_s: float) -> None:
        while not current.over.wait(wait_s):
            problem = self._record(current)
            self.take_in()
            with self._lock:
                if self._try is not current:
                    return
                current.blocking = False
                self._writer.end()
            self._report(current, problem)
            wait_s = self._waits.next_s(problem.state)

    def _record(self, current: Try) -> Problem:
        """One session from opening to its end; says why it ended."""
        name, url = self.plan.name, self.plan.url
        if urlsplit(url).scheme not in ("rtsp", "rtsps"):
            return Problem(CameraState.FAILED, f"The address of {name} must begin with rtsp:// or rtsps://. Correct it in the settings.")
        visit = self._door.enter(self.plan, current.over)
        if isinstance(visit, Problem):
            return visit
        if visit is None:
            return Problem(CameraState.CONNECTING, "")
        try:
            return self._visit(current, visit)
        finally:
            visit.leave()

    def _visit(self, current: Try, visit: Visit) -> Problem:
        name, url = self.plan.name, self.plan.url
        current.begin()
        started_s = time.monotonic()
        settings = self._settings
        options = {
            "rtsp_transport": "tcp",
            "user_agent": settings.agent,
            "allowed_media_types": "video+audio",
            "analyzeduration": "0",
            "probesize": "32",
            "fpsprobesize": "0",
            "timeout": str(round(settings.socket_timeout_s * 1e6)),
        }
        try:
            container = av.open(
                with_credentials(url, self.plan.user, self.plan.password),
                options=options,
                timeout=(settings.open_timeout_s, settings.stall_s),
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            return opening_problem(error, name, url, time.monotonic() - started_s, settings.socket_timeout_s)
        with container:
            if not container.streams.video:
                return Problem(CameraState.FAILED, f"{name} sends no video under this address. Correct the path in the settings.")
            kind, problem = _kind_of(container, name)
            if kind is None:
                return Problem(CameraState.FAILED, problem)
            with self._lock:
                current.opened, current.quiet_s = True, 0.0
            return self._read(current, container, kind, visit)

    def _read(self, current: Try, container: av.container.InputContainer, kind: StreamKind, visit: Visit) -> Problem:
        video = container.streams.video[0]
        audio = container.streams.audio[0] if kind.audio is not None else None
        rate = video.average_rate or video.guessed_rate
        pictures = FrameTiming(video.time_base, round(1_000_000 / rate) if rate else 40_000, self._clock)
        sounds = FrameTiming(audio.time_base, 1_000_000 * SOUND_SAMPLES // max(1, audio.rate), self._clock, sound=True) if audio else None
        with self._lock:
            if self._try is not current:
                return Problem(CameraState.CONNECTING, "")
            current.begin_stream(kind, pictures, sounds)
            self._writer.begin(kind)
        # What is done here for a packet is done cold, some ten times a second: each name that is looked up counts.
        pictures_index, unread = video.index, current.unread
        proved = False
        try:
            for packet in container.demux([video] if audio is None else [video, audio]):
                if not packet.size:  # the end; a key frame may come without time stamps, but never empty
                    continue
                of_picture = audio is None or packet.stream_index == pictures_index
                current.packets += of_picture  # a camera that sends sound only has stalled
                unread.append((packet, of_picture, time.monotonic()))
                if not proved:
                    visit.frame()
                    proved = visit.proved
                if proved and len(unread) < UNREAD_LIMIT:
                    if not current.wanted:
                        current.wanted = True
                        self._intake.want(self)
                else:
                    self.take_in()
                if self._try is not current:
                    return Problem(CameraState.CONNECTING, "")
                if current.failed:
                    return Problem(CameraState.FAILED, f"What {self.plan.name} sends can't be worked on; see the log. It is opened anew.")
        except (av.error.TimeoutError, av.error.ExitError):
            return Problem(CameraState.STALLED, f"{self.plan.name} is connected but sends nothing. The session is opened anew.")
        except (av.FFmpegError, OSError) as error:
            why = redact(error.strerror or type(error).__name__)
            return Problem(CameraState.CONNECTING, f"The session with {self.plan.name} broke: {why}. It is opened anew.")
        return Problem(CameraState.CONNECTING, f"{self.plan.name} ended the session. It is opened anew.")

    # -- frames

    def take_in(self) -> None:
        """Hand on what was read. From any thread."""
        with self._lock:
            current = self._try
            if current is None or not self._take_in(current):
                return
            self._waits.reset()
            # Before the lock is let go: the session's own thread may have something newer to report at once.
            if self._problem == RECORDING:
                return
            self._problem = RECORDING
        self._changed(self.plan, RECORDING)

    def _take_in(self, current: Try) -> bool:
        """With the lock held. True when the first picture of the stream was taken."""
        before = current.recording
        current.wanted = False  # first: what is read from here on is wanted anew
        try:
            while current.unread:
                packet, of_picture, arrived_s = current.unread.popleft()
                timing = current.pictures if of_picture else current.sounds
                assert timing is not None, "a stream has begun"
                for frame in timing.frames(packet, arrived_s):
                    taken = self._writer.put(frame)
                    if frame.key:
                        self._key_frames.keep(self.plan, current.kind, frame.data, frame.pts_us)
                    if current.until_us is not None and frame.pts_us >= current.until_us:
                        self._close()
                        return False
                    current.recording |= taken and of_picture
        except Exception as error:  # of one camera only: the thread may be that of all
            log.error("frames of a camera could not be taken in", camera=self.plan.id, exc_info=error)
            current.failed = True
            current.unread.clear()
        return current.recording and not before

    def _report(self, current: Try | None, problem: Problem) -> None:
        with self._lock:
            if (current is not None and self._try is not current) or problem == self._problem:
                return
            self._problem = problem
        self._changed(self.plan, problem)


class Try:
    """The token of one thread. `packets` is written by the thread alone, the rest by whoever holds the session's lock.

    unread: packets that the thread has read, whether they are of the picture, and when they came (monotonic); the thread adds to them.
    wanted: the intake was asked to work on them, and has not come to it yet; the thread sets it.
    """

    def __init__(self) -> None:
        self.over = threading.Event()
        self.packets = 0
        self.packets_seen = 0
        self.quiet_s = 0.0
        self.blocking = False
        self.opened = False
        self.until_us: int | None = None
        self.unread: deque[tuple[av.Packet[Any], bool, float]] = deque()
        self.kind = NO_STREAM
        self.pictures: FrameTiming | None = None
        self.sounds: FrameTiming | None = None
        self.recording = False
        self.failed = False
        self.wanted = False

    def begin(self) -> None:
        self.opened = self.failed = False
        self.quiet_s = 0.0
        self.blocking = True

    def begin_stream(self, kind: StreamKind, pictures: FrameTiming, sounds: FrameTiming | None) -> None:
        self.kind, self.pictures, self.sounds, self.recording = kind, pictures, sounds, False


def _kind_of(container: av.container.InputContainer, name: str) -> tuple[StreamKind | None, str]:
    """What the camera sends; None with a sentence for what cannot be recorded. Sound that is not kept is left out."""
    context = container.streams.video[0].codec_context
    # The stubs say always, PyAV says None where it knows no decoder.
    codec = context.codec.canonical_name if context is not None else "an unknown format"  # type: ignore[redundant-expr]
    if codec not in CODECS:
        return None, f"{name} sends {codec}, which cannot be recorded. Set it to H.264, H.265 or MJPEG."
    audio = None
    for stream in container.streams.audio[:1]:
        sound = stream.codec_context
        if sound is not None and sound.codec.canonical_name in SOUND:  # type: ignore[redundant-expr]
            extradata = bytes(sound.extradata or b"")
            audio = AudioKind(codec=sound.codec.canonical_name, rate=sound.sample_rate, layout=sound.layout.name, extradata=extradata)
    if audio is not None and audio.codec == "aac" and not fits_adts(audio.extradata):
        audio = None
    return StreamKind(codec=codec, extradata=bytes(context.extradata or b""), audio=audio), ""
