"""Simulated recording of the cameras of a plan: opened at once, first frames staggered, tried again for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from sysmanager.domain.camera import Camera, RecordingMode
from sysmanager.domain.ids import CameraId, Epoch, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.schedule import Spell
from sysmanager.protocol.recorders import CameraBeat, CameraState, OffTimes
from sysmanager.recorder.machine import CapturePlan
from sysmanager.recorder.timetable import ALWAYS, Timetable
from sysmanager.simulation.footage import FRAME_MS, Material
from sysmanager.simulation.surroundings import Pace, Surroundings
from sysmanager.simulation.suspicion import Suspicion

LIT = (CameraState.RECORDING, CameraState.WAITING)
"""States in which the camera gives frames; where it waits for motion, none of them is written."""

SETTLED = (*LIT, CameraState.OFF)
"""States in which no first frame is waited for."""


NEVER_OFF = (0, 0)

PROVED_MS = 1_000
"""So long after the first frame of a suspect the next ones are opened."""


def lit(mode: RecordingMode) -> CameraState:
    """The state of a camera that gives frames."""
    return CameraState.WAITING if mode is RecordingMode.MOTION else CameraState.RECORDING


class Session:
    """One camera: its state, its frames under the present epoch in wall-clock milliseconds, 0 for none, and its span of footage.

    begun: its turn to be opened has come. off: the time, now or last, for which its schedule says that nothing is recorded.
    """

    __slots__ = ("begun", "camera", "first_ms", "hours", "last_ms", "off", "span", "state")

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.begun = True
        self.hours = ALWAYS
        self.off = NEVER_OFF
        self.state = CameraState.CONNECTING
        self.first_ms = 0
        self.last_ms = 0
        self.span: list[int] = []


class Capture:
    """The cameras that one recording service records at the moment.

    writable: whether any material disk takes frames. changed: called, after a moment, when a state or a first frame is new.
    gave: whether any camera gave frames that were written when the last heartbeat was made.
    crash: ends the process that this runs in. suspicion: what is held against streams.
    """

    def __init__(
        self,
        recorder: RecorderId,
        surroundings: Surroundings,
        pace: Pace,
        material: Material,
        writable: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        self._recorder = recorder
        self._around = surroundings
        self.pace = pace
        self._material = material
        self._writable = writable
        self._changed = changed
        self._sessions: dict[CameraId, Session] = {}
        self._report_due = False
        self._life = 0
        self._process_life = 0
        self.frozen = False
        self.hung = False
        self.gave = False
        self.epoch = Epoch(0)
        self.plan: CapturePlan | None = None
        self.suspicion = Suspicion()
        self.crash: Callable[[], None] = lambda: None
        self._row: list[Session] = []
        self._recorded: frozenset[CameraId] | None = None
        self._scheduled: list[Session] = []
        self._hours_from_ms = self._hours_until_ms = 0

    def follow(
        self,
        plan: CapturePlan,
        kept: Mapping[CameraId, int] = MappingProxyType({}),
        hours: Mapping[CameraId, Timetable] = MappingProxyType({}),
    ) -> None:
        """Record by this plan from now on. Cameras of both plans go on without a pause, under the new epoch.

        kept: cameras whose past is here already, each with the wall clock since when: it is written first, so that there is no gap.
        hours: of cameras that have a schedule.
        """
        wanted = {camera.id: camera for camera in plan.cameras}
        for gone in [camera for camera in self._sessions if camera not in wanted]:
            self._drop(gone)
        now_ms = self._wall_ms()
        if plan.epoch != self.epoch:
            going_on = [session for session in self._sessions.values() if session.state in LIT]
            for session in going_on:
                self._extend(session, now_ms)
            self.epoch = plan.epoch
            for session in self._sessions.values():
                self._stamp(session, now_ms)
        self.plan = plan
        for session in self._sessions.values():
            session.hours, session.off = hours.get(session.camera.id, ALWAYS), NEVER_OFF
        for camera in plan.cameras:
            if camera.id not in self._sessions:
                session = self._sessions[camera.id] = Session(camera)
                session.hours = hours.get(camera.id, ALWAYS)
                spell = session.hours.spell(now_ms)
                if spell.mode is RecordingMode.OFF:
                    self._becomes(session, CameraState.OFF)
                    self._around.cameras.close(camera.id, self._recorder)
                    continue
                if camera.id in kept and self._obstacle(camera) is None:
                    self._becomes(session, lit(spell.mode))
                    self._stamp(session, max(kept[camera.id], spell.from_ms))
                    self._extend(session, now_ms)
                    continue
                if self.suspicion.suspected(camera.id):
                    session.begun = False
                    self._row.append(session)
                    continue
                self._later(self._around.between(self.pace.first_frame_ms), session)
        self._scheduled = [session for session in self._sessions.values() if session.hours is not ALWAYS]
        self._hours_until_ms = 0
        self._row.sort(key=lambda session: self.suspicion.is_alone(session.camera.id))
        self._turns(self._life)
        self._report()

    def stop(self) -> None:
        """Close everything. Footage stays. What is to be reported may still come."""
        self._life += 1
        if self._sessions:
            self._report()
        for camera in list(self._sessions):
            self._drop(camera)
        self._row.clear()
        self.plan = None

    def end(self) -> None:
        """The process ends: as `stop`, and it says no more."""
        self.hung = False
        self._recorded = None
        self.stop()
        self._process_life += 1
        self._report_due = False

    def freeze(self) -> None:
        """No frame is written from now on, and nothing else happens."""
        now_ms = self._wall_ms()
        for session in self._sessions.values():
            if session.state in LIT:
                self._extend(session, now_ms)
        self.hung = True
        self._recorded = None

    def thaw(self) -> None:
        """It goes on, with a hole in the footage."""
        self.hung = False
        self._recorded = None
        self._hours_until_ms = 0
        now_ms = self._wall_ms()
        for session in self._sessions.values():
            if session.state is CameraState.RECORDING:
                session.span = self._material.begin(session.camera.id, self.epoch, now_ms)

    def look(self) -> None:
        """Disks or cameras changed: find out now which sessions are affected."""
        now_ms = self._wall_ms()
        for session in self._sessions.values():
            if session.state in LIT and self._obstacle(session.camera) is not None:
                self._extend(session, now_ms - FRAME_MS)
                self._fail(session)

    def beats(self, now: Instant) -> tuple[CameraBeat, ...]:
        """The cameras as a heartbeat shows them now, by the recorder's clocks."""
        now_ms = now.wall_ms
        suspicion, frozen = self.suspicion, self.frozen
        suspicion.pass_to(now.mono_ms, self.recorded() if suspicion.cases else ())
        if self._scheduled and not self._hours_from_ms <= now_ms < self._hours_until_ms:
            self._follow_hours(now_ms)
        found, gives = [], False
        for camera, session in self._sessions.items():
            state = session.state
            if not frozen and state in LIT:
                gives = True
                session.last_ms = now_ms
                if now_ms > session.span[1]:
                    session.span[1] = now_ms
            why = suspicion.sentence(session.camera) if state is CameraState.QUARANTINED else ""
            off_from_ms, off_until_ms = session.off
            found.append(CameraBeat(camera, state, session.first_ms, session.last_ms, why, off_from_ms, off_until_ms))
        self.gave = gives and not self.hung
        return tuple(found)

    def _follow_hours(self, now_ms: int) -> None:
        """Cameras whose time has ended are let go, with footage to its end; those whose time has begun are opened.

        It need not be called again while the time stays between two changes of any schedule, and no camera becomes another state.
        """
        spells = [session.hours.spell(now_ms) for session in self._scheduled]
        self._hours_from_ms = max(spell.from_ms for spell in spells)
        self._hours_until_ms = min(spell.until_ms for spell in spells)
        for session, spell in zip(self._scheduled, spells, strict=True):
            off = session.hours.last_off(now_ms)
            session.off = (off.from_ms, off.until_ms) if off is not None else NEVER_OFF
            if self.hung:
                continue
            if session.state in LIT and spell.mode is not RecordingMode.OFF:
                self._look_for_motion(session, spell, now_ms)
                continue
            if (spell.mode is RecordingMode.OFF) is (session.state is CameraState.OFF):
                continue
            if spell.mode is RecordingMode.OFF:
                if session.state in LIT and not self.frozen:
                    self._extend(session, spell.from_ms - FRAME_MS)
                self._becomes(session, CameraState.OFF)
                self._around.cameras.close(session.camera.id, self._recorder)
            else:
                self._becomes(session, CameraState.CONNECTING)
                self._later(self._around.between(self.pace.first_frame_ms), session)
            self._report()

    def _look_for_motion(self, session: Session, spell: Spell, now_ms: int) -> None:
        """From continuous recording to waiting for motion, or back; nothing ever moves here."""
        state = lit(spell.mode)
        if session.state is state:
            return
        if state is CameraState.WAITING and not self.frozen:
            self._extend(session, spell.from_ms - FRAME_MS)
        self._becomes(session, state)
        session.span = self._span(session, now_ms)
        self._report()

    def recorded(self) -> frozenset[CameraId]:
        """Cameras that give frames which are written at this moment, or watched for motion. The same object until they are others."""
        if self._recorded is None:
            lit_now = (camera for camera, session in self._sessions.items() if session.state in LIT)
            self._recorded = frozenset(() if self.hung else lit_now)
        return self._recorded

    def lit(self) -> frozenset[CameraId]:
        """Cameras that gave a frame since they were opened under the present epoch."""
        return frozenset(camera for camera, session in self._sessions.items() if session.first_ms)

    def off_times(self, cameras: Iterable[CameraId], since_ms: int) -> tuple[OffTimes, ...]:
        """When those of these cameras that it has were off since then."""
        own = ((camera, self._sessions[camera]) for camera in cameras if camera in self._sessions)
        return tuple(OffTimes(camera=camera, times=session.hours.off_times(since_ms, self._wall_ms())) for camera, session in own)

    def recorded_for(self, least_ms: int) -> frozenset[CameraId]:
        """Cameras whose frames have been written under the present epoch for at least so long."""
        now_ms = self._wall_ms()
        lit_long = (self._sessions[camera] for camera in self.recorded() if now_ms - self._sessions[camera].first_ms >= least_ms)
        return frozenset(session.camera.id for session in lit_long if session.state is CameraState.RECORDING)

    def scheduled(self) -> frozenset[CameraId]:
        """Cameras that are not recorded all the time: whether one gives frames may change by the clock alone."""
        return frozenset(session.camera.id for session in self._scheduled)

    # ------------------------------------------------------------ one camera

    def _becomes(self, session: Session, state: CameraState) -> None:
        session.state = state
        self._recorded = None
        self._hours_until_ms = 0

    def _later(self, delay_ms: int, session: Session) -> None:
        self._around.after(delay_ms, self._frame_due, session, self._life)

    def _frame_due(self, session: Session, life: int) -> None:
        if life != self._life or self._sessions.get(session.camera.id) is not session or session.state in SETTLED:
            return
        if self.hung:
            self._later(self.pace.retry_ms, session)
            return
        if self._obstacle(session.camera) is not None:
            self._fail(session)
            self._around.after(PROVED_MS, self._turns, life)
            return
        if session.camera.id in self._around.cameras.poison:
            under_way = {other.camera.id for other in self._sessions.values() if other.begun and other.state is CameraState.CONNECTING}
            self.suspicion.crashed(under_way | {session.camera.id}, self._around.now(self._recorder).mono_ms)
            self.crash()
            return
        self._becomes(session, lit(session.hours.mode(self._wall_ms())))
        self._stamp(session, self._wall_ms())
        self._report()
        self._around.after(PROVED_MS, self._turns, life)

    def _turns(self, life: int) -> None:
        """Open those suspects whose turn has come."""
        while life == self._life and self._row:
            sessions = [session for session in self._sessions.values() if session.begun and session.state is CameraState.CONNECTING]
            inside = [session.camera.id for session in sessions if self.suspicion.suspected(session.camera.id)]
            if not self.suspicion.admits(self._row[0].camera.id, inside):
                return
            session = self._row.pop(0)
            session.begun = True
            self._later(self._around.between(self.pace.first_frame_ms), session)

    def mend(self) -> None:
        self.frozen = False
        self.suspicion.release_all()

    def _stamp(self, session: Session, now_ms: int) -> None:
        """A new span under the present epoch."""
        session.first_ms = session.last_ms = 0
        if session.state in LIT:
            session.first_ms = session.last_ms = now_ms
            session.span = self._span(session, now_ms)

    def _span(self, session: Session, now_ms: int) -> list[int]:
        """Where its frames are noted from now on; of one that waits for motion they are no footage."""
        waits = session.state is CameraState.WAITING
        return [now_ms, now_ms] if waits else self._material.begin(session.camera.id, self.epoch, now_ms)

    def _obstacle(self, camera: Camera) -> CameraState | None:
        if self.suspicion.quarantined(camera.id):
            return CameraState.QUARANTINED
        if not self._around.cameras.reaches(self._recorder, camera.id):
            return CameraState.UNREACHABLE
        if not self._around.cameras.open(camera.id, self._recorder, camera.sessions):
            return CameraState.BUSY
        return None if self._writable() else CameraState.FAILED

    def _fail(self, session: Session) -> None:
        state = self._obstacle(session.camera) or CameraState.CONNECTING
        if session.state is not state:
            self._becomes(session, state)
            self._report()
        self._later(self.pace.retry_ms, session)

    def _extend(self, session: Session, wall_ms: int) -> None:
        session.last_ms = max(session.last_ms, wall_ms)
        session.span[1] = max(session.span[1], wall_ms)

    def _drop(self, camera: CameraId) -> None:
        session = self._sessions.pop(camera)
        self._recorded = None
        self._scheduled = [one for one in self._scheduled if one is not session]
        if session.state in LIT:
            self._extend(session, self._wall_ms())
        self._around.cameras.close(camera, self._recorder)

    # ------------------------------------------------------------ reports

    def _report(self) -> None:
        if not self._report_due:
            self._report_due = True
            self._around.after(self.pace.report_ms, self._report_now, self._process_life)

    def _report_now(self, life: int) -> None:
        if life == self._process_life:
            self._report_due = False
            self._changed()

    def _wall_ms(self) -> int:
        return self._around.now(self._recorder).wall_ms
