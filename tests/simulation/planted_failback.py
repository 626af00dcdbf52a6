"""Bugs of failbacks and adoptions that are planted, each with the scenario and the rules that report it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sysmanager.coordinator import evolve, standing
from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve import adoption as evolve_adoption
from sysmanager.coordinator.requests import adoption

Patch = pytest.MonkeyPatch

TAKEN_IN = "a replaced recorder is taken in as a failover server, and stands in for who took its place"
ADDED_AGAIN = "who was removed and added again keeps cameras of another one, and comes back with the state of when it waited"
RESTORED = "a server that was taken in keeps cameras of another one, and comes back with the state of when it waited"
REMOVED = "a replaced recorder is removed while it is away; when it comes back it stands down"


def who_keeps_the_cameras_has_no_documents(patch: Patch) -> None:
    patch.setattr(standing, "with_documents", lambda view, row, wanted: wanted)


def a_restored_machine_records_the_cameras_that_it_once_had(patch: Patch) -> None:
    patch.setattr(standing, "_knows_its_old_cameras", lambda view, row, said: False)


def a_removed_recorder_is_forgotten(patch: Patch) -> None:
    right = evolve_adoption.apply

    def apply(state: Any, record: Any, fact: Any) -> None:
        right(state, record, fact)
        state.retired.clear()

    patch.setitem(evolve.APPLIED_BY, f.ReplacedRemoved, apply)


def an_adoption_uses_an_old_number(patch: Patch) -> None:
    right = adoption.Epoch
    patch.setattr(adoption, "Epoch", lambda number: right(number - 1))


PLANTED_FAILBACK: tuple[tuple[Callable[[Patch], None], str, set[str]], ...] = (
    (who_keeps_the_cameras_has_no_documents, REMOVED, {"comes to rest"}),
    (a_restored_machine_records_the_cameras_that_it_once_had, RESTORED, {"system data sound", "no camera vanishes"}),
    (a_restored_machine_records_the_cameras_that_it_once_had, ADDED_AGAIN, {"no camera vanishes"}),
    (a_removed_recorder_is_forgotten, REMOVED, {"comes to rest"}),
    (an_adoption_uses_an_old_number, TAKEN_IN, {"epochs are fresh"}),
)
