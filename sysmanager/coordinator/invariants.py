"""What is always true of system data, as code (SPEC 13.1): run by the simulation after every fact, and before every commit point."""

from __future__ import annotations

from sysmanager.coordinator.state import State, View
from sysmanager.domain.failover import Failover, Phase
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.recorder import Acting, Broken, Recording, Reserved


def broken_invariants(state: State | View) -> tuple[str, ...]:
    """One sentence for each rule that does not hold; empty when all is sound."""
    return (*_owners(state), *_reservations(state), *_entries(state), *_epochs(state))


def _owners(view: View) -> list[str]:
    """No camera belongs to two recorders; a failover server acts for one."""
    found: list[str] = []
    owners: dict[RecorderId, RecorderId] = {}
    cameras: dict[str, RecorderId] = {}
    for row in view.recorders.values():
        home = row.home
        if home is None:
            continue
        if home in owners:
            found.append(f"The cameras of {home} belong to both {owners[home]} and {row.id}.")
        owners[home] = row.id
        for camera in row.settings.cameras:
            owner = cameras.setdefault(camera.id, home)
            if owner != home:
                found.append(f"Camera {camera.id} is in the settings of both {owner} and {home}.")
    return found


def _reservations(view: View) -> list[str]:
    found: list[str] = []
    for row in view.recorders.values():
        match row.assignment:
            case Reserved(failover=failover_id) | Acting(failover=failover_id):
                entry = view.failovers.get(failover_id)
                if entry is None or entry.server != row.id:
                    found.append(f"{row.id} is {type(row.assignment).__name__.lower()} in {failover_id}, which does not say so.")
            case _:
                pass
    return found


def _entries(view: View) -> list[str]:
    """One failover per recorder before its commit; steps in order."""
    found: list[str] = []
    running: dict[RecorderId, str] = {}
    for failover_id in view.open:
        entry = view.failovers[failover_id]
        if entry.phase.before_commit:
            if entry.recorder in running:
                found.append(f"{entry.recorder} has two failovers, {running[entry.recorder]} and {entry.id}.")
            running[entry.recorder] = entry.id
        if entry.phase in (Phase.RESERVED, Phase.FETCHED, Phase.SAVED) and entry.server is None:
            found.append(f"{entry.id} is {entry.phase} without a failover server.")
    return found + [sentence for entry in view.failovers.values() for sentence in step_disorder(entry)]


def step_disorder(entry: Failover) -> list[str]:
    """Steps of one entry that are not in order; a new attempt begins again at step 1 or 2."""
    found: list[str] = []
    previous = 0
    attempt = 0
    for step in entry.steps:
        if step.attempt > attempt or step.number == 1:
            attempt, previous = max(step.attempt, attempt), 0
        if step.number <= previous:
            found.append(f"Step {step.number} of {entry.id} follows step {previous}.")
        previous = step.number
    if entry.failback is not None and [step.number for step in entry.failback.steps] != list(range(1, len(entry.failback.steps) + 1)):
        found.append(f"The steps of the failback in {entry.id} are not in order.")
    return found


def _epochs(view: View) -> list[str]:
    return [
        f"{row.id} has epoch {row.assignment.epoch}, which was not given out yet."
        for row in view.recorders.values()
        if row.assignment.epoch >= view.next_epoch
    ]


def commit_objection(view: View, entry: Failover) -> str | None:
    """Why the commit point of this entry would make system data contradictory; None if it would not."""
    server = view.recorders.get(entry.server) if entry.server is not None else None
    if server is None:
        return f"{entry.id} has no failover server to commit to."
    if not isinstance(server.assignment, Reserved) or server.assignment.failover != entry.id:
        return f"{server.id} is not reserved for {entry.id}."
    failed = view.recorders.get(entry.recorder)
    if failed is None or not isinstance(failed.assignment, Recording | Acting):
        return f"{entry.recorder} does not have the tasks that {entry.id} is to move."
    if failed.home != entry.home:
        return f"{entry.recorder} does not record for {entry.home}, as {entry.id} says."
    home = view.recorders.get(entry.home)
    if home is None or (home.id not in (failed.id, server.id) and not isinstance(home.assignment, Broken)):
        return f"{entry.home} is not broken, although {entry.recorder} acts for it."
    return None
