"""The weekly grid of a camera: what it is to record at a moment, and when that changes (SPEC 2, 16).

A grid has seven days, Monday first, of 96 cells of 15 minutes of the wall clock at the recorder. So an hour that the clock skips in spring
has no time, and one that it repeats in autumn holds twice. What a grid does not say is recorded: footage comes before tidiness.

Moments are milliseconds since 1970 UTC. An `Offset` gives how far local time is ahead of UTC at a moment in seconds since 1970, in seconds:
that is all that these rules know of a time zone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.hours import DAYS

Offset = Callable[[int], int]
Week = tuple[str, ...]
"""Seven texts of 96 letters: ``o`` off, ``m`` motion, ``c`` continuous. `week_of` makes one that is sound."""

CELLS = 96
CELL_S = 900
LOOK_MS = 8 * 86_400_000
"""Changes are looked for so far ahead and back: a week, and a day for clocks that are set meanwhile."""

LETTERS = {"o": RecordingMode.OFF, "m": RecordingMode.MOTION, "c": RecordingMode.CONTINUOUS}
_DAY_S = 86_400
_WEEK_S = 7 * _DAY_S
_MONDAY_S = 3 * _DAY_S
"""1970-01-01 was a Thursday."""


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """Time in which a camera has one mode. from_ms, until_ms: when it begins and ends, as far as was looked."""

    mode: RecordingMode
    from_ms: int
    until_ms: int


def schedule_problem(days: tuple[str, ...]) -> str:
    """What is wrong with a grid, to be put behind the name of its camera; empty if nothing."""
    if len(days) != len(DAYS):
        return f"has {len(days)} days instead of 7"
    for name, cells in zip(DAYS, days, strict=True):
        if len(cells) != CELLS:
            return f"has {len(cells)} cells on {name} instead of {CELLS}"
        wrong = sorted(set(cells) - set(LETTERS))
        if wrong:
            return f"has {wrong[0]!r} on {name}, and o, m and c are possible"
    return ""


def week_of(mode: RecordingMode, days: tuple[str, ...] | None) -> Week:
    """The grid of a camera. mode: its own; off is off, else the schedule holds, where there is one. What it does not say is continuous."""
    if mode is RecordingMode.OFF or days is None:
        return (next(letter for letter, meant in LETTERS.items() if meant is mode) * CELLS,) * len(DAYS)
    return tuple(_sound(days[day]) if day < len(days) else "c" * CELLS for day in range(len(DAYS)))


def _sound(cells: str) -> str:
    return "".join(cell if cell in LETTERS else "c" for cell in cells[:CELLS]).ljust(CELLS, "c")


def mode_at(week: Week, at_ms: int, offset: Offset) -> RecordingMode:
    """What the grid says at a moment."""
    return _mode(week, at_ms // 1000, offset)


def spell_at(week: Week, at_ms: int, offset: Offset) -> Spell:
    """The mode at a moment, since when, and until when."""
    return next(spell for spell in spells(week, at_ms - LOOK_MS, at_ms + LOOK_MS, offset) if at_ms < spell.until_ms)


def next_change_ms(week: Week, at_ms: int, offset: Offset) -> int | None:
    """When the mode changes next; None where it does not within `LOOK_MS`."""
    first = next(spells(week, at_ms, at_ms + LOOK_MS, offset))
    return first.until_ms if first.until_ms < at_ms + LOOK_MS else None


def last_off(week: Week, at_ms: int, offset: Offset) -> Spell | None:
    """The spell that is off now, else the last one that was; None where there was none within `LOOK_MS`."""
    found = None
    for spell in spells(week, at_ms - LOOK_MS, at_ms + LOOK_MS, offset):
        if spell.from_ms > at_ms:
            break
        if spell.mode is RecordingMode.OFF:
            found = spell
    return found


def off_between_ms(week: Week, from_ms: int, until_ms: int, offset: Offset) -> int:
    """How much of a time is off."""
    return sum(spell.until_ms - spell.from_ms for spell in off_spells(week, from_ms, until_ms, offset))


def off_spells(week: Week, from_ms: int, until_ms: int, offset: Offset) -> tuple[Spell, ...]:
    """What of a time is off, in order."""
    return tuple(spell for spell in spells(week, from_ms, until_ms, offset) if spell.mode is RecordingMode.OFF)


def spells(week: Week, from_ms: int, until_ms: int, offset: Offset) -> Iterator[Spell]:
    """The spells of a time, one after the other; the first begins and the last ends with it. None if it has no length."""
    if until_ms <= from_ms:
        return
    at_s, until_s = from_ms // 1000, -(-until_ms // 1000)
    begin_ms, mode = from_ms, _mode(week, at_s, offset)
    if len(set("".join(week))) > 1:
        while (at_s := _next_edge(at_s, offset)) < until_s:
            changed = _mode(week, at_s, offset)
            if changed is not mode:
                yield Spell(mode=mode, from_ms=begin_ms, until_ms=at_s * 1000)
                begin_ms, mode = at_s * 1000, changed
    yield Spell(mode=mode, from_ms=begin_ms, until_ms=until_ms)


def _next_edge(at_s: int, offset: Offset) -> int:
    """The next moment at which another cell may hold: the end of this one, or the clock being set before that."""
    ahead_s = offset(at_s)
    end_s = at_s + CELL_S - (at_s + ahead_s) % CELL_S
    if offset(end_s) == ahead_s:
        return end_s
    low_s, high_s = at_s, end_s  # the clock is set after the one and not after the other
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        low_s, high_s = (middle_s, high_s) if offset(middle_s) == ahead_s else (low_s, middle_s)
    return high_s


def _mode(week: Week, at_s: int, offset: Offset) -> RecordingMode:
    cell = (at_s + offset(at_s) + _MONDAY_S) % _WEEK_S // CELL_S
    return LETTERS[week[cell // CELLS][cell % CELLS]]
