"""What keeps the coordinator from acting too early, and what makes it act: brake, second opinion, no frames, announcements (SPEC 4, 13)."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.crashes import WINDOW_MS
from sysmanager.coordinator.detection import assess
from sysmanager.coordinator.frames import expected_cameras, expects_frames, progressed
from sysmanager.coordinator.heard import RIVAL_MS
from sysmanager.coordinator.opinions import FRESH_MS, REACHED_MS
from sysmanager.coordinator.probing import Watch, watch_of
from sysmanager.coordinator.starting import OPINION_LIMIT_MS
from sysmanager.coordinator.witnesses import confirmed_away, opinions_of
from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.failover import Opinion, Phase, Trigger
from sysmanager.domain.maintenance import SYSTEM
from sysmanager.domain.system import SystemSettings
from sysmanager.engine.rows import recorder_row, system_row
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from sysmanager.protocol.probes import ProbeCameras, ProbeFailed, ProbeRecorder, RecorderProbed
from tests.helpers.coordination import Site, cameras_of, contents, rid, small_site


def setting(site: Site, **changes: object) -> None:
    settings = msgspec.structs.replace(site.state.settings, **changes)
    assert isinstance(site.ask(c.EditSystem(revision=site.state.settings_revision, settings=settings)), c.Done)


def alarms(site: Site) -> dict[str, str]:
    row = system_row(site.state, site.core.seen, site.now, site="S", practice=False, lag_ms=0, ready={})
    return {alarm.key: alarm.sentence for alarm in row.alarms}


# ---------------------------------------------------------------- 4.4 not recording


def dark_site(**changes: object) -> Site:
    """A gives no frames any more, and the failover servers reach its cameras."""
    site = small_site(**changes)
    site.server("A").dark = {camera.id for camera in site.row("A").settings.cameras}
    return site


def test_no_frame_for_the_timeout_while_a_candidate_reaches_the_cameras() -> None:
    site = dark_site()
    site.run(9_000)
    assert site.state.failovers == {}
    judged = assess(site.state, site.core.seen, site.row("A"))
    assert judged.connection is c.Connection.CONNECTED
    assert judged.counting is Trigger.NOT_RECORDING
    site.run(2_000)
    assert (site.entry.recorder, site.entry.trigger, site.entry.phase) == ("A", Trigger.NOT_RECORDING, Phase.READY)
    asked = [probe for _, _, probe in site.probes]
    assert asked
    assert all(isinstance(probe, ProbeCameras) and probe.recorder == "A" and len(probe.cameras) == 3 for probe in asked)
    assert site.probes[0][0] >= 5_000 + 5_000 - 1_000, "asked from half of the timeout on"


def test_frames_are_expected_of_who_records_and_not_of_who_was_replaced() -> None:
    site = small_site()
    assert (expects_frames(site.row("A")), expects_frames(site.row("F"))) == (True, False)
    site.fail_over("A")
    assert site.row("A").settings.cameras
    assert (expects_frames(site.row("A")), expects_frames(site.row("F"))) == (False, True)


def test_cameras_that_nobody_reaches_are_no_failure_of_the_recorder() -> None:
    site = dark_site()
    site.unreachable = {camera.id for camera in site.row("A").settings.cameras}
    site.run(60_000)
    assert site.state.failovers == {}
    site.unreachable = set(sorted(site.unreachable)[1:])
    site.run(3_000)
    assert site.entry.trigger is Trigger.NOT_RECORDING


def test_it_is_cancelled_when_frames_come_again_before_the_commit() -> None:
    site = dark_site()
    site.cache_answers = False
    site.run(11_000)
    assert site.entry.phase is Phase.RESERVED
    site.server("A").dark = set()
    site.run(3_000)
    assert site.entry.phase is Phase.CANCELLED


def test_one_that_says_that_it_records_and_writes_nothing_is_found_out() -> None:
    site = small_site()
    beat = site.server("A").beat
    frozen = site.now

    def says_so(now: object) -> r.Beat:
        found = beat(site.now)
        cameras = tuple(r.CameraBeat(one.camera, one.state, one.first_frame_ms, frozen.wall_ms) for one in found.cameras)
        return msgspec.structs.replace(found, cameras=cameras)

    site.server("A").beat = says_so  # type: ignore[method-assign]
    site.run(13_000)
    assert site.entry.trigger is Trigger.NOT_RECORDING
    assert site.entry.phase is Phase.READY, "what it says of itself does not cancel it"


def test_cameras_that_are_switched_off_are_not_missed() -> None:
    site = dark_site(cameras=cameras_of("A", 2, mode=RecordingMode.OFF))
    assert expected_cameras(site.row("A")) == ()
    site.run(40_000)
    assert site.state.failovers == {}


def test_a_pause_of_the_coordinator_does_not_count_as_time_without_frames() -> None:
    site = dark_site()
    site.run(5_000)
    site.mono_ms += 60_000
    site.core.tick(site.now)
    site.settle()
    assert site.state.failovers == {}


def test_what_was_reached_long_ago_does_not_count() -> None:
    site = dark_site(detection_timeout_s=60)
    site.run(35_000)
    site.unreachable = {camera.id for camera in site.row("A").settings.cameras}
    site.run(REACHED_MS + 20_000)
    assert site.state.failovers == {}


def test_a_service_that_never_gives_frames_after_a_start_is_judged_from_then() -> None:
    site = small_site()
    site.server("A").dark = {camera.id for camera in site.row("A").settings.cameras}
    site.server("A").up = False
    site.run(5_000)
    site.server("A").up = True
    site.run(9_000)
    assert site.state.failovers == {}
    site.run(3_000)
    assert site.entry.trigger is Trigger.NOT_RECORDING


def beat_of(*cameras: r.CameraBeat, mode: r.Mode = r.Mode.RECORDING) -> r.Beat:
    return msgspec.structs.replace(small_beat, cameras=cameras, mode=mode)


small_beat = small_site().server("A").beat(small_site().now)


def test_progress_is_a_frame_and_not_a_word() -> None:
    lit, later = r.CameraBeat("c", r.CameraState.RECORDING, 1, 5), r.CameraBeat("c", r.CameraState.RECORDING, 1, 9)
    dark = r.CameraBeat("c", r.CameraState.STALLED)
    assert not progressed(None, beat_of(lit)), "an old frame is none of the present"
    now_ms = beat_of(lit).wall_ms
    for near_ms, is_new in ((-2_999, True), (2_999, True), (-3_000, False), (3_000, False)):
        new = msgspec.structs.replace(lit, last_frame_ms=now_ms + near_ms)
        assert progressed(None, beat_of(new)) is is_new, "by the recorder's own clock"
    assert not progressed(None, beat_of(dark))
    assert progressed(beat_of(lit), beat_of(later))
    assert not progressed(beat_of(lit), beat_of(lit))
    assert not progressed(beat_of(lit), beat_of(dark))
    assert not progressed(beat_of(lit), beat_of(later, mode=r.Mode.ASKING))


# ---------------------------------------------------------------- 13.4 second opinion


def test_at_half_of_the_timeout_the_candidates_are_asked_again_and_again_and_the_entry_keeps_what_they_said() -> None:
    site = small_site()
    site.server("A").up = False
    site.run(4_500)
    assert site.probes == []
    site.run(7_000)
    times = [at_ms for at_ms, _, _ in site.probes]
    assert 9_900 <= times[0] <= 10_700
    assert {server for _, server, _ in site.probes} == {"F", "H"}
    assert all(probe == ProbeRecorder(recorder="A") for _, _, probe in site.probes)
    assert len(times) <= 12, "once a second each"
    assert site.entry.opinions == (Opinion(server="F", reached=False, records=False), Opinion(server="H", reached=False, records=False))
    asked = len(site.probes)
    site.run(10_000)
    assert len(site.probes) == asked, "nobody asks once it runs"


def test_by_default_an_opinion_holds_nothing() -> None:
    site = small_site()
    site.server("A").up, site.server("A").reached_by_peers = False, True
    site.run(11_000)
    assert site.entry.phase is not Phase.WITHHELD
    assert [opinion.records for opinion in site.entry.opinions] == [True, True]


def test_where_it_is_set_so_a_recorder_that_others_reach_is_waited_for_at_most_5_minutes() -> None:
    site = small_site()
    setting(site, opinion_holds=True)
    site.server("A").up, site.server("A").reached_by_peers = False, True
    site.run(12_000)
    assert site.entry.phase is Phase.WITHHELD
    assert site.entry.note == ("It would have failed over to F now. F reaches it and it says that it records: held for 5 min at most.")
    withheld_ms = site.mono_ms
    site.run(OPINION_LIMIT_MS - 10_000)
    assert len(site.state.failovers) == 1, "said once"
    site.run(12_000)
    assert site.entry.phase is Phase.READY
    assert site.mono_ms - withheld_ms <= OPINION_LIMIT_MS + 3_000


def test_a_recorder_that_others_reach_and_that_does_not_record_is_not_waited_for() -> None:
    site = small_site()
    setting(site, opinion_holds=True)
    server = site.server("A")
    server.up, server.reached_by_peers, server.mode = False, True, r.Mode.STANDBY
    site.run(12_000)
    assert site.entry.phase is Phase.READY
    assert site.entry.opinions == (Opinion(server="F", reached=True, records=False), Opinion(server="H", reached=True, records=False))


def test_it_goes_on_as_soon_as_nobody_reaches_the_recorder_any_more() -> None:
    site = small_site()
    setting(site, opinion_holds=True)
    site.server("A").up, site.server("A").reached_by_peers = False, True
    site.run(20_000)
    site.server("A").reached_by_peers = False
    site.run(3_000)
    assert site.entry.phase is Phase.READY


def test_a_recorder_that_comes_back_begins_anew() -> None:
    site = small_site()
    setting(site, opinion_holds=True)
    site.server("A").up, site.server("A").reached_by_peers = False, True
    site.run(12_000)
    site.server("A").up = True
    site.run(3_000)
    assert site.core.seen.opinion_held_ms == {}


def test_old_words_and_those_of_servers_that_are_gone_do_not_count() -> None:
    site = small_site()
    site.server("A").up = False
    site.run(8_000)
    assert confirmed_away(site.state, site.core.seen, site.row("A"))
    site.server("F").answers = site.server("H").answers = False
    site.run(1_000)
    assert opinions_of(site.state, site.core.seen, site.row("A")) != ()
    site.ask(c.HoldFailover(recorder=rid("A")))
    site.run(FRESH_MS + 1_000)
    assert opinions_of(site.state, site.core.seen, site.row("A")) == ()


@pytest.mark.parametrize(("reached", "records"), [(True, True), (True, False), (False, True), (False, False)])
def test_only_who_reaches_a_recorder_can_say_that_it_records(reached: bool, records: bool) -> None:
    site = small_site()
    probe, answer = ProbeRecorder(recorder=rid("A")), RecorderProbed(reached=reached, records=records)
    site.core.take(i.Probed(server=rid("F"), probe=probe, answer=answer), site.now)
    word = site.core.seen.opinions.about[rid("A")][rid("F")]
    assert (word.reached, word.records) == (reached, reached and records)


def test_an_answer_that_says_nothing_is_none_and_one_about_nobody_is_dropped() -> None:
    site = small_site()
    failed = ProbeFailed(sentence="no settings")
    for recorder in ("A", "gone"):
        probe = ProbeRecorder(recorder=rid(recorder))
        site.core.take(i.Probed(server=rid("F"), probe=probe, answer=failed if recorder == "A" else None), site.now)
        site.settle()
    assert site.core.seen.opinions.about == {}


def test_the_servers_of_a_large_group_take_turns() -> None:
    site = small_site()
    for number in range(5):
        site.add(f"S{number}", failover=True)
    site.run(2_000)
    site.server("A").up = False
    site.run(11_000)
    assert len({server for _, server, _ in site.probes}) > 2
    by_second: dict[int, int] = {}
    for at_ms, _, _ in site.probes:
        by_second[at_ms // 1000] = by_second.get(at_ms // 1000, 0) + 1
    assert max(by_second.values()) <= 4


def test_nothing_is_asked_about_a_recorder_that_nothing_would_replace() -> None:
    site = small_site()
    site.ask(c.HoldFailover(recorder=rid("A")))
    site.server("A").up = False
    site.run(20_000)
    assert site.probes == []
    assert watch_of(site.state, site.core.seen, site.row("A"), site.now) == Watch()


def test_a_recorder_that_is_heard_and_reports_frames_has_no_deadlines_until_it_falls_silent() -> None:
    site = small_site()
    site.run(5_000)
    assert watch_of(site.state, site.core.seen, site.row("A"), site.now) == Watch()
    site.server("A").up = False
    site.run(3_800)
    watch = watch_of(site.state, site.core.seen, site.row("A"), site.now)
    assert watch.due_ms is not None
    assert watch.look_ms is not None
    assert watch.due_ms > watch.look_ms > site.now.mono_ms
    site.server("A").up = True
    site.run(2_000)
    assert watch_of(site.state, site.core.seen, site.row("A"), site.now) == Watch()


# ---------------------------------------------------------------- crash loop


def test_three_starts_within_ten_minutes_are_an_alarm_until_it_is_quiet() -> None:
    site = small_site()
    site.restart(pause_ms=60_000)
    assert "crash loop" not in alarms(site)
    site.restart(pause_ms=60_000)
    assert alarms(site)["crash loop"].startswith("The coordinator started three times within 10 min;")
    site.run(5_000)
    site.mono_ms += WINDOW_MS
    assert "crash loop" not in alarms(site)


def test_it_ends_when_somebody_has_seen_it_and_begins_with_the_next_start() -> None:
    site = small_site()
    refused = site.ask(c.AcknowledgeAlarm(key="crash loop"))
    assert isinstance(refused, c.Refused)
    for _ in range(2):
        site.restart(pause_ms=10_000)
    assert isinstance(site.ask(c.AcknowledgeAlarm(key="something else")), c.Refused)
    assert site.ask(c.AcknowledgeAlarm(key="crash loop")) == c.Done(sentence="The alarm was acknowledged.")
    assert "crash loop" not in alarms(site)
    site.restart(pause_ms=10_000)
    assert "crash loop" in alarms(site)
    assert contents(site.replayed()) == contents(site.state)


def test_starts_that_lie_apart_are_no_crash_loop() -> None:
    site = small_site()
    for _ in range(3):
        site.restart(pause_ms=WINDOW_MS)
    assert "crash loop" not in alarms(site)


# ---------------------------------------------------------------- announced shutdown


def announce(site: Site, server: str = "A") -> c.Reply:
    instance = site.server(server).beat(site.now).instance
    leaving = r.Leaving(recorder=rid(server), instance=instance, wall_ms=site.now.wall_ms)
    site.core.take(i.Announced(message=leaving), site.now, token="leaving")
    site.settle()
    return site.replies[-1]


def test_a_free_candidate_covers_an_announced_shutdown_by_a_planned_switch() -> None:
    site = small_site()
    reply = announce(site)
    assert reply == c.Done(sentence="F takes over before it goes.", failover=site.entry.id)
    assert site.entry.trigger is Trigger.PLANNED
    site.run(5_000)
    site.server("A").up = False
    site.run(30_000)
    assert (len(site.state.failovers), site.entry.phase) == (1, Phase.READY)


def test_without_one_the_timeout_runs_and_an_administrator_may_have_made_it_longer() -> None:
    site = small_site()
    setting(site, announced_timeout_s=120)
    for name in "FH":
        site.server(name).up = False
    site.run(4_000)
    assert announce(site) == c.Done(sentence="Nothing takes over; the detection timeout runs.")
    assert recorder_row(site.state, site.core.seen, site.row("A"), site.now).condition == "is being shut down"
    site.server("A").up = False
    site.run(8_000)
    row = recorder_row(site.state, site.core.seen, site.row("A"), site.now)
    assert (row.condition, row.health, row.leaving) == ("shut down, as announced", c.Health.WARNING, True)
    for name in "FH":
        site.server(name).up = True
    site.run(100_000)
    assert site.state.failovers == {}
    site.run(20_000)
    assert site.entry.trigger is Trigger.CONNECTION
    assert recorder_row(site.state, site.core.seen, site.row("B"), site.now).leaving is False


def test_not_connected_since_its_shutdown() -> None:
    site = small_site()
    site.ask(c.HoldFailover(recorder=rid("A")))
    announce(site)
    site.server("A").up = False
    site.run(15_000)
    row = recorder_row(site.state, site.core.seen, site.row("A"), site.now)
    assert (row.condition, row.health) == ("not connected since its shutdown", c.Health.BAD)


@pytest.mark.parametrize("back", ["service", "watchdog"])
def test_the_announcement_is_over_when_it_is_back(back: str) -> None:
    site = small_site()
    site.ask(c.StartMaintenance(target=SYSTEM, reason="x", until_wall_ms=site.now.wall_ms + 3_600_000))
    announce(site)
    site.run(3_000)
    assert site.core.seen.of(rid("A")).leaving is not None, "its last heartbeats do not end it"
    if back == "watchdog":
        site.server("A").service = r.ServiceState.STARTING
    else:
        beat = site.server("A").beat
        site.server("A").beat = lambda now: msgspec.structs.replace(beat(now), boot=2)  # type: ignore[method-assign]
    site.run(1_000)
    assert site.core.seen.of(rid("A")).leaving is None


def test_who_is_not_in_system_data_is_answered_too() -> None:
    site = small_site()
    leaving = r.Leaving(recorder=rid("Z"), instance="z", wall_ms=1)
    site.core.take(i.Announced(message=leaving), site.now, token="leaving")
    site.settle()
    assert site.replies[-1] == c.Done(sentence="Nothing takes over; the detection timeout runs.")


# ---------------------------------------------------------------- two instances of one id


@pytest.mark.parametrize(("beside", "limit_ms"), [(False, RIVAL_MS), (True, RIVAL_MS + 20_000)], ids=["later", "beside the first"])
def test_a_second_instance_is_believed_when_the_first_was_silent_long_enough_and_not_before(beside: bool, limit_ms: int) -> None:
    site = small_site(detection_timeout_s=20)
    heard = site.core.seen.of(rid("A"))
    heard.beside = beside
    copy = msgspec.structs.replace(site.server("A").beat(site.now), instance="copy")
    assert [heard.is_second(copy, silence_ms) for silence_ms in (0, limit_ms - 1, limit_ms)] == [True, True, False]


def test_after_a_restart_who_has_the_assignment_is_the_first_and_not_a_copy_that_spoke_before_it() -> None:
    """Of a failover server system data knows no instance, but which epoch was given to it."""
    site = small_site()
    site.fail_over()
    own = site.server("F").beat(site.now)
    copy = msgspec.structs.replace(own, instance="copy", epoch=0, cameras=(), documents=None)
    site.restart()
    heard = site.core.seen.of(rid("F"))
    assert (site.row("F").instance, own.epoch) == (None, site.row("F").assignment.epoch)
    for message, instance, rival in ((copy, "copy", None), (own, own.instance, None), (copy, own.instance, "copy")):
        site.core.take(i.Heard(message=message), site.now)
        assert (heard.instance, heard.rival) == (instance, rival)
    assert heard.beat == own


@pytest.mark.parametrize(("known", "epoch", "second"), [(None, 0, False), (None, -1, True), (None, 1, True), ("other", 0, True)])
def test_only_the_epoch_of_the_assignment_shows_the_first_and_only_where_no_instance_is_known(
    known: str | None, epoch: int, second: bool
) -> None:
    site = small_site()
    site.fail_over()
    heard, own = site.core.seen.of(rid("F")), site.server("F").beat(site.now)
    heard.row = msgspec.structs.replace(site.row("F"), instance=known)
    heard.instance, heard.beat = "copy", msgspec.structs.replace(own, instance="copy", epoch=0)
    assert heard.is_second(msgspec.structs.replace(own, epoch=own.epoch + epoch), 0) is second
    heard.beat = msgspec.structs.replace(own, instance="copy")
    assert heard.is_second(own, 0), "both obey it: who was heard first is the first"


@pytest.mark.parametrize("other", ["copy", "0-copy"])
def test_after_a_pause_the_first_instance_is_still_the_one_that_counts(other: str) -> None:
    """Paused for longer than a second instance needs to be believed: nobody was heard meanwhile, so the first has not fallen silent."""
    site = small_site()
    copy = msgspec.structs.replace(site.server("A").beat(site.now), instance=other, cameras=())
    site.mono_ms += 60_000
    site.core.take(i.Heard(message=copy), site.now)
    heard = site.core.seen.of(rid("A"))
    assert (heard.instance, heard.rival) == ("A-1", other)


@pytest.mark.parametrize("new", ["new", "0-new"])
def test_after_a_restart_too_and_a_machine_that_was_set_up_anew_is_taken_when_the_old_one_is_gone(new: str) -> None:
    site = small_site()
    assert site.row("A").instance == "A-1"
    site.server("A").up = False
    site.restart()
    copy = msgspec.structs.replace(site.server("A").beat(site.now), instance=new)
    site.core.take(i.Heard(message=copy), site.now)
    heard = site.core.seen.of(rid("A"))
    assert (heard.instance, heard.rival, heard.ever) == ("A-1", new, False)
    site.server("A").up, site.server("A").instance = True, new  # type: ignore[assignment]  # an id is text
    site.run(RIVAL_MS + 3_000)
    assert heard.instance == new
    assert site.row("A").instance == new, "the documents of the new one are looked at, and it is remembered"
    assert site.state.failovers == {}


def test_settings_of_the_system_are_unchanged_by_default() -> None:
    assert SystemSettings().brake_limit_s == 60
