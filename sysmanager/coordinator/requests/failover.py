"""Requests that concern failover and failback (SPEC 4.5, 6, 8)."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.failback import FAILBACK_TABLE
from sysmanager.coordinator.failback_checks import checks, reason_of
from sysmanager.coordinator.failover import FAILOVER_TABLE
from sysmanager.coordinator.maintenance import own_maintenance
from sysmanager.coordinator.opening import open_entry, opening_of
from sysmanager.coordinator.requests.handling import Asking, Outcome, Rejected, entry_row, recorder_row
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, governing, open_failover_of, tasks_of
from sysmanager.coordinator.switching import SWITCH_TABLE
from sysmanager.coordinator.table import Case, On, find
from sysmanager.domain.failover import Phase, Reason, Trigger
from sysmanager.domain.maintenance import Scope, Target
from sysmanager.domain.recorder import Broken, Recorder, Role
from sysmanager.protocol import clients as c

BY_HAND = "Failed over by hand"
"""The reason of a maintenance that comes with a failover by hand."""


def failover_stops(view: View, seen: Seen, row: Recorder) -> list[tuple[str, Reason]]:
    """Everything that keeps a person from starting a failover of this recorder (SPEC 4.5); empty if it may start."""
    governor = governing(view, row)
    stops: list[tuple[str, Reason]] = []
    if not row.records:
        state = "was replaced already" if isinstance(row.assignment, Broken) else "does not record"
        stops.append((f"{row.name} {state}; a failover starts from a server that records.", Reason.WRONG_STATE_OF_SERVER))
    running = open_failover_of(view, row.id)
    if running is not None:
        stops.append((f"A failover of {row.name} is running already, see {running.id} in the failover log.", Reason.INVALID_LOG_STATE))
    if governor.group is None or governor.group not in view.groups:
        stops.append((f"{governor.name} is in no failover group; choose one in its settings.", Reason.NO_FAILOVER_SERVER))
        return stops
    if not governor.failover_enabled:
        stops.append((f"Failover is off for {governor.name}; switch it on in its settings.", Reason.WRONG_STATE_OF_SERVER))
    group = view.groups[governor.group]
    servers = [view.recorders[member] for member in view.members.get(group.id, ())]
    others = [server for server in servers if server.role is Role.FAILOVER and server.id != row.id]
    if not others:
        sentence = f"The group {group.name} has no failover server; add one to it."
        stops.append((sentence, Reason.NO_FAILOVER_SERVER))
    elif not any(seen.connected(server.id) for server in others):
        sentence = f"No failover server of the group {group.name} is connected; switch one on."
        stops.append((sentence, Reason.NO_CONNECTION))
    if view.reconcile is not None and not view.reconcile.confirmed:
        stops.append(("The coordinator is reconciling; confirm what differs first.", Reason.WRONG_STATE_OF_SERVER))
    return stops


def cached(view: View, row: Recorder) -> bool:
    """Whether the documents of the tasks that the recorder has are in the cache; without them a failover waits."""
    home = view.recorders.get(row.home) if row.home is not None else None
    return home is not None and tasks_of(row, home).documents is not None


def _skipped(asking: Asking, row: Recorder) -> tuple[f.AnyFact, ...]:
    """Row 5: the entry that says that a failover was asked for while one is running; once for each that runs."""
    running = open_failover_of(asking.view, row.id)
    if running is None or running.skipped:
        return ()
    opening = opening_of(asking.view, asking.seen, row, Trigger.MANUAL, asking.now)
    assert opening is not None, "a recorder of which a failover runs is in a group, and cannot leave it"
    return (f.FailoverSkipped(opening=opening, running=running.id),)


def start_failover(asking: Asking, request: c.StartFailover) -> Outcome:
    view, seen, now = asking.view, asking.seen, asking.now
    row = recorder_row(view, request.recorder)
    for sentence, reason in failover_stops(view, seen, row):
        raise Rejected(sentence, reason, _skipped(asking, row))
    facts = open_entry(view, seen, row, Trigger.MANUAL, now)
    match facts:
        case (f.FailoverStarted(opening=opening, reservation=reservation),):
            server = view.recorders[reservation.server].name
            done = c.Done(sentence=f"Failover of {row.name} to {server} started.", failover=opening.failover)
        case (f.FailoverQueued(opening=opening),):
            done = c.Done(sentence=f"Failover of {row.name} waits for another one of its group.", failover=opening.failover)
        case (f.FailoverWaiting(failover=failover_id),):
            what = "a failover server that fits" if cached(view, row) else "its settings, which are not in the cache yet"
            done = c.Done(sentence=f"Failover of {row.name} waits for {what}.", failover=failover_id)
        case _:
            raise Rejected(f"{row.name} cannot be failed over.", Reason.WRONG_STATE_OF_SERVER)
    if request.maintenance and own_maintenance(view, row.id) is None:
        until_wall_ms = now.wall_ms + view.settings.manual_maintenance_min * 60_000
        target = Target(scope=Scope.RECORDER, id=row.id)
        began = f.MaintenanceBegan(target=target, reason=BY_HAND, until_wall_ms=until_wall_ms, failover=done.failover)
        facts = (*facts, began)
    return facts, done


def abort(asking: Asking, request: c.AbortFailover) -> Outcome:
    view, seen, asked, now = asking.view, asking.seen, asking.asked, asking.now
    entry = entry_row(view, request.failover)
    case = Case(view=view, seen=seen, failover=entry, now=now, input=asked)
    row = find(SWITCH_TABLE + FAILOVER_TABLE + FAILBACK_TABLE, case, On.ABORT)
    if entry.phase is Phase.FAILBACK_UNDOING:
        raise Rejected(f"The failback in {entry.id} is being undone already; wait until it is done.", Reason.INVALID_LOG_STATE)
    if row is None:
        raise Rejected(
            f"{entry.id} is \u201c{entry.log_state}\u201d; only what has not reached its commit point can be aborted.",
            Reason.INVALID_LOG_STATE,
        )
    what = "Failback" if entry.phase.failing_back else "Failover"
    return row.then(case), c.Done(sentence=f"{what} {entry.id} aborted.", failover=entry.id)


def start_failback(asking: Asking, request: c.StartFailback) -> Outcome:
    view, seen, asked, now = asking.view, asking.seen, asking.asked, asking.now
    entry = entry_row(view, request.failover)
    case = Case(view=view, seen=seen, failover=entry, now=now, input=asked)
    row = find(FAILBACK_TABLE, case, On.FAILBACK)
    if row is None:
        stops = [check.sentence for check in checks(view, seen, entry) if check.level is c.Level.STOP]
        raise Rejected(stops[0], reason_of(entry, view, seen))
    return row.then(case), c.Done(sentence=f"Failback of {entry.home} started.", failover=entry.id)


def hold(asking: Asking, request: c.HoldFailover) -> Outcome:
    row = recorder_row(asking.view, request.recorder)
    if row.id in asking.view.holds:
        raise Rejected(f"Failover of {row.name} is held already; release it to let it run again.")
    if not row.records:
        raise Rejected(f"{row.name} records nothing at the moment, so there is no failover to hold.", Reason.WRONG_STATE_OF_SERVER)
    return (f.HoldPlaced(recorder=row.id, cause=c.HoldCause.PERSON),), c.Done(sentence=f"Failover of {row.name} is held.")


def release(asking: Asking, request: c.ReleaseHold) -> Outcome:
    row = recorder_row(asking.view, request.recorder)
    if row.id not in asking.view.holds:
        raise Rejected(f"Failover of {row.name} is not held.")
    done = c.Done(sentence=f"Failover of {row.name} runs again.")
    return (f.HoldLifted(recorder=row.id, sentence="Released by hand."),), done
