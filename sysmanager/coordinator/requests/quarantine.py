"""A person lets a camera out of quarantine (SPEC 16)."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.quarantine import in_quarantine
from sysmanager.coordinator.requests.handling import Asking, Outcome, Rejected, recorder_row
from sysmanager.domain.ids import shown
from sysmanager.protocol import clients as c


def release_camera(asking: Asking, request: c.ReleaseCamera) -> Outcome:
    view, seen = asking.view, asking.seen
    row = recorder_row(view, request.recorder)
    name = next((camera.name for camera in row.settings.cameras if camera.id == request.camera), None)
    if name is None:
        raise Rejected(f"{row.name} has no camera {shown(request.camera)}; see the list of its cameras.")
    if request.camera in view.releases.get(row.id, ()):
        raise Rejected(f"{row.name} is being told already to let {name} out of quarantine.")
    if not seen.connected(row.id):
        raise Rejected(f"{row.name} is not connected; its camera can be released when it is.")
    if not in_quarantine(seen, row.id, request.camera):
        raise Rejected(f"{name} is not in quarantine on {row.name}; there is nothing to release.")
    fact = f.CameraReleased(recorder=row.id, camera=request.camera)
    return (fact,), c.Done(sentence=f"{name} is let out of quarantine: {row.name} opens it again.")
