"""The named scenarios end as they say, and everything comes to rest after them."""

from __future__ import annotations

import pytest

from sysmanager.simulation.scenarios import SCENARIOS, Scenario, ends_of, play, settle
from sysmanager.simulation.story import Story


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_it_ends_as_it_says(scenario: Scenario) -> None:
    story = Story()
    world = play(scenario, story=story)
    assert ends_of(world) == scenario.ends, "\n".join(story.lines)
    settle(world)
