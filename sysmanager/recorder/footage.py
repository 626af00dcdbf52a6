"""What footage lies on this recorder's disks, for the coordinator's question (SPEC 14.4)."""

from __future__ import annotations

from pathlib import Path

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import Footage, FootageSpan, ReportFootage
from sysmanager.recorder.index import spans
from sysmanager.recorder.segments import SegmentName

CAMERAS_LIMIT = 4096


def read_footage(disks: tuple[Path, ...], question: ReportFootage, goes_on: bool = False) -> Footage:
    """Blocks while it reads. Disks that cannot be read are passed over. goes_on: see `Footage`."""
    cameras = question.cameras or cameras_on(disks)
    found: list[FootageSpan] = []
    for camera in cameras[:CAMERAS_LIMIT]:
        span = spans(disks, camera, question.epoch)
        if span is not None:
            found.append(span)
    return Footage(epoch=question.epoch, spans=tuple(found), goes_on=goes_on)


def cameras_on(disks: tuple[Path, ...]) -> tuple[CameraId, ...]:
    """All cameras that have footage there, by id, as the names of their segments say."""
    cameras: set[CameraId] = set()
    for disk in disks:
        try:
            folders = [path for path in disk.iterdir() if path.is_dir()]
        except OSError:
            continue
        for folder in folders:
            name = next((name for path in folder.glob("*/*_e*.*") if (name := SegmentName.parse(path)) is not None), None)
            if name is not None:
                cameras.add(CameraId(name.camera))
    return tuple(sorted(cameras))
