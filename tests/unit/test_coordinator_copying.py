"""The material copy (SPEC 9): planned by camera and hour, verified by digest, resumed after every death, and out of the way."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.inputs import OrderAnswered
from sysmanager.coordinator.jobs.resting import why_resting
from sysmanager.coordinator.jobs.review import job_step
from sysmanager.coordinator.jobs.table import JobOn
from sysmanager.domain.failover import LogState, Phase, Severity
from sysmanager.domain.ids import CameraId, JobId
from sysmanager.domain.jobs import CopyProblem, JobPhase, JobReason
from sysmanager.protocol import clients as c
from sysmanager.protocol import jobs as j
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Site, contents, rid, small_site
from tests.helpers.copies import CAMERAS, J1, held, job, returned, row, started
from tests.helpers.job_side import HOUR, hour

NOT_BUILT_IN = r.Refusal(reason=r.RefusalReason.NOT_BUILT_IN, sentence="not in this version")
CANNOT = JobReason.NOT_BUILT_IN
DOWN = r.Refusal(reason=r.RefusalReason.SERVICE_DOWN, sentence="starting")


# ---------------------------------------------------------------- from beginning to end


def test_by_hand_camera_by_camera_and_every_hour_a_fact() -> None:
    site = started(returned(hours=30))
    site.run(15_000)
    done = job(site)
    assert (done.phase, done.reason, done.cameras) == (JobPhase.READY, None, ())
    assert [(one.camera, one.hours) for one in done.coverage] == [(camera, 30) for camera in CAMERAS]
    orders = site.server("A").jobs.told(j.CopyMaterial)
    assert [len(order.hours) for order in orders] == [24, 6] * 3  # type: ignore[union-attr]  # orders to copy
    told = site.server("F").jobs.told(j.MarkCopied)
    assert [(order.camera, len(order.hours), order.retention_days) for order in told] == [(one, 30, 14) for one in CAMERAS]  # type: ignore[union-attr]
    copied = site.of(f.HoursCopied)
    assert len(copied) == 6, "a report of a block is one fact"
    assert site.state.away == {}
    assert contents(site.state) == contents(site.replayed())


def test_by_itself_after_a_failback_with_the_settings_of_the_recorder() -> None:
    site = returned(automatic=True, limit_kbps=5_000)
    site.run(8_000)
    assert job(site).phase is JobPhase.READY
    assert {order.limit_kbps for order in site.server("A").jobs.told(j.CopyMaterial)} == {5_000}  # type: ignore[union-attr]
    assert not isinstance(site.ask(c.StartCopy(failover=site.entry.id)), c.Done)


def test_what_failed_does_not_begin_again_by_itself() -> None:
    site = returned(automatic=True, hours=1)
    site.server("A").jobs.wrong = {HOUR}
    site.run(20_000)
    assert [type(one).__name__ for one in site.state.jobs.values()] == ["CopyJob"]
    assert job(site).reason is JobReason.NOT_VERIFIED
    assert site.state.away[rid("A")][0].tried
    site.server("A").jobs.wrong = set()
    assert isinstance(site.ask(c.StartCopy(failover=site.entry.id)), c.Done)
    site.run(10_000)
    assert job(site, 2).phase is JobPhase.READY


def test_the_entry_shows_the_copy_and_its_end() -> None:
    site = held()
    assert (site.entry.log_state, site.entry.log_state.severity) == (LogState.COPY_RUNNING, Severity.INFORMATION)
    site.server("A").jobs.wrong = {HOUR}
    site.server("A").jobs.finish_copy()
    site.run(10_000)
    assert (site.entry.log_state, site.entry.log_state.severity) == (LogState.COPY_FAILED, Severity.ERROR)
    site.server("A").jobs.wrong = set()
    site.ask(c.StartCopy(failover=site.entry.id))
    site.run(10_000)
    assert site.entry.log_state is LogState.COPY_READY
    site = held()
    site.ask(c.CancelJob(job=J1))
    assert site.entry.log_state is LogState.FAILBACK_READY


def test_a_list_that_does_not_fit_one_answer_is_asked_for_in_pages() -> None:
    site = returned(hours=5)
    site.server("F").jobs.pages = 2
    started(site)
    site.run(8_000)
    assert job(site).phase is JobPhase.READY
    assert len(site.of(f.HoursPlanned)) == 9


def test_a_source_without_footage_ends_it_at_once() -> None:
    site = returned(hours=0)
    started(site)
    site.run(3_000)
    assert (job(site).phase, job(site).note) == (JobPhase.READY, "F holds no footage of it.")


def test_the_footage_of_a_server_that_was_lost_in_the_failover_is_copied_too() -> None:
    site = small_site()
    site.server("F").answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    site.run(4_000)
    assert site.entry.server == "H"
    site.server("F").answers = True
    site.run(2_000)
    site.fail_back()
    site.run(3_000)
    assert [away.source for away in site.state.away[rid("A")]] == ["F", "H"]
    site.server("H").jobs.fill(CAMERAS)
    site.ask(c.StartCopy(failover=site.entry.id))
    site.run(12_000)
    assert {one.phase for one in site.state.jobs.values()} == {JobPhase.READY}
    assert len(site.state.jobs) == 2


# ---------------------------------------------------------------- verification


def test_another_digest_than_the_source_named_is_no_copy() -> None:
    site = held(hours=2)
    target = site.server("A").jobs
    target.wrong, target.gone = {HOUR}, {HOUR + 1}
    target.finish_copy()
    site.run(10_000)
    done = job(site)
    assert (done.phase, done.reason) == (JobPhase.FAILED, JobReason.NOT_VERIFIED)
    assert done.note == "6 of 6 hours of footage were not copied: checksum differs, no longer on the source."
    assert [one.why for one in done.coverage[0].uncovered] == ["gap of the failover", "checksum differs", "no longer on the source"]
    assert site.server("F").jobs.told(j.MarkCopied) == []
    assert site.state.away[rid("A")]


def test_a_report_of_another_camera_or_job_or_of_nothing_new_is_no_news() -> None:
    site = held()
    target = site.server("A").jobs
    assert target.copy is not None
    before = len(site.journal)
    done = (j.HourReport(HOUR + 9, j.HourState.COPIED, "a" * 64), j.HourReport(HOUR, j.HourState.COPYING))
    target.copy = msgspec.structs.replace(target.copy, hours=done)
    site.run(1_100)
    target.copy = msgspec.structs.replace(target.copy, camera=CameraId("other"))
    site.run(1_100)
    assert len(site.journal) == before


def test_a_source_that_lists_what_cannot_be_ends_it() -> None:
    site = returned()
    site.server("F").jobs.nonsense = True
    started(site)
    site.run(1_100)
    assert (job(site).phase, job(site).reason) == (JobPhase.FAILED, JobReason.REFUSED)
    assert "makes no sense" in job(site).note
    bad = [(hour(HOUR), hour(HOUR)), (msgspec.structs.replace(hour(), digest="x"),), (msgspec.structs.replace(hour(), last_ms=0),)]
    for hours in bad:
        site = returned()
        site.server("F").jobs.hours[CAMERAS[0]] = hours
        started(site)
        site.run(1_100)
        assert job(site).phase is JobPhase.FAILED


def test_a_late_answer_to_an_earlier_question_brings_nothing() -> None:
    site = held()
    order = j.ListHours(job=J1, epoch=job(site).epoch, home=rid("A"), camera=CAMERAS[0])
    answer = j.MaterialHours(epoch=job(site).epoch, camera=CAMERAS[0], hours=(hour(),))
    answered = OrderAnswered(recorder=rid("F"), order=order, answer=answer)
    assert job_step(site.state, site.core.seen, J1, answered, site.now, JobOn.ANSWER) == ((), None)
    told = OrderAnswered(recorder=rid("F"), order=order, answer=j.Accepted(job=J1))
    telling = msgspec.structs.replace(job(site), phase=JobPhase.TELLING)
    site.state.jobs[J1] = telling
    assert job_step(site.state, site.core.seen, J1, told, site.now, JobOn.ANSWER) == ((), None)


# ---------------------------------------------------------------- deaths


@pytest.mark.parametrize("moment", ["planning", "copying", "telling"])
def test_after_a_restart_of_the_coordinator_it_goes_on_without_copying_again(moment: str) -> None:
    site = returned(hours=2)
    if moment == "planning":
        site.server("F").jobs.refusal = DOWN
    elif moment == "copying":
        site.server("A").jobs.copies = False
    started(site)
    site.run(1_500)
    if moment == "telling":
        site.server("F").answers = False
        site.run(8_000)
        assert job(site).phase is JobPhase.TELLING
    site.restart()
    site.server("F").jobs.refusal, site.server("F").answers = None, True
    if site.server("A").jobs.copy is not None:
        site.server("A").jobs.finish_copy()
    site.run(30_000)
    assert job(site).phase is JobPhase.READY
    assert sum(len(fact.copied) for fact in site.of(f.HoursCopied)) == 6


def test_a_target_that_began_anew_is_told_again() -> None:
    site = held()
    target = site.server("A").jobs
    target.copy, target.copies = None, True
    site.run(8_000)
    assert job(site).phase is JobPhase.READY


def test_a_target_that_does_not_reach_its_source_is_told_where_it_is_now() -> None:
    site = held()
    source, target = site.server("F"), site.server("A").jobs
    source.up = False
    site.run(5_000)
    assert target.copy is not None
    target.copy = msgspec.structs.replace(target.copy, problem=CopyProblem.SOURCE_LOST)
    before = len(target.told(j.CopyMaterial))
    site.run(5_000)
    assert len(target.told(j.CopyMaterial)) == before, "nobody knows where it will be"
    source.up, source.jobs.address = True, "https://server:9999"
    site.run(3_000)
    order = target.told(j.CopyMaterial)[-1]
    assert isinstance(order, j.CopyMaterial)
    assert order.address == "https://server:9999"
    site.run(5_000)
    assert target.told(j.CopyMaterial)[-1] is order, "what is copied again is left alone"


def test_a_source_that_cannot_be_told_keeps_all_and_the_job_ends_all_the_same() -> None:
    site = held()
    site.server("F").up = False
    site.server("A").jobs.finish_copy()
    site.run(10_000)
    assert job(site).phase is JobPhase.TELLING
    assert "Waits until F is connected" in row(site).sentence
    site.run(60_000)
    assert job(site).phase is JobPhase.READY
    assert "could not be told" in job(site).note


# ---------------------------------------------------------------- out of the way


def test_it_yields_to_a_take_over_of_its_source_and_goes_on_after_it() -> None:
    site = held()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("B")))
    assert site.row("F").assignment.__class__.__name__ == "Reserved"
    site.run(1_500)
    target = site.server("A").jobs
    assert target.copy is not None
    assert target.copy.paused
    assert row(site).sentence.startswith("Waits for F00002")
    site.ask(c.AbortFailover(failover=site.entry.id))
    site.run(1_500)
    assert target.copy is not None
    assert not target.copy.paused


def test_paused_resumed_and_cancelled_by_hand() -> None:
    site = held()
    assert isinstance(site.ask(c.PauseJob(job=J1)), c.Done)
    site.run(1_500)
    target = site.server("A").jobs
    assert target.copy is not None
    assert target.copy.paused
    assert (row(site).sentence, row(site).resting, row(site).paused) == ("Paused by hand", True, True)
    assert "is paused already" in site.ask(c.PauseJob(job=J1)).sentence
    assert isinstance(site.ask(c.ResumeJob(job=J1)), c.Done)
    assert "is not paused" in site.ask(c.ResumeJob(job=J1)).sentence
    site.run(1_500)
    assert isinstance(site.ask(c.CancelJob(job=J1)), c.Done)
    site.run(1_500)
    assert target.copy is None
    assert (job(site).phase, job(site).reason) == (JobPhase.CANCELLED, JobReason.CANCELLED)
    assert "has ended" in site.ask(c.CancelJob(job=J1)).sentence
    assert "There is no job J00009" in site.ask(c.CancelJob(job=JobId("J00009"))).sentence


def test_paused_while_the_source_is_asked_it_waits() -> None:
    site = returned()
    site.server("F").jobs.refusal = DOWN
    started(site)
    site.ask(c.PauseJob(job=J1))
    site.server("F").jobs.refusal = None
    asked = len(site.server("F").jobs.taken)
    site.run(20_000)
    assert len(site.server("F").jobs.taken) == asked
    assert job(site).phase is JobPhase.PLANNING


def test_a_source_that_refused_is_asked_again_though_it_refused_something_else_a_moment_before() -> None:
    site = returned()
    server = site.server("F")
    server.jobs.refusal = DOWN
    order = r.Record(key=r.OrderKey(), epoch=job_epoch(site), home=rid("A"))
    site.core.take(OrderAnswered(recorder=rid("F"), order=order, answer=DOWN), site.now)
    site.run(5)
    started(site)
    site.run(600)
    server.jobs.refusal = None
    site.run(9_000)
    assert len(server.jobs.taken) == 1
    site.run(5_000)
    assert job(site).phase is JobPhase.READY


def test_it_waits_for_its_hours() -> None:
    site = returned()
    minute = site.now.wall_ms // 60_000 % 1_440
    begins = (minute + 2) % 1_440
    text = f"{begins // 60:02}:{begins % 60:02}-{(begins + 60) % 1_440 // 60:02}:{(begins + 60) % 1_440 % 60:02}"
    site.state.recorders[rid("A")] = msgspec.structs.replace(
        site.row("A"), material_copy=msgspec.structs.replace(site.row("A").material_copy, hours=text)
    )
    started(site)
    site.run(3_000)
    assert (job(site).phase, row(site).sentence) == (JobPhase.COPYING, f"Waits for its hours ({text})")
    site.run(160_000)
    assert job(site).phase is JobPhase.READY


def test_two_copies_to_one_server_go_one_after_the_other() -> None:
    site = held()
    first = job(site)
    second = msgspec.structs.replace(first, id=JobId("J00002"), number=2)
    assert why_resting(site.state, second, site.now) == "waits for J00001, which copies to the same server"
    site.ask(c.PauseJob(job=J1))
    assert why_resting(site.state, second, site.now) is None


def test_it_waits_while_the_recorder_does_not_have_its_own_cameras() -> None:
    site = held()
    site.ask(c.StartFailover(recorder=rid("A")))
    site.run(2_000)
    assert site.entry.phase is Phase.READY
    assert row(site).sentence == "Waits until A records its own cameras"
    gone = msgspec.structs.replace(job(site), home=rid("gone"))
    assert why_resting(site.state, gone, site.now) == "waits until gone records its own cameras"


def test_a_source_that_has_not_heard_yet_that_it_is_not_wanted_is_not_asked() -> None:
    site = returned()
    server = site.server("F")
    server.mode, server.epoch, server.answers = r.Mode.RECORDING, job_epoch(site), False
    started(site)
    site.run(3_000)
    assert server.jobs.taken == []
    server.answers = True
    site.run(8_000)
    assert job(site).phase is JobPhase.READY


def job_epoch(site: Site) -> int:
    return site.state.away[rid("A")][0].epoch
