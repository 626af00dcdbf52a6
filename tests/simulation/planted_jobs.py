"""Bugs of material copies and drills that are planted, each with the scenario and the rules that report it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from sysmanager.coordinator.jobs import copying, review
from sysmanager.coordinator.jobs import orders as job_orders
from sysmanager.simulation.drilling import Drilling
from sysmanager.simulation.scenario import Scenario
from sysmanager.simulation.transfer import Transfer

Patch = pytest.MonkeyPatch


def never(_: object) -> bool:
    return False


def change_job_row(patch: Patch, number: int, **changes: Any) -> None:
    for module, name in ((review, "COPY_TABLE"), (review, "DRILL_TABLE")):
        rows = getattr(module, name)
        patch.setattr(module, name, tuple(dataclasses.replace(row, **changes) if row.number == number else row for row in rows))


def any_digest_counts_as_copied(patch: Patch) -> None:
    right = copying._news

    def news(case: Any) -> Any:
        found = right(case)
        if found is None:
            return None
        camera, copied, failed = found
        return camera, (*copied, *(one.hour for one in failed)), ()

    patch.setattr(copying, "_news", news)


def target_forgets_what_it_has(patch: Patch) -> None:
    patch.setattr(Transfer, "_there", lambda self, key: frozenset())


def source_is_told_for_ever(patch: Patch) -> None:
    right = copying.next_untold

    def next_untold(job: Any) -> Any:
        return right(job) or next((camera for camera in job.cameras if camera.copied), None)

    patch.setattr(copying, "next_untold", next_untold)
    change_job_row(patch, 706, when=never)


def drill_stands_its_ground(patch: Patch) -> None:
    change_job_row(patch, 501, when=never)
    patch.setattr(Drilling, "needed", lambda self: None)


def target_is_never_told_to_forget(patch: Patch) -> None:
    patch.setattr(job_orders, "ForgetJob", lambda job: None)


def target_is_told_once_where_its_source_is(patch: Patch) -> None:
    patch.setattr(job_orders, "_seeks", lambda seen, job, report: False)


PLANTED_JOBS: tuple[tuple[Callable[[Patch], None], str | Scenario | None, set[str]], ...] = (
    (
        any_digest_counts_as_copied,
        "copies rot on the disks at home: nothing is marked copied, and the next try works",
        {"copied only when verified"},
    ),
    (target_forgets_what_it_has, "a copy goes on after its target, its source and the coordinator died in turn", {"never copied twice"}),
    (
        target_is_told_once_where_its_source_is,
        "a copy goes on after its target, its source and the coordinator died in turn",
        {"comes to rest"},
    ),
    (source_is_told_for_ever, "footage goes home by itself after a failback", {"comes to rest", "no circle"}),
    (drill_stands_its_ground, "a failover of another recorder takes the server out of its drill", {"a drill never delays a failover"}),
    (target_is_never_told_to_forget, "footage goes home by itself after a failback", {"comes to rest"}),
)
