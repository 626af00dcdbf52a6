"""The tables of jobs: every input in every phase has a row, or is ignored with a reason and changes nothing (SPEC 9, 14.3)."""

from __future__ import annotations

from itertools import product
from typing import Any

import msgspec
import pytest

from sysmanager.coordinator.inputs import ReviewJob
from sysmanager.coordinator.jobs.copying import COPY_TABLE
from sysmanager.coordinator.jobs.drilling import DRILL_TABLE
from sysmanager.coordinator.jobs.ignored import COPY_IGNORED, DRILL_IGNORED
from sysmanager.coordinator.jobs.review import job_step
from sysmanager.coordinator.jobs.table import JobCase, JobOn, JobRow, find_row
from sysmanager.domain.ids import JobId
from sysmanager.domain.jobs import JobPhase
from sysmanager.protocol import clients as c
from tests.helpers.coordination import Site, contents, rid, small_site
from tests.helpers.copies import held

ENDED = tuple(phase for phase in JobPhase if phase.ended)
TABLES: dict[str, tuple[tuple[JobRow[Any], ...], Any, tuple[JobPhase, ...]]] = {
    "copy": (COPY_TABLE, COPY_IGNORED, (JobPhase.PLANNING, JobPhase.COPYING, JobPhase.TELLING, *ENDED)),
    "drill": (DRILL_TABLE, DRILL_IGNORED, (JobPhase.DRILLING, *ENDED)),
}
CASES = [(name, phase, on) for name, (_, _, phases) in TABLES.items() for phase, on in product(phases, JobOn)]


def drilling() -> Site:
    site = small_site()
    site.server("F").jobs.drills = None
    assert isinstance(site.ask(c.StartDrill(recorder=rid("A"))), c.Done)
    site.run(1_100)
    return site


@pytest.mark.parametrize(("name", "phase", "on"), CASES, ids=lambda value: getattr(value, "value", value))
def test_every_input_in_every_phase_has_a_row_or_is_ignored_with_a_reason(name: str, phase: JobPhase, on: JobOn) -> None:
    table, ignored, _ = TABLES[name]
    rows = [row for row in table if row.on is on and phase in row.phases]
    reasons = [ignore for ignore in ignored if on in ignore.on and phase in ignore.phases]
    assert len(reasons) == (0 if rows else 1)


@pytest.mark.parametrize("name", TABLES)
def test_no_row_leaves_an_end_or_stands_in_a_phase_of_another_kind_of_job(name: str) -> None:
    table, _, phases = TABLES[name]
    for row in table:
        assert not set(row.phases) & set(ENDED)
        assert {*row.phases, *row.to} <= set(phases)


@pytest.mark.parametrize("on", list(JobOn))
@pytest.mark.parametrize("name", TABLES)
def test_an_ended_job_is_moved_by_nothing(name: str, on: JobOn) -> None:
    site = held() if name == "copy" else drilling()
    assert isinstance(site.ask(c.CancelJob(job=JobId("J00001"))), c.Done)
    before = contents(site.state)
    assert job_step(site.state, site.core.seen, JobId("J00001"), ReviewJob(job=JobId("J00001")), site.now, on) == ((), None)
    assert contents(site.state) == before


@pytest.mark.parametrize("on", [JobOn.PAUSE, JobOn.RESUME])
def test_a_drill_is_not_paused(on: JobOn) -> None:
    site = drilling()
    assert job_step(site.state, site.core.seen, JobId("J00001"), ReviewJob(job=JobId("J00001")), site.now, on) == ((), None)
    request = c.PauseJob(job=JobId("J00001")) if on is JobOn.PAUSE else c.ResumeJob(job=JobId("J00001"))
    assert site.ask(request).sentence == "J00001 is a drill, which cannot be paused; it is over within a minute."


@pytest.mark.parametrize(("name", "phase"), [(name, phase) for name, phase, on in CASES if on is JobOn.REVIEW])
def test_a_row_is_found_only_in_its_phases_and_on_its_input(name: str, phase: JobPhase) -> None:
    table, _, _ = TABLES[name]
    site = held() if name == "copy" else drilling()
    job = msgspec.structs.replace(site.state.jobs[JobId("J00001")], phase=phase)
    case: JobCase[Any] = JobCase(view=site.state, seen=site.core.seen, job=job, now=site.now, input=ReviewJob(job=job.id))
    asked = [row.number for row in table if row.on is JobOn.CANCEL and phase in row.phases]
    found = find_row(table, case, JobOn.CANCEL)
    assert [found.number] if found is not None else asked[:1] == []
