"""The tables of the coordinator: id -> row, with indexes. They belong to the engine; `evolve` alone changes them, in place."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Protocol

import msgspec
from msgspec.structs import replace

from sysmanager.domain.backup import Backups, BaselineStage
from sysmanager.domain.failover import Failover, Phase
from sysmanager.domain.gaps import GapTotal
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, Epoch, FailoverId, GroupId, JobId, RecorderId
from sysmanager.domain.jobs import Away, Job
from sysmanager.domain.maintenance import Maintenance
from sysmanager.domain.recorder import Acting, Recorder
from sysmanager.domain.rights import Actor
from sysmanager.domain.system import SystemSettings
from sysmanager.protocol.clients import FailbackHoldCause, HoldCause


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Automatic failover of a recorder is held."""

    cause: HoldCause
    actor: Actor
    since_wall_ms: int


class FailbackHold(msgspec.Struct, frozen=True, kw_only=True):
    """Automatic failback of a recorder is held (SPEC 13.5)."""

    cause: FailbackHoldCause
    actor: Actor
    since_wall_ms: int


class Reconcile(msgspec.Struct, frozen=True, kw_only=True):
    """Reports come before system data. confirmed: a person did so; then only the recorders in `waiting` are still to be reconciled."""

    sentence: str
    waiting: frozenset[RecorderId]
    confirmed: bool = False


class SharedMachine(msgspec.Struct, frozen=True, kw_only=True):
    """A person accepted that a server shares its machine with these (SPEC 2)."""

    shares: tuple[str, ...]
    actor: Actor
    since_wall_ms: int


class Brake(msgspec.Struct, frozen=True, kw_only=True):
    """The mass-loss brake holds: `lost` of `watched` recorders fell silent together."""

    since_wall_ms: int
    lost: int
    watched: int


STARTS_KEPT = 3
"""So many starts of the coordinator within a short time are a crash loop (SPEC 4)."""


class View(Protocol):
    """The tables as a decision may see them: to read, not to change.

    failovers: entries that are open, and the last that ended. Older ones have left memory: no decision may rest on them.
    open: entries that have not ended, in the order in which they were opened.
    open_with, open_in: the same, by each server that an entry names (recorder, home, server) and by group.
    members: servers by group. holds: recorders whose automatic failover is held; failback_holds: the same of failback.
    shared: servers that may share their machine. gap_totals: of entries that ended, by home.
    replaced_wall_ms: when each recorder was replaced last, by the wall clock of the facts.
    retired: recorders whose cameras belong to another server for good, with the epoch under which they are to stand down when they come
    back and ask.
    kept: servers that keep the cameras of another one for good, or were given their own again after that, with the epoch under which they
    began to: under an older one they had other cameras.
    maintenance: by the key of its target. settings_revision: of the system settings, grows with every edit.
    uncovered: failovers that ended since the last baseline was begun, each with its group.
    open_jobs, jobs_with: jobs that have not ended, in their order; the same by each server that takes part.
    last_drills: of each recorder that had one, the last drill that ended.
    away: by its home, footage of failovers that ended and that has no verified copy at home yet, the oldest first.
    releases: of each server the cameras that it is to be told to let out of quarantine.
    brake: None while it does not hold. starts: of the coordinator, the last ones, by its wall clock.
    acknowledged: in which term a person has seen the alarm of this key.
    """

    @property
    def term(self) -> int: ...
    @property
    def next_epoch(self) -> Epoch: ...
    @property
    def next_number(self) -> int: ...
    @property
    def recorders(self) -> Mapping[RecorderId, Recorder]: ...
    @property
    def groups(self) -> Mapping[GroupId, Group]: ...
    @property
    def failovers(self) -> Mapping[FailoverId, Failover]: ...
    @property
    def open(self) -> Mapping[FailoverId, None]: ...
    @property
    def open_with(self) -> Mapping[RecorderId, Mapping[FailoverId, None]]: ...
    @property
    def open_in(self) -> Mapping[GroupId, Mapping[FailoverId, None]]: ...
    @property
    def holds(self) -> Mapping[RecorderId, Hold]: ...
    @property
    def failback_holds(self) -> Mapping[RecorderId, FailbackHold]: ...
    @property
    def replaced_wall_ms(self) -> Mapping[RecorderId, int]: ...
    @property
    def gap_totals(self) -> Mapping[RecorderId, GapTotal]: ...
    @property
    def shared(self) -> Mapping[RecorderId, SharedMachine]: ...
    @property
    def retired(self) -> Mapping[RecorderId, Epoch]: ...
    @property
    def kept(self) -> Mapping[RecorderId, Epoch]: ...
    @property
    def next_job(self) -> int: ...
    @property
    def jobs(self) -> Mapping[JobId, Job]: ...
    @property
    def open_jobs(self) -> Mapping[JobId, None]: ...
    @property
    def jobs_with(self) -> Mapping[RecorderId, Mapping[JobId, None]]: ...
    @property
    def last_drills(self) -> Mapping[RecorderId, JobId]: ...
    @property
    def away(self) -> Mapping[RecorderId, tuple[Away, ...]]: ...
    @property
    def releases(self) -> Mapping[RecorderId, tuple[CameraId, ...]]: ...
    @property
    def members(self) -> Mapping[GroupId, Set[RecorderId]]: ...
    @property
    def reconcile(self) -> Reconcile | None: ...
    @property
    def maintenance(self) -> Mapping[str, Maintenance]: ...
    @property
    def settings(self) -> SystemSettings: ...
    @property
    def settings_revision(self) -> int: ...
    @property
    def backups(self) -> Backups: ...
    @property
    def uncovered(self) -> Mapping[FailoverId, GroupId]: ...
    @property
    def brake(self) -> Brake | None: ...
    @property
    def starts(self) -> tuple[int, ...]: ...
    @property
    def acknowledged(self) -> Mapping[str, int]: ...


