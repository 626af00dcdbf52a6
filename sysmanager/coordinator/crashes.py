"""Whether the coordinator itself starts again and again (SPEC 4)."""

from __future__ import annotations

from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import STARTS_KEPT, View
from sysmanager.domain.instant import Instant

CRASH_LOOP = "crash loop"
"""Key of the alarm."""

WINDOW_MS = 600_000
"""Three starts within so long are a crash loop; after so long without another one it is over."""


def crash_loop(view: View, seen: Seen, now: Instant) -> bool:
    """Whether the alarm holds: not yet acknowledged in this term, and not quiet for 10 min.

    Starts of different lives can be compared by the wall clock alone; the quiet since the last one is measured.
    """
    if len(view.starts) < STARTS_KEPT or view.acknowledged.get(CRASH_LOOP) == view.term:
        return False
    return abs(view.starts[-1] - view.starts[0]) <= WINDOW_MS and now.mono_ms - seen.started.mono_ms < WINDOW_MS
