"""Rules about failover servers that wait: what they find of themselves counts when one is chosen (SPEC 5, 16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sysmanager.coordinator import facts as f
from sysmanager.protocol.recorders import BEAT_INTERVAL_MS

if TYPE_CHECKING:
    from sysmanager.simulation.checkers import Step

FAILED_LAST = "a failed self-test comes last"


def failed_self_test_comes_last(step: Step) -> str | None:
    """A server that said that its self-test failed is taken only where every other candidate that is heard said so, too."""
    core = step.world.coordinator.core
    match step.fact:
        case f.FailoverStarted(reservation=reservation) | f.ServerReserved(reservation=reservation):
            chosen, verdicts = reservation.server, reservation.verdicts
        case f.AttemptEnded(next=f.Reservation(server=chosen, verdicts=verdicts)):
            pass
        case _:
            return None
    if core is None:
        return None
    seen = core.seen

    def failed(server: str) -> bool:
        beat = seen.of(server).beat  # type: ignore[arg-type]  # an id is text
        return beat is not None and beat.self_test is not None and bool(beat.self_test.problems)

    if not failed(chosen):
        return None
    better = [
        verdict.server
        for verdict in verdicts
        if verdict.rank and not failed(verdict.server) and seen.silence_ms(verdict.server) < 2 * BEAT_INTERVAL_MS
    ]
    return f"{chosen} is reserved, its self-test failed, and {', '.join(better)} could be taken." if better else None
