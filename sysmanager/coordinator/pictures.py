"""Who is asked for a picture of a camera: whoever records it now."""

from __future__ import annotations

from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.ids import CameraId, RecorderId, shown
from sysmanager.domain.recorder import Broken
from sysmanager.protocol.clients import Refused


def picture_holder(view: View, seen: Seen, recorder: RecorderId, camera: CameraId) -> RecorderId | Refused:
    """The server to ask for a picture of a camera that is listed with `recorder`; a sentence if there is nobody to ask."""
    row = view.recorders.get(recorder)
    if row is None:
        return Refused(sentence=f"There is no server {shown(recorder)}; see the list of servers.")
    if all(known.id != camera for known in row.settings.cameras):
        return Refused(sentence=f"{row.name} has no camera {shown(camera)}; see the list of its cameras.")
    holder = row
    if isinstance(row.assignment, Broken):
        entry = view.failovers.get(row.assignment.failover)
        acting = view.recorders.get(entry.server) if entry is not None and entry.server is not None else None
        if acting is None:
            return Refused(sentence=f"Nobody records the cameras of {row.name} now.")
        holder = acting
    if not seen.connected(holder.id):
        return Refused(sentence=f"{holder.name} is not connected, so it gives no picture; check its network.")
    return holder.id
