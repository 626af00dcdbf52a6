"""What of a camera's frames is kept: the schedule at each frame's own time stands between a session and the writer (SPEC 16).

No frame of a time that is off reaches a disk; recording begins with the first key frame in its time.
"""

from __future__ import annotations

import threading

from sysmanager.domain.camera import RecordingMode
from sysmanager.recorder.material import CameraWriter
from sysmanager.recorder.segments import Frame, StreamKind
from sysmanager.recorder.timetable import ALWAYS, Timetable


class Gate:
    """Takes one camera's frames, like a writer, and hands on what is to be kept. Thread safe; no call waits for a disk."""

    def __init__(self, writer: CameraWriter, timetable: Timetable = ALWAYS) -> None:
        self.writer = writer
        self._lock = threading.Lock()
        self._timetable = timetable
        self._kind: StreamKind | None = None
        self._begun = False

    @property
    def timetable(self) -> Timetable:
        return self._timetable

    def follow(self, timetable: Timetable) -> None:
        """From the next frame on."""
        with self._lock:
            self._timetable = timetable

    @property
    def waiting_bytes(self) -> int:
        return self.writer.waiting_bytes

    def begin(self, kind: StreamKind) -> None:
        with self._lock:
            self._shut()
            self._kind = kind

    def put(self, frame: Frame) -> bool:
        """False when it could not be used: before the first key frame. One that is not to be kept was used."""
        with self._lock:
            if self._kind is None:
                raise RuntimeError("frames came before begin()")
            if self._timetable.mode(frame.pts_us // 1000) is RecordingMode.OFF:
                self._shut()
                return frame.key or self._begun
            if not self._begun:
                self.writer.begin(self._kind)
                self._begun = True
            return self.writer.put(frame)

    def end(self) -> None:
        with self._lock:
            self._shut()

    def _shut(self) -> None:
        if self._begun:
            self._begun = False
            self.writer.end()
