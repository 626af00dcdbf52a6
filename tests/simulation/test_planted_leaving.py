"""Bugs planted in what an announced shutdown means: the simulation reports them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sysmanager.coordinator import decide, selection, starting
from sysmanager.protocol.recorders import Leaving
from sysmanager.simulation import clone, seldom
from sysmanager.simulation.broken import Broken
from sysmanager.simulation.leaving_scenarios import COPY_GOES, LEAVING_SCENARIOS
from sysmanager.simulation.scenarios import play

BY_NAME = {scenario.name: scenario for scenario in LEAVING_SCENARIOS}


def test_a_server_that_is_leaving_and_is_taken_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = selection.objection_to

    def objection_to(*asked: Any) -> str | None:
        objection = right(*asked)
        return None if objection == "announced its shutdown" else objection

    monkeypatch.setattr(selection, "objection_to", objection_to)
    with pytest.raises(Broken) as found:
        play(LEAVING_SCENARIOS[0])
    assert found.value.rule == "nobody taken who is leaving"


def test_the_copy_in_the_scenario_does_announce_its_shutdown() -> None:
    assert play(BY_NAME[COPY_GOES]).counts[seldom.KIND, seldom.COPY_LEAVES] == 1


def test_a_copy_whose_shutdown_moves_the_cameras_of_the_first_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever announces it is taken for the server that is heard."""
    right = starting.announced

    def announced(view: Any, seen: Any, leaving: Leaving, now: Any) -> Any:
        return right(view, seen, replace(leaving, instance=seen.of(leaving.recorder).instance), now)

    monkeypatch.setattr(decide, "announced", announced)
    with pytest.raises(Broken) as found:
        play(BY_NAME[COPY_GOES])
    assert found.value.rule == clone.MOVES_NOTHING
