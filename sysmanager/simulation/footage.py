"""Simulated footage and simulated cameras: who streams, since when, and what lies on which recorder. Nothing here can be removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from sysmanager.domain.ids import CameraId, Epoch, RecorderId
from sysmanager.protocol.recorders import PAUSE_MS, PAUSES_LIMIT, FootageSpan

FRAME_MS = 40


class Material:
    """What one recorder has on its disks: spans of wall-clock milliseconds by camera and epoch. They grow; nothing takes them away."""

    def __init__(self) -> None:
        self._spans: dict[tuple[CameraId, Epoch], list[list[int]]] = {}

    def begin(self, camera: CameraId, epoch: Epoch, wall_ms: int) -> list[int]:
        """A new span of the camera: its first and last millisecond. Whoever records it moves the second on, and only on."""
        span = [wall_ms, wall_ms]
        self._spans.setdefault((camera, epoch), []).append(span)
        return span

    def spans(self, epoch: Epoch, cameras: Iterable[CameraId]) -> tuple[FootageSpan, ...]:
        """What a recorder answers to `ReportFootage`. No `cameras`: all."""
        wanted = tuple(cameras) or tuple(camera for camera, of_epoch in self._spans if of_epoch == epoch)
        return tuple(
            FootageSpan(
                camera=camera,
                first_frame_ms=found[0][0],
                last_frame_ms=found[-1][1],
                frames=sum((end - begin) // FRAME_MS + 1 for begin, end in found),
                segments=len(found),
                pauses=tuple((end, begin) for (_, end), (begin, _) in pairwise(found) if begin - end > PAUSE_MS)[-PAUSES_LIMIT:],
            )
            for camera in wanted
            if (found := self._spans.get((camera, epoch)))
        )

    def pairs(self, camera: CameraId, epoch: Epoch) -> tuple[tuple[int, int], ...]:
        """Begin and end of each span of a camera under an epoch."""
        return tuple((begin, end) for begin, end in self._spans.get((camera, epoch), ()))

    def totals(self) -> Mapping[tuple[CameraId, Epoch], int]:
        """Milliseconds of footage by camera and epoch."""
        return {key: sum(end - begin for begin, end in spans) for key, spans in self._spans.items()}

    @property
    def highest_epoch(self) -> Epoch:
        return max((epoch for _, epoch in self._spans), default=Epoch(0))


class CameraField:
    """All simulated cameras of a site: who has a session with which, and which give nothing at the moment.

    dark: cameras that answer nobody. cut: recorders that reach no camera. unreached: cameras that one recorder does not reach.
    poison: cameras whose stream crashes whoever opens it. ever_poisonous: those that were that at any time.
    """

    def __init__(self) -> None:
        self.dark: set[CameraId] = set()
        self.cut: set[RecorderId] = set()
        self.unreached: set[tuple[CameraId, RecorderId]] = set()
        self.poison: set[CameraId] = set()
        self.ever_poisonous: set[CameraId] = set()
        self._sessions: dict[CameraId, set[RecorderId]] = {}

    def reaches(self, recorder: RecorderId, camera: CameraId) -> bool:
        """Whether the recorder would get an answer from the camera."""
        return camera not in self.dark and recorder not in self.cut and (camera, recorder) not in self.unreached

    def open(self, camera: CameraId, recorder: RecorderId, limit: int) -> bool:
        """Take a session. False if the camera gives no more of them."""
        holders = self._sessions.setdefault(camera, set())
        if recorder not in holders and len(holders) >= max(1, limit):
            return False
        holders.add(recorder)
        return True

    def full(self, camera: CameraId, recorder: RecorderId, limit: int) -> bool:
        """Whether others hold all sessions that the camera gives."""
        holders = self._sessions.get(camera, set())
        return recorder not in holders and len(holders) >= max(1, limit)

    def close(self, camera: CameraId, recorder: RecorderId) -> None:
        self._sessions.get(camera, set()).discard(recorder)
