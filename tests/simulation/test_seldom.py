"""What chance seldom brings is counted where it happens, and a full run that never had it fails."""

from __future__ import annotations

from collections import Counter

import pytest

from sysmanager.simulation import seldom
from sysmanager.simulation.poison_scenarios import POISON_SCENARIOS, RELEASED_BY_WHO_MENDED
from sysmanager.simulation.run import FULL_RUN_SEEDS, Report, _never
from sysmanager.simulation.scenarios import play

BY_NAME = {scenario.name: scenario for scenario in POISON_SCENARIOS}


def test_who_mends_a_stream_has_the_camera_released_and_that_is_counted() -> None:
    counts = play(BY_NAME[RELEASED_BY_WHO_MENDED]).counts
    assert counts[seldom.KIND, seldom.CAMERA_RELEASED] == counts[seldom.KIND, seldom.RELEASE_TAKEN] == 1


@pytest.mark.parametrize("missing", seldom.NAMES)
def test_a_full_run_without_it_fails(missing: str) -> None:
    counts = {seldom.KIND: Counter({name: 1 for name in seldom.NAMES if name != missing})}
    never = {seldom.KIND: _never(counts)[seldom.KIND]}
    assert never == {seldom.KIND: (missing,)}
    report = Report(seeds=FULL_RUN_SEEDS, virtual_ms=0, facts=0, failures=(), counts={}, never=never)
    assert not report.passed
