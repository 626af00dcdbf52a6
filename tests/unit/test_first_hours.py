"""Schedules and masks of a recorder's first start, from files that people write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sysmanager.recorder.configuration import ConfigurationError, RecorderConfiguration
from sysmanager.recorder.first_hours import first_hours
from sysmanager.recorder.timetable import this_time_zone

WEEK = ["o" * 32 + "c" * 64] * 7


def configuration(folder: Path, **files: object) -> RecorderConfiguration:
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    paths = {name: str(folder / name) for name in files}
    return RecorderConfiguration(id="A", data="data", disks={"D:": "d"}, bus="bus", site_key="key", **paths)


def test_without_files_everything_is_recorded_by_the_clock_of_this_machine(tmp_path: Path) -> None:
    found = first_hours(configuration(tmp_path))
    assert (found.schedules.schedules, found.masks.masks) == ({}, {})
    assert found.schedules.time_zone == this_time_zone()


def test_files_are_taken_as_they_are(tmp_path: Path) -> None:
    mask = {"columns": 4, "rows": 3, "blocked": [0, 11], "sensitivity": 80}
    schedules = {"time_zone": "Europe/Helsinki", "schedules": {"cam-1": WEEK}}
    found = first_hours(configuration(tmp_path, schedules=schedules, masks={"masks": {"cam-1": mask}}))
    assert (found.schedules.time_zone, found.schedules.schedules["cam-1"]) == ("Europe/Helsinki", tuple(WEEK))  # type: ignore[index]
    assert found.masks.masks["cam-1"].blocked == (0, 11)  # type: ignore[index]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"schedules": "{"}, "The schedules file .* is wrong"),
        ({"schedules": {"format": 2}}, "'format' is 2"),
        ({"schedules": {"time_zone": "Mars"}}, "'time_zone' is 'Mars'"),
        ({"schedules": {"schedules": {"x": WEEK[:6]}}}, "'schedules.x' has 6 days instead of 7"),
        ({"schedules": {"schedules": {"x": ["c"] * 7}}}, "'schedules.x' has 1 cells on Mon"),
        ({"schedules": {"hours": {}}}, "unknown field `hours`"),
        ({"masks": {"format": 2}}, "'format' is 2"),
        ({"masks": {"masks": {"x": {"columns": 0}}}}, "'masks.x.columns' must be 1 to 128"),
        ({"masks": {"masks": {"x": {"rows": 129}}}}, "'masks.x.rows' must be 1 to 128"),
        ({"masks": {"masks": {"x": {"blocked": [144]}}}}, "'masks.x.blocked' must hold numbers of cells, 0 to 143"),
        ({"masks": {"masks": {"x": {"sensitivity": 101}}}}, "'masks.x.sensitivity' must be 0 to 100"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, files: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        first_hours(configuration(tmp_path, **files))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    paths = {"data": "d", "disks": {"D:": "d"}, "bus": "b", "site_key": "k", "masks": str(tmp_path / "none")}
    with pytest.raises(ConfigurationError, match="can't be read"):
        first_hours(RecorderConfiguration(id="A", **paths))  # type: ignore[arg-type]
