"""Which servers share a machine, so that one breakdown takes both (SPEC 2)."""

from __future__ import annotations

from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.recorder import Recorder

COORDINATOR_ITSELF = "the coordinator"


def shares_of(view: View, seen: Seen, row: Recorder) -> tuple[str, ...]:
    """Names of whom the server shares its machine with, in order; nobody where it practises or does not say where it is."""
    beat = seen.of(row.id).beat
    if beat is None or not beat.machine or beat.practice:
        return ()
    others = sorted(other for other in seen.on_machine.get(beat.machine, ()) if other != row.id)
    names = [view.recorders[other].name for other in others if other in view.recorders]
    return (*((COORDINATOR_ITSELF,) if beat.machine == seen.machine else ()), *names)
