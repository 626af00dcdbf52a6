"""What a simulated server holds against streams that crash it: by the rules of the real one, on the virtual clock (SPEC 16)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sysmanager.domain.camera import Camera
from sysmanager.domain.ids import CameraId
from sysmanager.recorder.quarantine import Case, Suspect, after_crash, alone, quarantine_sentence, room, time_passed, without

PAUSE_LIMIT_MS = 5_000
"""Of a longer time between two heartbeats only so much counts: the service did not run in all of it."""


class Suspicion:
    """cases: survive the end of the process, as the real ones do. crashes_ms: when streams crashed it, by the monotonic clock."""

    def __init__(self) -> None:
        self.cases: dict[CameraId, Case] = {}
        self.crashes_ms: list[int] = []
        self._looked_ms: int | None = None

    def crashed(self, under_way: Iterable[CameraId], now_ms: int) -> None:
        """These streams were being opened."""
        self.cases = after_crash(self.cases, (Suspect(camera=camera, mark="") for camera in sorted(under_way)))
        self.crashes_ms.append(now_ms)

    def pass_to(self, now_ms: int, well: Collection[CameraId]) -> None:
        before_ms, self._looked_ms = self._looked_ms, now_ms
        if before_ms is not None and self.cases:
            self.cases = time_passed(self.cases, min(now_ms - before_ms, PAUSE_LIMIT_MS), well)

    def quarantined(self, camera: CameraId) -> bool:
        case = self.cases.get(camera)
        return case is not None and case.quarantined

    def suspected(self, camera: CameraId) -> bool:
        """Whether it has to wait for its turn."""
        case = self.cases.get(camera)
        return case is not None and not case.quarantined

    def admits(self, camera: CameraId, inside: Collection[CameraId]) -> bool:
        """Whether a suspect may be opened while these are."""
        if self.is_alone(camera) or any(self.is_alone(other) for other in inside):
            return not inside
        return len(inside) < room(self.cases)

    def is_alone(self, camera: CameraId) -> bool:
        case = self.cases.get(camera)
        return case is not None and alone(case)

    def sentence(self, camera: Camera) -> str:
        case = self.cases.get(camera.id)
        return quarantine_sentence(case, camera.name) if case is not None and case.quarantined else ""

    def release(self, camera: CameraId) -> None:
        """A person lets it out."""
        self.cases = without(self.cases, camera)

    def release_all(self) -> None:
        self.cases = {}
