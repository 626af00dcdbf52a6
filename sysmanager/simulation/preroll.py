"""What a simulated server on standby keeps of cameras that others record: sessions, and how far back the last seconds reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from sysmanager.domain.camera import Camera
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.protocol.preroll import KeepPreroll, PrerollBeat, PrerollReport
from sysmanager.protocol.recorders import Beat
from sysmanager.recorder.machine import Identity
from sysmanager.simulation.surroundings import Pace, Surroundings


class Preroll:
    """Of one recording service; gone with its process. lies: whether it says that it can keep pre-roll, and cannot.

    quarantined: whether a stream is; it is not opened for pre-roll either, as on a real server, whose sessions all go through one door.
    """

    def __init__(self, recorder: RecorderId, surroundings: Surroundings, pace: Pace, quarantined: Callable[[CameraId], bool]) -> None:
        self._recorder = recorder
        self._around = surroundings
        self._pace = pace
        self._quarantined = quarantined
        self._wanted: dict[CameraId, int] = {}
        self._since_ms: dict[CameraId, int] = {}
        self._life = 0
        self.lies = False

    def told(self, identity: Identity) -> Identity:
        """What its machine takes itself for."""
        return msgspec.structs.replace(identity, preroll_memory_mb=0) if self.lies else identity

    def said(self, beat: Beat, identity: Identity) -> Beat:
        """What its heartbeat says."""
        if not self.lies:
            return beat
        able = PrerollReport(memory_mb=identity.preroll_memory_mb, limit_s=identity.preroll_limit_s)
        return msgspec.structs.replace(beat, preroll=able)

    def follow(self, order: KeepPreroll) -> None:
        """Keep these cameras from now on, and no others. What is kept already goes on."""
        self._wanted = {camera: part.seconds for part in order.parts for camera in part.cameras}
        for camera in [camera for camera in self._since_ms if camera not in self._wanted]:
            self._give_up(camera)
        for camera in self._wanted:
            if camera not in self._since_ms:
                self._around.after(self._around.between(self._pace.first_frame_ms), self._open, camera, self._life)

    def _open(self, camera: CameraId, life: int) -> None:
        if life != self._life or camera not in self._wanted or camera in self._since_ms:
            return
        # Never the last session: only cameras that allow a second one are planned, and the one that records holds the first.
        shut = self._quarantined(camera) or not self._around.cameras.reaches(self._recorder, camera)
        if shut or not self._around.cameras.open(camera, self._recorder, 2):
            self._around.after(self._pace.retry_ms, self._open, camera, life)
            return
        self._since_ms[camera] = self._now_ms()

    def look(self) -> None:
        """Cameras went dark: what was kept of them is no longer the past of what comes."""
        for camera in [camera for camera in self._since_ms if not self._around.cameras.reaches(self._recorder, camera)]:
            self._give_up(camera)
            self._around.after(self._pace.retry_ms, self._open, camera, self._life)

    def held(self) -> tuple[PrerollBeat, ...]:
        """What a heartbeat says; cameras that give nothing yet with 0."""
        if not self._wanted:
            return ()
        now_ms = self._now_ms()
        return tuple(PrerollBeat(camera, now_ms - self._kept_since_ms(camera, now_ms)) for camera in self._wanted)

    def take_over(self, cameras: Iterable[Camera]) -> dict[CameraId, int]:
        """It records from now on: since when, by the wall clock, frames of each of these cameras are here. All others are given up."""
        now_ms = self._now_ms()
        kept = {camera.id: self._kept_since_ms(camera.id, now_ms) for camera in cameras if camera.id in self._since_ms}
        for camera in [camera for camera in self._since_ms if camera not in kept]:
            self._give_up(camera)
        self._forget()
        return kept

    def stop(self) -> None:
        """The process ends, or nothing is to be kept any more."""
        for camera in list(self._since_ms):
            self._give_up(camera)
        self._forget()

    def _forget(self) -> None:
        self._life += 1
        self._wanted, self._since_ms = {}, {}

    def _kept_since_ms(self, camera: CameraId, now_ms: int) -> int:
        since_ms = self._since_ms.get(camera, now_ms)
        return max(min(since_ms, now_ms), now_ms - self._wanted.get(camera, 0) * 1000)

    def _give_up(self, camera: CameraId) -> None:
        del self._since_ms[camera]
        self._around.cameras.close(camera, self._recorder)

    def _now_ms(self) -> int:
        return self._around.now(self._recorder).wall_ms
