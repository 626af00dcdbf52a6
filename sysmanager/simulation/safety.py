"""Rules and wishes of what keeps the coordinator from acting by itself: maintenance (SPEC 13.6)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from sysmanager.coordinator import facts as f
from sysmanager.domain.maintenance import SYSTEM, Scope, Target
from sysmanager.domain.recorder import Acting, Recorder
from sysmanager.domain.rights import COORDINATOR
from sysmanager.protocol import clients as c

if TYPE_CHECKING:
    from sysmanager.coordinator.state import State
    from sysmanager.simulation.checkers import Step
    from sysmanager.simulation.world import World

OVERDUE_MS = 70_000
"""By when a maintenance has ended whose time is over: it is looked at once a minute, and a fact needs its moment."""


def covering(state: State, row: Recorder) -> str | None:
    """The key of the maintenance that covers a recorder; written down a second time, apart from the coordinator's own."""
    home = state.recorders[row.assignment.for_recorder] if isinstance(row.assignment, Acting) else row
    for key in (f"recorder {row.id}", f"group {home.group}", "system"):
        if key in state.maintenance:
            return key
    return None


def nothing_by_itself_in_maintenance(step: Step) -> str | None:
    """No failover starts by itself where something is in maintenance; and what would have happened is said only there."""
    opening = getattr(step.fact, "opening", None)
    if not isinstance(opening, f.Opening) or step.record.actor != COORDINATOR:
        return None
    key = covering(step.state, step.state.recorders[opening.recorder])
    if isinstance(step.fact, f.FailoverWithheld):
        return None if key is not None else f"A failover of {opening.recorder} is withheld, and nothing is in maintenance."
    return f"A failover of {opening.recorder} starts by itself, although {key} is in maintenance." if key is not None else None


def nobody_taken_in_maintenance(step: Step) -> str | None:
    """A server in maintenance is no candidate (SPEC 5)."""
    match step.fact:
        case f.FailoverStarted(reservation=reservation) | f.ServerReserved(reservation=reservation):
            server = reservation.server
        case f.AttemptEnded(next=f.Reservation(server=taken)):
            server = taken
        case _:
            return None
    return f"{server} is reserved, although it is in maintenance." if f"recorder {server}" in step.state.maintenance else None


def maintenance_ends(world: World) -> str | None:
    """A maintenance whose time is over has ended, once the coordinator has had the time to look."""
    core = world.coordinator.core
    if core is None or not world.coordinator.listening or world.coordinator.busy:
        return None
    up_ms = world.agenda.now_ms - world.hearing.started_ms
    late = [one for one in core.state.maintenance.values() if one.until_wall_ms + OVERDUE_MS < world.coordinator.now().wall_ms]
    stepped_ms = world.agenda.now_ms - world.coordinator.stepped_ms
    if late and min(up_ms, stepped_ms, world.hearing.hearing_for_ms(world.agenda.now_ms)) > OVERDUE_MS:
        return f"The maintenance of {late[0].target.key} should have ended at {late[0].until_wall_ms}."
    return None


def wish(world: World, chance: random.Random) -> c.Request:
    """Something an administrator might want of maintenance: mostly short ones, and now and then the end of one."""
    state = world.shadow
    if state.maintenance and chance.random() < 0.4:
        return c.EndMaintenance(target=state.maintenance[chance.choice(sorted(state.maintenance))].target)
    targets = [Target(scope=Scope.RECORDER, id=one) for one in sorted(state.recorders)]
    if chance.random() < 0.2:
        targets = [SYSTEM, *(Target(scope=Scope.GROUP, id=group) for group in sorted(state.groups))]
    until_wall_ms = world.coordinator.now().wall_ms + chance.choice((5_000, 30_000, 90_000, 240_000))
    return c.StartMaintenance(target=chance.choice(targets), reason="work on the machine", until_wall_ms=until_wall_ms)


def tidy(world: World) -> tuple[c.Request, ...]:
    """What an administrator does when all is mended: nothing is left in maintenance."""
    core = world.coordinator.core
    return tuple(c.EndMaintenance(target=one.target) for one in core.state.maintenance.values()) if core is not None else ()
