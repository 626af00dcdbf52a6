"""What a trigger leads to: a failover, or a word in the log about what keeps it from starting by itself (SPEC 4, 13.3, 13.4, 13.6)."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.detection import IN_MAINTENANCE, why_not_automatic
from sysmanager.coordinator.maintenance import maintenance_of
from sysmanager.coordinator.opening import open_entry, opening_of
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.selection import choose
from sysmanager.coordinator.state import View, tasks_of
from sysmanager.domain.failover import Trigger
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder


def on_trigger(view: View, seen: Seen, row: Recorder, trigger: Trigger, now: Instant) -> tuple[f.AnyFact, ...]:
    """The facts that follow when a trigger holds; none while a person, or a setting, keeps it from starting by itself."""
    obstacle = why_not_automatic(view, row)
    if obstacle == IN_MAINTENANCE:
        found = maintenance_of(view, row)
        assert found is not None, "its maintenance is the obstacle"
        return withheld(view, seen, row, trigger, f"In maintenance ({found.reason}).", now)
    return () if obstacle is not None else open_entry(view, seen, row, trigger, now)


def withheld(view: View, seen: Seen, row: Recorder, trigger: Trigger, why: str, now: Instant) -> tuple[f.AnyFact, ...]:
    """Row 4: the entry that says what would have happened now; once, until the trigger no longer holds."""
    opening = opening_of(view, seen, row, trigger, now)
    if opening is None or row.id in seen.withheld:
        return ()
    home = tasks_of(row, view.recorders[opening.home])
    choice = choose(view, seen, failed=row, home=home, group=view.groups[opening.group])
    target = f"to {view.recorders[choice.server].name}" if choice.server is not None else "and waited for a failover server"
    sentence = f"It would have failed over {target} now. {why}"
    return (f.FailoverWithheld(opening=opening, sentence=sentence, verdicts=choice.verdicts),)
