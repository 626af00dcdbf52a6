"""Bugs for the rules of `origins`, planted one at a time: each is reported by the rule that is there for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sysmanager.coordinator import decide, requests, standing
from sysmanager.coordinator.table import Row
from sysmanager.domain.ids import Epoch
from sysmanager.domain.recorder import Standby
from sysmanager.simulation import checkers
from sysmanager.simulation.capture import Capture
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.origins import EVERY_FACT, NEVER_LEFT, ONE_MEANING
from sysmanager.simulation.scenarios import Scenario
from tests.simulation.test_planted_bugs import broken_rule

Patch = pytest.MonkeyPatch


def anybody_may_do_anything(patch: Patch) -> None:
    patch.setattr(requests, "missing_right", lambda role, right: None)


def a_step_is_given_by_the_wrong_row(patch: Patch) -> None:
    def renumbered(row: Row) -> Row:
        return dataclasses.replace(row, number={50: 51, 51: 50}.get(row.number, row.number))

    patch.setattr(decide, "TABLE", tuple(renumbered(row) for row in decide.TABLE))


def a_released_server_is_told_so_under_the_epoch_of_its_attempt(patch: Patch) -> None:
    right = standing.goal

    def goal(view: Any, row: Any) -> Any:
        wanted = right(view, row)
        return msgspec.structs.replace(wanted, epoch=Epoch(wanted.epoch - 1)) if isinstance(row.assignment, Standby) else wanted

    patch.setattr(standing, "goal", goal)
    patch.setattr(checkers, "goal", goal)


def a_camera_that_failed_once_is_never_tried_again(patch: Patch) -> None:
    patch.setattr(Capture, "_fail", lambda self, session: self._becomes(session, self._obstacle(session.camera)))


DARK_FOR_A_MOMENT = Scenario(
    name="a camera is dark for a moment", deeds=(Deed(at_ms=1_000, what=Wrong.UNREACHED, target="A1", lasts_ms=3_000),)
)

PLANTED: tuple[tuple[Callable[[Patch], None], str | Scenario | None, set[str]], ...] = (
    (anybody_may_do_anything, None, {EVERY_FACT}),
    (a_step_is_given_by_the_wrong_row, "connection lost", {EVERY_FACT}),
    (a_released_server_is_told_so_under_the_epoch_of_its_attempt, "refusal, then the next", {ONE_MEANING}),
    (a_camera_that_failed_once_is_never_tried_again, DARK_FOR_A_MOMENT, {NEVER_LEFT}),
)


@pytest.mark.parametrize(("plant", "where", "rules"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_bug_is_caught(plant: Callable[[Patch], None], where: str | Scenario | None, rules: set[str], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    assert broken_rule(where) in rules
