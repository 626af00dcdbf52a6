"""A failover and its entry in the failover log (SPEC 6, 8, 11)."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.ids import CameraId, Epoch, FailoverId, GroupId, JobId, RecorderId
from sysmanager.domain.jobs import JobPhase, JobReason
from sysmanager.domain.remarks import Comment, Tick
from sysmanager.domain.rights import Actor


class Trigger(StrEnum):
    """Why a failover starts (SPEC 4)."""

    CONNECTION = "connection lost"
    DISKS = "material disks lost"
    SERVICE = "recording service"
    NOT_RECORDING = "not recording"
    MANUAL = "manual"
    PLANNED = "planned switch"
    """A healthy recorder is relieved: the failover server records first, then the recorder stops (SPEC 14.3)."""


class Severity(StrEnum):
    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


class LogState(StrEnum):
    """What the failover log says of an entry (SPEC 11)."""

    FAILOVER_RUNNING = "Failover in progress"
    FAILOVER_READY = "Failover ready"
    FAILBACK_RUNNING = "Failback in progress"
    FAILBACK_READY = "Failback ready"
    COPY_RUNNING = "Material copy in progress"
    COPY_READY = "Material copy ready"
    SKIPPED = "Skipped because a failover of it is already running"
    WAITING = "Waiting for a failover server"
    QUEUED = "Waiting in the failover queue"
    CANCELLED = "Cancelled"
    WITHHELD = "Would have failed over now"
    FAILOVER_FAILED = "Failover failed"
    FAILBACK_FAILED = "Failback failed"
    COPY_FAILED = "Material copy failed"
    KEPT = "Taken over for good"

    @property
    def severity(self) -> Severity:
        if self in (LogState.FAILOVER_FAILED, LogState.FAILBACK_FAILED, LogState.COPY_FAILED):
            return Severity.ERROR
        if self in (LogState.SKIPPED, LogState.WAITING, LogState.QUEUED, LogState.CANCELLED, LogState.WITHHELD):
            return Severity.WARNING
        return Severity.INFORMATION


class Reason(StrEnum):
    """Why a failover or failback did not go as asked (SPEC 11). Each has a sentence that says what to do."""

    WRONG_STATE_OF_FAILOVER_SERVER = "failover server in the wrong state"
    INCOMPATIBLE = "incompatible"
    INTERNAL_ERROR = "internal error"
    INVALID_LOG_STATE = "invalid log state"
    NO_FAILOVER_SERVER = "no failover server"
    NO_CONNECTION = "no connection to the failover server"
    NO_RECORDER = "no recorder"
    NO_SETTINGS = "no recorder settings"
    CANCELLED = "cancelled"
    WRONG_STATE_OF_SERVER = "server in the wrong state"
    SAVING_FAILED = "saving settings failed"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES: dict[Reason, str] = {
    Reason.WRONG_STATE_OF_FAILOVER_SERVER: (
        "The failover server is not on standby; wait until it is, or give the group another failover server."
    ),
    Reason.INCOMPATIBLE: (
        "No failover server of the group can take these settings (version, disks or room); see the candidates, and make one of them fit."
    ),
    Reason.INTERNAL_ERROR: "The coordinator found its own data contradictory and stopped; keep the log file and ask for support.",
    Reason.INVALID_LOG_STATE: (
        "The entry is not in a state from which this can be done; look at its present state and start again from there."
    ),
    Reason.NO_FAILOVER_SERVER: "No failover server of the group is free and connected; connect one, or add one to the group.",
    Reason.NO_CONNECTION: (
        "The failover servers that were tried did not answer; check their network and services before you start it again."
    ),
    Reason.NO_RECORDER: "The recorder is no longer in system data; add it again.",
    Reason.NO_SETTINGS: "The settings of the recorder are not in the cache; connect the recorder once so that they can be fetched.",
    Reason.CANCELLED: "It was ended before it was done; nothing needs to be done.",
    Reason.WRONG_STATE_OF_SERVER: (
        "The server is not connected with writable disks and in the state that this needs; see its row in the tree."
    ),
    Reason.SAVING_FAILED: "The server did not take the settings; see the details for its answer, correct that, and start it again.",
}


class Phase(StrEnum):
    """Where a failover stands in the table of its transitions. The durable position: a restart goes on from here."""

    WAITING = "waiting"
    QUEUED = "queued"
    RESERVED = "reserved"
    FETCHED = "fetched"
    SAVED = "saved"
    COMMITTED = "committed"
    RECORDED = "recorded"
    READY = "ready"
    FAILBACK_STARTED = "failback started"
    FAILBACK_TAKEN = "failback documents taken"
    FAILBACK_SAVED = "failback settings saved"
    FAILBACK_UNDOING = "failback being undone"
    """Cameras that allow one session go back to the failover server one by one; the group does not wait for that."""
    FAILBACK_COMMITTED = "failback committed"
    FAILBACK_PERFORMED = "failback performed"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    KEPT = "kept"
    """Who acted keeps the cameras: the recorder was taken in as a failover server, or removed (SPEC 10)."""
    WITHHELD = "withheld"
    SKIPPED = "skipped"

    @property
    def ended(self) -> bool:
        """No way out of these."""
        return self in _ENDED

    @property
    def before_commit(self) -> bool:
        return self in (Phase.WAITING, Phase.QUEUED, Phase.RESERVED, Phase.FETCHED, Phase.SAVED)

    @property
    def occupies_group(self) -> bool:
        """Whether others of the group wait in the queue meanwhile (SPEC 7)."""
        return self in _OCCUPY

    @property
    def hands_over(self) -> bool:
        """Whether cameras change hands: whoever takes them needs every session, and nothing else is to be in the way."""
        return self is Phase.FAILBACK_UNDOING or self in _OCCUPY

    @property
    def failback_before_commit(self) -> bool:
        return self in (Phase.FAILBACK_STARTED, Phase.FAILBACK_TAKEN, Phase.FAILBACK_SAVED)

    @property
    def failing_back(self) -> bool:
        return self in (
            Phase.FAILBACK_STARTED,
            Phase.FAILBACK_TAKEN,
            Phase.FAILBACK_SAVED,
            Phase.FAILBACK_UNDOING,
            Phase.FAILBACK_COMMITTED,
            Phase.FAILBACK_PERFORMED,
        )


_ENDED = (Phase.RETURNED, Phase.CANCELLED, Phase.FAILED, Phase.SUPERSEDED, Phase.KEPT, Phase.WITHHELD, Phase.SKIPPED)
"""Written down once: a replay asks for every fact."""

_OCCUPY = (
    Phase.RESERVED,
    Phase.FETCHED,
    Phase.SAVED,
    Phase.COMMITTED,
    Phase.RECORDED,
    *(phase for phase in Phase if phase.failing_back and phase is not Phase.FAILBACK_UNDOING),
)

FAILOVER_STEPS: tuple[str, ...] = (
    "Check that a failover server is available",
    "Create the log entry and reserve the failover server",
    "Get settings, masks and schedules from the cache",
    "Save the settings to the failover server",
    "Give the recorder's tasks to the failover server",
    "Mark the recorder as broken",
    "Write the result into the log entry",
    "Notify all clients of the change",
)
"""The eight steps of a failover, numbered from 1 (SPEC 6)."""

FAILBACK_STEPS: tuple[str, ...] = (
    "Check the state of the log entry",
    "Check that the failover server still acts for the recorder",
    "Check that the recorder is connected, writable and fit",
    "Check that failover is enabled for the recorder",
    "Check that no failback of the recorder is running",
    "Write the start into the log entry",
    "Take the documents of the failover server",
    "Save the settings to the recorder",
    "Confirm first frames, stop the failover server, return the tasks",
    "Write the result into the log entry",
    "Notify all clients of the change",
)
"""The eleven steps of a failback, numbered from 1 (SPEC 8)."""


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One step that was done. `duration_ms` since the step before it was done; -1 where a restart of the coordinator lay between."""

    number: int
    done_wall_ms: int
    duration_ms: int
    attempt: int = 1
    note: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What selection thought of one candidate (SPEC 5). `rank` is 1 for the one to take, 0 for one that cannot be taken."""

    server: RecorderId
    rank: int
    sentence: str


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What a failover server said of a recorder when it was lost: whether it reached it, and heard that it records (SPEC 13.4)."""

    server: RecorderId
    reached: bool
    records: bool


