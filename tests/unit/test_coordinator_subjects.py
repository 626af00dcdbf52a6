"""Each fact is applied by the subject that it belongs to, and none is forgotten."""

from __future__ import annotations

from typing import get_args

from sysmanager.coordinator.evolve import APPLIED_BY
from sysmanager.coordinator.facts import AnyFact


def test_every_fact_is_applied_by_the_subject_that_it_stands_with() -> None:
    assert set(APPLIED_BY) == set(get_args(AnyFact))
    for kind, apply in APPLIED_BY.items():
        assert kind.__module__.rpartition(".")[2] == apply.__module__.rpartition(".")[2]
