"""The scenario of the late order really has one."""

from sysmanager.simulation.scenarios import SCENARIOS, play


def test_an_order_of_an_older_epoch_arrives_and_is_refused() -> None:
    scenario = next(scenario for scenario in SCENARIOS if "older epoch" in scenario.name)
    assert play(scenario).counts["machine row", "11"] >= 1
