"""The way to every stream: who is quarantined stays outside, who is suspected goes in with few or alone; what is under way is noted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import structlog

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.case_file import load_cases, save_cases, take_releases
from sysmanager.recorder.quarantine import Case, alone, no_picture_sentence, quarantine_sentence, room, time_passed, without
from sysmanager.recorder.reconnect import Problem
from sysmanager.recorder.suspects import Deed, Notes

log = structlog.get_logger(__name__)

PROVED_S: Final = 10.0
"""A stream that ran for so long after its first frame is not to blame for a crash."""

ALONE_S: Final = 1.0
ALONE_AGAIN_S: Final = 3.0
"""For so long a suspect must run until the next ones may enter: after one crash, and, alone, after several."""

ALONE_LIMIT_S: Final = 4.0
"""A camera that does not answer holds up the others so much longer at most."""

LOOK_S: Final = 1.0
SAVE_EVERY_S: Final = 30.0
"""A kill makes a quarantine longer by this at most."""

WAIT_S: Final = 0.1

Place = tuple[bool, int, int, str]
"""In the row of suspects: whether it must be alone, how often it was tried, its priority and id."""


class Guest(Protocol):
    """What a door must know of a camera. mark: of its address and credentials."""

    @property
    def id(self) -> CameraId: ...
    @property
    def name(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def mark(self) -> str: ...


class Visit(Protocol):
    """A stream that is open, or about to be. Of one thread."""

    @property
    def proved(self) -> bool:
        """Whether it has run so long that it is not to blame for a crash. Until then its frames stay with the thread that is noted."""

    def frame(self) -> None:
        """A frame came."""

    def leave(self) -> None:
        """The stream is closed, or could not be opened."""


class Door(Protocol):
    def enter(self, camera: Guest, over: threading.Event) -> Visit | Problem | None:
        """Before a stream is opened; waits for its turn. A Problem: it must stay closed. None: `over` was set meanwhile."""

    def decode(self, camera: Guest) -> Visit | Problem:
        """Before one picture of the stream is decoded; `leave` follows it. It waits for nobody. A Problem: it must not be."""

    def release(self, camera: CameraId) -> bool:
        """A person takes it out of quarantine. False if nothing was held against it."""


class _FreeVisit:
    proved = True

    def frame(self) -> None:
        return

    def leave(self) -> None:
        return


class FreeDoor:
    """Everybody may enter, nothing is noted: where no Watchdog reads the notes."""

    def decode(self, camera: Guest) -> Visit:
        return _FREE

    def enter(self, camera: Guest, over: threading.Event) -> Visit:
        return _FREE

    def release(self, camera: CameraId) -> bool:
        return False


_FREE = _FreeVisit()


class QuarantineDoor:
    """The door of a recording service. `start` and `stop` for its clock; any thread may call. Raises OSError if the notes can't be made."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._notes = Notes(folder)
        self._turn = threading.Condition()
        self._cases: dict[CameraId, Case] = {case.camera: case for case in load_cases(folder)}
        self._saved = self._cases
        self._saving = threading.Lock()
        self._running: dict[CameraId, _Visit] = {}
        self._inside: list[_Visit] = []
        self._waiting: list[Place] = []
        self._tries: dict[CameraId, int] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="quarantine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(LOOK_S)

    def enter(self, camera: Guest, over: threading.Event) -> Visit | Problem | None:
        with self._turn:
            case = self._case_of(camera)
            if case is None or not case.crashes:
                return self._admit(camera)
            if case.quarantined:
                return Problem(CameraState.QUARANTINED, quarantine_sentence(case, camera.name))
            tries = self._tries.get(camera.id, 0)
            self._tries[camera.id] = tries + 1
            place = (alone(case), tries, camera.priority, camera.id)
            self._waiting.append(place)
            try:
                while not self._is_turn(place):
                    self._turn.wait(WAIT_S)
                    if over.is_set():
                        return None
            finally:
                self._waiting.remove(place)
            visit = self._admit(camera, ALONE_AGAIN_S if alone(case) else ALONE_S)
            self._inside.append(visit)
            self._turn.notify_all()
            return visit

    def decode(self, camera: Guest) -> Visit | Problem:
        with self._turn:
            case = self._case_of(camera)
            running = self._running.get(camera.id)
            unproved = case is not None and case.crashes > 0 and (running is None or not running.proved)
            if case is not None and (unproved or case.blind_ms):
                # Whoever is under suspicion is recorded first of all; a picture of it can wait.
                return Problem(CameraState.QUARANTINED, no_picture_sentence(case, camera.name))
            return _Visit(self, camera, self._notes, PROVED_S, self._clock, Deed.DECODING)

    def release(self, camera: CameraId) -> bool:
        """Durable when it returns, if the disk takes it."""
        with self._turn:
            found = camera in self._cases
            self._cases = without(self._cases, camera)
        self.save()
        return found

    @property
    def cases(self) -> tuple[Case, ...]:
        with self._turn:
            return tuple(self._cases.values())

    def pass_time(self, passed_s: float) -> None:
        """The owner's clock: quarantines run down, suspects that run well are cleared, releases by hand are taken."""
        releases = take_releases(self._folder)
        with self._turn:
            for camera in releases:
                self._cases = without(self._cases, camera)
            well = [camera for camera, visit in self._running.items() if visit.proved]
            self._cases = time_passed(self._cases, round(passed_s * 1000), well)
        for camera in releases:
            log.info("camera released from quarantine", camera=camera)

    def save(self) -> None:
        """Make durable what is held against whom. Where that fails the last crash counts longer, and nothing worse."""
        with self._saving:
            with self._turn:
                cases = self._cases
            if cases == self._saved:
                return
            try:
                save_cases(self._folder, cases.values())
                self._saved = cases
            except OSError as error:
                log.warning("quarantine not saved", why=error.strerror or str(error))

    # -- inside

    def _run(self) -> None:
        before_s = saved_s = self._clock()
        while not self._ending.wait(LOOK_S):
            now_s = self._clock()
            self.pass_time(min(now_s - before_s, 2 * LOOK_S))
            before_s = now_s
            if now_s - saved_s >= SAVE_EVERY_S or self._saved.keys() != self._cases.keys():
                saved_s = now_s
                self.save()

    def _case_of(self, camera: Guest) -> Case | None:
        case = self._cases.get(camera.id)
        if case is not None and case.mark != camera.mark:
            self._cases = without(self._cases, camera.id)
            return None
        return case

    def _is_turn(self, place: Place) -> bool:
        """Those that must be alone come last, and then the ones that were tried most often."""
        now_s = self._clock()
        self._inside = [visit for visit in self._inside if not visit.runs and now_s - visit.began_s < visit.needs_s + ALONE_LIMIT_S]
        if min(self._waiting) != place:
            return False
        is_alone = place[0] or any(visit.needs_s == ALONE_AGAIN_S for visit in self._inside)
        return not self._inside if is_alone else len(self._inside) < room(self._cases)

    def _admit(self, camera: Guest, needs_s: float = PROVED_S) -> _Visit:
        visit = self._running[camera.id] = _Visit(self, camera, self._notes, needs_s, self._clock)
        return visit

    def left(self, visit: _Visit) -> None:
        """Of a visit that ended."""
        with self._turn:
            if self._running.get(visit.camera) is visit:
                del self._running[visit.camera]
            if visit in self._inside:
                self._inside.remove(visit)
            self._turn.notify_all()


class _Visit:
    """needs_s: how long it must give frames until the next suspect may enter. Until it is proved, a crash of its thread is its own."""

    def __init__(
        self,
        door: QuarantineDoor,
        camera: Guest,
        notes: Notes,
        needs_s: float,
        clock: Callable[[], float],
        deed: Deed = Deed.OPENING,
    ) -> None:
        self._door = door
        self.camera = camera.id
        self._notes = notes
        self._clock = clock
        self.needs_s = needs_s
        self._first_s: float | None = None
        self.began_s = clock()
        self.runs = False
        self.proved = False
        self._slot = notes.open(camera.id, camera.mark, deed)

    def frame(self) -> None:
        if self.proved:
            return
        now_s = self._clock()
        if self._first_s is None:
            self._first_s = now_s
        elif now_s - self._first_s >= PROVED_S:
            self.runs = self.proved = True
            self._forget()
        elif not self.runs and now_s - self._first_s >= self.needs_s:
            self.runs = True
            self._notes.runs(self._slot)

    def leave(self) -> None:
        self._forget()
        self._door.left(self)

    def _forget(self) -> None:
        slot, self._slot = self._slot, None
        self._notes.close(slot)
