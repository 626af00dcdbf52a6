"""The mass-loss brake (SPEC 13.3): when many recorders fall silent together, it may be the coordinator, or its network, that is lost.

Nobody is blamed then before a failover server confirms that it does not reach a recorder either; after a while, which a person sets, it
goes on with servers that are heard.
"""

from __future__ import annotations

from bisect import bisect_right

from sysmanager.coordinator.detection import assess, why_not_automatic
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.coordinator.witnesses import anybody_heard, confirmed_away
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Acting, Broken, Recorder, Recording
from sysmanager.protocol.recorders import BEAT_INTERVAL_MS

TOGETHER_MS = 10_000
"""Recorders that fell silent within this time of one another did so together."""

SILENT_MS = 3 * BEAT_INTERVAL_MS


def lost_together(view: View, seen: Seen, now: Instant) -> frozenset[RecorderId]:
    """Recorders that fell silent together with more than the share of all that is set, and with at least so many.

    Who was replaced since counts as well: it fell silent with the others. Computed once for one moment, whoever asks.
    """
    key = (now.mono_ms, seen.listening.proven_ms, view.settings_revision, len(view.recorders))
    if seen.lost_together is not None and seen.lost_together[0] == key:
        return seen.lost_together[1]
    watched = [row.id for row in view.recorders.values() if isinstance(row.assignment, Recording | Acting | Broken)]
    silent = sorted((silence_ms, recorder) for recorder in watched if (silence_ms := seen.silence_ms(recorder)) >= SILENT_MS)
    found = _together(silent, len(watched), view.settings.brake_share_percent, view.settings.brake_minimum)
    seen.lost_together = (key, found)
    return found


def _together(silent: list[tuple[int, RecorderId]], watched: int, share_percent: int, least: int) -> frozenset[RecorderId]:
    silences = [silence_ms for silence_ms, _ in silent]
    found: list[RecorderId] = []
    done = 0
    for begin, silence_ms in enumerate(silences):
        end = bisect_right(silences, silence_ms + TOGETHER_MS)
        if end - begin >= least and (end - begin) * 100 > share_percent * watched:
            found += [recorder for _, recorder in silent[max(begin, done) : end]]
            done = end
    return frozenset(found)


def braked(view: View, seen: Seen, row: Recorder, now: Instant) -> bool:
    """Whether the brake keeps this recorder's failover from starting now. Asked only when its silence has reached the timeout."""
    if row.id not in lost_together(view, seen, now) or confirmed_away(view, seen, row):
        return False
    limit_s = view.settings.brake_limit_s
    over = limit_s is not None and seen.brake_since_ms is not None and now.mono_ms - seen.brake_since_ms >= limit_s * 1000
    return not (over and anybody_heard(view, seen, row))


def waiting_for_brake(view: View, seen: Seen, now: Instant) -> list[RecorderId]:
    """Recorders that the brake holds at this moment."""
    return [recorder for recorder in lost_and_due(view, seen, now) if braked(view, seen, view.recorders[recorder], now)]


def lost_and_due(view: View, seen: Seen, now: Instant) -> list[RecorderId]:
    """Recorders that fell silent together whose failover would start by itself now, held or not."""
    rows = (view.recorders[recorder] for recorder in sorted(lost_together(view, seen, now)))
    return [row.id for row in rows if why_not_automatic(view, row) is None and assess(view, seen, row).trigger is not None]


def count_lost(view: View, seen: Seen, now: Instant) -> tuple[int, int]:
    """How many recorders fell silent together, and of how many, for people."""
    watched = sum(1 for row in view.recorders.values() if isinstance(row.assignment, Recording | Acting | Broken))
    return len(lost_together(view, seen, now)), watched
