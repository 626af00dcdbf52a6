"""Requests of people (SPEC 4.5, 6, 8, 12): each is refused with a sentence, or becomes facts. The right is checked first, for every one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve import initial_assignment
from sysmanager.coordinator.failback import FAILBACK_TABLE, checks, reason_of
from sysmanager.coordinator.failover import FAILOVER_TABLE, open_entry
from sysmanager.coordinator.inputs import Asked
from sysmanager.coordinator.reconcile import confirmed, findings
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, governing, open_failover_of, tasks_of
from sysmanager.coordinator.table import Case, On, find
from sysmanager.domain.failover import Failover, Reason, Trigger
from sysmanager.domain.ids import Epoch, FailoverId, RecorderId, is_identifier, shown
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import (
    DETECTION_TIMEOUTS_S,
    Acting,
    Assignment,
    Broken,
    Recorder,
    RecorderEdit,
    Recording,
    Reserved,
    Role,
    Standby,
    timeout_text,
)
from sysmanager.domain.rights import missing_right
from sysmanager.protocol import clients as c
from sysmanager.protocol.recorders import Mode

TEXT_LIMIT = 120
"""Longest name or address."""

DESCRIPTION_LIMIT = 1000


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision comes to. reply: for the client, given when the facts are durable. row: of the table, if one was taken."""

    facts: tuple[f.AnyFact, ...] = ()
    reply: c.Reply | None = None
    row: int | None = None


class _No(Exception):
    """A request is refused; raised and caught in this file alone."""

    def __init__(self, sentence: str, reason: Reason | None = None) -> None:
        super().__init__(sentence)
        self.refused = c.Refused(sentence=sentence, reason=reason)


def decide_request(view: View, seen: Seen, asked: Asked, now: Instant) -> Decision:
    """The facts that a request leads to, and the reply; no facts when it is refused."""
    missing = missing_right(asked.actor.role, c.RIGHT_FOR[type(asked.request)])
    if missing is not None:
        return Decision(reply=c.Refused(sentence=missing))
    try:
        facts, reply = _decide(view, seen, asked, now)
    except _No as no:
        return Decision(reply=no.refused)
    return Decision(facts=facts, reply=reply)


def _decide(view: View, seen: Seen, asked: Asked, now: Instant) -> tuple[tuple[f.AnyFact, ...], c.Done]:
    request = asked.request
    match request:
        case c.StartFailover():
            return _start_failover(view, seen, request, now)
        case c.AbortFailover():
            return _abort(view, seen, asked, request, now)
        case c.StartFailback():
            return _start_failback(view, seen, asked, request, now)
        case c.HoldFailover(recorder=recorder):
            row = _recorder(view, recorder)
            if recorder in view.holds:
                raise _No(f"Failover of {row.name} is held already; release it to let it run again.")
            if not row.records:
                raise _No(f"{row.name} records nothing at the moment, so there is no failover to hold.", Reason.WRONG_STATE_OF_SERVER)
            return (f.HoldPlaced(recorder=recorder, cause=c.HoldCause.PERSON),), c.Done(sentence=f"Failover of {row.name} is held.")
        case c.ReleaseHold(recorder=recorder):
            row = _recorder(view, recorder)
            if recorder not in view.holds:
                raise _No(f"Failover of {row.name} is not held.")
            done = c.Done(sentence=f"Failover of {row.name} runs again.")
            return (f.HoldLifted(recorder=recorder, sentence="Released by hand."),), done
        case c.AddRecorder():
            return _add_recorder(view, seen, request)
        case c.EditRecorder():
            return _edit_recorder(view, request)
        case c.RemoveRecorder(recorder=recorder):
            return _remove_recorder(view, recorder)
        case c.SaveGroup():
            return _save_group(view, request)
        case c.RemoveGroup():
            return _remove_group(view, request)
        case c.ConfirmReconcile():
            return _confirm_reconcile(view, seen, asked, request, now)
        case _:
            assert_never(request)


# ---------------------------------------------------------------- failover and failback


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


def _start_failover(view: View, seen: Seen, request: c.StartFailover, now: Instant) -> tuple[tuple[f.AnyFact, ...], c.Done]:
    row = _recorder(view, request.recorder)
    for sentence, reason in failover_stops(view, seen, row):
        raise _No(sentence, reason)
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
            raise _No(f"{row.name} cannot be failed over.", Reason.WRONG_STATE_OF_SERVER)
    return facts, done


