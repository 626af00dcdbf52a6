"""What becomes of each camera that changes hands, and why, for a preview (SPEC 14.2)."""

from __future__ import annotations

from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.selection import Choice
from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.documents import SettingsSummary
from sysmanager.protocol.clients import MovingCamera


def moving(seen: Seen, settings: SettingsSummary, choice: Choice) -> tuple[MovingCamera, ...]:
    """In the order in which they are opened."""
    beat = seen.of(choice.server).beat if choice.server is not None else None
    held = {found.camera: found.held_ms // 1000 for found in beat.preroll.cameras} if beat is not None else {}
    cameras = {camera.id: camera for camera in settings.cameras}
    found = []
    for name in choice.moved:
        camera = cameras[name]
        parts = [f"{camera.priority.value} priority"]
        if held.get(name):
            parts.append(f"with {held[name]} s of pre-roll")
        if name in choice.vca_off:
            parts.append("without video content analysis")
        if camera.mode is RecordingMode.OFF:
            parts.append("not recorded by its settings")
        found.append(MovingCamera(camera=name, sentence=", ".join(parts)))
    return tuple(found)