ENDED_KEPT = 200
"""By default so many ended entries of the failover log stay in memory, the last ones to end; all others only the history has. Clients get
these with every snapshot, and what is written on an entry soon after its end needs no look into the history."""


class State:
    """See `View`. A new one is the state before the first fact.

    failovers: entries that are open, and the `ended_kept` last to end. ended: the latter, in the order in which they ended.
    ended_kept: how many of them. news: entries as the last fact left them, and patches: what it changed of entries that have left memory,
    by field; both are for the history.
    """

    def __init__(self, ended_kept: int = ENDED_KEPT) -> None:
        self.ended_kept = ended_kept
        self.term = 0
        self.next_epoch = Epoch(1)
        self.next_number = 1
        self.recorders: dict[RecorderId, Recorder] = {}
        self.groups: dict[GroupId, Group] = {}
        self.failovers: dict[FailoverId, Failover] = {}
        self.open: dict[FailoverId, None] = {}
        self.ended: dict[FailoverId, None] = {}
        self.news: dict[FailoverId, Failover] = {}
        self.patches: dict[FailoverId, dict[str, object]] = {}
        self.open_with: dict[RecorderId, dict[FailoverId, None]] = {}
        self.open_in: dict[GroupId, dict[FailoverId, None]] = {}
        self.holds: dict[RecorderId, Hold] = {}
        self.failback_holds: dict[RecorderId, FailbackHold] = {}
        self.replaced_wall_ms: dict[RecorderId, int] = {}
        self.gap_totals: dict[RecorderId, GapTotal] = {}
        self.shared: dict[RecorderId, SharedMachine] = {}
        self.retired: dict[RecorderId, Epoch] = {}
        self.kept: dict[RecorderId, Epoch] = {}
        self.next_job = 1
        self.jobs: dict[JobId, Job] = {}
        self.open_jobs: dict[JobId, None] = {}
        self.jobs_with: dict[RecorderId, dict[JobId, None]] = {}
        self.last_drills: dict[RecorderId, JobId] = {}
        self.away: dict[RecorderId, tuple[Away, ...]] = {}
        self.releases: dict[RecorderId, tuple[CameraId, ...]] = {}
        self.members: dict[GroupId, set[RecorderId]] = {}
        self.reconcile: Reconcile | None = None
        self.maintenance: dict[str, Maintenance] = {}
        self.settings = SystemSettings()
        self.settings_revision = 1
        self.backups = Backups()
        self.uncovered: dict[FailoverId, GroupId] = {}
        self.brake: Brake | None = None
        self.starts: tuple[int, ...] = ()
        self.acknowledged: dict[str, int] = {}


def was_entry(view: View, failover: FailoverId) -> bool:
    """Whether there ever was an entry with this id, in memory or not."""
    number = failover[1:]
    return failover[:1] == "F" and number.isascii() and number.isdigit() and 1 <= int(number[:18]) < view.next_number


def governing(view: View, recorder: Recorder) -> Recorder:
    """The row whose timeout, group and failover setting hold: its own, or that of the recorder it acts for (SPEC 4)."""
    if isinstance(recorder.assignment, Acting):
        return view.recorders.get(recorder.assignment.for_recorder, recorder)
    return recorder


def open_failover_of(view: View, recorder: RecorderId) -> Failover | None:
    """The entry, before its commit point, in which this recorder broke."""
    for failover_id in view.open_with.get(recorder, ()):
        failover = view.failovers[failover_id]
        if failover.recorder == recorder and failover.phase.before_commit:
            return failover
    return None


def running_in_group(view: View, group: GroupId) -> Failover | None:
    """The failover or failback that others of the group have to wait for (SPEC 7)."""
    for failover_id in view.open_in.get(group, ()):
        failover = view.failovers[failover_id]
        if failover.phase.occupies_group:
            return failover
    return None


def undoing_with(view: View, recorder: RecorderId) -> Failover | None:
    """The entry whose failback is being undone, to this failover server or from this recorder."""
    for failover_id in view.open_with.get(recorder, ()):
        failover = view.failovers[failover_id]
        if failover.phase is Phase.FAILBACK_UNDOING and recorder in (failover.server, failover.home):
            return failover
    return None


def baseline_holds(view: View, group: GroupId) -> bool:
    """Whether the queue of the group waits for the baseline after a failover of it, which is within its time (SPEC 7)."""
    baseline = view.backups.baseline
    return baseline.stage is BaselineStage.RUNNING and any(covered == group for _, covered in baseline.covers)


def tasks_of(failed: Recorder, home: Recorder) -> Recorder:
    """The home as its tasks stand now: what was changed on a server that acts for it is in that server's documents (SPEC 6, 8)."""
    if failed.id == home.id or failed.documents is None:
        return home
    return replace(home, documents=failed.documents, settings=failed.settings, version=failed.version or home.version)


def unreconciled(view: View, recorder: RecorderId) -> bool:
    """Whether this recorder's own report comes before system data: no order goes to it (SPEC 7)."""
    return view.reconcile is not None and recorder in view.reconcile.waiting
