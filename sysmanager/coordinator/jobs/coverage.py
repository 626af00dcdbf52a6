"""What a material copy left uncovered, camera by camera (SPEC 9, 14.4)."""

from __future__ import annotations

from sysmanager.domain.ids import CameraId
from sysmanager.domain.jobs import HOUR_MS, CameraCopy, CameraCoverage, CopyJob, Uncovered

SPANS_LIMIT = 100
"""Spans of one camera in a report; those beyond are summed up in the last."""


def coverage_of(job: CopyJob) -> tuple[CameraCoverage, ...]:
    """Of each camera of the job: what was copied, the gap of the failover itself, and the hours that did not come."""
    return tuple(_coverage(camera, [hole for hole in job.holes if hole.camera == camera.camera]) for camera in job.cameras)


def _coverage(camera: CameraCopy, holes: list[Uncovered]) -> CameraCoverage:
    problems = {failed.hour: failed.problem.value for failed in camera.failed}
    copied = [hour for hour in camera.hours if hour.hour in camera.copied]
    missing = [
        Uncovered(camera.camera, hour.first_ms, hour.last_ms, problems.get(hour.hour, "not copied"))
        for hour in camera.hours
        if hour.hour not in camera.copied
    ]
    return CameraCoverage(
        camera=camera.camera,
        copied_ms=sum(hour.last_ms - hour.first_ms for hour in copied),
        hours=len(copied),
        size_bytes=sum(hour.size_bytes for hour in copied),
        uncovered=_shortened(camera.camera, [*holes, *_joined(missing)]),
    )


def _joined(spans: list[Uncovered]) -> list[Uncovered]:
    """Hours that follow one another and are missing for the same reason are one span."""
    joined: list[Uncovered] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last is not None and last.why == span.why and span.from_ms - last.until_ms < HOUR_MS:
            joined[-1] = Uncovered(span.camera, last.from_ms, span.until_ms, span.why)
        else:
            joined.append(span)
    return joined


def _shortened(camera: CameraId, spans: list[Uncovered]) -> tuple[Uncovered, ...]:
    if len(spans) <= SPANS_LIMIT:
        return tuple(spans)
    rest = spans[SPANS_LIMIT - 1 :]
    return (*spans[: SPANS_LIMIT - 1], Uncovered(camera, rest[0].from_ms, rest[-1].until_ms, f"{len(rest)} more spans"))