def _abort(view: View, seen: Seen, asked: Asked, request: c.AbortFailover, now: Instant) -> tuple[tuple[f.AnyFact, ...], c.Done]:
    entry = _entry(view, request.failover)
    case = Case(view=view, seen=seen, failover=entry, now=now, input=asked)
    row = find(FAILOVER_TABLE + FAILBACK_TABLE, case, On.ABORT)
    if row is None:
        raise _No(
            f"{entry.id} is \u201c{entry.log_state}\u201d; only what has not reached its commit point can be aborted.",
            Reason.INVALID_LOG_STATE,
        )
    what = "Failback" if entry.phase.failing_back else "Failover"
    return row.then(case), c.Done(sentence=f"{what} {entry.id} aborted.", failover=entry.id)


def _start_failback(view: View, seen: Seen, asked: Asked, request: c.StartFailback, now: Instant) -> tuple[tuple[f.AnyFact, ...], c.Done]:
    entry = _entry(view, request.failover)
    case = Case(view=view, seen=seen, failover=entry, now=now, input=asked)
    row = find(FAILBACK_TABLE, case, On.FAILBACK)
    if row is None:
        stops = [check.sentence for check in checks(view, seen, entry) if check.level is c.Level.STOP]
        raise _No(stops[0], reason_of(entry, view, seen))
    return row.then(case), c.Done(sentence=f"Failback of {entry.home} started.", failover=entry.id)


# ---------------------------------------------------------------- system data


def _add_recorder(view: View, seen: Seen, request: c.AddRecorder) -> tuple[tuple[f.AnyFact, ...], c.Done]:
    if not is_identifier(request.id):
        raise _No("The id of a server has letters, digits, - and _ only, 64 at most; correct the field id.")
    if request.id in view.recorders:
        raise _No(f"A server with the id {request.id} is in system data already; choose another one.")
    _validate(view, request.fields, None)
    announced = seen.unknown.get(request.id)
    fields = request.fields
    epoch = view.next_epoch if fields.role is Role.FAILOVER else Epoch(0)
    if announced is not None and (fields.role is Role.STANDARD or announced.mode is Mode.STANDBY):
        # It brings the number it has; who records for another one does not, so that a person sees what differs.
        epoch = Epoch(max(epoch, announced.epoch))
    row = Recorder(
        id=request.id,
        name=fields.name,
        address=fields.address,
        role=fields.role,
        group=fields.group,
        failover_enabled=fields.failover_enabled,
        detection_timeout_s=fields.detection_timeout_s,
        assignment=initial_assignment(fields.role, epoch),
        practice=announced.practice if announced is not None else False,
    )
    return (f.RecorderAdded(recorder=row),), c.Done(sentence=f"{row.name} was added.")


def _edit_recorder(view: View, request: c.EditRecorder) -> tuple[tuple[f.AnyFact, ...], c.Done]:
    row = _recorder(view, request.recorder)
    if isinstance(row.assignment, Broken | Reserved):
        raise _No(f"The settings of {row.name} are locked while it is replaced or reserved; fail back first.", Reason.WRONG_STATE_OF_SERVER)
    if request.revision != row.revision:
        raise _No(f"{row.name} was changed by someone else meanwhile; look at the new values and edit again.")
    fields = request.fields
    _validate(view, fields, row)
    assignment: Assignment = row.assignment
    moved = fields.role is not row.role or fields.group != row.group
    if moved and (isinstance(row.assignment, Acting) or _in_open_entry(view, row.id)):
        raise _No(
            f"{row.name} takes part in a failover; its role and group can be changed when that is over.", Reason.WRONG_STATE_OF_SERVER
        )
    if fields.role is not row.role:
        if fields.role is Role.FAILOVER and row.settings.cameras:
            count = len(row.settings.cameras)
            raise _No(f"{row.name} records {count} cameras; move them to another server before it becomes a failover server.")
        assignment = initial_assignment(fields.role, view.next_epoch)
    fact = f.RecorderEdited(recorder=row.id, fields=fields, assignment=assignment)
    return (fact,), c.Done(sentence=f"The settings of {fields.name} were saved.")


def _is_text(text: str, limit: int) -> bool:
    return bool(text.strip()) and len(text) <= limit and text.isprintable()


