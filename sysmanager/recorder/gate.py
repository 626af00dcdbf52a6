"""What of a camera's frames is kept: its schedule, at each frame's own time, and motion stand between a session and the writer (SPEC 16).

No frame of a time that is off reaches a disk; recording begins with the first key frame in its time. Where the schedule says motion, the
cut keeps frames back until it is known whether something moved. What cannot be looked at, or not in time, counts as motion.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from sysmanager.domain.camera import RecordingMode
from sysmanager.recorder.camera_rules import ALWAYS_RECORDED, CameraRules
from sysmanager.recorder.door import Guest
from sysmanager.recorder.material import CameraWriter
from sysmanager.recorder.motion_cut import MotionCut
from sysmanager.recorder.motion_eye import Eye, Look
from sysmanager.recorder.segments import Frame, StreamKind

log = structlog.get_logger(__name__)

LEAST_APART_US: Final = 480_000
"""Key frames that follow one another faster are not all looked at."""

LATE_S: Final = 10.0
"""A picture that was not looked at within this time counts as one with motion."""

WAITING_LIMIT: Final = 400
"""So many frames of a camera wait to be looked at; what comes beyond counts as motion."""

TOO_SLOW: Final = "this machine is too slow to look at its pictures"


class Watch(Protocol):
    """Where pictures are looked at (`MotionWatch`)."""

    def look(self, eye: Eye, look: Look) -> None: ...


class Gate:
    """Takes one camera's frames, like a writer, and hands on what is to be kept. Thread safe; no call waits for a disk or a picture.

    A watch that is None sees nothing, so that motion is recorded as continuously as the rest.
    """

    def __init__(
        self,
        camera: Guest | None,
        writer: CameraWriter,
        rules: CameraRules = ALWAYS_RECORDED,
        watch: Watch | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.writer = writer
        self._camera = camera
        self._watch = watch
        self._clock = clock
        self._lock = threading.Lock()
        self._rules = rules
        self._cut = MotionCut(writer, rules.cut)
        self._eye: Eye | None = None
        self._kind: StreamKind | None = None
        self._mode: RecordingMode | None = None
        self._pending: deque[tuple[int, float]] = deque()
        self._looked_us = 0
        self._trouble = ""
        self._first_us = 0
        self._last_us = 0

    @property
    def rules(self) -> CameraRules:
        return self._rules

    def follow(self, camera: Guest, rules: CameraRules) -> None:
        """From the next frame on."""
        with self._lock:
            same = (rules.mask, rules.pictures_per_s) == (self._rules.mask, self._rules.pictures_per_s)
            if not same or self._camera is None or camera.mark != self._camera.mark:
                self._eye = None
            self._camera, self._rules = camera, rules
            self._cut.settings = rules.cut

    def set_epoch(self, epoch: int) -> None:
        """Frames from the next key frame on belong to this epoch."""
        with self._lock:
            self._first_us = self._last_us = 0
        self.writer.set_epoch(epoch)

    @property
    def waiting_bytes(self) -> int:
        """What was handed on and no disk has taken yet."""
        return self.writer.waiting_bytes

    @property
    def trouble(self) -> str:
        """Why pictures cannot be looked at, so that everything is recorded; empty while they can."""
        return self._trouble

    @property
    def watched_ms(self) -> tuple[int, int]:
        """First and last frame that was watched for motion under the present epoch, recorded or not; 0 while there is none."""
        return self._first_us // 1000, self._last_us // 1000

    def waits_for_motion(self, at_ms: int) -> bool:
        """Whether it is time for motion, and there is none."""
        return self._rules.hours.mode(at_ms) is RecordingMode.MOTION and self._cut.until_us < self._last_us

    def begin(self, kind: StreamKind) -> None:
        with self._lock:
            self._kind = kind
            self._pending.clear()
            self._cut.begin(kind)

    def put(self, frame: Frame) -> bool:
        """False when it could not be used: before the first key frame. One that is not to be kept was used."""
        with self._lock:
            if self._kind is None:
                raise RuntimeError("frames came before begin()")
            mode = self._rules.hours.mode(frame.pts_us // 1000)
            if mode is not self._mode:
                self._changes_to(mode)
            match mode:
                case RecordingMode.CONTINUOUS:
                    return self._cut.put(frame, everything=True)
                case RecordingMode.OFF:
                    if not self._pending:
                        self._cut.forget()
                    return frame.key
                case RecordingMode.MOTION:
                    return self._put_watched(frame, self._kind)

    def end(self) -> None:
        with self._lock:
            self._cut.end()
            if self._mode is RecordingMode.OFF:
                self._cut.forget()

    # -- inside, with the lock held

    def _changes_to(self, mode: RecordingMode) -> None:
        self._mode = mode
        if mode is RecordingMode.OFF:
            self._cut.end()
        if mode is RecordingMode.MOTION and self._eye is not None:
            self._eye.forget()
        self.writer.set_why(mode.value)

    def _put_watched(self, frame: Frame, kind: StreamKind) -> bool:
        taken = self._cut.put(frame, everything=self._watch is None)
        if frame.sound or not taken or self._watch is None:
            return taken
        self._first_us = self._first_us or frame.pts_us
        self._last_us = max(self._last_us, frame.pts_us)
        judge = self._is_to_be_judged(frame)
        if judge or self._rules.pictures_per_s:
            self._have_looked_at(frame, kind, judge)
        if judge and self._pending and self._clock() - self._pending[0][1] > LATE_S:
            self._judge(frame.pts_us, True, TOO_SLOW)
        return True

    def _is_to_be_judged(self, frame: Frame) -> bool:
        apart_us = frame.pts_us - self._looked_us
        if self._rules.pictures_per_s:
            due = apart_us >= 1_000_000 // self._rules.pictures_per_s - 5_000
        else:
            due = frame.key and apart_us >= LEAST_APART_US
        return due or apart_us < -LEAST_APART_US

    def _have_looked_at(self, frame: Frame, kind: StreamKind, judge: bool) -> None:
        assert self._watch is not None, "there is one that sees"
        assert self._camera is not None, "whose rules it follows"
        if len(self._pending) >= WAITING_LIMIT:
            self._judge(frame.pts_us, True, TOO_SLOW)
            return
        if self._eye is None:
            self._eye = Eye(self._camera, self._rules.mask, self._told, every_frame=bool(self._rules.pictures_per_s))
        if judge:
            self._looked_us = frame.pts_us
            self._pending.append((frame.pts_us, self._clock()))
        self._watch.look(self._eye, Look(frame, kind, judge))

    def _told(self, at_us: int, moved: bool, why: str) -> None:
        """By the thread that looked."""
        with self._lock:
            while self._pending and self._pending[0][0] <= at_us:
                self._pending.popleft()
            self._judge(at_us, moved or bool(why), why)

    def _judge(self, at_us: int, moved: bool, why: str) -> None:
        if why != self._trouble:
            self._trouble = why
            name = self._camera.id if self._camera is not None else ""
            if why:
                log.warning("motion can't be looked for; the camera is recorded all the time", camera=name, why=why)
            else:
                log.info("motion is looked for again", camera=name)
        self._cut.judged(at_us, moved=moved)
