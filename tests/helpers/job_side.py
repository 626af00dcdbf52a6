"""What an obedient server does about jobs, and how it can be told to misbehave. Part of `coordination.Server`."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from sysmanager.domain.ids import CameraId, Epoch
from sysmanager.domain.jobs import HOUR_MS, CopyProblem, MaterialHour, Trial
from sysmanager.protocol import jobs as j
from sysmanager.protocol import recorders as r

HOUR = 500_000


def hour(number: int = HOUR, *, tag: str = "a", minutes: int = 30) -> MaterialHour:
    """Half an hour of footage within the hour of this number."""
    begin = number * HOUR_MS
    return MaterialHour(number, begin, begin + minutes * 60_000, 900, 30, 9_000_000, tag * 64)


@dataclass
class JobSide:
    """hours: what it lists of each camera. copies: whether it finishes what it copies at once. wrong, gone: hours that it reports badly.

    address: where it serves footage. refusal: what it says to orders of jobs. pages: hours in one answer. drills: whether it finishes
    drills at once. trials: of these.
    """

    address: str = "https://server:7443"
    hours: dict[str, tuple[MaterialHour, ...]] = field(default_factory=dict)
    copies: bool = True
    wrong: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    refusal: r.Refusal | None = None
    pages: int = 100
    nonsense: bool = False
    drills: j.DrillState | None = j.DrillState.DONE
    dark: set[str] = field(default_factory=set)
    copy: j.CopyReport | None = None
    drill: j.DrillReport | None = None
    taken: list[j.JobOrder] = field(default_factory=list)

    def take(self, order: j.JobOrder) -> r.OrderAnswer:
        self.taken.append(order)
        if self.refusal is not None:
            return self.refusal
        match order:
            case j.ListHours():
                left = [one for one in self.hours.get(order.camera, ()) if one.hour > order.after_hour]
                epoch = Epoch(order.epoch + 1) if self.nonsense else order.epoch
                return j.MaterialHours(epoch=epoch, camera=order.camera, hours=tuple(left[: self.pages]), more=len(left) > self.pages)
            case j.CopyMaterial():
                hours = tuple(self._report(one) for one in order.hours)
                self.copy = j.CopyReport(job=order.job, camera=order.camera, limit_kbps=order.limit_kbps, hours=hours, rate_kbps=8_000)
            case j.PauseCopy() if self.copy is not None:
                self.copy = msgspec.structs.replace(self.copy, paused=True)
            case j.RunDrill():
                self.drill = j.DrillReport(job=order.job, state=j.DrillState.PREPARING)
                if self.drills is not None:
                    self.finish_drill(order)
            case j.ForgetJob():
                self.copy = self.drill = None
            case _:
                pass
        return j.Accepted(job=order.job)

    def _report(self, one: MaterialHour) -> j.HourReport:
        if not self.copies:
            return j.HourReport(one.hour, j.HourState.WAITING)
        if one.hour in self.gone:
            return j.HourReport(one.hour, j.HourState.FAILED, "", CopyProblem.GONE)
        return j.HourReport(one.hour, j.HourState.COPIED, "0" * 64 if one.hour in self.wrong else one.digest)

    def finish_copy(self) -> None:
        """All that it was told to copy is done now."""
        order = next(order for order in reversed(self.taken) if isinstance(order, j.CopyMaterial))
        self.copies = True
        self.take(order)

    def finish_drill(self, order: j.RunDrill) -> None:
        assert self.drills is not None
        opened = tuple(Trial(camera, True, -1 if camera in self.dark else 400, "") for camera in order.cameras)
        described = tuple(Trial(camera, False, -1, "no answer" if camera in self.dark else "") for camera in order.described)
        sentence = "the reason" if self.drills in (j.DrillState.ENDED, j.DrillState.FAILED) else ""
        trials = (*opened, *described) if self.drills is not j.DrillState.FAILED else ()
        self.drill = j.DrillReport(job=order.job, state=self.drills, trials=trials, sentence=sentence)

    def told(self, kind: type) -> list[j.JobOrder]:
        """The orders of one kind that it got."""
        return [order for order in self.taken if isinstance(order, kind)]

    def fill(self, cameras: tuple[CameraId, ...], count: int = 1) -> None:
        """So many hours of each camera."""
        for camera in cameras:
            self.hours[camera] = tuple(hour(HOUR + place) for place in range(count))
