"""The report of a rehearsal: what the system says that happened. The footage checker judges it by the frames themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from sysmanager.domain.failover import CameraGap, Failover, Timeline, Trigger
from sysmanager.domain.ids import CameraId, Epoch, RecorderId

FORMAT = 2


class Way(StrEnum):
    """How the recorder is broken, or relieved, in a rehearsal (SPEC 4, 14.3)."""

    KILL = "kill"
    """Watchdog and recording service are killed, as when the machine loses power."""
    STOP = "stop"
    """Both stand still for a while, as on a machine that hangs."""
    CONNECTION = "connection"
    """Its cable to the bus is pulled; it records on."""
    DISKS = "disks"
    """Its material disks vanish."""
    SERVICE = "service"
    """The recording service ends and cannot be started again."""
    CAMERAS = "cameras"
    """It reaches none of its cameras any more, and others do."""
    MANUAL = "manual"
    """A person fails it over."""
    SWITCH = "switch"
    """A planned switch."""

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """What starts the failover: the first, or one that may be quicker on a slow machine."""
        return _TRIGGERS[self]

    @property
    def ends_recording(self) -> bool:
        """Whether it records nothing from that moment on; otherwise until it learns that it was replaced."""
        return self in (Way.KILL, Way.SERVICE, Way.CAMERAS)


_TRIGGERS = {
    Way.KILL: (Trigger.CONNECTION,),
    Way.STOP: (Trigger.CONNECTION,),
    Way.CONNECTION: (Trigger.CONNECTION,),
    Way.DISKS: (Trigger.DISKS,),
    Way.SERVICE: (Trigger.SERVICE, Trigger.NOT_RECORDING),
    Way.CAMERAS: (Trigger.NOT_RECORDING,),
    Way.MANUAL: (Trigger.MANUAL,),
    Way.SWITCH: (Trigger.PLANNED,),
}


class Victim(StrEnum):
    """Who is killed, and started again at once, in the middle of the failover."""

    COORDINATOR = "coordinator"
    SERVER = "server"


class KillAt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Kill a part once that step of the failover is durable; at step 1 before the log entry is."""

    victim: Victim
    step: int


class Stint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Footage of one camera that one recorder made under one epoch, as its index says. Wall-clock milliseconds."""

    recorder: RecorderId
    epoch: Epoch
    segments: int
    frames: int
    first_frame_ms: int
    last_frame_ms: int


class Gap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hole of one camera at the failover (SPEC 14.4), as the log entry says, and its parts, whose sum it is.

    detection_ms: from the last frame before to the trigger; decision_ms: to the choice of the failover server; saving_ms: until that
    is durable and the server has confirmed that it saved the settings; first_frame_ms: to its first frame, negative if that came earlier.
    """

    last_before_ms: int
    first_after_ms: int
    gap_ms: int
    detection_ms: int
    decision_ms: int
    saving_ms: int
    first_frame_ms: int
    final: bool


