"""Jobs: the material copy that brings footage home (SPEC 9), and the drill (SPEC 14.3)."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.ids import CameraId, Epoch, FailoverId, GroupId, JobId, RecorderId
from sysmanager.domain.rights import Actor

HOUR_MS = 3_600_000

RATE_LIMIT_KBPS = 100_000_000
"""No material copy is limited to more."""

DAYS_LIMIT = 366
"""Drills are repeated every so many days at most."""

_DIGEST = re.compile("[0-9a-f]{64}")
_NUMBER_LIMIT = 2**53


class JobKind(StrEnum):
    COPY = "material copy"
    DRILL = "drill"


class JobPhase(StrEnum):
    """Where a job stands, durably. Whether it moves at the moment, or waits for something, is read off the reports."""

    PLANNING = "planning"
    """Material copy: the source says what there is."""
    COPYING = "copying"
    TELLING = "telling the source"
    """Material copy: all is decided; the source hears which of its footage has a verified copy."""
    DRILLING = "drilling"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """No way out of these."""
        return self in (JobPhase.READY, JobPhase.FAILED, JobPhase.CANCELLED)


class JobReason(StrEnum):
    """Why a job did not come to its good end. Each has one sentence that says what to do."""

    CANCELLED = "cancelled"
    NO_SERVER = "no server"
    NOT_BUILT_IN = "not built in"
    REFUSED = "refused"
    NOT_VERIFIED = "not verified"
    NEEDED = "needed"
    NO_CONNECTION = "no connection"
    TOO_LATE = "too late"
    DARK = "cameras without frames"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES: dict[JobReason, str] = {
    JobReason.CANCELLED: "It was ended by hand; start it again when you want it.",
    JobReason.NO_SERVER: "A server that it needs is no longer in system data; add it again, or do without.",
    JobReason.NOT_BUILT_IN: "The software of the server cannot do this; update the server, then start it again.",
    JobReason.REFUSED: "The server refused it; see the details for its answer, correct that, and start it again.",
    JobReason.NOT_VERIFIED: "Some footage could not be copied and verified; see the coverage of each camera, and start it again.",
    JobReason.NEEDED: "A failover came first, as it should; the drill is started again when that is over.",
    JobReason.NO_CONNECTION: "The failover server fell silent; check its network and services, then start the drill again.",
    JobReason.TOO_LATE: "The failover server did not finish in time; look at its load and its log, then start the drill again.",
    JobReason.DARK: "Some cameras gave the failover server no frame; see which, and check that it reaches them.",
}


class MaterialHour(msgspec.Struct, frozen=True, array_like=True):
    """The footage of one camera that begins within one hour, under one epoch, as the server says that recorded it.

    hour: number of the hour since 1970 UTC; its last piece may reach into the next. first_ms, last_ms: wall clock of its first and last
    frame. pieces: files or segments. digest: SHA-256 over the SHA-256 of all pieces in their order, so that it tells this content from any
    other.
    """

    hour: int
    first_ms: int
    last_ms: int
    frames: int
    pieces: int
    size_bytes: int
    digest: str

    @property
    def sound(self) -> bool:
        """Whether this can be footage at all, wherever it was said."""
        numbers = (self.hour, self.first_ms, self.last_ms, self.frames, self.pieces, self.size_bytes)
        in_hour = self.hour * HOUR_MS <= self.first_ms <= self.last_ms < (self.hour + 2) * HOUR_MS
        in_hour = in_hour and self.first_ms < (self.hour + 1) * HOUR_MS
        return all(0 <= number < _NUMBER_LIMIT for number in numbers) and in_hour and bool(_DIGEST.fullmatch(self.digest))


class Uncovered(msgspec.Struct, frozen=True, array_like=True):
    """A span without footage of a camera on its recorder, in wall-clock milliseconds, and why in a few words."""

    camera: CameraId
    from_ms: int
    until_ms: int
    why: str


class Away(msgspec.Struct, frozen=True, kw_only=True):
    """Footage of a recorder that lies on a failover server, and has no verified copy at home.

    failover: the entry in which it was recorded. source, epoch: by whom, and under which number.
    holes: gaps of the failover itself, which no copy can fill. tried: a copy began at least once; it does not begin again by itself.
    since_ms, until_ms: between which it was recorded, by the wall clock; 0: not known.
    """

    failover: FailoverId
    source: RecorderId
    epoch: Epoch
    group: GroupId
    cameras: tuple[CameraId, ...]
    holes: tuple[Uncovered, ...] = ()
    tried: bool = False
    since_ms: int = 0
    until_ms: int = 0


class CopyProblem(StrEnum):
    """Why an hour of footage was not copied, or what a copy waits for at the moment."""

    MISMATCH = "checksum differs"
    GONE = "no longer on the source"
    DISK_FULL = "no space left"
    SOURCE_LOST = "source not reached"


class FailedHour(msgspec.Struct, frozen=True, array_like=True):
    hour: int
    problem: CopyProblem


class CameraCopy(msgspec.Struct, frozen=True, kw_only=True):
    """One camera of a material copy. planned: the source has listed all of its hours. copied: hours that were verified on the target.

    told: the source knows which hours have a verified copy.
    """

    camera: CameraId
    hours: tuple[MaterialHour, ...] = ()
    planned: bool = False
    copied: tuple[int, ...] = ()
    failed: tuple[FailedHour, ...] = ()
    told: bool = False

    @property
    def open_hours(self) -> tuple[MaterialHour, ...]:
        """What is still to be copied, in order of time."""
        done = {*self.copied, *(failed.hour for failed in self.failed)}
        return tuple(hour for hour in self.hours if hour.hour not in done)


class CameraCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """What a material copy left of one camera (SPEC 14.4). copied_ms: time that the copied footage spans. uncovered: what is missing."""

    camera: CameraId
    copied_ms: int = 0
    hours: int = 0
    size_bytes: int = 0
    uncovered: tuple[Uncovered, ...] = ()


class CopyJob(msgspec.Struct, frozen=True, kw_only=True, tag="copy"):
    """A material copy: the footage that `source` recorded for `home` under `epoch` in the failover goes home.

    paused: by a person, at paused_ms. cameras: with their hours while it is open; coverage: once it has ended.
    limit_kbps: bandwidth, 0: none. hours: when it may run (see `domain.hours`; empty: at any time).
    """

    id: JobId
    number: int
    failover: FailoverId
    source: RecorderId
    home: RecorderId
    epoch: Epoch
    group: GroupId
    actor: Actor
    phase: JobPhase
    started_ms: int
    paused: bool = False
    paused_ms: int = 0
    cameras: tuple[CameraCopy, ...] = ()
    limit_kbps: int = 0
    hours: str = ""
    holes: tuple[Uncovered, ...] = ()
    ended_ms: int = 0
    reason: JobReason | None = None
    note: str = ""
    coverage: tuple[CameraCoverage, ...] = ()

    @property
    def servers(self) -> tuple[RecorderId, RecorderId]:
        return (self.source, self.home)


class Trial(msgspec.Struct, frozen=True, array_like=True):
    """One camera in a drill. opened: a session was tried; else it was only asked for its description.

    first_frame_ms: from opening to the first frame; -1: none came. sentence: what was wrong, empty if nothing.
    """

    camera: CameraId
    opened: bool
    first_frame_ms: int = -1
    sentence: str = ""


class Drill(msgspec.Struct, frozen=True, kw_only=True, tag="drill"):
    """A drill: `server` takes the settings of `recorder`, which goes on undisturbed, opens `cameras`, and asks `described` what they are.

    scheduled: it began by itself. ended_ms: its date. trials: what came of it.
    """

    id: JobId
    number: int
    recorder: RecorderId
    home: RecorderId
    server: RecorderId
    group: GroupId
    actor: Actor
    phase: JobPhase
    started_ms: int
    documents: DocumentSet
    cameras: tuple[CameraId, ...] = ()
    described: tuple[CameraId, ...] = ()
    scheduled: bool = False
    ended_ms: int = 0
    reason: JobReason | None = None
    note: str = ""
    trials: tuple[Trial, ...] = ()

    @property
    def servers(self) -> tuple[RecorderId, RecorderId]:
        return (self.recorder, self.server)

    @property
    def slowest_ms(self) -> int | None:
        """Time to the last of the first frames; None if no camera gave one."""
        known = [trial.first_frame_ms for trial in self.trials if trial.first_frame_ms >= 0]
        return max(known) if known else None


Job = CopyJob | Drill


class DrillSchedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often drills begin by themselves. every_days: 0: never. hours: when they may begin (see `domain.hours`; empty: at any time)."""

    every_days: int = 0
    hours: str = ""


class MaterialCopySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether footage is copied home by itself after a failback, and how (SPEC 9). limit_kbps: 0: no limit. hours: as in `CopyJob`."""

    automatic: bool = False
    limit_kbps: int = 0
    hours: str = ""
