"""What a camera's schedule says, for threads that ask at every frame; and the time zones of this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import structlog
import tzlocal

from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.documents import SchedulesDocument, SettingsDocument
from sysmanager.domain.ids import CameraId
from sysmanager.domain.schedule import Offset, Spell, Week, last_off, off_between_ms, off_spells, schedule_problem, spell_at, week_of

log = structlog.get_logger(__name__)

LEAD_MS: Final = 10_000
"""A camera is opened so long before it is to be recorded: cameras and networks need seconds, and the first picture must not be late."""

LAG_MS: Final = 5_000
"""A session is kept so long after the end of its time: what the camera captured before that may still be on its way."""


OFF_TIMES: Final = 200
"""So many off times of one camera are told at most: it keeps the answer small, and is more than any gap that is worth measuring has."""

OFF_LOOK_MS: Final = 35 * 86_400_000
"""Off times further back than that are not told."""


class Timetable:
    """One weekly grid in one time zone. Cheap while nothing changes; thread safe.

    ever_off: whether there is any time of the week that is off.
    """

    def __init__(self, week: Week, offset: Offset) -> None:
        self.ever_off = any("o" in day for day in week)
        self._week = week
        self._offset = offset
        self._spells: tuple[Spell, ...] = ()
        self._last_off: tuple[Spell, Spell | None] | None = None

    def spell(self, at_ms: int) -> Spell:
        """The mode at a moment, since when, and until when; milliseconds since the epoch."""
        for spell in self._spells:
            if spell.from_ms <= at_ms < spell.until_ms:
                return spell
        # Two are kept: around a change frames of many cameras come from either side of it.
        spell = spell_at(self._week, at_ms, self._offset)
        self._spells = (spell, *self._spells[:1])
        return spell

    def mode(self, at_ms: int) -> RecordingMode:
        for spell in self._spells:
            if spell.from_ms <= at_ms < spell.until_ms:
                return spell.mode
        return self.spell(at_ms).mode

    def last_off(self, at_ms: int) -> Spell | None:
        """The spell that is off now, else the last one that was; None where there was none within a week."""
        if not self.ever_off:
            return None
        spell, known = self.spell(at_ms), self._last_off
        if known is None or known[0] != spell:
            known = self._last_off = (spell, last_off(self._week, at_ms, self._offset))
        return known[1]

    def off_times(self, from_ms: int, until_ms: int) -> tuple[tuple[int, int], ...]:
        """When a time was off, in order: the newest `OFF_TIMES` of it, and not further back than `OFF_LOOK_MS`."""
        if not self.ever_off:
            return ()
        off = off_spells(self._week, max(from_ms, until_ms - OFF_LOOK_MS), until_ms, self._offset)
        return tuple((spell.from_ms, spell.until_ms) for spell in off)[-OFF_TIMES:]

    def off_between_ms(self, from_ms: int, until_ms: int) -> int:
        """How much of a time is off."""
        return off_between_ms(self._week, from_ms, until_ms, self._offset)

    def wants_session(self, at_ms: int) -> bool:
        """Whether the camera is to be connected: while it is to be recorded, shortly before that and shortly after."""
        spell = self.spell(at_ms)
        if spell.mode is not RecordingMode.OFF:
            return True
        return spell.until_ms - at_ms <= LEAD_MS or at_ms - spell.from_ms < LAG_MS


ALWAYS: Final = Timetable(week_of(RecordingMode.CONTINUOUS, None), lambda _at_s: 0)
"""Continuous recording, for ever."""


def timetables(settings: SettingsDocument, schedules: SchedulesDocument) -> Mapping[CameraId, Timetable]:
    """Of each camera of the settings. What a schedule does not say, or says wrongly, is recorded; the log names it."""
    offset = offset_of(schedules.time_zone)
    made: dict[Week, Timetable] = {}
    found: dict[CameraId, Timetable] = {}
    for camera in settings.cameras:
        days = schedules.schedules.get(camera.id)
        problem = schedule_problem(days) if days is not None else ""
        if problem:
            log.warning("a schedule is wrong; what it does not say is recorded", camera=camera.id, why=f"It {problem}.")
        week = week_of(camera.mode, days)
        found[camera.id] = made.setdefault(week, Timetable(week, offset))
    return found


# ---------------------------------------------------------------- time zones


def offset_of(time_zone: str) -> Offset:
    """Local time of a zone by its IANA name; of this machine where it is empty, or not known here, which the log says."""
    if not time_zone:
        return _local_offset
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        log.warning("the time zone of the schedules is not known here; the time zone of this machine holds", time_zone=time_zone)
        return _local_offset

    def offset(at_s: int) -> int:
        ahead = datetime.fromtimestamp(at_s, zone).utcoffset()
        return round(ahead.total_seconds()) if ahead is not None else 0

    return offset


def _local_offset(at_s: int) -> int:
    return time.localtime(at_s).tm_gmtoff


def this_time_zone() -> str:
    """The IANA name of this machine's time zone; empty where it has none."""
    try:
        name: str | None = tzlocal.get_localzone_name()
        return ZoneInfo(name).key if name else ""
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ""


class OffTime(msgspec.Struct, frozen=True, gc=False):
    """Time, now or last, for which the schedule says that nothing is recorded. Milliseconds since the epoch; 0 where there is none."""

    from_ms: int = 0
    until_ms: int = 0


def off_time(timetable: Timetable, at_ms: int) -> OffTime:
    spell = timetable.last_off(at_ms)
    return OffTime(max(0, spell.from_ms), spell.until_ms) if spell is not None else OffTime()
