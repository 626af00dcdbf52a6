"""What a weekly grid says at a moment, and when that changes: tables of hours, zones and days on which the clock is set."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.schedule import (
    CELLS,
    LOOK_MS,
    Offset,
    Spell,
    Week,
    last_off,
    mode_at,
    next_change_ms,
    off_between_ms,
    schedule_problem,
    spell_at,
    spells,
    week_of,
)

OFF, MOTION, CONTINUOUS = RecordingMode.OFF, RecordingMode.MOTION, RecordingMode.CONTINUOUS
HOUR_MS = 3_600_000
ZONES = ("UTC", "Europe/Helsinki", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham", "Africa/Monrovia")


def zone(name: str) -> Offset:
    info = ZoneInfo(name)

    def offset(at_s: int) -> int:
        ahead = datetime.fromtimestamp(at_s, info).utcoffset()
        assert ahead is not None
        return int(ahead.total_seconds())

    return offset


def utc(text: str) -> int:
    """Milliseconds of ``2026-03-29 01:00`` UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def day(*runs: tuple[str, int]) -> str:
    """Letters with their number of hours: ``("o", 8), ("c", 16)``."""
    cells = "".join(letter * hours * 4 for letter, hours in runs)
    assert len(cells) == CELLS
    return cells


WORK: Week = (day(("o", 8), ("c", 10), ("o", 6)),) * 5 + (day(("m", 24)),) * 2
"""Off at night, continuous 8-18 on working days, motion at the weekend."""

NIGHT: Week = (day(("c", 6), ("o", 14), ("c", 4)),) * 7
"""20-06, across midnight."""

EARLY: Week = (day(("c", 2), ("o", 2), ("c", 20)),) * 7
"""Off 2-4: the hours in which clocks are set."""


@pytest.mark.parametrize(
    ("week", "where", "at", "mode", "until"),
    [
        (WORK, "UTC", "2026-11-27 07:59:59.999", OFF, "2026-11-27 08:00"),  # a Friday
        (WORK, "UTC", "2026-11-27 08:00", CONTINUOUS, "2026-11-27 18:00"),
        (WORK, "UTC", "2026-11-27 18:00", OFF, "2026-11-28 00:00"),
        (WORK, "UTC", "2026-11-28 00:00", MOTION, "2026-11-30 00:00"),  # over two days that are alike
        (WORK, "UTC", "2026-11-29 23:59:59", MOTION, "2026-11-30 00:00"),  # from Sunday to Monday
        (WORK, "Europe/Helsinki", "2026-11-27 06:00", CONTINUOUS, "2026-11-27 16:00"),
        (WORK, "Asia/Kathmandu", "2026-11-27 02:14", OFF, "2026-11-27 02:15"),  # 5:45 ahead
        (NIGHT, "UTC", "2026-11-27 23:59:59", CONTINUOUS, "2026-11-28 06:00"),
        (NIGHT, "UTC", "2026-11-28 00:00", CONTINUOUS, "2026-11-28 06:00"),
        # The clock in Helsinki goes from 3 to 4 on 2026-03-29 at 01:00 UTC: 2-4 lasts an hour
        (EARLY, "Europe/Helsinki", "2026-03-29 00:00", OFF, "2026-03-29 01:00"),
        (EARLY, "Europe/Helsinki", "2026-03-29 01:00", CONTINUOUS, "2026-03-29 23:00"),
        # and back from 4 to 3 on 2026-10-25 at 01:00 UTC: 2-4 lasts three hours
        (EARLY, "Europe/Helsinki", "2026-10-24 23:00", OFF, "2026-10-25 02:00"),
        (EARLY, "Europe/Helsinki", "2026-10-25 01:30", OFF, "2026-10-25 02:00"),
        # The clock in New York goes from 2 to 3 on 2026-03-08 at 07:00 UTC, so that 2-4 is 3-4
        (EARLY, "America/New_York", "2026-03-08 06:59", CONTINUOUS, "2026-03-08 07:00"),
        (EARLY, "America/New_York", "2026-03-08 07:00", OFF, "2026-03-08 08:00"),
        # and back from 2 to 1 on 2026-11-01 at 06:00 UTC: 1-2 comes twice, 2-4 once
        (EARLY, "America/New_York", "2026-11-01 05:30", CONTINUOUS, "2026-11-01 07:00"),
        (EARLY, "America/New_York", "2026-11-01 07:00", OFF, "2026-11-01 09:00"),
        # Half an hour on Lord Howe: from 2:00 to 2:30 on 2026-10-04 at 15:30 UTC of the day before
        (EARLY, "Australia/Lord_Howe", "2026-10-03 15:29", CONTINUOUS, "2026-10-03 15:30"),
        (EARLY, "Australia/Lord_Howe", "2026-10-03 15:30", OFF, "2026-10-03 17:00"),
    ],
)
def test_mode_and_when_it_changes(week: Week, where: str, at: str, mode: RecordingMode, until: str) -> None:
    at_ms, offset = utc(at), zone(where)
    assert mode_at(week, at_ms, offset) is mode
    assert next_change_ms(week, at_ms, offset) == utc(until)
    spell = spell_at(week, at_ms, offset)
    assert (spell.mode, spell.until_ms) == (mode, utc(until))
    assert spell.from_ms <= at_ms


