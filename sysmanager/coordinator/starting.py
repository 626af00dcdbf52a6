"""What a trigger leads to: a failover, or a word in the log about what keeps it from starting by itself (SPEC 4, 13.3, 13.4, 13.6)."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.brake import braked, count_lost, lost_and_due
from sysmanager.coordinator.detection import IN_MAINTENANCE, why_not_automatic
from sysmanager.coordinator.maintenance import maintenance_of
from sysmanager.coordinator.opening import open_entry, opening_of
from sysmanager.coordinator.requests import Decision
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.selection import choose
from sysmanager.coordinator.state import View, tasks_of
from sysmanager.coordinator.switching import open_switch
from sysmanager.coordinator.witnesses import seen_recording
from sysmanager.domain.failover import Trigger
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol.clients import Done
from sysmanager.protocol.recorders import Leaving

OPINION_LIMIT_MS = 300_000
"""So long at most a failover waits because others reach the recorder, and it says that it records (SPEC 13.4)."""


def on_trigger(view: View, seen: Seen, row: Recorder, trigger: Trigger, now: Instant) -> tuple[f.AnyFact, ...]:
    """The facts that follow when a trigger holds; none while something keeps it from starting, and that is said already."""
    obstacle = why_not_automatic(view, row)
    if obstacle == IN_MAINTENANCE:
        found = maintenance_of(view, row)
        assert found is not None, "its maintenance is the obstacle"
        if row.id in seen.withheld:
            return ()
        return withheld(view, seen, row, trigger, f"In maintenance ({found.reason}).", f.Withholding.MAINTENANCE, now)
    if obstacle is not None:
        return ()
    if trigger is Trigger.CONNECTION:
        if braked(view, seen, row, now):
            return _brake(view, seen, now)
        witness = _held_by(view, seen, row, now)
        if witness is not None:
            if row.id in seen.opinion_held_ms:
                return ()
            name = view.recorders[witness].name
            why = f"{name} reaches it and it says that it records: held for {OPINION_LIMIT_MS // 60_000} min at most."
            return withheld(view, seen, row, trigger, why, f.Withholding.OPINION, now)
    return open_entry(view, seen, row, trigger, now)


def _held_by(view: View, seen: Seen, row: Recorder, now: Instant) -> RecorderId | None:
    """Whose second opinion holds the failover; None if there is none, it is not wanted, or it has held for long enough."""
    if not view.settings.opinion_holds or now.mono_ms - seen.opinion_held_ms.get(row.id, now.mono_ms) >= OPINION_LIMIT_MS:
        return None
    opinion = seen_recording(view, seen, row)
    return opinion.server if opinion is not None else None


def withheld(view: View, seen: Seen, row: Recorder, trigger: Trigger, why: str, by: f.Withholding, now: Instant) -> tuple[f.AnyFact, ...]:
    """Row 4: the entry that says what would have happened now."""
    opening = opening_of(view, seen, row, trigger, now)
    assert opening is not None, "what would start by itself has a group"
    home = tasks_of(row, view.recorders[opening.home])
    choice = choose(view, seen, failed=row, home=home, group=view.groups[opening.group])
    target = f"to {view.recorders[choice.server].name}" if choice.server is not None else "and waited for a failover server"
    sentence = f"It would have failed over {target} now. {why}"
    return (f.FailoverWithheld(opening=opening, sentence=sentence, by=by, verdicts=choice.verdicts),)


def _brake(view: View, seen: Seen, now: Instant) -> tuple[f.AnyFact, ...]:
    if view.brake is not None:
        return ()
    lost, watched = count_lost(view, seen, now)
    return (f.BrakeApplied(lost=lost, watched=watched),)


def brake_released(view: View, seen: Seen, now: Instant) -> tuple[f.AnyFact, ...]:
    """The brake holds nothing any more: its recorders are heard again, or what it waited for has come. Not said while nobody is heard."""
    if view.brake is None or seen.listening.deaf(now) or lost_and_due(view, seen, now):
        return ()
    return (f.BrakeReleased(sentence="Nothing waits for it any more."),)


def announced(view: View, seen: Seen, leaving: Leaving, now: Instant) -> Decision:
    """A shutdown or restart was announced: a planned switch covers it, where a failover server is free; else the timeout runs (SPEC 4).

    A second server of the same id may go: the first one records on.
    """
    row = view.recorders.get(leaving.recorder)
    if row is not None and seen.of(row.id).is_second(leaving, seen.silence_ms(row.id)):
        return Decision(reply=Done(sentence=f"Another server with the id {row.id} is there, and records on."))
    facts = open_switch(view, seen, row, now) if row is not None and why_not_automatic(view, row) is None else ()
    match facts:
        case (f.FailoverStarted(opening=opening, reservation=reservation),):
            server = view.recorders[reservation.server].name
            return Decision(facts=facts, reply=Done(sentence=f"{server} takes over before it goes.", failover=opening.failover))
        case _:
            return Decision(reply=Done(sentence="Nothing takes over; the detection timeout runs."))
