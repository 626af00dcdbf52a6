"""The transitions of a material copy, and how one begins (SPEC 9). This file owns them all."""

from __future__ import annotations

from collections.abc import Callable

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve import job_id
from sysmanager.coordinator.inputs import OrderAnswered
from sysmanager.coordinator.jobs.coverage import coverage_of
from sysmanager.coordinator.jobs.table import JobCase, JobOn, JobRow, any_case
from sysmanager.coordinator.state import View
from sysmanager.domain.ids import CameraId, FailoverId, RecorderId
from sysmanager.domain.jobs import Away, CameraCopy, CopyJob, CopyProblem, FailedHour, JobPhase, JobReason
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol.jobs import Accepted, CopyReport, HourState, ListHours, MarkCopied, MaterialHours
from sysmanager.protocol.recorders import Refusal, RefusalReason

TELL_MS = 60_000
"""How long the source is told again and again what has a copy, before the job ends without that: it then keeps more than it must."""

TEMPORARY = (RefusalReason.SERVICE_DOWN, RefusalReason.NOT_FREE, RefusalReason.NO_WRITABLE_DISK)
"""Refusals that may be over in a minute: the order is sent again."""

Case = JobCase[CopyJob]


# ---------------------------------------------------------------- beginning


def copies_to_start(view: View, home: RecorderId, entry: FailoverId | None = None) -> tuple[Away, ...]:
    """Footage of a recorder that is away and not on its way home yet; with `entry`: only what was recorded in that."""
    on_the_way = {(job.source, job.epoch) for job in (view.jobs[job] for job in view.jobs_with.get(home, ())) if isinstance(job, CopyJob)}
    return tuple(
        away
        for away in view.away.get(home, ())
        if (away.source, away.epoch) not in on_the_way and away.source in view.recorders and (entry is None or away.failover == entry)
    )


def start_copies(view: View, home: Recorder, footage: tuple[Away, ...]) -> tuple[f.AnyFact, ...]:
    """The facts that begin the copies, one for each source and epoch."""
    return tuple(
        f.CopyStarted(
            job=job_id(view.next_job + place),
            entry=away.failover,
            source=away.source,
            home=home.id,
            epoch=away.epoch,
            group=away.group,
            cameras=away.cameras,
            limit_kbps=home.material_copy.limit_kbps,
            hours=home.material_copy.hours,
            holes=away.holes,
        )
        for place, away in enumerate(footage)
    )


def automatic_copies(view: View, home: Recorder) -> tuple[f.AnyFact, ...]:
    """What begins by itself once a recorder has its cameras back: all of its footage that is elsewhere, if that is wished (SPEC 9).

    What failed, or was cancelled, once waits for a person.
    """
    if not home.material_copy.automatic or home.home != home.id:
        return ()
    return start_copies(view, home, tuple(away for away in copies_to_start(view, home.id) if not away.tried))


# ---------------------------------------------------------------- what the reports say


def report_of(case: Case) -> CopyReport | None:
    """What the target says of this job; None if it says nothing of it."""
    beat = case.seen.of(case.job.home).beat
    report = beat.copy if beat is not None else None
    return report if report is not None and report.job == case.job.id else None


def camera_of(job: CopyJob, camera: CameraId) -> CameraCopy | None:
    return next((one for one in job.cameras if one.camera == camera), None)


def _news(case: Case) -> tuple[CameraId, tuple[int, ...], tuple[FailedHour, ...]] | None:
    """Hours that the target finished, judged: a copy counts only with the digest that the source had named (SPEC 9)."""
    report = report_of(case)
    camera = camera_of(case.job, report.camera) if report is not None else None
    if report is None or camera is None:
        return None
    wanted = {hour.hour: hour for hour in camera.open_hours}
    copied: list[int] = []
    failed: list[FailedHour] = []
    for found in report.hours:
        hour = wanted.get(found.hour)
        if hour is None or found.state not in (HourState.COPIED, HourState.FAILED):
            continue
        if found.state is HourState.COPIED and found.digest == hour.digest:
            copied.append(found.hour)
        else:
            failed.append(FailedHour(found.hour, found.problem or CopyProblem.MISMATCH))
    return (camera.camera, tuple(copied), tuple(failed)) if copied or failed else None


def next_unplanned(job: CopyJob) -> CameraCopy | None:
    return next((camera for camera in job.cameras if not camera.planned), None)


def next_untold(job: CopyJob) -> CameraCopy | None:
    return next((camera for camera in job.cameras if camera.copied and not camera.told), None)


