"""The coordinator is killed at every point of a failover and of a failback: the end is the same (SPEC 6, DESIGN)."""

from __future__ import annotations

import pytest

from sysmanager.simulation.coordinator import KillPoint
from sysmanager.simulation.job_scenarios import JOB_SCENARIOS
from sysmanager.simulation.scenarios import SCENARIOS, Scenario, ends_of, jobs_of, play, settle

BY_NAME = {scenario.name: scenario for scenario in (*SCENARIOS, *JOB_SCENARIOS)}
NAMES = (
    "connection lost",
    "refusal, then the next",
    "the acting server breaks when the recorder is back: it goes home",
    "failback",
    "planned switch, and back",
    "it says that it records and writes nothing",
    "footage goes home when a person wants it, and not twice",
    "copies rot on the disks at home: nothing is marked copied, and the next try works",
)


def undisturbed(scenario: Scenario) -> tuple[int, int]:
    """Lengths of the journal when the scenario begins, and at its end."""
    world = play(scenario)
    return world.entered_facts, len(world.coordinator.journal)


@pytest.mark.parametrize("name", NAMES)
def test_restarted_from_every_prefix_of_its_journal_it_ends_the_same(name: str) -> None:
    scenario = BY_NAME[name]
    begin, end = undisturbed(scenario)
    assert end - begin >= 6
    for length in range(begin + 1, end + 1):
        world = play(scenario, kill_at_length=length)
        assert world.shadow.term == 2, f"it was not killed at {length}"
        assert ends_of(world) == scenario.ends, f"killed when its journal had {length} facts"
        if scenario.jobs:
            assert set(jobs_of(world)) <= {*scenario.jobs, "material copy ready"}, f"killed when its journal had {length} facts"
        settle(world)


@pytest.mark.parametrize("point", list(KillPoint))
def test_killed_in_every_transaction_of_a_failover_it_ends_the_same(point: KillPoint) -> None:
    scenario = BY_NAME["all disks lost"]
    begin, end = undisturbed(scenario)
    killed = 0
    for transaction in range(end - begin):
        world = play(scenario, kill_at=(transaction, point))
        killed += world.shadow.term == 2
        assert ends_of(world) == scenario.ends, f"killed {point} of transaction {transaction}"
        settle(world)
    assert killed >= 6