def test_an_hour_that_comes_twice_holds_twice() -> None:
    hour: Week = ("cccc" + "oooo" + "c" * 88,) * 7  # off 1-2
    offset = zone("America/New_York")
    spell = spell_at(hour, utc("2026-11-01 06:30"), offset)
    assert (spell.from_ms, spell.until_ms) == (utc("2026-11-01 05:00"), utc("2026-11-01 07:00"))


def test_a_clock_that_is_set_in_the_middle_of_a_cell() -> None:
    """Nothing promises that clocks are set at a quarter: here one goes from 12:07 to 14:07."""
    at_s = utc("2026-05-05 12:07") // 1000
    week: Week = (day(("c", 14), ("o", 1), ("c", 9)),) * 7
    spell = spell_at(week, at_s * 1000 + 1, lambda moment: 7200 if moment >= at_s else 0)
    assert spell == Spell(mode=OFF, from_ms=at_s * 1000, until_ms=utc("2026-05-05 13:00"))


def test_one_mode_for_ever_never_changes() -> None:
    week, at_ms = week_of(CONTINUOUS, None), utc("2026-11-27 12:00")
    assert next_change_ms(week, at_ms, zone("UTC")) is None
    assert spell_at(week, at_ms, zone("UTC")) == Spell(mode=CONTINUOUS, from_ms=at_ms - LOOK_MS, until_ms=at_ms + LOOK_MS)
    assert last_off(week, at_ms, zone("UTC")) is None


@pytest.mark.parametrize(
    ("mode", "days", "week"),
    [
        (CONTINUOUS, None, ("c" * 96,) * 7),
        (MOTION, None, ("m" * 96,) * 7),
        (OFF, None, ("o" * 96,) * 7),
        (OFF, WORK, ("o" * 96,) * 7),  # a camera that a person switched off stays off
        (MOTION, WORK, WORK),
        (CONTINUOUS, WORK, WORK),
        (CONTINUOUS, ("o" * 96,), ("o" * 96, *("c" * 96,) * 6)),  # what is not said is recorded
        (CONTINUOUS, ("o" * 95,) * 7, ("o" * 95 + "c",) * 7),
        (CONTINUOUS, ("o" * 97,) * 8, ("o" * 96,) * 7),
        (CONTINUOUS, ("x" + "o" * 95,) * 7, ("c" + "o" * 95,) * 7),
    ],
)
def test_the_grid_of_a_camera(mode: RecordingMode, days: tuple[str, ...] | None, week: Week) -> None:
    assert week_of(mode, days) == week


@pytest.mark.parametrize(
    ("days", "problem"),
    [
        (WORK, ""),
        (WORK[:6], "has 6 days instead of 7"),
        ((*WORK[:1], "c" * 95, *WORK[2:]), "has 95 cells on Tue instead of 96"),
        ((*WORK[:6], "x" * 96), "has 'x' on Sun, and o, m and c are possible"),
    ],
)
def test_what_is_wrong_with_a_grid(days: tuple[str, ...], problem: str) -> None:
    assert schedule_problem(days) == problem


