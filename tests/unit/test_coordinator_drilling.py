"""The drill (SPEC 14.3): the candidate tries it, the recorder goes on, and a failover finds everything as if there were no drill."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.jobs.drilling import (
    DRILL_TABLE,
    drill_age_ms,
    is_due,
    last_drill,
    open_drill,
    schedule_of,
)
from sysmanager.coordinator.jobs.orders import for_jobs
from sysmanager.coordinator.opening import choice_for
from sysmanager.domain.group import Group
from sysmanager.domain.ids import JobId
from sysmanager.domain.jobs import Drill, DrillSchedule, JobPhase, JobReason
from sysmanager.domain.recorder import Standby
from sysmanager.engine.job_rows import job_row
from sysmanager.engine.rows import recorder_row
from sysmanager.protocol import clients as c
from sysmanager.protocol import jobs as j
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import GROUP, Site, cameras_of, contents, edit, rid, small_site

J1 = JobId("J00001")


def drilling(site: Site | None = None, *, finishes: bool = False) -> Site:
    """F drills to take over from A, and does not finish by itself."""
    site = site or small_site()
    if not finishes:
        site.server("F").jobs.drills = None
    reply = site.ask(c.StartDrill(recorder=rid("A")))
    assert isinstance(reply, c.Done), reply
    site.run(1_100)
    return site


def drill(site: Site, number: int = 1) -> Drill:
    found = site.state.jobs[JobId(f"J{number:05d}")]
    assert isinstance(found, Drill)
    return found


def sentence(site: Site) -> str:
    return job_row(site.state, site.core.seen, drill(site), site.now).sentence


def finish(site: Site, state: j.DrillState, *dark: str) -> None:
    side = site.server("F").jobs
    side.drills, side.dark = state, set(dark)
    order = next(order for order in side.taken if isinstance(order, j.RunDrill))
    side.finish_drill(order)
    site.run(1_100)


def test_every_camera_that_allows_a_second_session_is_opened_and_the_others_are_described() -> None:
    single = tuple(msgspec.structs.replace(one, id="A-single", name="single") for one in cameras_of("A", 1, sessions=1))
    site = drilling(small_site(cameras=(*cameras_of("A", 2), *single)), finishes=True)
    done = drill(site)
    assert (done.phase, done.reason, done.server, done.slowest_ms) == (JobPhase.READY, None, "F", 400)
    assert [(trial.camera, trial.opened, trial.first_frame_ms) for trial in done.trials] == [
        ("A-c0", True, 400),
        ("A-c1", True, 400),
        ("A-single", False, -1),
    ]
    order = site.server("F").jobs.told(j.RunDrill)[0]
    assert isinstance(order, j.RunDrill)
    assert (order.documents, order.home) == (site.row("A").documents, "A")
    assert sentence(site) == "F can take over from A: 2 cameras gave frames, the last after 0.4 s."
    assert not any(isinstance(one, r.StandDown) for one in site.server("A").orders)
    assert contents(site.state) == contents(site.replayed())


def test_the_server_stays_on_standby_and_is_told_to_forget_when_it_is_over() -> None:
    site = drilling()
    assert isinstance(site.row("F").assignment, Standby)
    assert sentence(site) == "F takes the settings of A"
    finish(site, j.DrillState.RECORDING)
    assert sentence(site) == "F has frames of 3 of 3 cameras of A"
    finish(site, j.DrillState.DONE)
    site.run(1_100)
    assert site.server("F").jobs.told(j.ForgetJob)
    assert site.server("F").jobs.drill is None


def test_the_result_is_dated_and_kept_and_the_next_one_takes_its_place() -> None:
    site = drilling(finishes=True)
    first = drill(site)
    site.run(10_000)
    assert last_drill(site.state, rid("A")) == first
    assert drill_age_ms(site.state, rid("A"), site.now) == site.now.wall_ms - first.ended_ms > 9_000
    assert drill_age_ms(site.state, rid("B"), site.now) is None
    assert recorder_row(site.state, site.core.seen, site.row("A"), site.now).last_drill == first
    finish_second = site.server("F").jobs
    finish_second.dark = {"A-c0"}
    site.ask(c.StartDrill(recorder=rid("A")))
    site.run(2_000)
    assert J1 not in site.state.jobs
    assert (drill(site, 2).phase, drill(site, 2).reason) == (JobPhase.FAILED, JobReason.DARK)
    assert "1 of 3 cameras failed: A-c0." in drill(site, 2).note
    assert drill_age_ms(site.state, rid("A"), site.now) is None


def test_a_drill_is_never_of_the_future_however_the_clock_was_set_since() -> None:
    site = drilling(finishes=True)
    ended_ms = drill(site).ended_ms
    assert drill(site).phase is JobPhase.READY
    moments = [msgspec.structs.replace(site.now, wall_ms=ended_ms + later_ms) for later_ms in (-5_000, 0, 7)]
    assert [drill_age_ms(site.state, rid("A"), moment) for moment in moments] == [0, 0, 7]


def test_a_camera_that_only_had_to_describe_itself_and_did_not_fails_the_drill() -> None:
    site = drilling(small_site(cameras=cameras_of("A", 2, sessions=1)))
    finish(site, j.DrillState.DONE, "A-c1")
    assert drill(site).reason is JobReason.DARK
    site = drilling(small_site(cameras=cameras_of("A", 2, sessions=1)), finishes=True)
    assert (drill(site).phase, drill(site).note) == (
        JobPhase.READY,
        "No camera allows a second session: they were only asked for their description.",
    )
    assert sentence(site).startswith("F can take over from A: 0 cameras gave frames. No camera")


def of_the_server(site: Site) -> None:
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("B")))


def of_the_recorder(site: Site) -> None:
    site.cache_answers = False
    site.server("F").camera_limit = 0
    site.run(1_000)
    site.ask(c.StartFailover(recorder=rid("A")))
    assert site.entry.server == "H"


@pytest.mark.parametrize("failover", [of_the_server, of_the_recorder])
def test_a_failover_takes_its_server_and_its_cameras_out_of_the_drill_at_once(failover: Callable[[Site], None]) -> None:
    site = drilling()
    failover(site)
    assert (drill(site).phase, drill(site).reason) == (JobPhase.CANCELLED, JobReason.NEEDED)
    assert sentence(site) == JobReason.NEEDED.sentence
    site.run(1_100)
    assert site.server("F").jobs.drill is None


def test_a_drill_does_not_change_who_is_chosen() -> None:
    quiet, busy = small_site(), drilling()
    for site in (quiet, busy):
        site.ask(c.StartFailover(recorder=rid("B")))
    assert quiet.entry.server == busy.entry.server == "F"
    assert [one.sentence for one in quiet.entry.verdicts] == [one.sentence for one in busy.entry.verdicts]


def test_ends_that_the_server_reports() -> None:
    site = drilling()
    finish(site, j.DrillState.ENDED)
    assert (drill(site).phase, drill(site).reason, drill(site).note) == (JobPhase.CANCELLED, JobReason.NEEDED, "the reason")
    site = drilling()
    finish(site, j.DrillState.FAILED)
    assert (drill(site).phase, drill(site).reason, drill(site).note) == (JobPhase.FAILED, JobReason.REFUSED, "F: the reason")
    assert {trial.sentence for trial in drill(site).trials} == {"not tried in time"}


def test_a_silent_server_a_late_one_and_one_that_refuses() -> None:
    site = drilling()
    site.server("F").up = False
    site.run(8_000)
    assert drill(site).reason is JobReason.NO_CONNECTION
    site = drilling()
    site.run(61_000)
    assert drill(site).reason is JobReason.TOO_LATE
    for reason, wanted in ((r.RefusalReason.NOT_BUILT_IN, JobReason.NOT_BUILT_IN), (r.RefusalReason.NOT_FREE, JobReason.REFUSED)):
        site = small_site()
        site.server("F").jobs.refusal = r.Refusal(reason=reason, sentence="no")
        drilling(site)
        assert drill(site).reason is wanted


def test_after_a_restart_it_goes_on_and_a_server_that_is_not_heard_gets_its_minute() -> None:
    site = drilling()
    site.restart()
    site.run(1_100)
    finish(site, j.DrillState.DONE)
    assert drill(site).phase is JobPhase.READY
    site = drilling()
    site.server("F").up = False
    site.restart()
    site.run(50_000)
    assert drill(site).phase is JobPhase.DRILLING
    site.run(12_000)
    assert drill(site).reason is JobReason.NO_CONNECTION


def test_a_person_ends_it_and_it_cannot_be_paused() -> None:
    site = drilling()
    assert "cannot be paused" in site.ask(c.PauseJob(job=J1)).sentence
    assert site.ask(c.CancelJob(job=J1)).sentence == "The drill J00001 was ended."
    assert drill(site).reason is JobReason.CANCELLED


def test_a_server_that_leaves_system_data_ends_it_and_nothing_is_kept_of_a_recorder_that_left() -> None:
    site = drilling()
    site.ask(c.RemoveRecorder(recorder=rid("F")))
    site.run(500)
    assert drill(site).reason is JobReason.NO_SERVER
    site.ask(c.RemoveRecorder(recorder=rid("A")))
    assert (site.state.jobs, site.state.last_drills) == ({}, {})
    site = drilling()
    site.ask(c.RemoveRecorder(recorder=rid("A")))
    site.run(500)
    assert (site.state.jobs, site.state.last_drills) == ({}, {})


def standby(site: Site) -> str:
    return "F"


def no_group(site: Site) -> str:
    site.ask(c.EditRecorder(recorder=rid("A"), revision=1, fields=edit("A", group=None)))
    return "A"


def running(site: Site) -> str:
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("B")))
    return "A"


def nobody(site: Site) -> str:
    for server in ("F", "H"):
        site.server(server).up = False
    site.run(4_000)
    return "A"


def drills_already(site: Site) -> str:
    drilling(site)
    return "A"


def reconciling(site: Site) -> str:
    site.restart(damage="the tail is lost")
    return "A"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (standby, "does not record at the moment"),
        (no_group, "is in no failover group"),
        (running, "is running in the group"),
        (nobody, "No failover server of the group Gate can take"),
        (drills_already, "The drill J00001 with"),
        (reconciling, "is reconciling"),
    ],
)
def test_a_drill_that_cannot_be_is_refused_with_a_sentence(spoil: Callable[[Site], str], why: str) -> None:
    site = small_site()
    server = spoil(site)
    reply = site.ask(c.StartDrill(recorder=rid(server)))
    assert isinstance(reply, c.Refused)
    assert why in reply.sentence
    assert open_drill(site.state, site.core.seen, site.row(server)) == ()


def test_without_documents_or_a_group_nobody_is_chosen() -> None:
    site = Site(group=Group(id=GROUP, name="Gate"))
    site.fetch_works = False
    site.add("A")
    site.add("F", failover=True)
    site.add("L", group=None)
    site.run(2_000)
    for server in ("A", "L"):
        assert open_drill(site.state, site.core.seen, site.row(server)) == ()
        assert choice_for(site.state, site.core.seen, site.row(server)).server is None


# ---------------------------------------------------------------- schedules


def scheduled(**schedule: object) -> Site:
    site = small_site()
    plan = msgspec.structs.replace(DrillSchedule(every_days=7), **schedule)
    site.ask(c.SaveGroup(group=Group(id=GROUP, name="Gate", drill=plan)))
    return site


def test_drills_of_a_group_begin_by_themselves_one_after_the_other() -> None:
    site = scheduled()
    site.run(61_000)
    assert [(one.recorder, one.scheduled) for one in site.of(f.DrillStarted)] == [("A", True)]
    site.run(61_000)
    assert [one.recorder for one in site.of(f.DrillStarted)] == ["A", "B"]
    site.run(130_000)
    assert len(site.of(f.DrillStarted)) == 2


def test_while_one_drills_no_other_begins_and_what_cannot_begin_lets_the_next_one_go_first() -> None:
    site = scheduled()
    drilling(site)
    site.run(61_000)
    assert [one.recorder for one in site.of(f.DrillStarted)] == ["A"]
    site = scheduled()
    site.server("A").settings = msgspec.structs.replace(site.server("A").settings, disks=("Z:",))
    site.state.recorders[rid("A")] = msgspec.structs.replace(site.row("A"), settings=site.server("A").settings)
    site.run(61_000)
    assert [one.recorder for one in site.of(f.DrillStarted)] == ["B"]


def test_a_recorder_has_a_schedule_of_its_own_or_that_of_its_group() -> None:
    site = scheduled()
    own = DrillSchedule(every_days=1)
    site.ask(c.EditRecorder(recorder=rid("A"), revision=1, fields=edit("A", drill=own)))
    assert schedule_of(site.state, site.row("A")) == own
    assert schedule_of(site.state, site.row("B")).every_days == 7
    alone = msgspec.structs.replace(site.row("B"), group=None)
    assert schedule_of(site.state, alone) == DrillSchedule()


def test_a_drill_is_due_after_its_days_within_its_hours_and_soon_again_after_a_failover_ended_it() -> None:
    site = scheduled()
    row = site.row("A")
    assert is_due(site.state, row, site.now)
    drilling(site, finishes=True)
    assert not is_due(site.state, row, site.now)
    week_ms = 7 * 24 * 3_600_000 - (site.now.wall_ms - drill(site).ended_ms)
    assert not is_due(site.state, row, site.now.after(week_ms - 1))
    assert is_due(site.state, row, site.now.after(week_ms))
    assert not is_due(site.state, site.row("F"), site.now)
    site = scheduled()
    drilling(site)
    of_the_server(site)
    assert not is_due(site.state, site.row("A"), site.now)
    assert is_due(site.state, site.row("A"), site.now.after(3_600_000))
    minute = site.now.wall_ms // 60_000 % 1_440
    text = f"{(minute + 60) // 60 % 24:02}:00-{(minute + 120) // 60 % 24:02}:00"
    site = scheduled(hours=text)
    assert not is_due(site.state, site.row("A"), site.now)


def test_nothing_is_ordered_of_a_server_that_reports_what_nobody_knows_but_to_forget_it() -> None:
    site = small_site()
    site.server("F").jobs.drill = j.DrillReport(job=JobId("J00099"), state=j.DrillState.DONE)
    site.run(1_100)
    assert site.server("F").jobs.told(j.ForgetJob) == [j.ForgetJob(job=JobId("J00099"))]
    assert for_jobs(site.state, site.core.seen, site.row("A"), site.now) == ()


def test_numbers_and_sentences_of_the_rows_are_given_once() -> None:
    assert len({one.number for one in DRILL_TABLE}) == len({one.sentence for one in DRILL_TABLE}) == len(DRILL_TABLE)
    assert all(reason.sentence for reason in JobReason)
