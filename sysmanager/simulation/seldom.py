"""What chance seldom brings, beyond rows, faults and rules: counted, so that a full run that never had it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sysmanager.simulation.world import World

KIND = "seldom"
"""Of `World.counts`."""

COPY_LEAVES = "a second server of the same id announces its shutdown"
CAMERA_RELEASED = "a person releases a camera from quarantine"
RELEASE_TAKEN = "a server takes the release of a camera"
NAMES = (COPY_LEAVES, CAMERA_RELEASED, RELEASE_TAKEN)


def note(world: World, name: str) -> None:
    """It happened once more."""
    world.counts[KIND, name] += 1
