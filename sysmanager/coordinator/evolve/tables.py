"""How rows get into the tables, with their indexes."""

from __future__ import annotations

from msgspec.structs import replace

from sysmanager.coordinator.state import State
from sysmanager.domain.documents import SettingsSummary
from sysmanager.domain.failover import AttemptEnd, Failover
from sysmanager.domain.gaps import GapTotal, total_of
from sysmanager.domain.ids import Epoch, FailoverId, JobId, RecorderId
from sysmanager.domain.jobs import Away, Job, Uncovered
from sysmanager.domain.recorder import Assignment, Recorder, Recording, Role, Standby

AWAY_LIMIT = 100
"""Of one recorder so many failovers whose footage is away are known; of older ones retention has seen to it long ago."""

GAP = "gap of the failover"


def put_recorder(state: State, row: Recorder) -> None:
    old = state.recorders.get(row.id)
    if old is not None and old.group is not None and old.group != row.group:
        state.members[old.group].discard(row.id)
    if row.group is not None:
        state.members.setdefault(row.group, set()).add(row.id)
    state.recorders[row.id] = row


def assign(state: State, recorder: RecorderId, assignment: Assignment) -> None:
    row = replace(state.recorders[recorder], assignment=assignment)
    if isinstance(assignment, Standby):
        # Who waits holds nobody's tasks: settings that it had while acting would pass for cameras of its own.
        row = replace(row, documents=None, settings=SettingsSummary())
    state.recorders[recorder] = row
    epoch_used(state, assignment.epoch)


def epoch_used(state: State, epoch: Epoch) -> None:
    state.next_epoch = Epoch(max(state.next_epoch, epoch + 1))


def put_failover(state: State, row: Failover) -> None:
    old = state.failovers.get(row.id)
    state.news[row.id] = row
    if old is not None and _stays(old, row):
        # Most facts move an entry on where it stands: its indexes stay as they are.
        state.failovers[row.id] = row
        return
    for server in _named(old) if old is not None else ():
        state.open_with[server].pop(row.id, None)
    state.failovers[row.id] = row
    if row.phase.ended:
        if old is None or not old.phase.ended:
            # From now on nothing about it changes; what it adds to the totals stays when it leaves memory.
            state.gap_totals[row.home] = state.gap_totals.get(row.home, GapTotal()).plus(total_of(row))
        state.open.pop(row.id, None)
        state.open_in.setdefault(row.group, {}).pop(row.id, None)
        state.ended.setdefault(row.id)
        _note_away(state, row)
    else:
        state.open.setdefault(row.id)
        state.open_in.setdefault(row.group, {}).setdefault(row.id)
    for server in _named(row):
        entries = state.open_with.setdefault(server, {})
        if not row.phase.ended:
            entries[row.id] = None
    state.next_number = max(state.next_number, row.number + 1)
    while len(state.ended) > state.ended_kept:
        oldest = next(iter(state.ended))
        del state.ended[oldest], state.failovers[oldest]


def patch_failover(state: State, failover: FailoverId, **changes: object) -> None:
    """Change fields of an entry that may have left memory: then the history alone is told."""
    row = state.failovers.get(failover)
    if row is not None:
        put_failover(state, replace(row, **changes))
    else:
        state.patches[failover] = changes


def put_job(state: State, job: Job) -> None:
    """A job in its table, and in the indexes of open ones."""
    state.jobs[job.id] = job
    state.next_job = max(state.next_job, job.number + 1)
    if job.phase.ended:
        state.open_jobs.pop(job.id, None)
        for server in job.servers:
            state.jobs_with.get(server, {}).pop(job.id, None)
        return
    state.open_jobs.setdefault(job.id)
    for server in job.servers:
        state.jobs_with.setdefault(server, {}).setdefault(job.id)


def _note_away(state: State, row: Failover) -> None:
    """The entry ended: what was recorded in it lies on failover servers. Kept apart from the entry, which leaves the tables in time."""
    known = {(away.source, away.epoch) for away in state.away.get(row.home, ())}
    cameras = row.moved or tuple(gap.camera for gap in row.gaps)
    holes = tuple(Uncovered(gap.camera, from_ms, until_ms, GAP) for gap in row.gaps for from_ms, until_ms in gap.holes())
    fresh = tuple(
        Away(
            failover=row.id,
            source=source,
            epoch=epoch,
            group=row.group,
            cameras=cameras,
            holes=holes,
            since_ms=row.timeline.saved_ms or row.started_ms,
            until_ms=max(row.ended_ms, row.failback.ended_ms if row.failback is not None else 0),
        )
        for source, epoch in sources_of(row)
        if (source, epoch) not in known
    )
    if fresh and cameras:
        state.away[row.home] = (*state.away.get(row.home, ()), *fresh)[-AWAY_LIMIT:]


def sources_of(entry: Failover) -> tuple[tuple[RecorderId, Epoch], ...]:
    """Servers that may hold footage of this failover, each with its epoch: who took over, and who began and was lost or withdrawn."""
    found: dict[tuple[RecorderId, Epoch], None] = {}
    for attempt in entry.attempts:
        if attempt.end is not AttemptEnd.REFUSED and attempt.server != entry.home:
            found[attempt.server, attempt.epoch] = None
    return tuple(found)


def forget_away(state: State, home: RecorderId, source: RecorderId, epoch: Epoch) -> None:
    """This footage has a verified copy at home."""
    left = tuple(away for away in state.away.get(home, ()) if (away.source, away.epoch) != (source, epoch))
    if left:
        state.away[home] = left
    else:
        state.away.pop(home, None)


def forget_drill(state: State, recorder: RecorderId) -> None:
    """The last drill of a recorder goes out of the tables; what came of it stands in the journal."""
    earlier = state.last_drills.pop(recorder, None)
    if earlier is not None:
        del state.jobs[earlier]


def _stays(old: Failover, row: Failover) -> bool:
    """Whether all that the indexes of the entries rest on is as it was."""
    return (
        old.server == row.server
        and old.phase.ended is row.phase.ended
        and old.recorder == row.recorder
        and old.home == row.home
        and old.group == row.group
        and old.number == row.number
    )


def _named(row: Failover) -> frozenset[RecorderId]:
    return frozenset(server for server in (row.recorder, row.home, row.server) if server is not None)


def failover_id(number: int) -> FailoverId:
    """The id of the entry with this number."""
    return FailoverId(f"F{number:05d}")


def job_id(number: int) -> JobId:
    """The id of the job with this number."""
    return JobId(f"J{number:05d}")


def initial_assignment(role: Role, epoch: Epoch) -> Assignment:
    """What a server begins as when it enters system data."""
    return Recording(epoch=epoch) if role is Role.STANDARD else Standby(epoch=epoch)
