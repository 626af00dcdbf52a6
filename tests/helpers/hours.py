"""Schedules whose hours begin and end within seconds: the zone that they are of is made up."""

from __future__ import annotations

from sysmanager.recorder.timetable import Timetable


def turning(letters: str, first_s: int, *more_s: int) -> Timetable:
    """From the first of two letters of a grid to the second, and back, at each of these moments, in seconds since 1970.

    At each of them the clock of the zone is set ahead by a quarter of an hour, from the middle of a quarter to the middle of the next.
    """
    edges_s = (first_s, *more_s)
    base = 450 - first_s % 1800

    def offset(at_s: int) -> int:
        return base + 900 * sum(edge <= at_s for edge in edges_s)

    return Timetable((letters * 48,) * 7, offset)
