"""What a material copy cannot do, and what is shown of it: refusals, coverage, rows and settings (SPEC 9)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve import evolve
from sysmanager.coordinator.inputs import OrderAnswered
from sysmanager.coordinator.jobs.copying import COPY_TABLE, start_copies
from sysmanager.coordinator.jobs.coverage import SPANS_LIMIT, coverage_of
from sysmanager.coordinator.jobs.orders import for_jobs
from sysmanager.coordinator.jobs.review import job_step
from sysmanager.coordinator.jobs.table import JobOn
from sysmanager.domain.ids import CameraId, Epoch, FailoverId
from sysmanager.domain.jobs import Away, CopyProblem, JobPhase, JobReason, Uncovered
from sysmanager.domain.rights import COORDINATOR
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Site, edit, rid, small_site
from tests.helpers.copies import CAMERAS, J1, held, job, returned, row, started
from tests.helpers.job_side import HOUR, hour

NOT_BUILT_IN = r.Refusal(reason=r.RefusalReason.NOT_BUILT_IN, sentence="not in this version")
CANNOT = JobReason.NOT_BUILT_IN
DOWN = r.Refusal(reason=r.RefusalReason.SERVICE_DOWN, sentence="starting")


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("server", "refusal", "reason"), [("F", NOT_BUILT_IN, JobReason.NOT_BUILT_IN), ("A", NOT_BUILT_IN, JobReason.NOT_BUILT_IN)]
)
def test_a_server_that_cannot_do_it_ends_it_with_a_reason(server: str, refusal: r.Refusal, reason: JobReason) -> None:
    site = returned()
    site.server(server).jobs.refusal = refusal
    started(site)
    site.run(1_000)
    assert (job(site).phase, job(site).reason) == (JobPhase.FAILED, reason)
    assert "not in this version" in row(site).sentence


def test_another_refusal_is_named_and_one_for_the_moment_is_tried_again() -> None:
    site = returned()
    site.server("F").jobs.refusal = r.Refusal(reason=r.RefusalReason.CANNOT_SAVE, sentence="broken")
    started(site)
    site.run(1_100)
    assert job(site).reason is JobReason.REFUSED
    site = returned()
    site.server("F").jobs.refusal = DOWN
    started(site)
    site.run(2_000)
    assert (job(site).phase, len(site.server("F").jobs.taken)) == (JobPhase.PLANNING, 1)
    site.server("F").jobs.refusal = None
    site.run(70_000)
    assert job(site).phase is JobPhase.READY


def unknown_entry(site: Site) -> FailoverId:
    return FailoverId("F99999")


def open_entry(site: Site) -> FailoverId:
    site.fail_over("A")
    return site.entry.id


def nothing_away(site: Site) -> FailoverId:
    site.ask(c.StartFailover(recorder=rid("A")))
    site.server("F").jobs.fill(CAMERAS)
    site.run(1_000)
    site.fail_back()
    site.run(2_000)
    site.ask(c.StartCopy(failover=site.entry.id))
    site.run(10_000)
    return site.entry.id


def on_its_way(site: Site) -> FailoverId:
    site.fail_over("A")
    site.fail_back()
    site.run(2_000)
    site.server("F").jobs.refusal = DOWN
    site.ask(c.StartCopy(failover=site.entry.id))
    return site.entry.id


def replaced_again(site: Site) -> FailoverId:
    site.fail_over("A")
    first = site.entry.id
    site.fail_back()
    site.run(2_000)
    site.fail_over("A")
    return first


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (unknown_entry, "There is no entry F99999"),
        (open_entry, "fail back first"),
        (nothing_away, "No footage of F00001 is away from home"),
        (on_its_way, "is on its way home already"),
        (replaced_again, "does not record its own cameras"),
    ],
)
def test_a_copy_that_cannot_be_is_refused_with_a_sentence(spoil: Callable[[Site], FailoverId], sentence: str) -> None:
    site = small_site()
    entry = spoil(site)
    reply = site.ask(c.StartCopy(failover=entry))
    assert isinstance(reply, c.Refused), reply
    assert sentence in reply.sentence


def test_a_server_that_leaves_system_data_ends_it() -> None:
    site = held()
    assert isinstance(site.ask(c.RemoveRecorder(recorder=rid("F"))), c.Done)
    site.run(1_000)
    assert (job(site).phase, job(site).reason, job(site).note) == (
        JobPhase.FAILED,
        JobReason.NO_SERVER,
        "F was removed from system data.",
    )
    assert "There is" not in row(site).sentence
    site.ask(c.RemoveRecorder(recorder=rid("A")))
    assert rid("A") not in site.state.away


# ---------------------------------------------------------------- coverage, rows, settings


def test_coverage_names_the_gap_of_the_failover_and_joins_hours() -> None:
    site = held(hours=3)
    one = job(site)
    holes = (Uncovered(CAMERAS[0], 5, 9, "gap of the failover"), Uncovered(CameraId("other"), 1, 2, "x"))
    camera = msgspec.structs.replace(one.cameras[0], hours=tuple(hour(HOUR + n, minutes=59) for n in range(3)))
    covered = coverage_of(msgspec.structs.replace(one, holes=holes, cameras=(camera,)))
    assert [(span.from_ms, span.why) for span in covered[0].uncovered] == [(5, "gap of the failover"), (hour(HOUR).first_ms, "not copied")]
    assert covered[0].uncovered[1].until_ms == hour(HOUR + 2, minutes=59).last_ms
    apart = msgspec.structs.replace(camera, hours=tuple(hour(HOUR + 3 * n) for n in range(SPANS_LIMIT + 20)))
    (many,) = coverage_of(msgspec.structs.replace(one, cameras=(apart,)))
    assert (len(many.uncovered), many.uncovered[-1].why) == (SPANS_LIMIT, "22 more spans")
    assert many.uncovered[-1].until_ms == apart.hours[-1].last_ms, "the last one reaches to the end"


def test_the_row_says_how_far_it_is() -> None:
    site = held(hours=2)
    shown = row(site)
    assert (shown.percent, shown.total_bytes, shown.rate_kbps, shown.left_ms) == (0, 54_000_000, 8_000, 54_000)
    assert shown.sentence == "A copies from F: 0 of 6 camera-hours verified"
    for problem in CopyProblem:
        assert site.server("A").jobs.copy is not None
        site.server("A").jobs.copy = msgspec.structs.replace(site.server("A").jobs.copy, problem=problem)
        site.run(1_100)
        assert row(site).sentence[0].isupper()
    site.server("A").jobs.finish_copy()
    site.run(12_000)
    assert (row(site).percent, row(site).sentence) == (100, "All footage of F00001 is on A, verified.")


def test_the_row_says_what_the_source_does() -> None:
    site = returned()
    site.server("F").jobs.refusal = DOWN
    started(site)
    assert row(site).sentence == "F lists its footage: 0 of 3 cameras"
    site = held()
    site.state.jobs[J1] = msgspec.structs.replace(job(site), phase=JobPhase.TELLING)
    assert row(site).sentence == "F is told which of its footage has a copy"


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("material_copy", {"limit_kbps": -1}, "The limit of a material copy is 0 to"),
        ("material_copy", {"hours": "never"}, "The hours of the material copy are not possible"),
        ("drill", {"every_days": 400}, "Drills are repeated every 1 to"),
        ("drill", {"hours": "soon"}, "The hours of the drills are not possible"),
    ],
)
def test_settings_that_cannot_be_are_refused(field: str, value: dict[str, object], sentence: str) -> None:
    site = small_site()
    present = getattr(site.row("A"), field)
    fields = edit("A", **{field: msgspec.structs.replace(present, **value)})
    reply = site.ask(c.EditRecorder(recorder=rid("A"), revision=1, fields=fields))
    assert isinstance(reply, c.Refused)
    assert sentence in reply.sentence


def test_in_an_unconfirmed_reconcile_nothing_moves() -> None:
    site = held()
    site.restart(damage="the tail is lost")
    assert for_jobs(site.state, site.core.seen, site.row("A"), site.now) == ()
    assert row(site).sentence == "Waits until the reconcile is confirmed"
    assert job_step(site.state, site.core.seen, J1, OrderAnswered, site.now, JobOn.REVIEW) == ((), None)  # type: ignore[arg-type]


def test_facts_of_footage_that_nobody_knows_to_be_away_change_nothing_else() -> None:
    site = returned()
    del site.state.away[rid("A")]
    one = Away(failover=site.entry.id, source=rid("F"), epoch=job_epoch_of(site), group=site.entry.group, cameras=CAMERAS)
    facts = start_copies(site.state, site.row("A"), (one,))
    for fact in facts:
        evolve(site.state, f.FactRecord(term=1, wall_ms=1, actor=COORDINATOR, fact=fact))
    assert site.state.away == {}
    ended = f.CopyEnded(job=J1, phase=JobPhase.READY)
    evolve(site.state, f.FactRecord(term=1, wall_ms=1, actor=COORDINATOR, fact=ended))
    assert site.state.away == {}


def job_epoch_of(site: Site) -> Epoch:
    return site.entry.epoch


def test_one_of_two_copies_leaves_the_other_away() -> None:
    site = returned()
    (first,) = site.state.away[rid("A")]
    site.state.away[rid("A")] = (first, msgspec.structs.replace(first, epoch=Epoch(1)))
    started(site)
    site.run(10_000)
    site.run(10_000)
    assert {one.phase for one in site.state.jobs.values()} == {JobPhase.READY}


def test_numbers_and_sentences_of_the_rows_are_given_once() -> None:
    assert len({one.number for one in COPY_TABLE}) == len({one.sentence for one in COPY_TABLE}) == len(COPY_TABLE)
    assert not any(phase.ended for one in COPY_TABLE for phase in one.phases)
