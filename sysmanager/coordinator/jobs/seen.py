"""What is known of jobs only from hearing: volatile, like all of `seen`."""

from __future__ import annotations

from sysmanager.domain.ids import JobId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.jobs import JobPhase
from sysmanager.protocol.jobs import CopyReport, ForgetJob, JobOrder
from sysmanager.protocol.recorders import Beat, OrderAnswer, Refusal


class JobsSeen:
    """phases: in which each open job is, and since when (monotonic). accepted, refused_ms: how servers answered to orders of jobs."""

    def __init__(self) -> None:
        self.phases: dict[JobId, tuple[JobPhase, int]] = {}
        self.accepted: dict[tuple[RecorderId, JobId], tuple[JobOrder, int]] = {}
        self.refused_ms: dict[tuple[RecorderId, JobId], int] = {}

    def in_phase(self, job: JobId, phase: JobPhase, now: Instant) -> None:
        """The job is in this phase: since now, if it was in another one before, or was not known."""
        known = self.phases.get(job)
        if known is None or known[0] is not phase:
            self.phases[job] = (phase, now.mono_ms)

    def waited_ms(self, job: JobId, now: Instant) -> int:
        """How long this coordinator has seen the job in its present phase."""
        _, began_ms = self.phases.get(job, (None, now.mono_ms))
        return max(0, now.mono_ms - began_ms)

    def ended(self, job: JobId) -> None:
        """Nothing volatile is kept of an ended job."""
        self.phases.pop(job, None)
        for known in (self.accepted, self.refused_ms):
            for key in [key for key in known if key[1] == job]:
                known.pop(key)

    def answered(self, recorder: RecorderId, order: JobOrder, answer: OrderAnswer, now: Instant) -> None:
        """A server accepted an order of a job, or refused it."""
        key = (recorder, order.job)
        if isinstance(answer, Refusal):
            self.refused_ms[key] = now.mono_ms
        elif not isinstance(order, ForgetJob):
            self.refused_ms.pop(key, None)
            self.accepted[key] = (order, now.mono_ms)


def jobs_differ(old: Beat, new: Beat) -> bool:
    """Whether two beats differ in what they say of jobs, apart from how far a copy is."""
    return old.drill != new.drill or old.material != new.material or _copy_news(old.copy, new.copy)


def _copy_news(old: CopyReport | None, new: CopyReport | None) -> bool:
    if old is None or new is None:
        return old is not new
    return (old.job, old.camera, old.paused, old.limit_kbps, old.problem, old.hours) != (
        new.job,
        new.camera,
        new.paused,
        new.limit_kbps,
        new.problem,
        new.hours,
    )
