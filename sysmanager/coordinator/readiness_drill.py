"""What the last drill of a recorder says about its readiness: its age, and whether the server reached the cameras (SPEC 14.1, 14.3)."""

from __future__ import annotations

from collections.abc import Iterator

from sysmanager.coordinator.jobs.drilling import last_drill, schedule_of
from sysmanager.coordinator.state import View
from sysmanager.domain.instant import Instant
from sysmanager.domain.jobs import JobPhase
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol.clients import Level, ReadyReason, Topic

DAY_MS = 86_400_000

OLD_DAYS = 90
"""A drill without a schedule says little after so long; one with a schedule, after two of its intervals."""


def drill_reasons(view: View, row: Recorder, now: Instant) -> Iterator[ReadyReason]:
    """Of a server that records. A site that never drilled is told so and not blamed, unless drills are scheduled."""
    every_days, drill = schedule_of(view, row).every_days, last_drill(view, row.id)
    if drill is None:
        level = Level.WARNING if every_days else Level.GOOD
        wanted = f"; one is wanted every {_days(every_days)}" if every_days else ""
        yield ReadyReason(topic=Topic.DRILL, level=level, sentence=f"No drill of {row.name} was made yet{wanted}.")
        return
    name = view.recorders[drill.server].name if drill.server in view.recorders else drill.server
    days = max(0, now.wall_ms - drill.ended_ms) // DAY_MS
    when = "today" if days == 0 else f"{_days(days)} ago"
    if drill.phase is not JobPhase.READY:
        why = drill.note or (drill.reason.sentence if drill.reason is not None else "")
        sentence = f"The last drill, {when} on {name}, did not come to its end{f': {why}' if why else '.'}"
        yield ReadyReason(topic=Topic.DRILL, level=Level.WARNING, sentence=sentence)
        return
    old = days > (2 * every_days if every_days else OLD_DAYS)
    sentence = f"The last drill was {when} on {name}{', which is long ago' if old else ''}."
    yield ReadyReason(topic=Topic.DRILL, level=Level.WARNING if old else Level.GOOD, sentence=sentence)
    names = {camera.id: camera.name for camera in row.settings.cameras}
    missed = [
        names.get(trial.camera, trial.camera) for trial in drill.trials if trial.sentence or (trial.opened and trial.first_frame_ms < 0)
    ]
    if missed:
        shown = ", ".join(missed[:3]) + (f" and {len(missed) - 3} more" if len(missed) > 3 else "")
        sentence = f"In the last drill {name} did not reach {shown}."
        yield ReadyReason(topic=Topic.CAMERAS, level=Level.WARNING, sentence=sentence)
    else:
        sentence = f"In the last drill {name} reached each of the {len(drill.trials)} cameras."
        yield ReadyReason(topic=Topic.CAMERAS, level=Level.GOOD, sentence=sentence)


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"
