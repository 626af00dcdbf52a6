"""Moments as they are typed: a time of day is the next one; a date and time is what it says."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta

import pytest

from sysmanager.app.commands.caution import moment


def test_a_time_of_day_is_the_next_one() -> None:
    now = datetime.now().astimezone()
    for clock in ("00:00", "12:30", "23:59"):
        found = moment(clock)
        assert f"{found:%H:%M}" == clock
        assert timedelta() < found - now <= timedelta(days=1, hours=1)


def test_a_date_and_time_is_local_unless_it_says_otherwise() -> None:
    assert moment("2030-12-01T06:00") == datetime(2030, 12, 1, 6).astimezone()
    assert moment("2030-12-01T06:00+00:00") == datetime.fromisoformat("2030-12-01T06:00+00:00")


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2030-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no time"):
        moment(text)
