"""The transitions of a drill, how one begins, and what the last one said (SPEC 14.3). This file owns them all.

A drill changes nothing in system data: the server stays on standby, so that a failover finds it as if there were no drill.
"""

from __future__ import annotations

from collections.abc import Callable

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.detection import group_of
from sysmanager.coordinator.evolve import job_id
from sysmanager.coordinator.inputs import OrderAnswered
from sysmanager.coordinator.jobs.table import JobCase, JobOn, JobRow, any_case
from sysmanager.coordinator.opening import choice_for
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, governing, open_failover_of, running_in_group, tasks_of
from sysmanager.domain.hours import parse_hours, wait_ms
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.jobs import Drill, DrillSchedule, JobPhase, JobReason, Trial
from sysmanager.domain.recorder import Recorder, Standby
from sysmanager.protocol.jobs import DrillReport, DrillState, RunDrill
from sysmanager.protocol.recorders import Refusal, RefusalReason

DRILL_S = 5
"""So long each camera is recorded into scratch."""

DRILL_MS = 60_000
"""All of a drill; a server that needs longer is told to end it."""

DRILLS = "drills"
"""Names the deadline at which it is looked whether a scheduled drill is due."""

LOOK_MS = 60_000
"""How often it is looked whether a scheduled drill is due."""

AGAIN_MS = 3_600_000
"""When a scheduled drill is tried again that a failover ended, or that could not begin on its server."""

DAY_MS = 86_400_000

Case = JobCase[Drill]


# ---------------------------------------------------------------- beginning


def why_no_drill(view: View, seen: Seen, row: Recorder) -> str | None:
    """What keeps a drill of this recorder from beginning; None if nothing does."""
    if not row.records:
        return f"{row.name} does not record at the moment, so there is nothing to drill."
    group_id = group_of(view, row)
    if group_id is None:
        return f"{row.name} is in no failover group; choose one in its settings."
    if view.reconcile is not None and not view.reconcile.confirmed:
        return "The coordinator is reconciling; confirm what differs first."
    running = running_in_group(view, group_id) or open_failover_of(view, row.id)
    if running is not None:
        return f"{running.id} is running in the group; wait until it is done."
    choice = choice_for(view, seen, row)
    if choice.server is None:
        return f"No failover server of the group {view.groups[group_id].name} can take the cameras of {row.name} now; see the candidates."
    for server in (row.id, choice.server):
        busy = next((job for job in view.jobs_with.get(server, ()) if isinstance(view.jobs[job], Drill)), None)
        if busy is not None:
            return f"The drill {busy} with {view.recorders[server].name} is running; wait until it is done."
    return None


def open_drill(view: View, seen: Seen, row: Recorder, *, scheduled: bool = False) -> tuple[f.AnyFact, ...]:
    """The fact that begins a drill of this recorder; empty where it cannot begin now."""
    if why_no_drill(view, seen, row) is not None:
        return ()
    choice = choice_for(view, seen, row)
    home = tasks_of(row, view.recorders[row.home]) if row.home is not None else row
    group_id = group_of(view, row)
    assert choice.server is not None, "asked before"
    assert home.documents is not None, "asked before"
    assert group_id is not None, "asked before"
    sessions = {camera.id: camera.sessions for camera in home.settings.cameras}
    opened = tuple(camera for camera in choice.moved if sessions.get(camera, 1) >= 2)
    return (
        f.DrillStarted(
            job=job_id(view.next_job),
            recorder=row.id,
            home=home.id,
            server=choice.server,
            group=group_id,
            documents=home.documents,
            cameras=opened,
            described=tuple(camera for camera in choice.moved if camera not in opened),
            scheduled=scheduled,
        ),
    )


# ---------------------------------------------------------------- what the last one said


def last_drill(view: View, recorder: RecorderId) -> Drill | None:
    """The last drill of the recorder that ended; None if there was none."""
    found = view.last_drills.get(recorder)
    drill = view.jobs[found] if found is not None else None
    return drill if isinstance(drill, Drill) else None


def drill_age_ms(view: View, recorder: RecorderId, now: Instant) -> int | None:
    """How long ago, by the wall clock, a drill of the recorder last came to its good end; None if the last one did not, or was none.

    Never below 0, whatever the clock did meanwhile.
    """
    drill = last_drill(view, recorder)
    if drill is None or drill.phase is not JobPhase.READY:
        return None
    return max(0, now.wall_ms - drill.ended_ms)


