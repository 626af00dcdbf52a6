"""A failback in its eleven steps (SPEC 8), what keeps it from starting, and what undoes it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.failback_checks import checks, reason_of
from sysmanager.coordinator.inputs import OrderAnswered
from sysmanager.domain.camera import Camera
from sysmanager.domain.failover import LogState, Phase, Reason, Severity
from sysmanager.domain.recorder import Acting, Broken, Recording, Standby
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Site, cameras_of, contents, document_set, edit, rid, small_site


def ready_site(cameras: int | tuple[Camera, ...] = 3) -> Site:
    """F acts for A; A is well again and waits."""
    site = small_site(cameras=cameras)
    site.fail_over("A")
    site.run(3_000)
    return site


def test_the_eleven_steps_in_order() -> None:
    site = ready_site()
    reply = site.fail_back()
    assert reply == c.Done(sentence="Failback of A started.", failover=site.entry.id)
    site.run(3_000)
    failback = site.entry.failback
    assert failback is not None
    assert [step.number for step in failback.steps] == list(range(1, 12))
    assert [started.duration_ms for started in site.of(f.FailbackStarted)] == [0], "steps 1 to 6 are one decision"
    assert (site.entry.phase, site.entry.log_state) == (Phase.RETURNED, LogState.FAILBACK_READY)
    assert site.row("A").assignment == Recording(epoch=failback.epoch)
    assert isinstance(site.row("F").assignment, Standby)
    assert site.server("F").mode is r.Mode.STANDBY
    assert site.server("A").mode is r.Mode.RECORDING
    assert contents(site.state) == contents(site.replayed())


def test_the_recorder_records_before_the_failover_server_stops() -> None:
    site = ready_site()
    site.fail_back()
    assert site.entry.phase is Phase.FAILBACK_SAVED
    assert (site.server("A").mode, site.server("F").mode) == (r.Mode.RECORDING, r.Mode.RECORDING)


def test_what_was_changed_on_the_failover_server_travels_back() -> None:
    site = ready_site()
    site.server("F").documents = document_set("changed", 2)
    site.server("F").settings = msgspec.structs.replace(site.server("F").settings, cameras=cameras_of("A", 2))
    site.run(2_000)
    site.fail_back()
    site.run(3_000)
    assert site.entry.phase is Phase.RETURNED
    assert site.server("A").documents == document_set("changed", 2)
    assert site.row("A").documents == document_set("changed", 2)
    assert site.row("A").settings.cameras == cameras_of("A", 2)


def test_changes_that_are_not_cached_yet_are_waited_for() -> None:
    site = ready_site()
    site.fetch_works = False
    site.server("F").documents = document_set("changed", 2)
    site.run(1_000)
    site.fail_back()
    site.run(1_000)
    assert site.entry.phase is Phase.FAILBACK_STARTED
    site.fetch_works = True
    site.run(3_000)
    assert site.entry.phase is Phase.RETURNED


def test_a_silent_failover_server_gives_its_last_known_documents() -> None:
    site = ready_site()
    site.server("F").up = False
    site.run(4_000)
    site.fail_back()
    site.run(3_000)
    assert site.entry.phase is Phase.RETURNED


def test_phases_in_which_a_failback_can_be_aborted() -> None:
    before = {phase for phase in Phase if phase.failback_before_commit}
    assert before == {phase for phase in Phase if phase.failing_back} - {
        Phase.FAILBACK_UNDOING,
        Phase.FAILBACK_COMMITTED,
        Phase.FAILBACK_PERFORMED,
    }


# ---------------------------------------------------------------- dark cameras


def test_a_camera_that_gives_the_failover_server_no_frames_does_not_count() -> None:
    site = ready_site()
    dead = site.server("A").settings.cameras[0].id
    site.server("F").dark = site.server("A").dark = {dead}
    site.run(2_000)
    site.fail_back()
    site.run(2_000)
    assert site.entry.phase is Phase.RETURNED
    assert site.entry.failback is not None
    assert dead not in site.entry.failback.expected


ONE = "1 camera gave the recorder no frame within 10 s: A-c0. The failover server goes on."
THREE = "3 cameras gave the recorder no frame within 10 s: A-c0, A-c1, A-c2. The failover server goes on."


@pytest.mark.parametrize(
    ("dark", "accepted", "note"),
    [(1, False, ONE), (3, False, THREE), (2, True, ""), (3, True, THREE)],
    ids=["one that the failover server records", "three", "10 %, and a person accepts it", "more than that nobody may accept"],
)
def test_after_ten_seconds_no_camera_is_left_dark_unless_a_person_accepts_a_few(dark: int, accepted: bool, note: str) -> None:
    site = ready_site(cameras=20)
    cameras = tuple(camera.id for camera in site.server("A").settings.cameras[:dark])
    site.server("A").dark = set(cameras)
    site.ask(c.StartFailback(failover=site.entry.id, leave_dark=accepted))
    site.run(9_500)
    assert site.entry.phase is Phase.FAILBACK_SAVED
    site.run(1_000)
    failback = site.entry.failback
    assert failback is not None
    assert (failback.note, failback.dark, failback.leaves_dark) == (note, cameras, accepted)
    if not note:
        assert site.entry.phase is Phase.RETURNED
        return
    assert (site.entry.phase, site.entry.log_state.severity) == (Phase.READY, Severity.ERROR)
    assert site.entry.log_state is LogState.FAILBACK_FAILED
    assert isinstance(site.row("F").assignment, Acting)
    assert isinstance(site.row("A").assignment, Broken)
    site.run(2_000)
    assert site.server("A").mode is r.Mode.STANDBY


def test_a_camera_that_the_failover_server_loses_meanwhile_holds_nothing_up() -> None:
    site = ready_site(cameras=20)
    one = {site.server("A").settings.cameras[0].id}
    site.server("A").dark = one
    site.fail_back()
    site.run(5_000)
    site.server("F").dark = one
    site.run(6_000)
    assert site.entry.phase is Phase.RETURNED


@pytest.mark.parametrize("accepted", [False, True], ids=["nobody accepts it", "a person leaves it dark"])
def test_a_camera_that_comes_back_on_the_failover_server_meanwhile_counts(accepted: bool) -> None:
    site = ready_site(cameras=20)
    back, late = (camera.id for camera in site.server("A").settings.cameras[:2])
    site.server("F").dark, site.server("A").dark = {back}, {back, late}
    site.run(2_000)
    site.ask(c.StartFailback(failover=site.entry.id, leave_dark=accepted))
    site.run(2_000)
    assert site.entry.failback is not None
    assert back not in site.entry.failback.expected
    site.server("F").dark, site.server("A").dark = set(), {back}
    site.run(3_000)
    assert site.entry.phase is Phase.FAILBACK_SAVED, "the failover server records it, and the recorder does not"
    site.run(7_000)
    assert site.entry.phase is (Phase.RETURNED if accepted else Phase.READY)
    assert site.entry.failback.dark == (back,)


def test_what_a_silent_failover_server_may_get_frames_of_by_now_holds_nothing_up() -> None:
    site = ready_site(cameras=20)
    back, late = (camera.id for camera in site.server("A").settings.cameras[:2])
    site.server("F").dark, site.server("A").dark = {back}, {back, late}
    site.run(2_000)
    site.fail_back()
    site.run(2_000)
    site.server("F").up = False
    site.run(5_000)
    site.server("A").dark = {back}
    site.run(2_000)
    assert site.entry.phase is Phase.RETURNED


@pytest.mark.parametrize(("dark", "phase"), [(19, Phase.RETURNED), (20, Phase.READY)], ids=["it has one", "it has none"])
def test_a_recorder_keeps_what_it_has_when_the_failover_server_is_silent(dark: int, phase: Phase) -> None:
    site = ready_site(cameras=20)
    site.server("A").dark = {camera.id for camera in site.server("A").settings.cameras[:dark]}
    site.fail_back()
    site.run(2_000)
    site.server("F").up = False
    site.run(9_000)
    assert site.entry.phase is phase


def test_a_failback_can_be_started_again_after_it_failed() -> None:
    site = ready_site()
    site.server("A").answers = False
    site.fail_back()
    site.run(6_000)
    assert site.entry.log_state is LogState.FAILBACK_FAILED
    site.server("A").answers = True
    site.run(2_000)
    site.fail_back()
    site.run(3_000)
    assert site.entry.log_state is LogState.FAILBACK_READY


def test_the_failover_server_falls_silent_in_the_middle_and_the_recorder_has_its_cameras() -> None:
    site = ready_site()
    site.server("A").first_frame_ms = 4_000
    site.fail_back()
    site.server("F").up = False
    site.run(6_000)
    assert site.entry.phase is Phase.RETURNED


def test_an_answer_to_an_earlier_failback_does_not_count() -> None:
    site = ready_site()
    site.server("A").answers = False
    site.fail_back()
    stale = r.Record(key=r.OrderKey(failover=site.entry.id, step=8, attempt=1), epoch=1, home=rid("A"))
    for answered in (
        stale,
        r.Record(key=r.OrderKey(failover=site.entry.id, step=4, attempt=1), epoch=1, home=rid("A")),
    ):
        site.core.take(answer(answered, "A"), site.now)
        site.core.take(answer(answered, "F"), site.now)
        site.settle()
    assert site.entry.phase is Phase.FAILBACK_TAKEN


def answer(order: r.Order, server: str) -> OrderAnswered:
    return OrderAnswered(recorder=rid(server), order=order, answer=r.Obeyed(epoch=1, documents=document_set("A")))


def test_a_recorder_that_applied_other_documents_undoes_the_failback() -> None:
    site = ready_site()
    site.server("A").obeys_otherwise = True
    site.fail_back()
    failback = site.entry.failback
    assert failback is not None
    assert (site.entry.phase, failback.reason) == (Phase.READY, Reason.SAVING_FAILED)
    assert failback.note == "The recorder applied other documents than those it was given."


def test_a_recorder_that_refuses_undoes_the_failback_and_its_words_are_kept() -> None:
    site = ready_site()
    site.server("A").refusal = r.Refusal(reason=r.RefusalReason.CANNOT_SAVE, sentence="The disk is full.")
    site.fail_back()
    failback = site.entry.failback
    assert failback is not None
    assert (site.entry.phase, failback.reason, failback.note) == (Phase.READY, Reason.SAVING_FAILED, "The disk is full.")


# ---------------------------------------------------------------- a failover comes first


def test_a_failover_of_the_group_never_waits_for_a_failback() -> None:
    site = ready_site()
    site.server("A").first_frame_ms = 60_000
    site.fail_back()
    first = site.entry.id
    site.server("B").up = False
    site.run(9_000)
    site.server("A").first_frame_ms = 300
    site.run(2_000)
    second = site.entry
    assert (second.recorder, second.phase) == ("B", Phase.READY)
    back = site.state.failovers[first]
    assert back.phase in (Phase.READY, Phase.RETURNED)


def test_a_failback_before_its_commit_is_put_back_behind_a_failover() -> None:
    site = ready_site()
    site.server("A").first_frame_ms = 60_000
    site.fail_back()
    first = site.entry.id
    site.ask(c.StartFailover(recorder=rid("B")))
    site.run(500)
    assert site.state.failovers[first].phase is Phase.READY
    failback = site.state.failovers[first].failback
    assert failback is not None
    assert failback.reason is Reason.CANCELLED
    assert (site.entry.recorder, site.entry.phase) == ("B", Phase.READY)


# ---------------------------------------------------------------- what keeps it from starting


def _waiting(site: Site) -> None:
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("B")))


def _off(site: Site) -> None:
    row = site.row("A")
    site.state.recorders[rid("A")] = msgspec.structs.replace(row, failover_enabled=False)


def _silent(site: Site) -> None:
    site.server("A").up = False
    site.run(4_000)


def _service(site: Site) -> None:
    site.server("A").service = r.ServiceState.FAILED
    site.run(1_000)


def _disks(site: Site) -> None:
    site.server("A").disks = {"D:": False}
    site.run(1_000)


def _room(site: Site) -> None:
    site.server("A").camera_limit = 1
    site.run(1_000)


def _bitrate(site: Site) -> None:
    site.server("A").bitrate_limit_kbps = 4_000
    site.run(1_000)


def _not_acting(site: Site) -> None:
    site.state.recorders[rid("F")] = msgspec.structs.replace(site.row("F"), assignment=Standby(epoch=site.row("F").assignment.epoch))


def _no_server(site: Site) -> None:
    del site.state.recorders[rid("F")]


def _no_home(site: Site) -> None:
    del site.state.recorders[rid("A")]


def _home_records(site: Site) -> None:
    site.state.recorders[rid("A")] = msgspec.structs.replace(site.row("A"), assignment=Recording(epoch=site.row("A").assignment.epoch))


def _version(site: Site) -> None:
    site.server("A").version = "2.0"
    site.run(1_000)


@pytest.mark.parametrize(
    ("spoil", "sentence", "reason"),
    [
        (_waiting, "F00002 is running in the group; wait until it is done.", Reason.INVALID_LOG_STATE),
        (_off, "Failover is off for A; switch it on in its settings.", Reason.WRONG_STATE_OF_SERVER),
        (_silent, "A is not connected; switch it on and check its network.", Reason.WRONG_STATE_OF_SERVER),
        (_service, "The recording service of A cannot be started; see its Watchdog's log.", Reason.WRONG_STATE_OF_SERVER),
        (_disks, "A cannot write to D:.", Reason.WRONG_STATE_OF_SERVER),
        (_room, "A has room for 1 of 3 cameras.", Reason.WRONG_STATE_OF_SERVER),
        (_bitrate, "A has room for 2 of 3 cameras.", Reason.WRONG_STATE_OF_SERVER),
        (_version, "A runs version 2.0, the settings are of version 1.4.2.", Reason.WRONG_STATE_OF_SERVER),
        (_not_acting, "F no longer acts for A.", Reason.WRONG_STATE_OF_FAILOVER_SERVER),
        (_no_server, "F no longer acts for A.", Reason.WRONG_STATE_OF_FAILOVER_SERVER),
        (_no_home, "A is no longer in system data; add it again.", Reason.NO_RECORDER),
        (_home_records, "A is not broken in system data.", Reason.WRONG_STATE_OF_SERVER),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_failback_that_may_not_start_says_why(spoil: Callable[[Site], None], sentence: str, reason: Reason) -> None:
    site = ready_site()
    entry = site.entry
    spoil(site)
    stops = [check.sentence for check in checks(site.state, site.core.seen, entry) if check.level is c.Level.STOP]
    assert stops[:1] == [sentence]
    assert reason_of(entry, site.state, site.core.seen) is reason


def test_an_entry_that_is_not_ready_is_refused_with_its_state() -> None:
    site = ready_site()
    site.fail_back()
    site.run(3_000)
    reply = site.fail_back()
    assert isinstance(reply, c.Refused)
    assert reply.sentence == "The log entry is “Failback ready”; a failback starts from “Failover ready”."
    assert reply.reason is Reason.INVALID_LOG_STATE


def test_a_failback_needs_reconciled_servers() -> None:
    site = ready_site()
    site.restart(damage="The journal lost its tail.")
    site.hear("A", "B")
    sentences = [check.sentence for check in checks(site.state, site.core.seen, site.entry)]
    assert "F has not been reconciled yet; confirm the reconcile first." in sentences
    assert "A has not been reconciled yet; confirm the reconcile first." in sentences


def test_settings_of_the_recorder_are_locked_while_it_is_replaced() -> None:
    site = ready_site()
    reply = site.ask(c.EditRecorder(recorder=rid("A"), revision=1, fields=edit("A2")))
    assert isinstance(reply, c.Refused)
    assert "locked" in reply.sentence


@pytest.mark.parametrize("kept", range(6))
def test_a_coordinator_that_dies_in_a_failback_goes_on_with_it(kept: int) -> None:
    site = ready_site()
    before = len(site.journal)
    site.fail_back()
    site.run(3_000)
    assert isinstance(site.facts[before], f.FailbackStarted)
    site.restart(keep=before + 1 + kept)
    site.run(12_000)
    assert site.entry.phase is Phase.RETURNED
    assert contents(site.state) == contents(site.replayed())


def test_a_recorder_that_says_it_obeyed_and_reports_its_old_epoch_gives_no_frames() -> None:
    site = ready_site()
    server = site.server("A")
    server.obey = lambda order, settings, now: r.Obeyed(epoch=order.epoch, documents=document_set("A"))
    site.fail_back()
    assert site.entry.phase is Phase.FAILBACK_SAVED
    site.run(11_000)
    failback = site.entry.failback
    assert site.entry.phase is Phase.READY
    assert failback is not None
    assert failback.reason is Reason.WRONG_STATE_OF_SERVER
