"""The rule about streams that crash whoever opens them: they are found, and stop no other (SPEC 16)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sysmanager.coordinator import facts as f
from sysmanager.simulation import seldom

if TYPE_CHECKING:
    from sysmanager.simulation.checkers import Step
    from sysmanager.simulation.world import World

STOPS_NO_OTHER = "a poisonous stream stops no other"
NOBODY_ELSE = "nobody else is quarantined"
NAMES = (STOPS_NO_OTHER, NOBODY_ELSE)
RELEASED = "who is released is let out"

SPAN_MS = 110_000
"""Less than the first quarantine lasts: within it no stream is tried again that was found."""

CRASHES = 4
"""A crowd is suspected, then a few of it, then one alone; and one more, for what comes between."""


def look(world: World, check: Callable[[str, str | None], None]) -> None:
    """How often streams crashed each server lately, for each of them that ever did."""
    poisonous = max(1, len(world.cameras.ever_poisonous))
    for recorder in world.recorders.values():
        times_ms = recorder.capture.suspicion.crashes_ms
        if not times_ms:
            continue
        lately = sum(1 for at_ms in times_ms if at_ms > times_ms[-1] - SPAN_MS)
        many = lately > CRASHES * poisonous
        sentence = f"{recorder.id} was crashed by streams {lately} times within {SPAN_MS // 1000} s."
        check(STOPS_NO_OTHER, sentence if many else None)
        if poisonous > 1:
            continue  # of two that crash the service in turn, who was beside both of them may look guilty for a while
        for camera in recorder.capture.suspicion.cases:
            innocent = recorder.capture.suspicion.quarantined(camera) and camera not in world.cameras.ever_poisonous
            check(NOBODY_ELSE, f"{recorder.id} quarantined {camera}, which crashed nobody." if innocent else None)


def released_is_out(step: Step) -> str | None:
    """When the journal says that a server took a release, it did. Where streams crash it in turn, it may have found the camera again."""
    fact, world = step.fact, step.world
    if isinstance(fact, f.CameraReleased):
        seldom.note(world, seldom.CAMERA_RELEASED)
    if not isinstance(fact, f.ReleaseEnded) or fact.sentence or fact.recorder not in world.recorders:
        return None
    seldom.note(world, seldom.RELEASE_TAKEN)
    if fact.camera in world.cameras.poison or len(world.cameras.ever_poisonous) > 1:
        return None
    held = world.recorders[fact.recorder].capture.suspicion.quarantined(fact.camera)
    return f"{fact.recorder} took the release of {fact.camera}, and has it in quarantine." if held else None