# ---------------------------------------------------------------- schedules


def schedule_of(view: View, row: Recorder) -> DrillSchedule:
    """The recorder's own schedule, else that of its group."""
    governor = governing(view, row)
    if governor.drill.every_days:
        return governor.drill
    group = view.groups.get(governor.group) if governor.group is not None else None
    return group.drill if group is not None else DrillSchedule()


def is_due(view: View, row: Recorder, now: Instant) -> bool:
    """Whether a scheduled drill of the recorder is to begin: its time has come, its hours allow it."""
    schedule = schedule_of(view, row)
    if not schedule.every_days or not row.records or wait_ms(parse_hours(schedule.hours), now.wall_ms, now.offset_min):
        return False
    drill = last_drill(view, row.id)
    if drill is None:
        return True
    rest_ms = AGAIN_MS if drill.reason is JobReason.NEEDED else schedule.every_days * DAY_MS
    return now.wall_ms - drill.ended_ms >= rest_ms


def scheduled_drills(view: View, seen: Seen, now: Instant) -> tuple[f.AnyFact, ...]:
    """The drill that is due now and can begin, the longest overdue first: one at a time, so that servers on standby stay on standby."""
    if any(isinstance(view.jobs[job], Drill) for job in view.open_jobs):
        return ()
    due = [row for row in view.recorders.values() if is_due(view, row, now)]
    due.sort(key=lambda row: (_last_ms(view, row), row.id))
    for row in due:
        facts = open_drill(view, seen, row, scheduled=True)
        if facts:
            return facts
    return ()


def _last_ms(view: View, row: Recorder) -> int:
    drill = last_drill(view, row.id)
    return drill.ended_ms if drill is not None else 0


# ---------------------------------------------------------------- guards


def report_of(case: Case) -> DrillReport | None:
    """What the server says of this drill; None if it says nothing of it."""
    beat = case.seen.of(case.job.server).beat
    report = beat.drill if beat is not None else None
    return report if report is not None and report.job == case.job.id else None


def _gone(case: Case) -> bool:
    return any(server not in case.view.recorders for server in case.job.servers)


def _needed(case: Case) -> bool:
    """The server is wanted, or the cameras are: whatever takes part in a failover leaves its drill at once."""
    view, job = case.view, case.job
    if not isinstance(view.recorders[job.server].assignment, Standby):
        return True
    entries = {**view.open_with.get(job.recorder, {}), **view.open_with.get(job.home, {})}
    return any(view.failovers[entry].phase.before_commit or view.failovers[entry].phase.hands_over for entry in entries)


def _done(case: Case) -> bool:
    report = report_of(case)
    return report is not None and report.state is DrillState.DONE


def _ended_by_itself(case: Case) -> bool:
    report = report_of(case)
    return report is not None and report.state is DrillState.ENDED


def _could_not(case: Case) -> bool:
    report = report_of(case)
    return report is not None and report.state is DrillState.FAILED


def _silent(case: Case) -> bool:
    return case.silent(case.job.server, DRILL_MS)


def _refused(case: Case) -> bool:
    answered = case.input
    order = answered.order if isinstance(answered, OrderAnswered) else None
    return isinstance(order, RunDrill) and isinstance(answered, OrderAnswered) and isinstance(answered.answer, Refusal)


def _too_late(case: Case) -> bool:
    return case.waited_ms >= DRILL_MS


# ---------------------------------------------------------------- facts


def _trials(case: Case) -> tuple[Trial, ...]:
    """Of the cameras of the drill, in their order, what the server says; a camera that it does not mention was not reached in time."""
    report = report_of(case)
    said = {trial.camera: trial for trial in report.trials} if report is not None else {}
    opened = tuple(said.get(camera, Trial(camera, True, -1, "not tried in time")) for camera in case.job.cameras)
    described = tuple(said.get(camera, Trial(camera, False, -1, "not asked in time")) for camera in case.job.described)
    return opened + described


def _end(phase: JobPhase, reason: JobReason, note: str = "") -> Callable[[Case], tuple[f.AnyFact, ...]]:
    return lambda case: (f.DrillEnded(job=case.job.id, phase=phase, reason=reason, note=note, trials=_trials(case)),)


