"""What is kept of each camera, as the three documents say it: its hours, its mask, what is kept around a motion (SPEC 2, 16)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from sysmanager.domain.documents import CameraSettings, MasksDocument, MotionMask, SchedulesDocument, SettingsDocument
from sysmanager.domain.ids import CameraId
from sysmanager.recorder.motion_cut import CutSettings
from sysmanager.recorder.timetable import ALWAYS, Timetable, timetables

WAITS_S: Final = 70
"""For so long at the expected bit rate, twice, there is memory for what waits: a take-over brings all of its pre-roll at once."""

LEAST_BYTES: Final = 16 << 20


class CameraRules(msgspec.Struct, frozen=True, kw_only=True):
    """pictures_per_s: that are looked at for motion; 0: key frames only."""

    hours: Timetable = ALWAYS
    mask: MotionMask = MotionMask()
    cut: CutSettings = CutSettings()
    pictures_per_s: int = 0


ALWAYS_RECORDED: Final = CameraRules()
"""Continuous recording, for ever."""


def camera_rules(
    settings: SettingsDocument, masks: MasksDocument | None = None, schedules: SchedulesDocument | None = None
) -> Mapping[CameraId, CameraRules]:
    """Of each camera of the settings. Without schedules the modes of the settings hold, without masks all of each picture is looked at."""
    hours = timetables(settings, schedules or SchedulesDocument())
    looked_at = masks.masks if masks is not None else {}
    return {
        camera.id: CameraRules(
            hours=hours[camera.id],
            mask=looked_at.get(camera.id, MotionMask()),
            cut=_cut(camera),
            pictures_per_s=camera.motion_per_s,
        )
        for camera in settings.cameras
    }


def _cut(camera: CameraSettings) -> CutSettings:
    return CutSettings(
        before_us=camera.motion_before_s * 1_000_000,
        after_us=camera.motion_after_s * 1_000_000,
        limit_bytes=max(LEAST_BYTES, 2 * camera.bitrate_kbps * 125 * (camera.motion_before_s + WAITS_S)),
    )
