"""Recording all cameras of a VMS server in one process, without re-encoding (SPEC 16)."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import av.logging
import msgspec
import structlog

from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraState, OffTimes
from sysmanager.recorder.camera_rules import ALWAYS_RECORDED, CameraRules
from sysmanager.recorder.disks import DiskSet
from sysmanager.recorder.door import Door, FreeDoor
from sysmanager.recorder.frameclock import SteadyClock
from sysmanager.recorder.gate import Gate
from sysmanager.recorder.intake import Intake
from sysmanager.recorder.material import CameraWriter, Recorded, SegmentSettings
from sysmanager.recorder.memory import give_back
from sysmanager.recorder.motion_eye import MotionWatch
from sysmanager.recorder.pictures import KeyFrames
from sysmanager.recorder.preroll import PreRoll, RingSettings
from sysmanager.recorder.reconnect import Problem
from sysmanager.recorder.session import CameraPlan, CameraSession, FrameSink, SessionSettings, agent_of
from sysmanager.recorder.timetable import OffTime, off_time

log = structlog.get_logger()

TICK_S: Final = 0.25
LOOK_EVERY_S: Final = 1.0
GIVE_BACK_EVERY_S: Final = 20.0
GIVE_BACK_OPENED_S: Final = 10.0
"""What opening a stream took is free by then: FFmpeg makes decoders to look at it."""

FINISH_LIMIT_S: Final = 0.5
REPORT_EVERY_MS: Final = 1000


class CameraEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A camera changed its state. `sentence` says why, for people; empty when all is well."""

    camera: CameraId
    state: CameraState
    sentence: str
    at_ms: int


class FrameEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Frames of a camera were written: the first under an epoch at once, then the newest about once a second. Wall-clock ms."""

    camera: CameraId
    epoch: int
    first: bool
    frame_ms: int
    frames: int


class CameraStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One camera as capture sees it. Frames and their times are those written under the present epoch; 0 while there is none.

    off: when its schedule says that nothing is recorded, now or last.
    """

    camera: CameraId
    state: CameraState
    sentence: str
    since_ms: int
    off: OffTime
    first_frame_ms: int
    last_frame_ms: int
    frames: int
    lost_frames: int


class HeldStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A camera whose last seconds are kept. reaches_ms: how far back from now; 0 while nothing is kept."""

    camera: CameraId
    state: CameraState
    sentence: str
    reaches_ms: int


CaptureEvent = CameraEvent | FrameEvent


class Capture:
    """Records cameras onto the disks of a `DiskSet`, which its owner starts before and stops after.

    `listener` is called from threads of the sessions and disks; it must be quick and must not raise. Every method may be called from
    any thread and none waits for a camera or a disk, but `stop`, which waits `timeout_s` for threads that can end.
    """

    def __init__(
        self,
        recorder: str,
        disks: DiskSet,
        listener: Callable[[CaptureEvent], None],
        *,
        chance: random.Random,
        segments: SegmentSettings | None = None,
        sessions: SessionSettings | None = None,
        clock: SteadyClock | None = None,
        door: Door | None = None,
    ) -> None:
        self._recorder = recorder
        self._disks = disks
        self._listener = listener
        self._chance = chance
        self._segments = segments or SegmentSettings()
        self._session_settings = sessions or SessionSettings(agent=agent_of(recorder))
        self._clock = clock or SteadyClock()
        self._door = door or FreeDoor()
        self.key_frames = KeyFrames()
        self._motion = MotionWatch(self._door)
        self._intake = Intake(disks)
        self._lock = threading.Lock()
        self._epoch = 0
        self._plan: dict[CameraId, CameraPlan] = {}
        self._sessions: dict[CameraId, CameraSession] = {}
        self._held: dict[CameraId, _Held] = {}
        self._keep_all = False
        self._opened = False
        self._finishing: list[CameraSession] = []
        self._finish_by_s = 0.0
        self._gates: dict[CameraId, Gate] = {}
        self._cards: dict[CameraId, _Card] = {}
        self._ending = threading.Event()
        self._watch: threading.Thread | None = None
        disks.listen(lambda _states: self._retry())

    def start(self, plan: Sequence[CameraPlan], epoch: int, rules: Mapping[CameraId, CameraRules] = MappingProxyType({})) -> None:
        """Begin to record these cameras under this epoch, all at once, priority 0 first. One without rules is kept continuously."""
        av.logging.set_level(None)  # FFmpeg's log lines hold stream addresses; what matters comes as an error
        self._stop_finishing()  # their frames are not of the new epoch
        self.set_epoch(epoch)
        self.change(plan, rules)
        self._begin_watch()

    def hold(self, plan: Sequence[tuple[CameraPlan, RingSettings]]) -> None:
        """Keep the last seconds of exactly these cameras from now on; of none that is recorded. `start` writes them first (SPEC 6).

        A camera that is held already by the same plan goes on without a break.
        """
        av.logging.set_level(None)
        wanted = {camera.id: (camera, ring) for camera, ring in plan}
        with self._lock:
            ended = [held for camera, held in self._held.items() if camera not in wanted or wanted[camera][0] != held.session.plan]
            for held in ended:
                del self._held[held.session.plan.id]
            begun: list[CameraSession] = []
            for camera, (item, ring) in wanted.items():
                if camera in self._held:
                    self._held[camera].preroll.resize(ring)
                elif camera not in self._sessions:
                    preroll = PreRoll(ring, keep_all=self._keep_all)
                    self._held[camera] = _Held(session=self._session(item, preroll), preroll=preroll)
                    begun.append(self._held[camera].session)
        for held in ended:
            held.session.stop()
        self._forget_pictures(held.session for held in ended)
        for session in begun:
            session.start()
        self._begin_watch()

    def keep_all(self, keep: bool) -> None:
        """Let nothing of what is held go for its age, as far as the memory goes: nobody may be there to say that it is needed."""
        with self._lock:
            if keep == self._keep_all:
                return
            self._keep_all = keep
            held = list(self._held.values())
        for each in held:
            each.preroll.keep_all(keep)

    def held(self) -> tuple[HeldStatus, ...]:
        """All cameras that are held, by id."""
        now_us = self._clock.now_us()
        with self._lock:
            found = sorted(self._held.items())
        return tuple(
            HeldStatus(
                camera=camera,
                state=held.session.problem.state,
                sentence=held.session.problem.sentence,
                reaches_ms=held.preroll.reaches_ms(now_us),
            )
            for camera, held in found
        )

    @property
    def opening(self) -> bool:
        """Whether a camera is being opened for the first time under this epoch."""
        with self._lock:
            cards = [card for camera, card in self._cards.items() if camera in self._sessions]
        return any(card.problem.state is CameraState.CONNECTING and not card.frames for card in cards)

    @property
    def settled(self) -> bool:
        """Whether nothing of what was to be finished is still on its way to a disk."""
        with self._lock:
            if self._finishing and any(not session.ended for session in self._finishing):
                return False
            left = [gate.writer for camera, gate in self._gates.items() if camera not in self._sessions]
        return all(writer.idle() for writer in left)

    def _begin_watch(self) -> None:
        if self._watch is None:
            self._watch = threading.Thread(target=self._run, name="capture", daemon=True)
            self._watch.start()
            self._intake.start()

    def change(self, plan: Sequence[CameraPlan], rules: Mapping[CameraId, CameraRules] = MappingProxyType({})) -> None:
        """Record exactly these cameras from now on. A camera whose plan is the same goes on without a break."""
        self._stop_finishing()
        wanted = {camera.id: camera for camera in sorted(plan, key=lambda camera: (camera.priority, camera.id))}
        now_ms = self._clock.now_us() // 1000
        with self._lock:
            self._plan = wanted
            for camera, item in wanted.items():
                self._gate(camera).follow(item, rules.get(camera, ALWAYS_RECORDED))
            ended = [session for camera, session in self._sessions.items() if wanted.get(camera) != session.plan]
            begun: list[CameraSession] = []
            for session in ended:
                del self._sessions[session.plan.id]
            for camera in list(self._cards):
                if camera not in wanted:
                    del self._cards[camera]
            taken_over: list[tuple[_Held, Gate]] = []
            dropped: list[CameraSession] = []
            for camera, item in wanted.items():
                if camera in self._sessions:
                    continue
                card = self._cards.setdefault(camera, _Card())
                held = self._held.pop(camera, None)
                due = self._gates[camera].rules.hours.wants_session(now_ms)
                if held is not None and held.session.plan == item and due:
                    self._sessions[camera] = held.session
                    card.problem, card.since_ms = held.session.problem, self._clock.now_us() // 1000
                    taken_over.append((held, self._gates[camera]))
                    continue
                if held is not None:
                    dropped.append(held.session)
                if due:
                    self._sessions[camera] = self._session(item, self._gates[camera])
                    begun.append(self._sessions[camera])
        for held, gate in taken_over:
            held.preroll.record(gate)
        for session in (*ended, *dropped):
            session.stop()
        self._forget_pictures((*ended, *dropped))
        for session in begun:
            session.start()

    def finish(self) -> None:
        """Record nothing from now on, but complete what cameras captured until now; that may take 0.5 s.

        Another recorder, which has its first frames, goes on from them: what this one has not read yet would be missing (SPEC 8).
        """
        with self._lock:
            finishing = list(self._sessions.values())
            self._sessions.clear()
            self._plan = {}
            self._cards.clear()
            self._finishing.extend(finishing)
            self._finish_by_s = time.monotonic() + FINISH_LIMIT_S
        for session in finishing:
            session.finish()
        self._forget_pictures(finishing)

    def _forget_pictures(self, ended: Iterable[CameraSession]) -> None:
        """Of cameras that nobody records here any more."""
        for session in ended:
            self.key_frames.forget(session.plan.id)

    def _stop_finishing(self) -> None:
        with self._lock:
            finishing, self._finishing = self._finishing, []
        for session in finishing:
            session.stop()

    def set_epoch(self, epoch: int) -> None:
        """Segments from the next key frame on belong to this epoch; counts and times in `snapshot` begin anew."""
        with self._lock:
            if epoch == self._epoch:
                return
            self._epoch = epoch
            for card in self._cards.values():
                card.renew()
            gates = list(self._gates.values())
        for gate in gates:
            gate.set_epoch(epoch)

    def stop(self, timeout_s: float = 2.0) -> None:
        """End all sessions and complete their segments. Stop the disks after it: they write what is queued."""
        until = time.monotonic() + timeout_s
        self._ending.set()
        with self._lock:
            sessions = [*self._sessions.values(), *self._finishing, *(held.session for held in self._held.values())]
            self._plan = {}
            self._sessions.clear()
            self._finishing.clear()
            self._held.clear()
        for session in sessions:
            session.stop()
        for session in sessions:
            session.join(max(0.0, until - time.monotonic()))
        self._intake.stop(max(0.0, until - time.monotonic()))
        self._motion.stop()
        if self._watch is not None:
            self._watch.join(max(0.0, until - time.monotonic()))

    def off_times(self, cameras: Iterable[CameraId], since_ms: int) -> tuple[OffTimes, ...]:
        """When those of these cameras that are in the plan were off since then. Takes long for a long time: not for the loop."""
        now_ms = self._clock.now_us() // 1000
        with self._lock:
            hours = {camera: self._gates[camera].rules.hours for camera in cameras if camera in self._gates}
        return tuple(OffTimes(camera=camera, times=timetable.off_times(since_ms, now_ms)) for camera, timetable in hours.items())

    def snapshot(self) -> tuple[CameraStatus, ...]:
        """All cameras of the plan, by id."""
        now_ms = self._clock.now_us() // 1000
        with self._lock:
            return tuple(_status(camera, card, self._gates[camera], now_ms) for camera, card in sorted(self._cards.items()))

    # -- inside

    def _gate(self, camera: CameraId) -> Gate:
        gate = self._gates.get(camera)
        if gate is None:
            writer = CameraWriter(camera, self._recorder, self._disks, epoch=self._epoch, settings=self._segments, recorded=self._recorded)
            gate = self._gates[camera] = Gate(None, writer, watch=self._motion)
        return gate

    def _session(self, plan: CameraPlan, sink: FrameSink) -> CameraSession:
        self._opened = True
        return CameraSession(
            plan,
            sink,
            settings=self._session_settings,
            clock=self._clock,
            chance=self._chance,
            changed=self._state_changed,
            door=self._door,
            key_frames=self.key_frames,
            intake=self._intake,
        )

    def _run(self) -> None:
        before = time.monotonic()
        look_at = before
        give_back_at = before + GIVE_BACK_EVERY_S
        while not self._ending.wait(TICK_S):
            now = time.monotonic()
            # After a pause of this machine no camera is to blame for its silence.
            passed_s, before = min(now - before, 2 * TICK_S), now
            with self._lock:
                sessions = [*self._sessions.values(), *(held.session for held in self._held.values())]
                overdue = bool(self._finishing) and now >= self._finish_by_s
            for session in sessions:
                try:
                    session.watch(passed_s)
                except Exception as error:  # of one camera only
                    log.error("a camera could not be watched", camera=session.plan.id, exc_info=error)
            if overdue:
                self._stop_finishing()
            if now >= look_at:
                look_at = now + LOOK_EVERY_S
                if self._clock.look():
                    log.warning("the wall clock of this machine was set; times of new frames follow it")
                self._follow_hours()
                self._forget_writers()
            if self._opened:
                self._opened = False
                give_back_at = min(give_back_at, now + GIVE_BACK_OPENED_S)
            if now >= give_back_at:
                give_back_at = now + GIVE_BACK_EVERY_S
                give_back()

    def _follow_hours(self) -> None:
        """Connect cameras shortly before their time begins, and let go of those whose time is over."""
        now_ms = self._clock.now_us() // 1000
        begun: list[CameraSession] = []
        ended: list[CameraSession] = []
        with self._lock:
            for camera, item in self._plan.items():
                due = self._gates[camera].rules.hours.wants_session(now_ms)
                if due and camera not in self._sessions:
                    self._sessions[camera] = self._session(item, self._gates[camera])
                    begun.append(self._sessions[camera])
                elif not due and camera in self._sessions:
                    ended.append(self._sessions.pop(camera))
        for session in ended:
            session.stop()
        self._forget_pictures(ended)
        for session in begun:
            session.start()

    def _forget_writers(self) -> None:
        """Writers of cameras that are no longer in the plan stay until all their frames are on a disk."""
        with self._lock:
            for camera in [camera for camera in self._gates if camera not in self._plan]:
                if camera not in self._cards and self._gates[camera].writer.idle():
                    del self._gates[camera]

    def _retry(self) -> None:
        with self._lock:
            gates = list(self._gates.values())
        for gate in gates:
            gate.writer.retry()

    def _state_changed(self, plan: CameraPlan, problem: Problem) -> None:
        at_ms = self._clock.now_us() // 1000
        with self._lock:
            session = self._sessions.get(plan.id)
            card = self._cards.get(plan.id)
            if card is None or session is None or session.plan != plan:
                return
            problem = session.problem  # two threads may tell of it at once, and the older word come last
            card.problem, card.since_ms = problem, at_ms
        self._listener(CameraEvent(camera=plan.id, state=problem.state, sentence=problem.sentence, at_ms=at_ms))

    def _recorded(self, recorded: Recorded) -> None:
        camera = CameraId(recorded.camera)
        with self._lock:
            card = self._cards.get(camera)
            if card is None or recorded.epoch != self._epoch:
                return
            first = card.frames == 0
            card.frames += 1
            if first:
                card.first_frame_ms = recorded.frame_ms
            card.last_frame_ms = max(card.last_frame_ms, recorded.frame_ms)
            if not first and 0 <= recorded.frame_ms - card.told_ms < REPORT_EVERY_MS:
                return
            card.told_ms = recorded.frame_ms
            frames = card.frames
        self._listener(FrameEvent(camera=camera, epoch=recorded.epoch, first=first, frame_ms=recorded.frame_ms, frames=frames))


def _status(camera: CameraId, card: _Card, gate: Gate, now_ms: int) -> CameraStatus:
    """A camera that is off by its schedule is that, whatever became of its session. What is watched for motion counts as covered."""
    state, sentence, since_ms = card.problem.state, card.problem.sentence, card.since_ms
    first_ms, last_ms = card.first_frame_ms, card.last_frame_ms
    mode, off = gate.rules.hours.mode(now_ms), off_time(gate.rules.hours, now_ms)
    if mode is RecordingMode.OFF:
        state, sentence, since_ms = CameraState.OFF, "", off.from_ms
    elif mode is RecordingMode.MOTION and state is CameraState.RECORDING:
        watched_first_ms, watched_last_ms = gate.watched_ms
        first_ms = min(first_ms or watched_first_ms, watched_first_ms or first_ms)
        if gate.waits_for_motion(now_ms):
            state, last_ms = CameraState.WAITING, max(last_ms, watched_last_ms)
        sentence = f"Motion can't be looked for, so that all of it is recorded: {gate.trouble}." if gate.trouble else ""
    return CameraStatus(
        camera=camera,
        state=state,
        sentence=sentence,
        since_ms=since_ms,
        off=off,
        first_frame_ms=first_ms,
        last_frame_ms=last_ms,
        frames=card.frames,
        lost_frames=gate.writer.lost_frames,
    )


class _Held(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A camera whose last seconds are kept."""

    session: CameraSession
    preroll: PreRoll


class _Card:
    """What is known of one camera under the present epoch."""

    def __init__(self) -> None:
        self.problem = Problem(CameraState.CONNECTING, "")
        self.since_ms = 0
        self.renew()

    def renew(self) -> None:
        self.first_frame_ms = 0
        self.last_frame_ms = 0
        self.frames = 0
        self.told_ms = 0
