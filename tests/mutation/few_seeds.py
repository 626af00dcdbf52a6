"""A few seeds of the simulation that a mutant has to pass beside the named scenarios. Not part of the suite, which runs more of them."""

from __future__ import annotations

import pytest

from sysmanager.simulation.run import run_seed

SEEDS = range(1, 7)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_rule_is_broken(seed: int) -> None:
    failure = run_seed(seed, short=True).failure
    assert failure is None, failure
