"""A drill on a simulated recorder: settings into scratch, a second session to each camera, first frames, and a clean end (SPEC 14.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from sysmanager.domain.documents import SettingsDocument
from sysmanager.domain.ids import CameraId, DocumentHash, RecorderId
from sysmanager.domain.jobs import Trial
from sysmanager.protocol.jobs import Accepted, DrillReport, DrillState, ForgetJob, JobAnswer, RunDrill
from sysmanager.simulation.surroundings import Pace, Surroundings


class Drilling:
    """At most one drill. `scratch`: whether anything of it lies on the disks. changed: called when the report says something new."""

    def __init__(self, recorder: RecorderId, surroundings: Surroundings, pace: Callable[[], Pace], changed: Callable[[], None]) -> None:
        self._recorder = recorder
        self._holder = RecorderId(f"{recorder}~drill")
        self._around = surroundings
        self._pace = pace
        self._changed = changed
        self._life = 0
        self._order: RunDrill | None = None
        self._state = DrillState.PREPARING
        self._sentence = ""
        self._trials: dict[CameraId, Trial] = {}
        self._opened: set[CameraId] = set()
        self.scratch = False

    @property
    def running(self) -> bool:
        return self._order is not None and self._state in (DrillState.PREPARING, DrillState.RECORDING)

    @property
    def report(self) -> DrillReport | None:
        """What a heartbeat says of it."""
        if self._order is None:
            return None
        return DrillReport(job=self._order.job, state=self._state, trials=tuple(self._trials.values()), sentence=self._sentence)

    def take(self, order: RunDrill | ForgetJob) -> JobAnswer:
        """Begin, go on with what runs already, or forget it."""
        if isinstance(order, ForgetJob):
            if self._order is not None and self._order.job == order.job:
                self.stop()
                self._changed()
        elif self._order is None or self._order.job != order.job:
            self.stop()
            self._order, self._state, self.scratch = order, DrillState.PREPARING, True
            life = self._life
            self._around.fetch(self._recorder, order.documents, lambda contents: self._fetched(contents, life))
            self._changed()
        return Accepted(job=order.job)

    def needed(self) -> None:
        """The server is to record: the drill ends in the same moment."""
        if self.running:
            self._finish(DrillState.ENDED, "It was needed for a failover.")

    def stop(self) -> None:
        """The process ends, or the drill is forgotten: nothing is left of it."""
        self._clean()
        self._order, self._sentence = None, ""
        self._trials.clear()

    def _clean(self) -> None:
        self._life += 1
        for camera in self._opened:
            self._around.cameras.close(camera, self._holder)
        self._opened.clear()
        self.scratch = False

    def _finish(self, state: DrillState, sentence: str = "") -> None:
        self._clean()
        self._state, self._sentence = state, sentence
        self._changed()

    # ------------------------------------------------------------ the drill itself

    def _fetched(self, contents: Mapping[DocumentHash, bytes] | None, life: int) -> None:
        order = self._order
        if life != self._life or order is None:
            return
        content = contents.get(order.documents.settings) if contents is not None else None
        if content is None:
            self._finish(DrillState.FAILED, "The coordinator did not give the documents in time.")
            return
        settings = msgspec.json.decode(content, type=SettingsDocument)
        limits = {camera.id: camera.sessions for camera in settings.cameras}
        self._state = DrillState.RECORDING
        for camera in order.described:
            dark = camera in self._around.cameras.dark
            self._trials[camera] = Trial(camera, False, -1, "does not answer" if dark else "")
        began_ms = self._now_ms()
        for camera in order.cameras:
            self._around.after(self._around.between(self._pace().first_frame_ms), self._open, camera, limits.get(camera, 1), began_ms, life)
        self._around.after(self._pace().first_frame_ms[1] + order.seconds * 1000, self._over, life)
        self._changed()

    def _open(self, camera: CameraId, limit: int, began_ms: int, life: int) -> None:
        if life != self._life:
            return
        if camera in self._around.cameras.dark:
            self._trials[camera] = Trial(camera, True, -1, "gives no frame")
        elif not self._around.cameras.open(camera, self._holder, limit):
            self._trials[camera] = Trial(camera, True, -1, "allows no further session")
        else:
            self._opened.add(camera)
            self._trials[camera] = Trial(camera, True, self._now_ms() - began_ms)

    def _over(self, life: int) -> None:
        if life == self._life:
            self._finish(DrillState.DONE)

    def _now_ms(self) -> int:
        return self._around.now(self._recorder).mono_ms
