"""Bugs planted in how streams that crash their server are found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from sysmanager.simulation import suspicion
from sysmanager.simulation.poison_rules import NOBODY_ELSE, STOPS_NO_OTHER
from sysmanager.simulation.poison_scenarios import FOUND

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


PLANTED_POISON: tuple[tuple[Callable[[Patch], None], str, set[str]], ...] = (
    (nobody_is_ever_convicted, FOUND, {STOPS_NO_OTHER}),
    (every_suspect_is_convicted, FOUND, {NOBODY_ELSE}),
    (suspects_are_forgotten_when_the_process_ends, FOUND, {STOPS_NO_OTHER}),
)
