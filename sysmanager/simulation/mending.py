"""Who mended the stream of a camera lets it out of quarantine, wherever it is held (SPEC 16)."""

from __future__ import annotations

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.clients import ReleaseCamera
from sysmanager.simulation.world import ADMINISTRATOR, World

WALK_MS = 5_000
"""From the camera back to the desk."""


def release_soon(world: World, camera: CameraId) -> None:
    """The stream is sound again; in a moment somebody asks for the release on each server that has the camera in quarantine."""
    world.after(WALK_MS, _release, world, camera)


def _release(world: World, camera: CameraId) -> None:
    if camera in world.cameras.poison:
        return  # broken again meanwhile
    for recorder in sorted(world.recorders):
        if world.recorders[recorder].capture.suspicion.quarantined(camera):
            world.ask_coordinator(ADMINISTRATOR, ReleaseCamera(recorder=recorder, camera=camera))
