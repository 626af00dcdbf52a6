"""What people ask for about one entry or one server, at a moment that somebody else chooses."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sysmanager.coordinator.reconcile import findings
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.recorder import DETECTION_TIMEOUTS_S, Role, edit_of
from sysmanager.protocol import clients as c
from sysmanager.simulation.world import World


class Ask(StrEnum):
    """Kinds of requests. Those about a server take the one that is named, the others the entry."""

    FAILOVER = "start a failover"
    SWITCH = "switch over"
    FAILBACK = "start a failback"
    ABORT = "abort"
    HOLD = "hold"
    RELEASE = "release"
    EDIT = "edit a server"
    REGROUP = "save its group again"
    REMOVE = "remove a failover server, and add it again"
    CONFIRM = "confirm the reconcile"
    DRILL = "start a drill"


def request_for(world: World, ask: Ask, entry: Failover | None, server: RecorderId | None) -> c.Request | None:
    """The request as it would be sent now; None if it makes no sense at the moment."""
    state = world.shadow
    row = state.recorders.get(server) if server is not None else None
    match ask:
        case Ask.FAILBACK:
            return c.StartFailback(failover=entry.id, leave_dark=True) if entry is not None else None
        case Ask.ABORT:
            return c.AbortFailover(failover=entry.id) if entry is not None else None
        case Ask.CONFIRM:
            core = world.coordinator.core
            return c.ConfirmReconcile(findings=findings(core.state, core.seen)) if core is not None else None
        case _ if row is None:
            return None
        case Ask.FAILOVER:
            return c.StartFailover(recorder=row.id)
        case Ask.SWITCH:
            return c.SwitchOver(recorder=row.id)
        case Ask.DRILL:
            return c.StartDrill(recorder=row.id)
        case Ask.HOLD:
            return c.HoldFailover(recorder=row.id)
        case Ask.RELEASE:
            return c.ReleaseHold(recorder=row.id)
        case Ask.EDIT:
            timeout_s = DETECTION_TIMEOUTS_S[(row.revision + 1) % 3]
            return c.EditRecorder(
                recorder=row.id, revision=row.revision, fields=msgspec.structs.replace(edit_of(row), detection_timeout_s=timeout_s)
            )
        case Ask.REGROUP:
            group = state.groups.get(row.group) if row.group is not None else None
            reverse = tuple(reversed(group.preference)) if group is not None else ()
            return c.SaveGroup(group=msgspec.structs.replace(group, preference=reverse)) if group is not None else None
        case Ask.REMOVE:
            return c.RemoveRecorder(recorder=row.id) if row.role is Role.FAILOVER else None