def _result(case: Case) -> tuple[f.AnyFact, ...]:
    trials = _trials(case)
    dark = [trial.camera for trial in trials if (trial.opened and trial.first_frame_ms < 0) or (not trial.opened and trial.sentence)]
    if dark:
        note = f"{len(dark)} of {len(trials)} cameras failed: {', '.join(dark[:5])}."
        return (f.DrillEnded(job=case.job.id, phase=JobPhase.FAILED, reason=JobReason.DARK, note=note, trials=trials),)
    note = "" if case.job.cameras else "No camera allows a second session: they were only asked for their description."
    return (f.DrillEnded(job=case.job.id, phase=JobPhase.READY, note=note, trials=trials),)


def _end_by_itself(case: Case) -> tuple[f.AnyFact, ...]:
    report = report_of(case)
    assert report is not None, "guarded"
    return _end(JobPhase.CANCELLED, JobReason.NEEDED, report.sentence)(case)


def _end_impossible(case: Case) -> tuple[f.AnyFact, ...]:
    report = report_of(case)
    assert report is not None, "guarded"
    return _end(JobPhase.FAILED, JobReason.REFUSED, f"{case.job.server}: {report.sentence}")(case)


def _end_refused(case: Case) -> tuple[f.AnyFact, ...]:
    answered = case.input
    assert isinstance(answered, OrderAnswered), "guarded"
    assert isinstance(answered.answer, Refusal), "guarded"
    reason = JobReason.NOT_BUILT_IN if answered.answer.reason is RefusalReason.NOT_BUILT_IN else JobReason.REFUSED
    return _end(JobPhase.FAILED, reason, f"{answered.recorder}: {answered.answer.sentence}")(case)


# ---------------------------------------------------------------- the table

_OPEN = (JobPhase.DRILLING,)

DRILL_TABLE: tuple[JobRow[Drill], ...] = (
    JobRow(
        number=500,
        phases=_OPEN,
        on=JobOn.REVIEW,
        when=_gone,
        then=_end(JobPhase.FAILED, JobReason.NO_SERVER),
        to=(JobPhase.FAILED,),
        sentence="the recorder or the failover server was removed from system data: failed",
    ),
    JobRow(
        number=501,
        phases=_OPEN,
        on=JobOn.REVIEW,
        when=_needed,
        then=_end(JobPhase.CANCELLED, JobReason.NEEDED),
        to=(JobPhase.CANCELLED,),
        sentence="a failover needs the server or the cameras: the drill ends at once",
    ),
    JobRow(
        number=502,
        phases=_OPEN,
        on=JobOn.REVIEW,
        when=_done,
        then=_result,
        to=(JobPhase.READY, JobPhase.FAILED),
        sentence="the server reports all cameras and a clean scratch: ready, or failed where cameras gave no frame",
    ),
    JobRow(
        number=503,
        phases=_OPEN,
        on=JobOn.REVIEW,
        when=_ended_by_itself,
        then=_end_by_itself,
        to=(JobPhase.CANCELLED,),
        sentence="the server ended it by itself, because it was needed",
    ),
    JobRow(
        number=508,
        phases=_OPEN,
        on=JobOn.REVIEW,
        when=_could_not,
        then=_end_impossible,
        to=(JobPhase.FAILED,),
        sentence="the server could not do it at all: failed",
    ),
    JobRow(
        number=504,
        phases=_OPEN,
        on=JobOn.REVIEW,
        when=_silent,
        then=_end(JobPhase.FAILED, JobReason.NO_CONNECTION),
        to=(JobPhase.FAILED,),
        sentence="the server fell silent: failed",
    ),
    JobRow(
        number=505,
        phases=_OPEN,
        on=JobOn.ANSWER,
        when=_refused,
        then=_end_refused,
        to=(JobPhase.FAILED,),
        sentence="the server refused: failed",
    ),
    JobRow(
        number=506,
        phases=_OPEN,
        on=JobOn.REVIEW,
        when=_too_late,
        then=_end(JobPhase.FAILED, JobReason.TOO_LATE),
        to=(JobPhase.FAILED,),
        sentence="the server did not finish within a minute: failed, with what it reported so far",
    ),
    JobRow(
        number=507,
        phases=_OPEN,
        on=JobOn.CANCEL,
        when=any_case,
        then=_end(JobPhase.CANCELLED, JobReason.CANCELLED),
        to=(JobPhase.CANCELLED,),
        sentence="a person ended it",
    ),
)
