"""Requests that change system data: servers and groups (SPEC 2)."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve import initial_assignment
from sysmanager.coordinator.requests.adoption import remove_replaced
from sysmanager.coordinator.requests.handling import (
    DESCRIPTION_LIMIT,
    TEXT_LIMIT,
    Asking,
    Outcome,
    Rejected,
    in_open_entry,
    is_text,
    recorder_row,
)
from sysmanager.coordinator.state import View
from sysmanager.domain.failover import Reason
from sysmanager.domain.hours import problem_with_hours
from sysmanager.domain.ids import Epoch, is_identifier, shown
from sysmanager.domain.jobs import DAYS_LIMIT, RATE_LIMIT_KBPS, DrillSchedule, MaterialCopySettings
from sysmanager.domain.recorder import (
    DETECTION_TIMEOUTS_S,
    FAILBACK_AFTER_S,
    Acting,
    Assignment,
    Broken,
    Recorder,
    RecorderEdit,
    Recording,
    Reserved,
    Role,
    Standby,
    fields_of,
    timeout_text,
)
from sysmanager.protocol import clients as c
from sysmanager.protocol.recorders import Mode


def add_recorder(asking: Asking, request: c.AddRecorder) -> Outcome:
    view, seen = asking.view, asking.seen
    if not is_identifier(request.id):
        raise Rejected("The id of a server has letters, digits, - and _ only, 64 at most; correct the field id.")
    if request.id in view.recorders:
        raise Rejected(f"A server with the id {request.id} is in system data already; choose another one.")
    _validate(view, request.fields, None)
    if request.fields.role is Role.STANDARD and request.id in view.retired:
        raise Rejected(f"{request.id} was replaced and its cameras belong to another server now; add it as a failover server.")
    announced = seen.unknown.get(request.id)
    fields = request.fields
    epoch = view.next_epoch if fields.role is Role.FAILOVER else Epoch(0)
    if announced is not None and (fields.role is Role.STANDARD or announced.mode is Mode.STANDBY):
        # It brings the number it has; who records for another one does not, so that a person sees what differs.
        epoch = Epoch(max(epoch, announced.epoch))
        if fields.role is Role.STANDARD and announced.mode is Mode.STANDBY:
            # Under its number it was told to stand down: what it shall record from now on has another.
            epoch = Epoch(max(view.next_epoch, announced.epoch + 1))
    row = Recorder(
        id=request.id,
        **fields_of(fields),
        assignment=initial_assignment(fields.role, epoch),
        practice=announced.practice if announced is not None else False,
    )
    return (f.RecorderAdded(recorder=row),), c.Done(sentence=f"{row.name} was added.")


def edit_recorder(asking: Asking, request: c.EditRecorder) -> Outcome:
    view = asking.view
    row = recorder_row(view, request.recorder)
    if isinstance(row.assignment, Broken | Reserved):
        raise Rejected(
            f"The settings of {row.name} are locked while it is replaced or reserved; fail back first.", Reason.WRONG_STATE_OF_SERVER
        )
    if request.revision != row.revision:
        raise Rejected(f"{row.name} was changed by someone else meanwhile; look at the new values and edit again.")
    fields = request.fields
    _validate(view, fields, row)
    assignment: Assignment = row.assignment
    moved = fields.role is not row.role or fields.group != row.group
    if moved and (isinstance(row.assignment, Acting) or in_open_entry(view, row.id)):
        raise Rejected(
            f"{row.name} takes part in a failover; its role and group can be changed when that is over.", Reason.WRONG_STATE_OF_SERVER
        )
    if fields.role is not row.role:
        if fields.role is Role.STANDARD and row.id in view.retired:
            raise Rejected(f"{row.name} was replaced and its cameras belong to another server now; it can be a failover server only.")
        if fields.role is Role.FAILOVER and row.settings.cameras:
            count = len(row.settings.cameras)
            raise Rejected(f"{row.name} records {count} cameras; move them to another server before it becomes a failover server.")
        assignment = initial_assignment(fields.role, view.next_epoch)
    fact = f.RecorderEdited(recorder=row.id, fields=fields, assignment=assignment)
    return (fact,), c.Done(sentence=f"The settings of {fields.name} were saved.")


def _validate(view: View, fields: RecorderEdit, row: Recorder | None) -> None:
    if not is_text(fields.name, TEXT_LIMIT):
        raise Rejected(f"The name of a server has 1 to {TEXT_LIMIT} printable characters; correct the field name.")
    if any(other.name == fields.name and (row is None or other.id != row.id) for other in view.recorders.values()):
        raise Rejected(f"Another server is named {fields.name} already; choose a different name.")
    if fields.address and not is_text(fields.address, TEXT_LIMIT):
        raise Rejected(f"The address of a server has at most {TEXT_LIMIT} printable characters; correct the field address.")
    if fields.group is not None and fields.group not in view.groups:
        raise Rejected(f"There is no group {shown(fields.group)}; add it first or choose another one.")
    if fields.role is Role.FAILOVER and fields.group is None:
        raise Rejected("A failover server belongs to exactly one group; choose it in the field group.")
    if fields.detection_timeout_s not in DETECTION_TIMEOUTS_S:
        choices = ", ".join(timeout_text(seconds) for seconds in DETECTION_TIMEOUTS_S)
        raise Rejected(f"{fields.detection_timeout_s} s is no detection timeout; choose one of {choices}.")
    if fields.failback_after_s not in FAILBACK_AFTER_S:
        choices = ", ".join(timeout_text(seconds) for seconds in FAILBACK_AFTER_S)
        raise Rejected(f"{fields.failback_after_s} s is no time to be stable before a failback; choose one of {choices}.")
    problem = problem_with_hours(fields.failback_hours)
    if problem is not None:
        raise Rejected(f"The field failback_hours is wrong: {problem}.")
    _validate_copy(fields.material_copy)
    _validate_drill(fields.drill)


def _validate_copy(copy: MaterialCopySettings) -> None:
    if not 0 <= copy.limit_kbps <= RATE_LIMIT_KBPS:
        raise Rejected(f"The limit of a material copy is 0 to {RATE_LIMIT_KBPS} kbit/s, 0 for none; correct the field limit_kbps.")
    problem = problem_with_hours(copy.hours)
    if problem is not None:
        raise Rejected(f"The hours of the material copy are not possible: {problem}.")


def _validate_drill(drill: DrillSchedule) -> None:
    if not 0 <= drill.every_days <= DAYS_LIMIT:
        raise Rejected(f"Drills are repeated every 1 to {DAYS_LIMIT} days, or never with 0; correct the field every_days.")
    problem = problem_with_hours(drill.hours)
    if problem is not None:
        raise Rejected(f"The hours of the drills are not possible: {problem}.")


def remove_recorder(asking: Asking, request: c.RemoveRecorder) -> Outcome:
    view = asking.view
    row = recorder_row(view, request.recorder)
    if isinstance(row.assignment, Broken):
        return remove_replaced(asking, row)
    if not isinstance(row.assignment, Recording | Standby) or in_open_entry(view, row.id):
        raise Rejected(f"{row.name} takes part in a failover; fail back first, then remove it.", Reason.WRONG_STATE_OF_SERVER)
    return (f.RecorderRemoved(recorder=row.id),), c.Done(sentence=f"{row.name} was removed.")


def save_group(asking: Asking, request: c.SaveGroup) -> Outcome:
    view = asking.view
    group = request.group
    if not is_identifier(group.id):
        raise Rejected("The id of a group has letters, digits, - and _ only, 64 at most; correct the field id.")
    if not is_text(group.name, TEXT_LIMIT):
        raise Rejected(f"The name of a group has 1 to {TEXT_LIMIT} printable characters; correct the field name.")
    if group.description.strip() and not is_text(group.description.replace("\n", " "), DESCRIPTION_LIMIT):
        raise Rejected(f"The description of a group has at most {DESCRIPTION_LIMIT} printable characters; correct the field description.")
    if len(set(group.preference)) != len(group.preference):
        raise Rejected("The order of the group names a server twice; correct the field preference.")
    if any(other.name == group.name and other.id != group.id for other in view.groups.values()):
        raise Rejected(f"Another group is named {group.name} already; choose a different name.")
    _validate_drill(group.drill)
    for server in group.preference:
        if server not in view.recorders:
            raise Rejected(f"The order of the group names {shown(server)}, which is not in system data; leave it out.")
    return (f.GroupSaved(group=group),), c.Done(sentence=f"The group {group.name} was saved.")


def remove_group(asking: Asking, request: c.RemoveGroup) -> Outcome:
    view = asking.view
    group = view.groups.get(request.group)
    if group is None:
        raise Rejected(f"There is no group {shown(request.group)}; see the list of groups.")
    if view.members.get(group.id):
        raise Rejected(f"The group {group.name} has servers in it; move them to another group first.")
    if view.open_in.get(group.id):
        raise Rejected(f"The group {group.name} has an open failover; end it first.")
    return (f.GroupRemoved(group=group.id),), c.Done(sentence=f"The group {group.name} was removed.")
