"""What failover servers are asked about a recorder that falls silent or dark (SPEC 4.4, 13.3, 13.4).

Nothing waits for an answer; it is one more thing that is known when a trigger holds.
"""

from __future__ import annotations

from sysmanager.coordinator.commands import AskProbe
from sysmanager.coordinator.detection import IN_MAINTENANCE, assess, dark_limit_ms, expected_cameras, why_not_automatic
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, tasks_of
from sysmanager.coordinator.witnesses import witnesses
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol.clients import Connection
from sysmanager.protocol.probes import Probe, ProbeCameras, ProbeRecorder

ASK_EVERY_MS = 1_000
"""How often servers are asked again, while there is something to ask."""

ASKED_AT_ONCE = 2
"""So many servers are asked at a time; those of a large group take turns."""

LEAST_PAUSE_MS = 50


def probe_of(view: View, seen: Seen, row: Recorder) -> Probe | None:
    """What is to be asked about this recorder now; None if nothing is."""
    if why_not_automatic(view, row) not in (None, IN_MAINTENANCE):
        return None
    judged = assess(view, seen, row)
    if judged.connection is not Connection.CONNECTED:
        return ProbeRecorder(recorder=row.id) if 2 * judged.silence_ms >= judged.timeout_ms else None
    cameras = expected_cameras(row)
    home = view.recorders[row.home] if row.home is not None else row
    documents = tasks_of(row, home).documents
    if not cameras or documents is None or 2 * seen.dark_ms(row.id) < dark_limit_ms(view, row):
        return None
    return ProbeCameras(recorder=row.id, documents=documents, cameras=cameras)


def probes(view: View, seen: Seen, row: Recorder, now: Instant) -> tuple[AskProbe, ...]:
    """The questions that are to go out now."""
    probe = probe_of(view, seen, row)
    asked_ms = seen.opinions.asked_ms.get(row.id)
    if probe is None or (asked_ms is not None and now.mono_ms - asked_ms < ASK_EVERY_MS):
        return ()
    servers = witnesses(view, seen, row)
    first = now.mono_ms // ASK_EVERY_MS * ASKED_AT_ONCE % len(servers) if len(servers) > ASKED_AT_ONCE else 0
    return tuple(AskProbe(server=server, probe=probe) for server in (servers[first:] + servers[:first])[:ASKED_AT_ONCE])


def probe_due_ms(view: View, seen: Seen, row: Recorder, now: Instant) -> int | None:
    """When there may be something to ask about the recorder, by the monotonic clock; None if news alone can bring that about."""
    if why_not_automatic(view, row) not in (None, IN_MAINTENANCE):
        return None
    if probe_of(view, seen, row) is not None:
        return max(now.mono_ms + LEAST_PAUSE_MS, seen.opinions.asked_ms.get(row.id, now.mono_ms) + ASK_EVERY_MS)
    judged = assess(view, seen, row)
    wait_ms = (judged.timeout_ms + 1) // 2 - judged.silence_ms
    if judged.connection is Connection.CONNECTED and expected_cameras(row):
        wait_ms = min(wait_ms, (dark_limit_ms(view, row) + 1) // 2 - seen.dark_ms(row.id))
    return now.mono_ms + max(wait_ms, LEAST_PAUSE_MS)
