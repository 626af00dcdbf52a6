"""What failover servers are asked about a recorder that falls silent or dark (SPEC 4.4, 13.3, 13.4).

Nothing waits for an answer; it is one more thing that is known when a trigger holds.
"""

from __future__ import annotations

import msgspec

from sysmanager.coordinator.commands import AskProbe
from sysmanager.coordinator.detection import IN_MAINTENANCE, Assessment, assess, dark_limit_ms, why_not_automatic
from sysmanager.coordinator.frames import expected_cameras, expects_frames
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


class Watch(msgspec.Struct, frozen=True):
    """What time alone may bring for a recorder: one judgement, looked at by whoever plans.

    probe: what is to be asked about it now; None if nothing is. due_ms: when to review it without news, as if all time were proven;
    look_ms: when there may be something to ask about it, or what keeps its failover from starting may be over. Both by the monotonic
    clock; None: news alone can change something.
    """

    probe: Probe | None = None
    due_ms: int | None = None
    look_ms: int | None = None


_NOTHING = Watch()


def watch_of(view: View, seen: Seen, row: Recorder, now: Instant) -> Watch:
    """Judge one recorder for those who plan: when to look at it again, and what to ask others about it.

    While a recorder is heard and reports frames nothing of it is planned: the shortest limit is longer than the three beats after which
    it is looked at anyway, because it fell silent (`Seen.fallen_silent`) or because a heartbeat says that no frames come (`Heard.well_ms`).
    """
    if seen.of(row.id).well_ms is not None and seen.connected(row.id):
        return _NOTHING
    if why_not_automatic(view, row) not in (None, IN_MAINTENANCE):
        return _NOTHING
    judged = assess(view, seen, row)
    due_ms = None if judged.due_in_ms is None or row.id in seen.withheld else now.mono_ms + judged.due_in_ms
    probe = _probe(view, seen, row, judged)
    if probe is not None:
        look_ms = max(now.mono_ms + LEAST_PAUSE_MS, seen.opinions.asked_ms.get(row.id, now.mono_ms) + ASK_EVERY_MS)
        return Watch(probe, due_ms, look_ms)
    wait_ms = (judged.timeout_ms + 1) // 2 - judged.silence_ms
    if judged.connection is Connection.CONNECTED and expects_frames(row):
        wait_ms = min(wait_ms, (dark_limit_ms(view, row) + 1) // 2 - seen.dark_ms(row.id))
    return Watch(None, due_ms, now.mono_ms + max(wait_ms, LEAST_PAUSE_MS))


def _probe(view: View, seen: Seen, row: Recorder, judged: Assessment) -> Probe | None:
    if judged.connection is not Connection.CONNECTED:
        return ProbeRecorder(recorder=row.id) if 2 * judged.silence_ms >= judged.timeout_ms else None
    if 2 * seen.dark_ms(row.id) < dark_limit_ms(view, row):
        return None
    cameras = expected_cameras(row)
    home = view.recorders[row.home] if row.home is not None else row
    documents = tasks_of(row, home).documents
    return ProbeCameras(recorder=row.id, documents=documents, cameras=cameras) if cameras and documents is not None else None


def probes(view: View, seen: Seen, row: Recorder, probe: Probe | None, now: Instant) -> tuple[AskProbe, ...]:
    """The questions that are to go out now, if `probe` is what is to be asked."""
    asked_ms = seen.opinions.asked_ms.get(row.id)
    if probe is None or (asked_ms is not None and now.mono_ms - asked_ms < ASK_EVERY_MS):
        return ()
    servers = witnesses(view, seen, row)
    first = now.mono_ms // ASK_EVERY_MS * ASKED_AT_ONCE % len(servers) if len(servers) > ASKED_AT_ONCE else 0
    return tuple(AskProbe(server=server, probe=probe) for server in (servers[first:] + servers[:first])[:ASKED_AT_ONCE])
