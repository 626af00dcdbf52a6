"""Bugs planted in how streams that crash their server are found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from sysmanager.coordinator import outstanding
from sysmanager.simulation import suspicion
from sysmanager.simulation.poison_rules import NOBODY_ELSE, RELEASED, STOPS_NO_OTHER
from sysmanager.simulation.poison_scenarios import FOUND, RELEASED_BY_HAND, RELEASED_BY_WHO_MENDED, RELEASED_IN_A_RESTART

Patch = pytest.MonkeyPatch


def nobody_is_ever_convicted(patch: Patch) -> None:
    right = suspicion.after_crash
    patch.setattr(suspicion, "after_crash", lambda *asked: {camera: replace(case, left_ms=0) for camera, case in right(*asked).items()})


def every_suspect_is_convicted(patch: Patch) -> None:
    right = suspicion.after_crash
    patch.setattr(
        suspicion, "after_crash", lambda *asked: {camera: replace(case, terms=1, left_ms=60_000) for camera, case in right(*asked).items()}
    )


def suspects_are_forgotten_when_the_process_ends(patch: Patch) -> None:
    right = suspicion.Suspicion.crashed

    def crashed(self: Any, under_way: Any, now_ms: int) -> None:
        self.cases = {}
        right(self, under_way, now_ms)

    patch.setattr(suspicion.Suspicion, "crashed", crashed)


def a_server_takes_a_release_and_forgets_it(patch: Patch) -> None:
    patch.setattr(suspicion.Suspicion, "release", lambda self, camera: None)


def a_release_is_told_only_by_who_took_it(patch: Patch) -> None:
    """What a person asked for is not looked up in the tables: a restart loses it."""
    right, told = outstanding.release_orders, set()

    def orders(view: Any, seen: Any, row: Any) -> Any:
        found = right(view, seen, row)
        mine = tuple(one for one in found if told.add(view.term) or view.term == min(told))  # type: ignore[func-returns-value]
        return mine

    patch.setattr(outstanding, "release_orders", orders)


PLANTED_POISON: tuple[tuple[Callable[[Patch], None], str, set[str]], ...] = (
    (nobody_is_ever_convicted, FOUND, {STOPS_NO_OTHER}),
    (every_suspect_is_convicted, FOUND, {NOBODY_ELSE}),
    (a_server_takes_a_release_and_forgets_it, RELEASED_BY_HAND, {RELEASED}),
    (a_server_takes_a_release_and_forgets_it, RELEASED_BY_WHO_MENDED, {RELEASED}),
    (a_release_is_told_only_by_who_took_it, RELEASED_IN_A_RESTART, {"comes to rest"}),
    (suspects_are_forgotten_when_the_process_ends, FOUND, {STOPS_NO_OTHER}),
)