# ---------------------------------------------------------------- guards


def _server_gone(case: Case) -> bool:
    return any(server not in case.view.recorders for server in case.job.servers)


def _asked_hours(case: Case) -> MaterialHours | None:
    """The source's answer to the very question that is open; an answer to an earlier one brings nothing."""
    answered = case.input
    camera = next_unplanned(case.job)
    if camera is None or not isinstance(answered, OrderAnswered) or not isinstance(answered.answer, MaterialHours):
        return None
    order = answered.order
    return answered.answer if isinstance(order, ListHours) and (order.camera, order.after_hour) == (camera.camera, after(camera)) else None


def after(camera: CameraCopy) -> int:
    """The last hour of the camera that the source has listed; -1: none yet."""
    return camera.hours[-1].hour if camera.hours else -1


def _sound(answer: MaterialHours, case: Case, camera: CameraCopy) -> bool:
    """Whether the list can be: of this camera and epoch, in order of time, and getting on."""
    hours = [hour.hour for hour in answer.hours]
    in_order = hours == sorted(set(hours)) and all(hour > after(camera) for hour in hours)
    same = (answer.camera, answer.epoch) == (camera.camera, case.job.epoch)
    return same and in_order and all(hour.sound for hour in answer.hours) and (bool(hours) or not answer.more)


def _listed(case: Case) -> bool:
    answer, camera = _asked_hours(case), next_unplanned(case.job)
    return answer is not None and camera is not None and _sound(answer, case, camera)


def _listed_nonsense(case: Case) -> bool:
    return _asked_hours(case) is not None and not _listed(case)


def _refused_for_good(case: Case) -> bool:
    answered = case.input
    refusal = answered.answer if isinstance(answered, OrderAnswered) else None
    return isinstance(refusal, Refusal) and refusal.reason not in TEMPORARY


def _has_news(case: Case) -> bool:
    return _news(case) is not None


def _told(case: Case) -> bool:
    camera = next_untold(case.job)
    answered = case.input
    if camera is None or not isinstance(answered, OrderAnswered) or not isinstance(answered.order, MarkCopied):
        return False
    return answered.order.camera == camera.camera and isinstance(answered.answer, Accepted)


def _all_told(case: Case) -> bool:
    return next_untold(case.job) is None


def _told_too_long(case: Case) -> bool:
    return case.waited_ms >= TELL_MS and not case.job.paused


def _running(case: Case) -> bool:
    return not case.job.paused


def _paused(case: Case) -> bool:
    return case.job.paused


# ---------------------------------------------------------------- facts


def _end(case: Case, phase: JobPhase, reason: JobReason | None, note: str) -> tuple[f.AnyFact, ...]:
    covered = coverage_of(case.job)
    return (f.CopyEnded(job=case.job.id, phase=phase, reason=reason, note=note, coverage=covered),)


def _end_gone(case: Case) -> tuple[f.AnyFact, ...]:
    gone = ", ".join(server for server in case.job.servers if server not in case.view.recorders)
    return _end(case, JobPhase.FAILED, JobReason.NO_SERVER, f"{gone} was removed from system data.")


def _plan(case: Case) -> tuple[f.AnyFact, ...]:
    answer = _asked_hours(case)
    assert answer is not None, "guarded"
    return (f.HoursPlanned(job=case.job.id, camera=answer.camera, hours=answer.hours, complete=not answer.more),)


def _end_nonsense(case: Case) -> tuple[f.AnyFact, ...]:
    return _end(case, JobPhase.FAILED, JobReason.REFUSED, f"{case.job.source} lists footage that makes no sense; look at its log.")


def _end_refused(case: Case) -> tuple[f.AnyFact, ...]:
    answered = case.input
    assert isinstance(answered, OrderAnswered), "guarded"
    assert isinstance(answered.answer, Refusal), "guarded"
    reason = JobReason.NOT_BUILT_IN if answered.answer.reason is RefusalReason.NOT_BUILT_IN else JobReason.REFUSED
    return _end(case, JobPhase.FAILED, reason, f"{answered.recorder}: {answered.answer.sentence}")


def _copied(case: Case) -> tuple[f.AnyFact, ...]:
    news = _news(case)
    assert news is not None, "guarded"
    camera, copied, failed = news
    return (f.HoursCopied(job=case.job.id, camera=camera, copied=copied, failed=failed),)


def _mark(case: Case) -> tuple[f.AnyFact, ...]:
    camera = next_untold(case.job)
    assert camera is not None, "guarded"
    return (f.SourceTold(job=case.job.id, camera=camera.camera),)