def test_the_last_time_that_was_off() -> None:
    offset = zone("UTC")
    night = Spell(mode=OFF, from_ms=utc("2026-11-26 18:00"), until_ms=utc("2026-11-27 08:00"))
    for at in ("2026-11-27 07:59", "2026-11-27 08:00", "2026-11-27 17:59"):
        assert last_off(WORK, utc(at), offset) == night
    evening = Spell(mode=OFF, from_ms=utc("2026-11-27 18:00"), until_ms=utc("2026-11-28 00:00"))
    for at in ("2026-11-27 18:00", "2026-11-29 23:59"):
        assert last_off(WORK, utc(at), offset) == evening


def test_how_much_of_a_time_is_off() -> None:
    offset = zone("UTC")
    assert off_between_ms(WORK, utc("2026-11-27 17:00"), utc("2026-11-27 19:30"), offset) == 90 * 60_000
    assert off_between_ms(WORK, utc("2026-11-27 17:00"), utc("2026-11-27 17:00"), offset) == 0
    assert off_between_ms(WORK, utc("2026-11-23 00:00"), utc("2026-11-30 00:00"), offset) == 5 * 14 * HOUR_MS
    # Of the day on which the clock goes forward, 2-4 is one hour of 23; of the other, three of 25
    helsinki = zone("Europe/Helsinki")
    assert off_between_ms(EARLY, utc("2026-03-28 22:00"), utc("2026-03-29 21:00"), helsinki) == HOUR_MS
    assert off_between_ms(EARLY, utc("2026-10-24 21:00"), utc("2026-10-25 22:00"), helsinki) == 3 * HOUR_MS


def laid_out(runs: list[tuple[str, int]]) -> Week:
    """Runs of letters, again and again until the week is full."""
    once = "".join(letter * length for letter, length in runs)
    cells = (once * (7 * CELLS // len(once) + 1))[: 7 * CELLS]
    return tuple(cells[first : first + CELLS] for first in range(0, 7 * CELLS, CELLS))


weeks = st.lists(st.tuples(st.sampled_from("omc"), st.integers(1, 200)), min_size=1, max_size=10).map(laid_out)
moments = st.integers(utc("2026-01-01 00:00"), utc("2027-12-31 00:00"))


@given(week=weeks, at_ms=moments, where=st.sampled_from(ZONES))
def test_a_spell_is_the_longest_time_of_one_mode_around_a_moment(week: Week, at_ms: int, where: str) -> None:
    offset = zone(where)
    spell = spell_at(week, at_ms, offset)
    assert spell.from_ms <= at_ms < spell.until_ms
    for inside_ms in range(spell.from_ms, spell.until_ms, 7 * 60_000):
        assert mode_at(week, inside_ms, offset) is spell.mode
    if spell.until_ms < at_ms + LOOK_MS:
        assert mode_at(week, spell.until_ms, offset) is not spell.mode
    if spell.from_ms > at_ms - LOOK_MS:
        assert mode_at(week, spell.from_ms - 1, offset) is not spell.mode


@given(week=weeks, at_ms=moments, length_ms=st.integers(1, 3 * 86_400_000), where=st.sampled_from(ZONES))
def test_spells_follow_one_another_without_a_hole(week: Week, at_ms: int, length_ms: int, where: str) -> None:
    found = list(spells(week, at_ms, at_ms + length_ms, zone(where)))
    assert (found[0].from_ms, found[-1].until_ms) == (at_ms, at_ms + length_ms)
    for before, after in pairwise(found):
        assert before.until_ms == after.from_ms
        assert before.mode is not after.mode


@given(at_ms=moments, where=st.sampled_from(ZONES))
def test_local_time_decides(at_ms: int, where: str) -> None:
    """Against the calendar of the standard library: a grid in which every cell of an hour has its own letter."""
    week: Week = tuple("".join("omc"[(hour + day) % 3] * 4 for hour in range(24)) for day in range(7))
    local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(where))
    assert mode_at(week, at_ms, zone(where)) is (OFF, MOTION, CONTINUOUS)[(local.hour + local.weekday()) % 3]
