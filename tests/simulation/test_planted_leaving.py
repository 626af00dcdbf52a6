"""A bug planted in who may be taken: the simulation reports it."""

from __future__ import annotations

from typing import Any

import pytest

from sysmanager.coordinator import selection
from sysmanager.simulation.broken import Broken
from sysmanager.simulation.leaving_scenarios import LEAVING_SCENARIOS
from sysmanager.simulation.scenarios import play


def test_a_server_that_is_leaving_and_is_taken_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = selection.objection_to

    def objection_to(*asked: Any) -> str | None:
        objection = right(*asked)
        return None if objection == "announced its shutdown" else objection

    monkeypatch.setattr(selection, "objection_to", objection_to)
    with pytest.raises(Broken) as found:
        play(LEAVING_SCENARIOS[0])
    assert found.value.rule == "nobody taken who is leaving"
