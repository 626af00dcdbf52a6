"""The named scenarios end as they say, and everything comes to rest after them."""

from __future__ import annotations

import pytest

from sysmanager.simulation.backup_scenarios import ALL_SCENARIOS
from sysmanager.simulation.hours_scenarios import HOURS_SCENARIOS
from sysmanager.simulation.job_scenarios import JOB_SCENARIOS
from sysmanager.simulation.scenarios import Scenario, ends_of, jobs_of, play, settle
from sysmanager.simulation.story import Story


@pytest.mark.parametrize("scenario", [*ALL_SCENARIOS, *JOB_SCENARIOS, *HOURS_SCENARIOS], ids=lambda scenario: scenario.name)
def test_it_ends_as_it_says(scenario: Scenario) -> None:
    story = Story()
    world = play(scenario, story=story)
    assert ends_of(world) == scenario.ends, "\n".join(story.lines)
    if scenario.jobs:
        assert jobs_of(world) == scenario.jobs, "\n".join(story.lines)
    settle(world)


def test_a_second_failover_of_a_group_goes_through_the_queue() -> None:
    """Its row is too rare for a few short seeds."""
    scenario = next(one for one in ALL_SCENARIOS if one.name == "two of one group: the queue in order")
    assert play(scenario).counts["row", "003"] == 1


def test_a_server_that_refuses_pre_roll_is_asked_once_for_each_news_of_it() -> None:
    scenario = next(one for one in ALL_SCENARIOS if "refuses is not asked without end" in one.name)
    world = play(scenario)
    assert 1 <= world.counts["machine row", "35"] <= 5