class AttemptEnd(StrEnum):
    REFUSED = "refused"
    LOST = "lost"
    WITHDRAWN = "withdrawn"


DID_NOT_ANSWER = "Did not answer in time."
"""Said of an attempt whose server was lost."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate that was reserved. `end` is None while it runs and for the one that took over."""

    number: int
    server: RecorderId
    epoch: Epoch
    end: AttemptEnd | None = None
    sentence: str = ""


class StayCause(StrEnum):
    """Why a camera stays behind in a failover."""

    ANALOGUE = "analogue"
    """It hangs on a capture card."""
    NEVER = "never"
    """Its failover priority says so."""
    NO_ROOM = "no room"
    """The failover server cannot take it as well; it is not protected (SPEC 5)."""


class NotMoved(msgspec.Struct, frozen=True, kw_only=True):
    """A camera that stays behind, and why. Only one with the cause `NO_ROOM` has to be left out by an order; the others never move."""

    camera: CameraId
    name: str
    sentence: str
    cause: StayCause = StayCause.NO_ROOM


class CameraGap(msgspec.Struct, frozen=True, kw_only=True):
    """The hole in the footage of one camera (SPEC 14.4), wall-clock milliseconds since 1970 as the recorders stamped the frames.

    last_before_ms: last frame on the server that broke; 0 unknown. first_after_ms: first frame on the one that took over; 0 none yet.
    final: whether `last_before_ms` was read from the material instead of the last report.
    before_offset_ms, after_offset_ms: how far the clocks of the two were ahead of the coordinator's. error_ms: how sure that is.
    off_from_ms, off_until_ms: time that the camera's schedule switches off, by the clock of the one that took over: nothing is missing
    there. earlier_off: such times before that one, in order. off_before: so it was when the other broke, and `last_before_ms` is when that
    began. watched_before: it waited for motion then, and `last_before_ms` is the last frame that was watched.
    apart: the two clocks were compared with the coordinator's before and after a restart of it, and it may have been set between; they are
    compared anew when the material is read.
    """

    camera: CameraId
    last_before_ms: int = 0
    first_after_ms: int = 0
    final: bool = False
    before_offset_ms: int = 0
    after_offset_ms: int = 0
    error_ms: int = 0
    off_from_ms: int = 0
    off_until_ms: int = 0
    off_before: bool = False
    watched_before: bool = False
    apart: bool = False
    earlier_off: tuple[tuple[int, int], ...] = ()

    @property
    def gap_ms(self) -> int | None:
        """By one clock, that of the coordinator. None while one end is unknown; never below 0: of pre-roll both have the same frames."""
        if not self.last_before_ms or not self.first_after_ms:
            return None
        return sum(until_ms - from_ms for from_ms, until_ms in self.holes())

    def holes(self) -> tuple[tuple[int, int], ...]:
        """What is missing: begin and end by the coordinator's clock, without what the schedule switches off."""
        if not self.last_before_ms or not self.first_after_ms:
            return ()
        begin_ms, end_ms = self.last_before_ms - self.before_offset_ms, self.first_after_ms - self.after_offset_ms
        found: list[tuple[int, int]] = []
        for off_from_ms, off_until_ms in (*self.earlier_off, (self.off_from_ms, self.off_until_ms)):
            if off_until_ms:
                found.append((begin_ms, min(end_ms, off_from_ms - self.after_offset_ms)))
                begin_ms = max(begin_ms, off_until_ms - self.after_offset_ms)
        return tuple((from_ms, until_ms) for from_ms, until_ms in (*found, (begin_ms, end_ms)) if from_ms < until_ms)


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """Wall-clock moments of one failover, in milliseconds; 0: not reached. The parts of the gap are their differences."""

    last_heard_ms: int = 0
    detected_ms: int = 0
    decided_ms: int = 0
    saved_ms: int = 0
    committed_ms: int = 0


