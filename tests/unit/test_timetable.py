"""Schedules as a recorder asks them at every frame: time zones, sessions around the hours, wrong grids."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from sysmanager.domain import schedule
from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.documents import CameraSettings, SchedulesDocument, SettingsDocument
from sysmanager.domain.failover import CameraGap
from sysmanager.domain.ids import CameraId
from sysmanager.recorder import timetable as module
from sysmanager.recorder.timetable import ALWAYS, LAG_MS, LEAD_MS, OffTime, Timetable, off_time, offset_of, this_time_zone, timetables

DAY: tuple[str, ...] = ("o" * 32 + "c" * 40 + "o" * 24,) * 7
"""8-18."""


def utc(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


EIGHT, EIGHTEEN = utc("2026-11-27 08:00"), utc("2026-11-27 18:00")


def day_shift() -> Timetable:
    return Timetable(DAY, offset_of("UTC"))


def test_a_grid_is_looked_up_once_for_each_spell(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    right = schedule.spell_at

    def counted(week: schedule.Week, at_ms: int, offset: schedule.Offset) -> schedule.Spell:
        looked.append(at_ms)
        return right(week, at_ms, offset)

    monkeypatch.setattr(module, "spell_at", counted)
    hours = day_shift()
    modes = {hours.mode(at_ms) for at_ms in range(EIGHT, EIGHTEEN, 60_000)}
    assert modes == {RecordingMode.CONTINUOUS}
    assert hours.mode(EIGHTEEN) is RecordingMode.OFF
    assert hours.mode(EIGHTEEN - 1) is RecordingMode.CONTINUOUS, "a frame that comes late is of its own time"
    assert len(looked) == 2, "also of two that take turns"


@pytest.mark.parametrize(
    ("at_ms", "wanted"),
    [
        (EIGHT - LEAD_MS - 1, False),
        (EIGHT - LEAD_MS, True),
        (EIGHT, True),
        (EIGHTEEN, True),
        (EIGHTEEN + LAG_MS - 1, True),
        (EIGHTEEN + LAG_MS, False),
        (EIGHTEEN + 3_600_000, False),
    ],
)
def test_a_camera_is_connected_shortly_before_its_time_and_let_go_shortly_after(at_ms: int, wanted: bool) -> None:
    assert day_shift().wants_session(at_ms) is wanted


def test_when_a_camera_is_off_and_was_last() -> None:
    hours = day_shift()
    night = OffTime(utc("2026-11-26 18:00"), EIGHT)
    assert off_time(hours, EIGHT - 1) == night
    assert off_time(hours, EIGHTEEN - 1) == night
    assert off_time(hours, EIGHTEEN) == OffTime(EIGHTEEN, utc("2026-11-28 08:00"))
    assert off_time(ALWAYS, EIGHT) == OffTime()
    assert not ALWAYS.ever_off


def test_all_times_that_were_off_across_midnight_and_the_change_to_summer_time() -> None:
    """Off from 22:00 to 04:00 every night. In the night in which the clock is set from 03:00 to 04:00 that is five hours and not six."""
    nightly = "o" * 16 + "c" * 72 + "o" * 8
    table = Timetable((nightly,) * 7, offset_of("Europe/Helsinki"))
    begin, end = utc("2026-03-27 10:00"), utc("2026-03-30 12:00")
    times = table.off_times(begin, end)
    assert times == (
        (utc("2026-03-27 20:00"), utc("2026-03-28 02:00")),
        (utc("2026-03-28 20:00"), utc("2026-03-29 01:00")),
        (utc("2026-03-29 19:00"), utc("2026-03-30 01:00")),
    )
    found = CameraGap(
        camera=CameraId("c"),
        last_before_ms=begin,
        first_after_ms=end,
        off_from_ms=times[-1][0],
        off_until_ms=times[-1][1],
        earlier_off=times[:-1],
    )
    assert found.gap_ms == end - begin - 17 * 3_600_000


def test_times_that_were_off_are_told_within_bounds() -> None:
    assert ALWAYS.off_times(0, utc("2026-03-30 12:00")) == ()
    table = Timetable(("oc" * 48,) * 7, lambda _at_s: 0)
    told = table.off_times(0, utc("2026-03-30 12:00"))
    assert (len(told), told[-1][1]) == (module.OFF_TIMES, utc("2026-03-30 11:45"))
    sparse = Timetable(("o" + "c" * 95, *("c" * 96,) * 6), lambda _at_s: 0)
    assert len(sparse.off_times(0, utc("2026-03-30 12:00"))) == 5


def test_hours_are_those_of_the_zone_that_the_document_names() -> None:
    settings = SettingsDocument(name="A", cameras=(CameraSettings(id=CameraId("x"), name="x"), CameraSettings(id=CameraId("y"), name="y")))
    for zone, at in (("UTC", "08:00"), ("Europe/Helsinki", "06:00"), ("America/New_York", "13:00")):
        found = timetables(settings, SchedulesDocument(time_zone=zone, schedules={CameraId("x"): DAY}))
        begin_ms = utc(f"2026-11-27 {at}")
        assert found[CameraId("x")].mode(begin_ms - 1) is RecordingMode.OFF
        assert found[CameraId("x")].mode(begin_ms) is RecordingMode.CONTINUOUS
        assert found[CameraId("y")].mode(begin_ms - 1) is RecordingMode.CONTINUOUS


def test_a_wrong_schedule_is_recorded_where_it_says_nothing_and_named() -> None:
    settings = SettingsDocument(name="A", cameras=(CameraSettings(id=CameraId("x"), name="x"),))
    with capture_logs() as logs:
        found = timetables(settings, SchedulesDocument(time_zone="UTC", schedules={CameraId("x"): DAY[:5]}))
    assert found[CameraId("x")].mode(utc("2026-11-29 04:00")) is RecordingMode.CONTINUOUS
    assert [(line["camera"], line["why"]) for line in logs] == [("x", "It has 5 days instead of 7.")]


def test_a_zone_that_is_not_known_here_is_that_of_this_machine() -> None:
    at_s = EIGHT // 1000
    for unknown in ("Mars/Olympus", "../etc/passwd", "\0"):
        with capture_logs() as logs:
            assert offset_of(unknown)(at_s) == time.localtime(at_s).tm_gmtoff
        assert len(logs) == 1
    assert offset_of("")(at_s) == time.localtime(at_s).tm_gmtoff


def test_the_zone_of_this_machine_has_the_hours_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    at_s = EIGHT // 1000
    name = this_time_zone()
    assert offset_of(name)(at_s) == time.localtime(at_s).tm_gmtoff
    monkeypatch.setattr(module.tzlocal, "get_localzone_name", lambda: None)
    assert this_time_zone() == ""
    monkeypatch.setattr(module.tzlocal, "get_localzone_name", lambda: "Mars/Olympus")
    assert this_time_zone() == ""
