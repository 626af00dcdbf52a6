"""Bugs planted in how cameras change hands: the simulation reports each by the rule that is there for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sysmanager.coordinator import automatic_failback, failback, handing, standing, switching, undoing
from sysmanager.coordinator import facts as f
from sysmanager.domain.failover import Phase
from sysmanager.simulation.handing_scenarios import BACK_MEANWHILE, HANDING_SCENARIOS, UNDO_SCENARIOS
from tests.simulation.test_planted_bugs import broken_rule, change_row

Patch = pytest.MonkeyPatch
ALTOGETHER, SWITCHED, _, ONE_OF_TWELVE, SINGLE_DARK, _, SWITCH_DARK, TRIED_AGAIN = HANDING_SCENARIOS
UNDONE, UNDONE_ACROSS_A_KILL, _, SERVER_LOST, _ = UNDO_SCENARIOS


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


def what_counts_is_fixed_when_the_failback_begins(patch: Patch) -> None:
    patch.setattr(failback, "lit_by", lambda seen, server: set())


def nobody_has_a_turn(patch: Patch) -> None:
    change_row(patch, 135, when=lambda case: False)


def no_wait_grows(patch: Patch) -> None:
    patch.setattr(automatic_failback, "_pause_s", lambda entry, home: home.failback_after_s)


def undone_at_once(patch: Patch) -> None:
    """As if all cameras with one session could go back together."""
    patch.setattr(failback, "undone", lambda case, reason, note, dark=(): undoing._ended(case.view, case.failover, reason, note, dark))


def all_go_back_without_waiting(patch: Patch) -> None:
    change_row(patch, 153, when=lambda case: bool(case.failover.failback and case.failover.failback.kept))


def all_go_back_in_one_turn(patch: Patch) -> None:
    change_row(patch, 153, then=lambda case: (f.SessionsPassed(failover=case.failover.id, cameras=case.failover.failback.kept),))


def who_was_not_heard_since_a_restart_has_none(patch: Patch) -> None:
    patch.setattr(undoing, "silent", lambda case, server: not case.seen.connected(server))


def the_recorder_lets_all_go(patch: Patch) -> None:
    """As if its order named what goes back at once, and the failover server waited for its turns."""
    right = handing.held_back

    def held_back(view: Any, entry: Any) -> Any:
        return handing.singles(view, entry) if entry.phase is Phase.FAILBACK_UNDOING else right(view, entry)

    patch.setattr(standing, "held_back", held_back)


def given_to_a_server_that_is_away(patch: Patch) -> None:
    change_row(patch, 153, when=lambda case: handing.time_over(case) and bool(case.failover.failback and case.failover.failback.kept))


PLANTED: tuple[tuple[Callable[[Patch], None], Any, set[str]], ...] = (
    (all_go_at_once, ALTOGETHER, {"one session after another"}),
    (all_go_at_once_in_a_switch, SWITCHED, {"one session after another"}),
    (who_has_them_lets_all_go, ALTOGETHER, {"one session at a time"}),
    (few_may_stay_dark, ONE_OF_TWELVE, {"first frames before a failback"}),
    (few_may_stay_dark, SINGLE_DARK, {"one session after another"}),
    (few_may_stay_dark_in_a_switch, SWITCH_DARK, {"first frames before a switch"}),
    (what_counts_is_fixed_when_the_failback_begins, BACK_MEANWHILE, {"first frames before a failback"}),
    (no_wait_grows, TRIED_AGAIN, {"automatic failback where allowed"}),
    (undone_at_once, UNDONE, {"one session after another"}),
    (all_go_back_without_waiting, UNDONE, {"one session after another"}),
    (all_go_back_in_one_turn, UNDONE, {"one session after another"}),
    (who_was_not_heard_since_a_restart_has_none, UNDONE_ACROSS_A_KILL, {"one session after another"}),
    (given_to_a_server_that_is_away, SERVER_LOST, {"one session after another"}),
    (the_recorder_lets_all_go, UNDONE, {"one session after another"}),
    (nobody_has_a_turn, ALTOGETHER, {"first frames before a failback"}),
)


@pytest.mark.parametrize(("plant", "where", "rules"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_bug_is_caught(plant: Callable[[Patch], None], where: Any, rules: set[str], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    assert broken_rule(where) in rules