def _validate(view: View, fields: RecorderEdit, row: Recorder | None) -> None:
    if not _is_text(fields.name, TEXT_LIMIT):
        raise _No(f"The name of a server has 1 to {TEXT_LIMIT} printable characters; correct the field name.")
    if any(other.name == fields.name and (row is None or other.id != row.id) for other in view.recorders.values()):
        raise _No(f"Another server is named {fields.name} already; choose a different name.")
    if fields.address and not _is_text(fields.address, TEXT_LIMIT):
        raise _No(f"The address of a server has at most {TEXT_LIMIT} printable characters; correct the field address.")
    if fields.group is not None and fields.group not in view.groups:
        raise _No(f"There is no group {shown(fields.group)}; add it first or choose another one.")
    if fields.role is Role.FAILOVER and fields.group is None:
        raise _No("A failover server belongs to exactly one group; choose it in the field group.")
    if fields.detection_timeout_s not in DETECTION_TIMEOUTS_S:
        choices = ", ".join(timeout_text(seconds) for seconds in DETECTION_TIMEOUTS_S)
        raise _No(f"{fields.detection_timeout_s} s is no detection timeout; choose one of {choices}.")


def _remove_recorder(view: View, recorder: RecorderId) -> tuple[tuple[f.AnyFact, ...], c.Done]:
    row = _recorder(view, recorder)
    if not isinstance(row.assignment, Recording | Standby) or _in_open_entry(view, recorder):
        raise _No(f"{row.name} takes part in a failover; fail back first, then remove it.", Reason.WRONG_STATE_OF_SERVER)
    return (f.RecorderRemoved(recorder=recorder),), c.Done(sentence=f"{row.name} was removed.")


def _in_open_entry(view: View, recorder: RecorderId) -> bool:
    return bool(view.open_with.get(recorder))


def _save_group(view: View, request: c.SaveGroup) -> tuple[tuple[f.AnyFact, ...], c.Done]:
    group = request.group
    if not is_identifier(group.id):
        raise _No("The id of a group has letters, digits, - and _ only, 64 at most; correct the field id.")
    if not _is_text(group.name, TEXT_LIMIT):
        raise _No(f"The name of a group has 1 to {TEXT_LIMIT} printable characters; correct the field name.")
    if group.description.strip() and not _is_text(group.description.replace("\n", " "), DESCRIPTION_LIMIT):
        raise _No(f"The description of a group has at most {DESCRIPTION_LIMIT} printable characters; correct the field description.")
    if len(set(group.preference)) != len(group.preference):
        raise _No("The order of the group names a server twice; correct the field preference.")
    if any(other.name == group.name and other.id != group.id for other in view.groups.values()):
        raise _No(f"Another group is named {group.name} already; choose a different name.")
    for server in group.preference:
        if server not in view.recorders:
            raise _No(f"The order of the group names {shown(server)}, which is not in system data; leave it out.")
    return (f.GroupSaved(group=group),), c.Done(sentence=f"The group {group.name} was saved.")


def _remove_group(view: View, request: c.RemoveGroup) -> tuple[tuple[f.AnyFact, ...], c.Done]:
    group = view.groups.get(request.group)
    if group is None:
        raise _No(f"There is no group {shown(request.group)}; see the list of groups.")
    if view.members.get(group.id):
        raise _No(f"The group {group.name} has servers in it; move them to another group first.")
    if view.open_in.get(group.id):
        raise _No(f"The group {group.name} has an open failover; end it first.")
    return (f.GroupRemoved(group=group.id),), c.Done(sentence=f"The group {group.name} was removed.")


def _confirm_reconcile(
    view: View, seen: Seen, asked: Asked, request: c.ConfirmReconcile, now: Instant
) -> tuple[tuple[f.AnyFact, ...], c.Done]:
    present = findings(view, seen)
    if view.reconcile is None and not present:
        raise _No("There is nothing to reconcile.")
    if view.reconcile is not None and view.reconcile.confirmed and not present:
        raise _No("This reconcile is confirmed already; servers that were not heard yet are reconciled when they come.")
    if tuple(request.findings) != present:
        raise _No("What differs has changed since you looked; look at it again and confirm then.")
    return (confirmed(view, seen, asked.actor, now),), c.Done(sentence="The reconcile is confirmed; the coordinator watches again.")


# ---------------------------------------------------------------- look-ups


def _recorder(view: View, recorder: RecorderId) -> Recorder:
    row = view.recorders.get(recorder)
    if row is None:
        raise _No(f"There is no server {shown(recorder)}; {_known(sorted(view.recorders))}.", Reason.NO_RECORDER)
    return row


def _entry(view: View, failover: FailoverId) -> Failover:
    entry = view.failovers.get(failover)
    if entry is None:
        raise _No(f"There is no entry {shown(failover)} in the failover log; see the list of entries.", Reason.INVALID_LOG_STATE)
    return entry


def _known(ids: Sequence[str]) -> str:
    if not ids:
        return "there are no servers yet"
    more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
    return f"known are {', '.join(ids[:5])}{more}"
