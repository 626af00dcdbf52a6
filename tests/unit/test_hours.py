"""Hours of the week: how people write them, and how long until they come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysmanager.domain.hours import EXAMPLE, Window, parse_hours, problem_with_hours, wait_ms

MINUTE_MS = 60_000


def wall(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("", ()),
        (" ; ", ()),
        ("01:00-04:30", (Window(days=(0, 1, 2, 3, 4, 5, 6), from_minute=60, length_minutes=210),)),
        ("Mon 22:00 - 05:00", (Window(days=(0,), from_minute=1320, length_minutes=420),)),
        ("mon-wed,friday 00:00-24:00", (Window(days=(0, 1, 2, 4), from_minute=0, length_minutes=1440),)),
        ("Sat-Mon 1:00-2:00", (Window(days=(0, 5, 6), from_minute=60, length_minutes=60),)),
        (
            EXAMPLE,
            (
                Window(days=(0, 1, 2, 3, 4), from_minute=1320, length_minutes=420),
                Window(days=(5, 6), from_minute=0, length_minutes=1440),
            ),
        ),
        ("23:00-00:00", (Window(days=(0, 1, 2, 3, 4, 5, 6), from_minute=1380, length_minutes=60),)),
    ],
)
def test_how_people_write_them(text: str, windows: tuple[Window, ...]) -> None:
    assert parse_hours(text) == windows
    assert problem_with_hours(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("at night", "“at night” is no window of hours"),
        ("25:00-26:00", "25:00 is no time of day"),
        ("10:60-11:00", "10:60 is no time of day"),
        ("24:30-25:00", "24:30 is no time of day"),
        ("24:00-01:00", "a window begins at 23:59 at the latest"),
        ("Mon 08:00-08:00", "is empty: a whole day is 00:00-24:00"),
        ("Foo 08:00-09:00", "“Foo” is no day of the week"),
        ("Mon- 08:00-09:00", None),
        ("x" * 60, "“xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…” is no window"),
        ("1:00-2:00;" * 30, "it has 30 windows and may have 21"),
        ("1:00-2:00;" * 31, "it has 310 characters and may have 300"),
    ],
)
def test_what_is_wrong_is_said_with_an_example(text: str, why: str | None) -> None:
    problem = problem_with_hours(text)
    if why is None:
        assert problem is None
        return
    assert problem is not None
    assert why in problem
    assert EXAMPLE in problem


@pytest.mark.parametrize(
    ("hours", "at", "offset_min", "minutes"),
    [
        ("", "2026-11-25 12:00", 0, 0),
        ("01:00-02:00", "2026-11-25 01:00", 0, 0),
        ("01:00-02:00", "2026-11-25 01:59", 0, 0),
        ("01:00-02:00", "2026-11-25 02:00", 0, 23 * 60),
        ("01:00-02:00", "2026-11-24 23:30", 120, 0),
        ("Wed 22:00-05:00", "2026-11-26 04:00", 0, 0),
        ("Wed 22:00-05:00", "2026-11-26 05:00", 0, 7 * 1440 - 7 * 60),
        ("Sun 22:00-05:00", "2026-11-23 03:00", 0, 0),
        ("Mon 00:00-24:00; Thu 12:00-13:00", "2026-11-25 12:00", 0, 1440),
    ],
)
def test_how_long_until_they_come(hours: str, at: str, offset_min: int, minutes: int) -> None:
    assert wait_ms(parse_hours(hours), wall(at), offset_min) == minutes * MINUTE_MS


@given(st.integers(0, 6), st.integers(0, 1439), st.integers(1, 1440), st.integers(0, 2**42), st.integers(-720, 840))
def test_after_the_wait_it_is_allowed_and_never_before(day: int, begin: int, length: int, wall_ms: int, offset_min: int) -> None:
    hours = (Window(days=(day,), from_minute=begin, length_minutes=length),)
    waits_ms = wait_ms(hours, wall_ms, offset_min)
    assert 0 <= waits_ms <= 7 * 1440 * MINUTE_MS
    assert wait_ms(hours, wall_ms + waits_ms, offset_min) == 0
    if waits_ms:
        assert wait_ms(hours, wall_ms + waits_ms - 1, offset_min) == 1
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=wall_ms + waits_ms) + timedelta(minutes=offset_min)
    since = (moment.weekday() * 1440 + moment.hour * 60 + moment.minute - day * 1440 - begin) % 10_080
    assert since < length
