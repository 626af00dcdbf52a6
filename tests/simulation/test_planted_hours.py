"""Bugs planted in how schedules are kept, judged and measured: the simulation reports each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from sysmanager.coordinator import failback, gaps, heard, outstanding, seen
from sysmanager.domain.failover import CameraGap
from sysmanager.protocol.recorders import CameraState
from sysmanager.simulation import recorder as simulated
from sysmanager.simulation.broken import Broken
from sysmanager.simulation.hours_scenarios import HOURS_SCENARIOS
from sysmanager.simulation.scenarios import ends_of, play, settle

Patch = pytest.MonkeyPatch
BY_NAME = {scenario.name: scenario for scenario in HOURS_SCENARIOS}


def what_is_off_counts_as_dark(patch: Patch) -> None:
    patch.setattr(seen.Heard, "nothing_due", lambda self, beat: False)


def one_camera_that_is_off_excuses_all(patch: Patch) -> None:
    patch.setattr(heard, "nothing_due", lambda beat, expected: any(camera.off_until_ms for camera in beat.cameras))


def schedules_do_not_travel(patch: Patch) -> None:
    right = simulated.hours_in
    begun: list[Any] = []

    def hours_in(store: Any, plan: Any) -> Any:
        begun.append(plan.home)
        return right(store, plan) if begun.count("A1") == 1 else {}

    patch.setattr(simulated, "hours_in", hours_in)


def a_gap_counts_what_is_off(patch: Patch) -> None:
    right = gaps.measured

    def measured(*asked: Any) -> Any:
        return tuple(replace(gap, off_until_ms=0) for gap in right(*asked))

    patch.setattr(gaps, "measured", measured)


def a_gap_forgets_that_the_time_of_a_camera_ended(patch: Patch) -> None:
    def to_the_end(gap: CameraGap) -> int:
        return gap.off_until_ms

    patch.setattr(gaps, "_ends_where_off_begins", to_the_end)
    a_gap_counts_what_is_off(patch)


def a_gap_knows_of_the_last_time_only(patch: Patch) -> None:
    patch.setattr(outstanding, "off_question", lambda seen, entry: None)


def a_gap_forgets_what_it_was_told(patch: Patch) -> None:
    patch.setattr(gaps, "_within", lambda gap, times: times[1:])


def a_failback_waits_for_cameras_that_are_off(patch: Patch) -> None:
    patch.setattr(failback, "unlit_cameras", lambda cameras: set())
    patch.setattr(failback, "settled_cameras", lambda cameras: {camera.camera for camera in cameras if camera.first_frame_ms})


def watching_for_motion_counts_as_dark(patch: Patch) -> None:
    right = seen.progressed

    def progressed(old: Any, new: Any) -> bool:
        return right(old, new) and any(camera.state is CameraState.RECORDING for camera in new.cameras)

    patch.setattr(seen, "progressed", progressed)


TWICE = "nobody takes over for an hour, in which a camera is off twice: none of that is missing"
READ_LATE = "the recorder is lost while its cameras are off, and its material is read only after they are recorded again"
LOST_BEFORE = "the recorder is lost just before the time of its cameras ends: the gap ends with it"
PLANTED: tuple[tuple[Callable[[Patch], None], str, str], ...] = (
    (what_is_off_counts_as_dark, "all cameras off by their schedule: no failure of their recorder", "never early"),
    (one_camera_that_is_off_excuses_all, "one camera off, the other dark: found out", "ends"),
    (
        schedules_do_not_travel,
        "the recorder is lost while its cameras are off; who takes over records from when their time begins",
        "what is off is not recorded",
    ),
    (a_gap_forgets_that_the_time_of_a_camera_ended, LOST_BEFORE, "the measured gap is the true one"),
    (a_gap_forgets_that_the_time_of_a_camera_ended, READ_LATE, "the measured gap is the true one"),
    (a_gap_knows_of_the_last_time_only, TWICE, "the measured gap is the true one"),
    (a_gap_forgets_what_it_was_told, TWICE, "the measured gap is the true one"),
    (watching_for_motion_counts_as_dark, "all cameras wait for motion: no failure of their recorder", "never early"),
    (a_failback_waits_for_cameras_that_are_off, "a failback while the cameras are off", "ends"),
)


def broken_rule(name: str) -> str | None:
    scenario = BY_NAME[name]
    try:
        world = play(scenario)
        ends = ends_of(world)
        settle(world)
    except Broken as broken:
        return broken.rule
    return "ends" if ends != scenario.ends else None


@pytest.mark.parametrize(("plant", "where", "rule"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_bug_is_caught(plant: Callable[[Patch], None], where: str, rule: str, monkeypatch: Patch) -> None:
    plant(monkeypatch)
    assert broken_rule(where) == rule