def _end_done(case: Case) -> tuple[f.AnyFact, ...]:
    planned = sum(len(camera.hours) for camera in case.job.cameras)
    failed = [hour for camera in case.job.cameras for hour in camera.failed]
    note = "" if planned else f"{case.job.source} holds no footage of it."
    if not _all_told(case):
        note = f"{case.job.source} could not be told which of its footage has a copy; it keeps all of it until its retention ends."
    if failed:
        why = ", ".join(sorted({hour.problem.value for hour in failed}))
        note = f"{len(failed)} of {planned} hours of footage were not copied: {why}. {note}".rstrip()
        return _end(case, JobPhase.FAILED, JobReason.NOT_VERIFIED, note)
    return _end(case, JobPhase.READY, None, note)


def _end_cancelled(case: Case) -> tuple[f.AnyFact, ...]:
    return _end(case, JobPhase.CANCELLED, JobReason.CANCELLED, "Cancelled by hand; what was copied stays.")


def _only(fact: Callable[[Case], f.AnyFact]) -> Callable[[Case], tuple[f.AnyFact, ...]]:
    return lambda case: (fact(case),)


# ---------------------------------------------------------------- the table

_OPEN = (JobPhase.PLANNING, JobPhase.COPYING, JobPhase.TELLING)

COPY_TABLE: tuple[JobRow[CopyJob], ...] = (
    JobRow(
        number=700,
        phases=_OPEN,
        on=JobOn.REVIEW,
        when=_server_gone,
        then=_end_gone,
        to=(JobPhase.FAILED,),
        sentence="the source or the target was removed from system data: failed",
    ),
    JobRow(
        number=701,
        phases=(JobPhase.PLANNING,),
        on=JobOn.ANSWER,
        when=_listed,
        then=_plan,
        to=(JobPhase.PLANNING, JobPhase.COPYING, JobPhase.TELLING),
        sentence="the source listed hours of a camera: they are planned",
    ),
    JobRow(
        number=710,
        phases=(JobPhase.PLANNING,),
        on=JobOn.ANSWER,
        when=_listed_nonsense,
        then=_end_nonsense,
        to=(JobPhase.FAILED,),
        sentence="the source listed what cannot be: failed",
    ),
    JobRow(
        number=702,
        phases=_OPEN,
        on=JobOn.ANSWER,
        when=_refused_for_good,
        then=_end_refused,
        to=(JobPhase.FAILED,),
        sentence="a server refused for good: failed",
    ),
    JobRow(
        number=703,
        phases=(JobPhase.COPYING,),
        on=JobOn.REVIEW,
        when=_has_news,
        then=_copied,
        to=(JobPhase.COPYING, JobPhase.TELLING),
        sentence="the target finished hours: with the digest of the source they are copied, else they failed",
    ),
    JobRow(
        number=704,
        phases=(JobPhase.TELLING,),
        on=JobOn.ANSWER,
        when=_told,
        then=_mark,
        to=(JobPhase.TELLING,),
        sentence="the source knows which hours of a camera have a verified copy",
    ),
    JobRow(
        number=705,
        phases=(JobPhase.TELLING,),
        on=JobOn.REVIEW,
        when=_all_told,
        then=_end_done,
        to=(JobPhase.READY, JobPhase.FAILED),
        sentence="nothing is left to do: ready, or failed where hours could not be verified",
    ),
    JobRow(
        number=706,
        phases=(JobPhase.TELLING,),
        on=JobOn.REVIEW,
        when=_told_too_long,
        then=_end_done,
        to=(JobPhase.READY, JobPhase.FAILED),
        sentence="the source cannot be told for a minute: the job ends, and it keeps all of its footage",
    ),
    JobRow(
        number=707,
        phases=_OPEN,
        on=JobOn.CANCEL,
        when=any_case,
        then=_end_cancelled,
        to=(JobPhase.CANCELLED,),
        sentence="a person cancelled it; what was copied stays",
    ),
    JobRow(
        number=708,
        phases=_OPEN,
        on=JobOn.PAUSE,
        when=_running,
        then=_only(lambda case: f.CopyPaused(job=case.job.id)),
        to=_OPEN,
        sentence="a person paused it",
    ),
    JobRow(
        number=709,
        phases=_OPEN,
        on=JobOn.RESUME,
        when=_paused,
        then=_only(lambda case: f.CopyResumed(job=case.job.id)),
        to=_OPEN,
        sentence="a person let it go on",
    ),
)
