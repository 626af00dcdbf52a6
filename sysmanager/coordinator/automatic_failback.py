"""Whether, and when, a recorder that was replaced gets its tasks back by itself (SPEC 8, 13.5)."""

from __future__ import annotations

import msgspec

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.failback_checks import checks
from sysmanager.coordinator.maintenance import maintenance_of
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.failover import Failover, Phase, Trigger
from sysmanager.domain.hours import parse_hours, wait_ms
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol.clients import FailbackHoldCause, Level

TRIES = 3
"""So many automatic failbacks of one entry may be undone before a person has to look at it."""

WAIT_LIMIT_S = 3_600
"""The wait before the next try doubles up to this, which is also the longest time to be stable."""


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What automatic failback of an entry waits for.

    due_in_ms: proven time until it starts, if nothing changes; None while `obstacle` stands in its way, or it is not wanted at all.
    obstacle: one sentence without a full stop for the row of the recorder; empty if there is none, or nothing is wanted.
    hours: whether it waits for its hours and for nothing else.
    """

    due_in_ms: int | None = None
    obstacle: str = ""
    hours: bool = False


NOT_WANTED = Outlook()


def outlook(view: View, seen: Seen, entry: Failover, now: Instant) -> Outlook:
    """How automatic failback of this entry stands now. Everything that a failback by hand needs holds here too."""
    home = view.recorders.get(entry.home)
    if home is None or not home.automatic_failback or entry.phase is not Phase.READY:
        return NOT_WANTED
    obstacle = _obstacle(view, seen, entry, home)
    if obstacle is not None:
        return Outlook(obstacle=obstacle)
    # A server that never fell silent, such as one without a camera it could reach, has to wait like one that was away.
    stable_ms = min(seen.stable_ms(home.id), seen.standing_ms(entry.id))
    settles_ms = max(0, home.failback_after_s * 1000 - stable_ms, _pause_s(entry, home) * 1000 - seen.standing_ms(entry.id))
    hours_ms = wait_ms(parse_hours(home.failback_hours), now.wall_ms + settles_ms, now.offset_min)
    return Outlook(due_in_ms=settles_ms + hours_ms, hours=hours_ms > 0 and settles_ms == 0)


def _pause_s(entry: Failover, home: Recorder) -> int:
    """After a try that was undone, twice as long as before it: what keeps a camera dark seldom passes in five minutes."""
    return min(home.failback_after_s << entry.failback_tries, WAIT_LIMIT_S)


def _obstacle(view: View, seen: Seen, entry: Failover, home: Recorder) -> str | None:
    if entry.by_hand:
        return "the failover was started by hand, so only a person fails back"
    hold = view.failback_holds.get(home.id)
    if hold is not None:
        return f"automatic failback is {hold.cause}"
    if maintenance_of(view, home) is not None:
        return f"{home.name} is in maintenance"
    if view.reconcile is not None and not view.reconcile.confirmed:
        return "the reconcile is not confirmed yet"
    server = view.recorders.get(entry.server) if entry.server is not None else None
    if server is not None and not seen.connected(server.id):
        return f"{server.name} is not connected"
    stop = next((check for check in checks(view, seen, entry) if check.level is Level.STOP), None)
    return stop.sentence.rstrip(".") if stop is not None else None


def due_by_itself(view: View, seen: Seen, entry: Failover, now: Instant) -> bool:
    """Whether it is to start now. Not while the coordinator cannot hear: what it would rest on may be long over."""
    return outlook(view, seen, entry, now).due_in_ms == 0 and not seen.listening.deaf(now)


# ---------------------------------------------------------------- what holds it


def held_after_commit(view: View, seen: Seen, entry: Failover, now: Instant) -> tuple[f.AnyFact, ...]:
    """Flap damping: the hold that goes with the commit of a second failover in a short time. Failover itself is never held for that."""
    home = view.recorders.get(entry.home)
    if home is None or not home.automatic_failback or home.id in view.failback_holds:
        return ()
    if entry.recorder != home.id or entry.trigger is Trigger.PLANNED:
        return ()
    last_wall_ms = view.replaced_wall_ms.get(home.id)
    last_mono_ms = seen.replaced_ms.get(home.id)
    window_ms = view.settings.flap_window_min * 60_000
    # The wall clock alone outlives a restart, and may have been set since: if either clock says that it was a short time, it was.
    short = last_wall_ms is not None and abs(now.wall_ms - last_wall_ms) < window_ms
    short |= last_mono_ms is not None and now.mono_ms - last_mono_ms < window_ms
    return (f.FailbackHeld(recorder=home.id, cause=FailbackHoldCause.FLAPPING),) if short else ()


def held_after_undo(view: View, entry: Failover) -> tuple[f.AnyFact, ...]:
    """After the last try that was undone a person has to look."""
    failback = entry.failback
    if failback is None or not failback.automatic or entry.failback_tries + 1 < TRIES:
        return ()
    return _held(view, entry, FailbackHoldCause.FAILURE)


def held_after_abort(view: View, entry: Failover) -> tuple[f.AnyFact, ...]:
    """What a person ended does not start again by itself a few minutes later."""
    home = view.recorders.get(entry.home)
    if home is None or not home.automatic_failback or entry.by_hand:
        return ()
    return _held(view, entry, FailbackHoldCause.ABORT)


def _held(view: View, entry: Failover, cause: FailbackHoldCause) -> tuple[f.AnyFact, ...]:
    return () if entry.home in view.failback_holds else (f.FailbackHeld(recorder=entry.home, cause=cause),)
