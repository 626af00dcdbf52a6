"""How rows get into the tables, with their indexes."""

from __future__ import annotations

from msgspec.structs import replace

from sysmanager.coordinator.state import State
from sysmanager.domain.documents import SettingsSummary
from sysmanager.domain.failover import Failover
from sysmanager.domain.gaps import GapTotal, total_of
from sysmanager.domain.ids import Epoch, FailoverId, RecorderId
from sysmanager.domain.recorder import Assignment, Recorder, Recording, Role, Standby


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


def initial_assignment(role: Role, epoch: Epoch) -> Assignment:
    """What a server begins as when it enters system data."""
    return Recording(epoch=epoch) if role is Role.STANDARD else Standby(epoch=epoch)