class Failback(msgspec.Struct, frozen=True, kw_only=True):
    """The failback of an entry: the running or the last one.

    expected: cameras whose first frames on the recorder are waited for. dark: those of them that gave none.
    handed: cameras that allow one session and whose turn came, in order (SPEC 8). automatic: it started by itself.
    leaves_dark: who asked for it accepts that some cameras stay dark on the recorder.
    kept, returning: while it is undone: cameras that allow one session and that the recorder still has, and those that went back last.
    """

    actor: Actor
    started_ms: int
    epoch: Epoch
    documents: DocumentSet | None = None
    steps: tuple[StepRecord, ...] = ()
    ended_ms: int = 0
    reason: Reason | None = None
    note: str = ""
    expected: tuple[CameraId, ...] = ()
    dark: tuple[CameraId, ...] = ()
    automatic: bool = False
    handed: tuple[CameraId, ...] = ()
    leaves_dark: bool = False
    kept: tuple[CameraId, ...] = ()
    returning: tuple[CameraId, ...] = ()


class CopyMark(msgspec.Struct, frozen=True, kw_only=True):
    """What the entry shows of the newest material copy of its footage; the job itself has the rest."""

    job: JobId
    phase: JobPhase
    reason: JobReason | None = None


class Failover(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the failover log, and the durable position of the failover itself.

    recorder: the server that broke. home: whose cameras move (`recorder`, or the one it acted for).
    group: the group that held when it started. server: the failover server that is reserved or acts.
    epoch: under which `server` records; previous_epoch: under which `recorder` did, to find its last frames again.
    documents: fixed in step 2. moved, not_moved: cameras. to_do: what a person must do by hand.
    copy: of its footage to where the cameras live.
    expected, dark, handed: planned switch only: cameras whose first frames on `server` are waited for, those of them that gave none, and
    those that allow one session and whose turn came.
    by_hand: the recorder was put away by a person, or took over in an entry that says so. failback_tries: automatic ones that were undone.
    comments, ticks: what people wrote on it since; of each line of the to-do list the last tick. skipped: another one was asked for
    meanwhile, and that was said in an entry of its own.
    vca_off: moved cameras without video content analysis, as the server has no more channels (SPEC 5).
    backup: name of the system backup that was made after it as the new baseline; empty while there is none.
    """

    id: FailoverId
    number: int
    recorder: RecorderId
    home: RecorderId
    group: GroupId
    trigger: Trigger
    actor: Actor
    phase: Phase
    started_ms: int
    ended_ms: int = 0
    server: RecorderId | None = None
    epoch: Epoch = Epoch(0)
    previous_epoch: Epoch = Epoch(0)
    documents: DocumentSet | None = None
    verdicts: tuple[Verdict, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    moved: tuple[CameraId, ...] = ()
    not_moved: tuple[NotMoved, ...] = ()
    to_do: tuple[str, ...] = ()
    vca_off: tuple[CameraId, ...] = ()
    gaps: tuple[CameraGap, ...] = ()
    timeline: Timeline = Timeline()
    reason: Reason | None = None
    note: str = ""
    failback: Failback | None = None
    opinions: tuple[Opinion, ...] = ()
    expected: tuple[CameraId, ...] = ()
    dark: tuple[CameraId, ...] = ()
    handed: tuple[CameraId, ...] = ()
    by_hand: bool = False
    failback_tries: int = 0
    comments: tuple[Comment, ...] = ()
    ticks: tuple[Tick, ...] = ()
    copy: CopyMark | None = None
    skipped: bool = False

    @property
    def to_do_left(self) -> tuple[str, ...]:
        """Lines of the to-do list that nobody ticked off yet."""
        done = {tick.item for tick in self.ticks if tick.done}
        return tuple(line for item, line in enumerate(self.to_do) if item not in done)

    @property
    def shown_reason(self) -> Reason | None:
        """Why it did not go as asked: of the failback once that has a reason, else of the failover."""
        failed = self.failback.reason if self.failback is not None else None
        return failed if failed is not None else self.reason

    backup: str = ""

    @property
    def attempt(self) -> int:
        """Number of the running attempt; 0 before the first."""
        return self.attempts[-1].number if self.attempts else 0

    @property
    def lost(self) -> int:
        """How many candidates were lost in it; two are the limit (SPEC 6)."""
        return sum(1 for attempt in self.attempts if attempt.end is AttemptEnd.LOST)

    @property
    def worst_gap_ms(self) -> int | None:
        known = [gap.gap_ms for gap in self.gaps if gap.gap_ms is not None]
        return max(known) if known else None

    @property
    def log_state(self) -> LogState:
        if self.copy is not None and self.phase.ended and self.copy.phase is not JobPhase.CANCELLED:
            return _COPY_STATES.get(self.copy.phase, LogState.COPY_RUNNING)
        return _LOG_STATES[self.phase] if not self._failback_failed else LogState.FAILBACK_FAILED

    @property
    def _failback_failed(self) -> bool:
        return self.phase is Phase.READY and self.failback is not None and self.failback.reason is not None


_COPY_STATES = {JobPhase.READY: LogState.COPY_READY, JobPhase.FAILED: LogState.COPY_FAILED}

_LOG_STATES: dict[Phase, LogState] = {
    Phase.WAITING: LogState.WAITING,
    Phase.QUEUED: LogState.QUEUED,
    Phase.RESERVED: LogState.FAILOVER_RUNNING,
    Phase.FETCHED: LogState.FAILOVER_RUNNING,
    Phase.SAVED: LogState.FAILOVER_RUNNING,
    Phase.COMMITTED: LogState.FAILOVER_RUNNING,
    Phase.RECORDED: LogState.FAILOVER_RUNNING,
    Phase.READY: LogState.FAILOVER_READY,
    Phase.FAILBACK_STARTED: LogState.FAILBACK_RUNNING,
    Phase.FAILBACK_TAKEN: LogState.FAILBACK_RUNNING,
    Phase.FAILBACK_SAVED: LogState.FAILBACK_RUNNING,
    Phase.FAILBACK_UNDOING: LogState.FAILBACK_RUNNING,
    Phase.FAILBACK_COMMITTED: LogState.FAILBACK_RUNNING,
    Phase.FAILBACK_PERFORMED: LogState.FAILBACK_RUNNING,
    Phase.RETURNED: LogState.FAILBACK_READY,
    Phase.CANCELLED: LogState.CANCELLED,
    Phase.FAILED: LogState.FAILOVER_FAILED,
    Phase.SUPERSEDED: LogState.FAILOVER_READY,
    Phase.KEPT: LogState.KEPT,
    Phase.WITHHELD: LogState.WITHHELD,
    Phase.SKIPPED: LogState.SKIPPED,
}
