"""Requests of people (SPEC 4.5, 6, 8, 12): each is refused with a sentence, or becomes facts. The right is checked first, for every one.

A file per subject, with a handler for each request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.inputs import Asked
from sysmanager.coordinator.requests import (
    adoption,
    backup,
    failback_holds,
    failover,
    jobs,
    log,
    machines,
    quarantine,
    reconcile,
    safety,
    switching,
    system,
)
from sysmanager.coordinator.requests.failover import cached, failover_stops
from sysmanager.coordinator.requests.handling import Asking, Outcome, Rejected
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.instant import Instant
from sysmanager.domain.rights import missing_right
from sysmanager.protocol import clients as c

__all__ = ["HANDLERS", "Decision", "cached", "decide_request", "failover_stops"]

HANDLERS: dict[type, Callable[[Asking, Any], Outcome]] = {
    c.StartFailover: failover.start_failover,
    c.AbortFailover: failover.abort,
    c.StartFailback: failover.start_failback,
    c.SwitchOver: switching.switch_over,
    c.HoldFailover: failover.hold,
    c.ReleaseHold: failover.release,
    c.AdoptServer: adoption.adopt_server,
    c.HoldFailback: failback_holds.hold_failback,
    c.ReleaseFailback: failback_holds.release_failback,
    c.StartCopy: jobs.start_copy,
    c.StartDrill: jobs.start_drill,
    c.PauseJob: jobs.pause_job,
    c.ResumeJob: jobs.resume_job,
    c.CancelJob: jobs.cancel_job,
    c.AddRecorder: system.add_recorder,
    c.EditRecorder: system.edit_recorder,
    c.RemoveRecorder: system.remove_recorder,
    c.SaveGroup: system.save_group,
    c.RemoveGroup: system.remove_group,
    c.ConfirmReconcile: reconcile.confirm_reconcile,
    c.CommentEntry: log.comment_entry,
    c.TickToDo: log.tick_to_do,
    c.EditSystem: safety.edit_system,
    c.StartMaintenance: safety.start_maintenance,
    c.EndMaintenance: safety.end_maintenance,
    c.BackUp: backup.back_up,
    c.AcceptSharedMachine: machines.accept,
    c.AcknowledgeAlarm: safety.acknowledge,
    c.ReleaseCamera: quarantine.release_camera,
}
"""What decides each request. A handler raises `Rejected` with a sentence, or returns facts and the reply."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision comes to. reply: for the client, given when the facts are durable. row: of the table, if one was taken."""

    facts: tuple[f.AnyFact, ...] = ()
    reply: c.Reply | None = None
    row: int | None = None


def decide_request(view: View, seen: Seen, asked: Asked, now: Instant) -> Decision:
    """The facts that a request leads to, and the reply. A refusal moves nothing; at most an entry of the failover log says it."""
    missing = missing_right(asked.actor.role, c.RIGHT_FOR[type(asked.request)])
    if missing is not None:
        return Decision(reply=c.Refused(sentence=missing))
    try:
        facts, reply = HANDLERS[type(asked.request)](Asking(view=view, seen=seen, asked=asked, now=now), asked.request)
    except Rejected as rejected:
        return Decision(facts=rejected.facts, reply=rejected.refused)
    return Decision(facts=facts, reply=reply)
