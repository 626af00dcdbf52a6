"""Hours of the week in which something may happen by itself, as people write them: ``Mon-Fri 22:00-05:00; Sat,Sun 00:00-24:00``.

Hours are those of the site's wall clock. Windows are separated by ``;``; without days a window is of every day; one that ends after
midnight belongs to the day on which it begins. Nothing at all means: at any time.
"""

from __future__ import annotations

import re

import msgspec

DAYS: tuple[str, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

WINDOWS_LIMIT = 21
"""Three for each day; more is a mistake."""

TEXT_LIMIT = 300
"""Longest text of hours, in characters."""

SHORT_EXAMPLE = "Mon-Fri 22:00-05:00"

EXAMPLE = f"{SHORT_EXAMPLE}; Sat,Sun 00:00-24:00"

_MINUTE_MS = 60_000
_DAY = 1_440
_WEEK = 7 * _DAY
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday."""

_WINDOW = re.compile(r"(?:(?P<days>[A-Za-z][A-Za-z, -]*?)\s+)?(?P<from>\d{1,2}:\d\d)\s*-\s*(?P<until>\d{1,2}:\d\d)")


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """days: 0 for Monday. from_minute: of the day. length_minutes: 1 to 1440; it may reach into the next day."""

    days: tuple[int, ...]
    from_minute: int
    length_minutes: int


Hours = tuple[Window, ...]
"""Empty: at any time."""


def parse_hours(text: str) -> Hours:
    """The windows of a text. Raises ValueError with one sentence that says what is wrong and how it is written."""
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"it has {len(text)} characters and may have {TEXT_LIMIT} at most")
    parts = [part.strip() for part in text.split(";")]
    windows = tuple(_window(part) for part in parts if part)
    if len(windows) > WINDOWS_LIMIT:
        raise ValueError(f"it has {len(windows)} windows and may have {WINDOWS_LIMIT} at most")
    return windows


def problem_with_hours(text: str) -> str | None:
    """What is wrong with a text of hours, to be put behind the name of its field; None if nothing is."""
    try:
        parse_hours(text)
    except ValueError as error:
        return f"{error}; write it as {EXAMPLE}, or leave it empty for any time"
    return None


def wait_ms(hours: Hours, wall_ms: int, offset_min: int) -> int:
    """How long until the hours allow it, 0 if they do now. wall_ms: since 1970 UTC. offset_min: of the site's clock from UTC."""
    if not hours:
        return 0
    local_ms = wall_ms + offset_min * _MINUTE_MS
    minute = (local_ms // _MINUTE_MS + _EPOCH_WEEKDAY * _DAY) % _WEEK
    waits = []
    for window in hours:
        for day in window.days:
            begin = day * _DAY + window.from_minute
            if (minute - begin) % _WEEK < window.length_minutes:
                return 0
            waits.append((begin - minute) % _WEEK)
    return min(waits) * _MINUTE_MS - local_ms % _MINUTE_MS


def _window(part: str) -> Window:
    found = _WINDOW.fullmatch(part)
    if found is None:
        raise ValueError(f"“{_brief(part)}” is no window of hours")
    days = _days(found["days"]) if found["days"] else tuple(range(7))
    begin, end = _minute(found["from"]), _minute(found["until"])
    if begin == _DAY:
        raise ValueError("a window begins at 23:59 at the latest")
    if begin == end:
        raise ValueError(f"“{_brief(part)}” is empty: a whole day is 00:00-24:00")
    return Window(days=days, from_minute=begin, length_minutes=(end - begin) % _DAY or _DAY)


def _minute(text: str) -> int:
    hour, minute = (int(number) for number in text.split(":"))
    if minute > 59 or hour > 24 or (hour == 24 and minute):
        raise ValueError(f"{text} is no time of day")
    return hour * 60 + minute


def _days(text: str) -> tuple[int, ...]:
    days: set[int] = set()
    for item in text.split(","):
        first, _, last = (name.strip() for name in item.partition("-"))
        begin = _day(first)
        end = _day(last) if last else begin
        days.update(day % 7 for day in range(begin, end + (7 if end < begin else 0) + 1))
    return tuple(sorted(days))


def _day(name: str) -> int:
    short = name[:3].capitalize()
    if short not in DAYS:
        raise ValueError(f"“{_brief(name)}” is no day of the week")
    return DAYS.index(short)


def _brief(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
