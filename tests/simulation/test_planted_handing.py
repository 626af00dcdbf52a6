"""Bugs planted in how cameras change hands: the simulation reports each by the rule that is there for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sysmanager.coordinator import automatic_failback, failback, handing, standing, switching
from sysmanager.simulation.handing_scenarios import HANDING_SCENARIOS
from tests.simulation.test_planted_bugs import broken_rule, change_row

Patch = pytest.MonkeyPatch
ALTOGETHER, SWITCHED, _, ONE_OF_TWELVE, SINGLE_DARK, _, SWITCH_DARK, TRIED_AGAIN = HANDING_SCENARIOS


def all_go_at_once(patch: Patch) -> None:
    """The coordinator waits for no first frame before the next one."""
    change_row(patch, 135, when=lambda case: bool(handing.held_back(case.view, case.failover)))


def all_go_at_once_in_a_switch(patch: Patch) -> None:
    change_row(patch, 409, when=lambda case: bool(handing.held_back(case.view, case.failover)))


def who_has_them_lets_all_go(patch: Patch) -> None:
    """As if the others did not wait for their turn."""
    patch.setattr(standing, "let_go_by", lambda view, recorder: _singles_of(view, recorder))


def _singles_of(view: Any, recorder: Any) -> Any:
    released = handing.let_go_by(view, recorder)
    return tuple(camera.id for camera in view.recorders[recorder].settings.cameras if camera.sessions == 1) if released else ()


def few_may_stay_dark(patch: Patch) -> None:
    """A tenth of the cameras goes dark without anybody's wish."""
    patch.setattr(failback, "lost_by", lambda case, server, cameras: ())


def few_may_stay_dark_in_a_switch(patch: Patch) -> None:
    patch.setattr(switching, "lost_by", lambda case, server, cameras: ())


def nobody_has_a_turn(patch: Patch) -> None:
    change_row(patch, 135, when=lambda case: False)


def no_wait_grows(patch: Patch) -> None:
    patch.setattr(automatic_failback, "_pause_s", lambda entry, home: home.failback_after_s)


PLANTED: tuple[tuple[Callable[[Patch], None], Any, set[str]], ...] = (
    (all_go_at_once, ALTOGETHER, {"one session after another"}),
    (all_go_at_once_in_a_switch, SWITCHED, {"one session after another"}),
    (who_has_them_lets_all_go, ALTOGETHER, {"one session at a time"}),
    (few_may_stay_dark, ONE_OF_TWELVE, {"first frames before a failback"}),
    (few_may_stay_dark, SINGLE_DARK, {"one session after another"}),
    (few_may_stay_dark_in_a_switch, SWITCH_DARK, {"first frames before a switch"}),
    (no_wait_grows, TRIED_AGAIN, {"automatic failback where allowed"}),
    (nobody_has_a_turn, ALTOGETHER, {"first frames before a failback"}),
)


@pytest.mark.parametrize(("plant", "where", "rules"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_bug_is_caught(plant: Callable[[Patch], None], where: Any, rules: set[str], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    assert broken_rule(where) in rules
