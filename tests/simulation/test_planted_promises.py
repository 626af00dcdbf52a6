"""Bugs planted in what is known and promised beforehand, and in what is measured: the simulation reports each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from sysmanager.coordinator import gaps, heard, opening, seen
from sysmanager.protocol.clients import StartFailover
from sysmanager.simulation import recorder
from sysmanager.simulation.broken import Broken
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.scenario import SECOND, back, start
from sysmanager.simulation.scenarios import SCENARIOS, Scenario, Wish, play, settle

Patch = pytest.MonkeyPatch


def failover_takes_another_one_than_the_preview(patch: Patch) -> None:
    right = opening.choose

    def choose(view: Any, seen: Any, **more: Any) -> Any:
        first = right(view, seen, **more)
        tried = {*more.get("tried", ()), first.server}
        other = right(view, seen, **{**more, "tried": tried})
        return other if other.server is not None else first

    patch.setattr(opening, "choose", choose)


def gap_forgets_what_lies_on_the_disks(patch: Patch) -> None:
    right = gaps.measured

    def measured(*asked: Any) -> Any:
        return tuple(replace(gap, last_before_ms=gap.last_before_ms - 3_000) for gap in right(*asked))

    patch.setattr(gaps, "measured", measured)


def clocks_are_taken_for_equal(patch: Patch) -> None:
    patch.setattr(heard.Heard, "clock_offset_ms", property(lambda self: 0))
    patch.setattr(heard.Heard, "clock_error_ms", property(lambda self: 0))


def frames_after_a_hang_count_as_before_the_gap(patch: Patch) -> None:
    patch.setattr(gaps, "_last_before", lambda span, gap: span.last_frame_ms)


def the_clock_is_believed_not_to_be_set_around_a_restart(patch: Patch) -> None:
    patch.setattr(seen.Seen, "saw_open", lambda self, failover: True)


def footage_that_still_grows_counts_as_all_of_it(patch: Patch) -> None:
    right = recorder.SimulatedRecorder._read_footage

    def read_footage(self: Any, ticket: int, question: Any, goes_on: bool, life: int) -> None:
        right(self, ticket, question, False, life)

    patch.setattr(recorder.SimulatedRecorder, "_read_footage", read_footage)


HANGS = Scenario(
    name="a hang that ends after the failover",
    deeds=(Deed(at_ms=0, what=Wrong.HANG, target="A1", lasts_ms=60_000),),
    until_ms=90_000,
    heals=False,
)
LIES = Scenario(
    name="a recorder that says it was given a newer epoch, and records on",
    deeds=(
        Deed(at_ms=0, what=Wrong.LIES, target="A1", amount=1, lasts_ms=90_000),
        Deed(at_ms=29_000, what=Wrong.SAVE_FAILS, target="A1", lasts_ms=6_000),
    ),
    # The epoch of its own failover is newer than the one that it lies about, so that it is ordered to stand down.
    wishes=(start("A2"), back(5_000), start("A2", 15_000), back(20_000, SECOND), start("A1", 30_000)),
    until_ms=60_000,
    heals=False,
)
SET_AT_RESTART = Scenario(
    name="the coordinator's clock is set while it is away",
    deeds=(
        Deed(at_ms=0, what=Wrong.POWER, target="A1", lasts_ms=200_000),
        Deed(at_ms=0, what=Wrong.CAMERA_SLOW, target="FA1", amount=12_000, lasts_ms=60_000),
        Deed(at_ms=12_000, what=Wrong.KILLED, lasts_ms=3_000),
        Deed(at_ms=13_000, what=Wrong.CLOCK, amount=-3_600_000),
    ),
    until_ms=230_000,
    heals=False,
)
CLOCKS = Scenario(
    name="a clock that is off, long before",
    deeds=(
        Deed(at_ms=0, what=Wrong.SERVER_CLOCK, target="A1", amount=-4_000),
        Deed(at_ms=130_000, what=Wrong.POWER, target="A1", lasts_ms=20_000),
    ),
    until_ms=170_000,
    heals=False,
)
BY_HAND = Scenario(
    name="by hand, with two to choose from",
    groups=((2, 2),),
    wishes=(Wish(at_ms=0, request=StartFailover(recorder="A1")),),  # type: ignore[arg-type]  # an id is text
    heals=False,
)
FAILBACK = next(scenario for scenario in SCENARIOS if scenario.name == "failback")

PLANTED: tuple[tuple[Callable[[Patch], None], Scenario, str], ...] = (
    (failover_takes_another_one_than_the_preview, BY_HAND, "the preview is what happens"),
    (gap_forgets_what_lies_on_the_disks, FAILBACK, "the measured gap is the true one"),
    (clocks_are_taken_for_equal, CLOCKS, "the measured gap is the true one"),
    (frames_after_a_hang_count_as_before_the_gap, HANGS, "the measured gap is the true one"),
    (the_clock_is_believed_not_to_be_set_around_a_restart, SET_AT_RESTART, "the measured gap is the true one"),
    (footage_that_still_grows_counts_as_all_of_it, LIES, "the measured gap is the true one"),
)


@pytest.mark.parametrize(("plant", "where", "rule"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_bug_is_caught(plant: Callable[[Patch], None], where: Scenario, rule: str, monkeypatch: Patch) -> None:
    plant(monkeypatch)
    with pytest.raises(Broken) as found:
        settle(play(where))
    assert found.value.rule == rule


@pytest.mark.parametrize("scenario", [BY_HAND, CLOCKS, HANGS, SET_AT_RESTART, LIES], ids=lambda scenario: scenario.name)
def test_without_the_bug_nothing_is_broken(scenario: Scenario) -> None:
    settle(play(scenario))
