"""One live synthetic camera: a clock that never stops, a looping clip, a mark in each frame, faults, sessions."""

from __future__ import annotations

import asyncio
import random
import time
from enum import StrEnum
from typing import Protocol

from sysmanager.simulation.cameras.clip import Clip
from sysmanager.simulation.cameras.rtp import CLOCK_HZ, RtpStream, payloads
from sysmanager.simulation.cameras.sei import FrameMark, encode_mark

SEND_BUFFER_LIMIT_BYTES = 4 << 20
REPORT_EVERY_S = 5.0
NOISE_BYTES = 300
NOISE_EVERY = 7
"""Most noise is in packets that look well; every so often it stands between them."""

_GOLDEN = 0.618_033_988_75


class Fault(StrEnum):
    """What a camera does wrong. `stall`: sessions stay, frames stop. `refuse`: sessions and new connections are closed.
    `blackhole`: nothing is answered or sent any more. `garbage`: noise instead of frames, in and between packets."""

    OK = "ok"
    STALL = "stall"
    REFUSE = "refuse"
    BLACKHOLE = "blackhole"
    GARBAGE = "garbage"


class Connection(Protocol):
    """What a camera needs of a client's connection."""

    def write(self, data: bytes) -> None: ...
    def backlog_bytes(self) -> int: ...
    def abort(self) -> None: ...


class Session:
    """One playing client of a camera."""

    def __init__(self, connection: Connection, stream: RtpStream) -> None:
        self.connection = connection
        self.stream = stream
        self.playing = False
        self.reported_at = -REPORT_EVERY_S


class LiveCamera:
    """A camera with id `camera`. Its frames are numbered from its start, whether anyone watches or not.

    `index` gives it a phase of its own, so that the key frames of many cameras do not fall together. A client that joins gets the
    frames from now on, also the ones before the next key frame, as from a plain camera. never_captured: frames of the time in which the
    process stood still.
    """

    def __init__(self, camera: str, index: int, clip: Clip, *, session_limit: int, sender_reports: bool) -> None:
        self.camera = camera
        self.clip = clip
        self.fault = Fault.OK
        self.sessions: set[Session] = set()
        self.frame = 0
        self.never_captured: set[int] = set()
        self.refused_sessions = 0
        self._session_limit = session_limit
        self._sender_reports = sender_reports
        self._phase = index * _GOLDEN % 1.0
        self._offset = int(self._phase * clip.shape.gop_frames)
        self._timestamp = int(self._phase * (1 << 31))
        self._parts = [payloads(frame.units) for frame in clip.frames]

    def join(self, session: Session) -> bool:
        """Take a session in; False when the camera has as many as it allows."""
        if len(self.sessions) >= self._session_limit:
            self.refused_sessions += 1
            return False
        self.sessions.add(session)
        return True

    def leave(self, session: Session) -> None:
        self.sessions.discard(session)

    def drop(self) -> None:
        """Break all connections of this camera now; new ones are welcome."""
        for session in list(self.sessions):
            session.connection.abort()
        self.sessions.clear()

    def show(self, clip: Clip) -> None:
        """Send another picture from the next frame on, which is a key frame: a camera whose resolution was changed. ValueError
        when that has another frame rate."""
        if clip.shape.fps != self.clip.shape.fps:
            raise ValueError(f"{self.camera} sends {self.clip.shape.fps} frames a second, and the other picture {clip.shape.fps}")
        self.clip = clip
        self._parts = [payloads(frame.units) for frame in clip.frames]
        self._offset = -self.frame

    async def run(self, started: float, wall_us: int) -> None:
        """Send frames for ever. `started` (monotonic seconds) and `wall_us` (µs since the epoch) are the same instant; the wall
        clock is not read again, so that a step of it does not bend the capture times."""
        period = 1.0 / self.clip.shape.fps
        first = started + self._phase * period
        while True:
            due = first + self.frame * period
            delay = due - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            elif delay < -1.0:
                # The process was paused: frames of that time were never captured, their numbers are missing, as with a real camera.
                missed = int(-delay / period)
                self.never_captured.update(range(self.frame, self.frame + missed))
                self.frame += missed
                due = first + self.frame * period
            self._send(wall_us + round((due - started) * 1e6), due)
            self.frame += 1

    def loop_position(self, frame: int) -> int:
        """Which picture of the clip a frame shows."""
        return (frame + self._offset) % len(self.clip.frames)

    def _send(self, captured_us: int, now: float) -> None:
        if self.fault is Fault.GARBAGE:
            self._send_noise()
        if self.fault is not Fault.OK or not self.sessions:
            return
        position = self.loop_position(self.frame)
        mark = encode_mark(FrameMark(camera=self.camera, frame=self.frame, captured_us=captured_us))
        parts = self._parts[position]
        head = len(self.clip.parameter_sets) if self.clip.frames[position].key else 0
        marked = [*parts[:head], mark, *parts[head:]]
        timestamp = (self._timestamp + round(self.frame * CLOCK_HZ / self.clip.shape.fps)) & 0xFFFFFFFF
        for session in list(self.sessions):
            if not session.playing or session.connection.backlog_bytes() > SEND_BUFFER_LIMIT_BYTES:
                continue
            data = session.stream.frame(marked, timestamp)
            if self._sender_reports and now - session.reported_at >= REPORT_EVERY_S:
                session.reported_at = now
                data = session.stream.sender_report(captured_us, timestamp) + data
            session.connection.write(data)

    def _send_noise(self) -> None:
        noise = random.Random(self.frame)
        timestamp = (self._timestamp + round(self.frame * CLOCK_HZ / self.clip.shape.fps)) & 0xFFFFFFFF
        for session in list(self.sessions):
            if session.playing and session.connection.backlog_bytes() <= SEND_BUFFER_LIMIT_BYTES:
                data = session.stream.frame([noise.randbytes(NOISE_BYTES)], timestamp)
                if self.frame % NOISE_EVERY == 0:
                    data += noise.randbytes(NOISE_BYTES)
                session.connection.write(data)
