"""Requests that say how careful the coordinator is: system settings, maintenance (SPEC 13)."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.crashes import CRASH_LOOP, crash_loop
from sysmanager.coordinator.requests.handling import Asking, Outcome, Rejected, is_text, recorder_row
from sysmanager.coordinator.state import View
from sysmanager.domain.ids import GroupId, RecorderId, shown
from sysmanager.domain.maintenance import LONGEST_MS, REASON_LIMIT, Scope, Target
from sysmanager.domain.system import objection_to
from sysmanager.protocol import clients as c


def edit_system(asking: Asking, request: c.EditSystem) -> Outcome:
    if request.revision != asking.view.settings_revision:
        raise Rejected("The system settings were changed by someone else meanwhile; look at the new values and edit again.")
    objection = objection_to(request.settings)
    if objection is not None:
        raise Rejected(objection)
    return (f.SystemEdited(settings=request.settings),), c.Done(sentence="The system settings were saved.")


def start_maintenance(asking: Asking, request: c.StartMaintenance) -> Outcome:
    name = target_name(asking.view, request.target)
    if not is_text(request.reason, REASON_LIMIT):
        raise Rejected(f"The reason of a maintenance has 1 to {REASON_LIMIT} printable characters; correct the field reason.")
    if request.until_wall_ms <= asking.now.wall_ms:
        raise Rejected("The end of a maintenance lies in the future; correct the field until.")
    if request.until_wall_ms > asking.now.wall_ms + LONGEST_MS:
        raise Rejected("The end of a maintenance lies more than a year ahead; correct the field until.")
    fact = f.MaintenanceBegan(target=request.target, reason=request.reason, until_wall_ms=request.until_wall_ms)
    return (fact,), c.Done(sentence=f"{name} is in maintenance: nothing fails over by itself there.")


def end_maintenance(asking: Asking, request: c.EndMaintenance) -> Outcome:
    name = target_name(asking.view, request.target)
    if request.target.key not in asking.view.maintenance:
        raise Rejected(f"{name} is not in maintenance.")
    fact = f.MaintenanceEnded(target=request.target, sentence="Ended by hand.")
    return (fact,), c.Done(sentence=f"The maintenance of {name[0].lower() + name[1:] if name.startswith('The ') else name} has ended.")


def acknowledge(asking: Asking, request: c.AcknowledgeAlarm) -> Outcome:
    if request.key != CRASH_LOOP or not crash_loop(asking.view, asking.seen, asking.now):
        raise Rejected(f"There is no alarm {shown(request.key)} that waits for somebody to see it; see the list of alarms.")
    return (f.AlarmAcknowledged(key=request.key),), c.Done(sentence="The alarm was acknowledged.")


def target_name(view: View, target: Target) -> str:
    """As people know what is meant. Raises Rejected if there is none."""
    if target.scope is Scope.RECORDER:
        return recorder_row(view, RecorderId(target.id)).name
    if target.scope is Scope.GROUP:
        group = view.groups.get(GroupId(target.id))
        if group is None:
            raise Rejected(f"There is no group {shown(target.id)}; see the list of groups.")
        return f"The group {group.name}"
    if target.id:
        raise Rejected("The system has no id; leave the field id of the target empty.")
    return "The system"