class Seam(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the tasks went back. overlap_ms: how long both recorded; negative: a hole of that length between their frames."""

    last_of_server_ms: int
    first_of_recorder_ms: int
    overlap_ms: int


class CameraReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One camera. gap, seam: only of those that moved, and only if they are known."""

    camera: CameraId
    recorder: RecorderId
    stints: tuple[Stint, ...]
    gap: Gap | None = None
    seam: Seam | None = None


class Moments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Wall-clock milliseconds of the rehearsal; 0 for what was not reached. killed_ms: when the recorder was broken."""

    started_ms: int
    recording_ms: int = 0
    killed_ms: int = 0
    also_killed_ms: int = 0
    ready_ms: int = 0
    restarted_ms: int = 0
    measured_ms: int = 0
    failback_ms: int = 0
    returned_ms: int = 0
    stopping_ms: int = 0
    stopped_ms: int = 0


class Machine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where it ran. load_percent: use of all processors during the rehearsal."""

    system: str
    python: str
    processors: int
    memory_mb: int
    load_percent: float


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole rehearsal. `entry`: the failover log's entry as it was at the end.

    preroll: the failover server held the last seconds of all cameras; no camera may have a gap, unless it was killed itself.
    """

    format: int = FORMAT
    cameras: tuple[CameraReport, ...]
    entry: Failover
    moments: Moments
    machine: Machine
    preroll: bool = False
    way: Way = Way.KILL
    also: KillAt | None = None

    @property
    def gapless(self) -> bool:
        """Whether no frame may be missing at the failover: its past was held and nobody lost that, or both recorded at once."""
        server_killed = self.also is not None and self.also.victim is Victim.SERVER
        return (self.preroll or self.way is Way.SWITCH) and not server_killed


def gap_of(gap: CameraGap, timeline: Timeline) -> Gap | None:
    """None while an end of it is unknown."""
    if not gap.last_before_ms or not gap.first_after_ms:
        return None
    return Gap(
        last_before_ms=gap.last_before_ms,
        first_after_ms=gap.first_after_ms,
        gap_ms=gap.first_after_ms - gap.last_before_ms,
        detection_ms=timeline.detected_ms - gap.last_before_ms,
        decision_ms=timeline.decided_ms - timeline.detected_ms,
        saving_ms=timeline.saved_ms - timeline.decided_ms,
        first_frame_ms=gap.first_after_ms - timeline.saved_ms,
        final=gap.final,
    )


def seam_of(stints: Iterable[Stint], entry: Failover) -> Seam | None:
    """None if one side has no footage."""
    back = entry.failback.epoch if entry.failback is not None else None
    last = [stint.last_frame_ms for stint in stints if stint.recorder == entry.server and stint.epoch == entry.epoch]
    first = [stint.first_frame_ms for stint in stints if stint.recorder == entry.home and stint.epoch == back]
    if not last or not first:
        return None
    return Seam(last_of_server_ms=max(last), first_of_recorder_ms=min(first), overlap_ms=max(last) - min(first))


def camera_reports(
    shares: Mapping[RecorderId, Sequence[CameraId]], stints: Mapping[CameraId, tuple[Stint, ...]], entry: Failover
) -> tuple[CameraReport, ...]:
    """One for each camera of the site, by id."""
    gaps = {gap.camera: gap_of(gap, entry.timeline) for gap in entry.gaps if gap.camera in entry.moved}
    found = []
    for recorder, cameras in shares.items():
        for camera in cameras:
            own = stints.get(camera, ())
            moved = camera in entry.moved
            found.append(
                CameraReport(
                    camera=camera,
                    recorder=recorder,
                    stints=own,
                    gap=gaps.get(camera),
                    seam=seam_of(own, entry) if moved else None,
                )
            )
    return tuple(sorted(found, key=lambda each: each.camera))


_HEAD = ("CAMERA", "RECORDER", "GAP", "DETECTION", "DECISION", "SAVING", "FIRST FRAME", "OVERLAP", "SEGMENTS", "FRAMES", "BY")


def table(report: Report) -> list[str]:
    """The report for people, a line per camera; times in seconds."""
    lines: list[tuple[str, ...]] = [_HEAD]
    for each in report.cameras:
        gap, seam = each.gap, each.seam
        parts = (gap.gap_ms, gap.detection_ms, gap.decision_ms, gap.saving_ms, gap.first_frame_ms) if gap is not None else ()
        lines.append(
            (
                each.camera,
                each.recorder,
                *(f"{ms / 1000:.3f}" for ms in parts),
                *([""] * (5 - len(parts))),
                f"{seam.overlap_ms / 1000:.3f}" if seam is not None else "",
                str(sum(stint.segments for stint in each.stints)),
                str(sum(stint.frames for stint in each.stints)),
                " ".join(f"{stint.recorder}/e{stint.epoch}:{stint.frames}" for stint in each.stints),
            )
        )
    return columns(lines)


def columns(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines of equal length, set in columns."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]
