"""Bugs planted in what failover servers find of themselves while they wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sysmanager.coordinator import beats, selection
from sysmanager.simulation.waiting_rules import FAILED_LAST
from sysmanager.simulation.waiting_scenarios import ALONE, OTHERS_FIRST

Patch = pytest.MonkeyPatch


def self_tests_are_ignored_by_the_selection(patch: Patch) -> None:
    right = selection._fit

    def fit(*asked: Any) -> Any:
        found = right(*asked)
        if isinstance(found, selection.Fit):
            late, _, *rest = found.rank_key
            return selection.Fit(**{**_fields(found), "rank_key": (late, False, *rest)})
        return found

    patch.setattr(selection, "_fit", fit)


def _fields(fit: Any) -> dict[str, Any]:
    return {name: getattr(fit, name) for name in fit.__struct_fields__}


def a_failed_self_test_is_no_news(patch: Patch) -> None:
    """Heartbeats at rest repeat one another, so that nobody looks at what this one says of the test."""
    patch.setattr(beats, "_failed", lambda beat: None)


def a_failed_self_test_excludes(patch: Patch) -> None:
    right = selection.objection_to

    def objection_to(view: Any, seen: Any, server: Any, home: Any) -> str | None:
        beat = seen.of(server.id).beat
        if beat is not None and beat.self_test is not None and beat.self_test.problems:
            return "failed its self-test"
        return right(view, seen, server, home)

    patch.setattr(selection, "objection_to", objection_to)


PLANTED_WAITING: tuple[tuple[Callable[[Patch], None], str, set[str]], ...] = (
    (self_tests_are_ignored_by_the_selection, OTHERS_FIRST, {FAILED_LAST}),
    (a_failed_self_test_is_no_news, OTHERS_FIRST, {"readiness is current"}),
    (a_failed_self_test_excludes, ALONE, {"ends", "waiting is taken up", "comes to rest"}),
)
