"""Bugs of what keeps the coordinator from acting that are planted, each with the scenario and the rules that report it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from sysmanager.coordinator import (
    brake,
    decide,
    detection,
    probing,
    seen,
    selection,
    starting,
)
from sysmanager.simulation.backup_scenarios import ALL_SCENARIOS
from sysmanager.simulation.scenario import Scenario

Patch = pytest.MonkeyPatch

MASS = "many cut off from the coordinator, and not from one another: the brake holds, then goes on"
OPINION = "a second opinion holds while others reach the recorder, and it records"
ANNOUNCED = "an announced shutdown is covered before it happens"
CLONED = "a second server of the same id is not believed after a restart of the coordinator"
IN_MAINTENANCE = "in maintenance nothing fails over by itself, and when it is over it does"
LONGER = replace(next(scenario for scenario in ALL_SCENARIOS if scenario.name == IN_MAINTENANCE), until_ms=130_000)


def brake_is_never_on(patch: Patch) -> None:
    patch.setattr(starting, "braked", lambda view, seen, row, now: False)


def brake_goes_on_too_soon(patch: Patch) -> None:
    right = brake.braked
    patch.setattr(starting, "braked", lambda view, seen, row, now: right(view, seen, row, now.after(55_000)))


def brake_holds_for_ever(patch: Patch) -> None:
    patch.setattr(brake, "anybody_heard", lambda view, seen, row: False)
    patch.setattr(brake, "confirmed_away", lambda view, seen, row: False)


def second_opinion_is_forgotten(patch: Patch) -> None:
    patch.setattr(starting, "_held_by", lambda view, seen, row, now: None)


def any_word_counts_as_reached(patch: Patch) -> None:
    patch.setattr(detection, "cameras_reached", lambda view, seen, row: True)


def no_frames_are_noticed_too_soon(patch: Patch) -> None:
    patch.setattr(detection, "dark_limit_ms", lambda view, row: 3_000)
    patch.setattr(probing, "dark_limit_ms", lambda view, row: 3_000)


def announcements_are_ignored(patch: Patch) -> None:
    patch.setattr(decide, "announced", lambda view, seen, recorder, now: decide.Decision())


def the_first_that_speaks_after_a_start_is_believed(patch: Patch) -> None:
    right = seen.Seen.keep_row
    patch.setattr(seen.Seen, "keep_row", lambda self, row, *more: right(self, replace(row, instance=None), *more))


def maintenance_is_ignored(patch: Patch) -> None:
    patch.setattr(detection, "maintenance_of", lambda view, row: None)


def maintenance_of_a_group_is_forgotten(patch: Patch) -> None:
    right = detection.maintenance_of
    patch.setattr(
        detection, "maintenance_of", lambda view, row: next((o for o in [right(view, row)] if o and o.target.scope != "group"), None)
    )


def maintenance_is_for_ever(patch: Patch) -> None:
    patch.setattr(decide.maintenance, "ended", lambda view, now: ())


def candidates_in_maintenance_are_taken(patch: Patch) -> None:
    patch.setattr(selection, "own_maintenance", lambda view, server: None)


PLANTED_CAUTION: tuple[tuple[Callable[[Patch], None], str | Scenario | None, set[str]], ...] = (
    (brake_is_never_on, MASS, {"nothing by itself under the brake"}),
    (brake_goes_on_too_soon, MASS, {"nothing by itself under the brake"}),
    (brake_holds_for_ever, MASS, {"ends"}),
    (second_opinion_is_forgotten, OPINION, {"a second opinion holds"}),
    (any_word_counts_as_reached, "cameras that nobody reaches are no failure of their recorder", {"never early"}),
    (no_frames_are_noticed_too_soon, "cut off from its cameras, which the failover server reaches", {"never early"}),
    (announcements_are_ignored, ANNOUNCED, {"ends"}),
    (the_first_that_speaks_after_a_start_is_believed, CLONED, {"never early"}),
    (maintenance_is_ignored, IN_MAINTENANCE, {"nothing by itself in maintenance"}),
    (maintenance_of_a_group_is_forgotten, "a group in maintenance: by hand it works all the same", {"nothing by itself in maintenance"}),
    (maintenance_is_for_ever, LONGER, {"maintenance ends"}),
    (candidates_in_maintenance_are_taken, "a failover server in maintenance is passed over", {"nobody taken in maintenance"}),
)
