"""Rows for people: the state of a server in a few words, the countdown, the coordinator in one sentence, alarms."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from sysmanager.coordinator import inputs as i
from sysmanager.engine.rows import recorder_row, system_row
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from sysmanager.protocol.selftest import SelfTestReport
from tests.helpers.coordination import Site, analogue, cameras_of, edit, rid, small_site


def row(site: Site, server: str) -> c.RecorderRow:
    return recorder_row(site.state, site.core.seen, site.row(server), site.now)


def system(site: Site, **levels: int) -> c.SystemRow:
    counted = {c.Ready(name.replace("_", " ")): number for name, number in levels.items()}
    return system_row(site.state, site.core.seen, site.now, site="Yard", practice=True, lag_ms=3, ready=counted)


def alarms(site: Site) -> dict[str, str]:
    return {alarm.key: alarm.sentence for alarm in system(site).alarms}


def fresh() -> Site:
    return small_site()


def unseen() -> Site:
    site = small_site()
    site.server("A").up = False
    site.restart()
    return site


def silent(duration_ms: int) -> Callable[[], Site]:
    def build() -> Site:
        site = small_site()
        site.ask(c.HoldFailover(recorder=rid("A")))
        site.server("A").up = False
        site.run(duration_ms)
        return site

    return build


def changed(**changes: object) -> Callable[[], Site]:
    def build() -> Site:
        site = small_site(cameras=2)
        site.ask(c.HoldFailover(recorder=rid("A")))
        for name, value in changes.items():
            setattr(site.server("A"), name, value)
        site.run(5_000 if changes.get("beats") is False else 1_000)
        return site

    return build


def replaced(connected: bool) -> Callable[[], Site]:
    def build() -> Site:
        site = small_site()
        site.fail_over("A")
        site.server("A").up = connected
        site.run(4_000)
        return site

    return build


def replaced_with(**changes: object) -> Callable[[], Site]:
    def build() -> Site:
        site = small_site()
        site.fail_over("A")
        site.run(3_000)
        for name, value in changes.items():
            setattr(site.server("A"), name, value)
        site.run(6_000)
        return site

    return build


def opening() -> Site:
    site = small_site(cameras=2)
    site.server("A").first_frame_ms = 60_000
    site.server("A").since_ms = site.mono_ms
    site.run(1_000)
    return site


def unreconciled() -> Site:
    site = small_site()
    site.server("A").epoch = 90
    site.restart(damage="The journal lost its tail.")
    site.run(1_000)
    return site


def refusing() -> Site:
    site = small_site()
    site.server("A").mode = r.Mode.STANDBY
    site.server("A").refusal = r.Refusal(reason=r.RefusalReason.CANNOT_SAVE, sentence="disk full")
    site.run(1_000)
    return site


def no_documents() -> Site:
    site = small_site()
    site.state.recorders[rid("A")] = msgspec.structs.replace(site.row("A"), documents=None)
    return site


def no_standby() -> Site:
    site = small_site()
    site.server("F").up = site.server("H").up = False
    site.run(4_000)
    return site


def switched_off() -> Site:
    site = small_site()
    site.ask(c.EditRecorder(recorder=rid("A"), revision=1, fields=edit("A", failover_enabled=False)))
    return site


def watchdog_only() -> Site:
    site = Site()
    site.add("A", beats=False, service=r.ServiceState.RUNNING)
    site.run(1_000)
    return site


DARK = {camera.id for camera in cameras_of("A", 2)}

CONDITIONS = [
    (fresh, "good", "ready"),
    (unseen, "unknown", "not seen yet"),
    (silent(5_000), "bad", "silent"),
    (silent(12_000), "bad", "not connected"),
    (replaced(True), "bad", "connected again"),
    (replaced(False), "bad", "broken, not connected"),
    (replaced_with(disks={"D:": False}), "bad", "all disks lost"),
    (replaced_with(service=r.ServiceState.FAILED), "bad", "recording service cannot start"),
    (replaced_with(service=r.ServiceState.STARTING, beats=False), "bad", "connected, recording service not heard"),
    (unreconciled, "warning", "not reconciled"),
    (changed(service=r.ServiceState.FAILED), "bad", "recording service cannot start"),
    (changed(disks={"D:": False}), "bad", "all disks lost"),
    (watchdog_only, "warning", "Watchdog heard, recording service not yet"),
    (changed(service=r.ServiceState.STARTING), "warning", "recording service starting"),
    (changed(service=r.ServiceState.RUNNING, beats=False), "warning", "recording service not heard"),
    (changed(disks={"D:": True, "E:": False}), "warning", "1 disk lost"),
    (changed(disks={"D:": True, "E:": False, "G:": False}), "warning", "2 disks lost"),
    (refusing, "warning", "refuses an order"),
    (changed(dark={min(DARK)}), "warning", "1 of 2 cameras dark"),
    (changed(dark=DARK), "bad", "2 of 2 cameras dark"),
    (opening, "warning", "opening 2 of 2 cameras"),
    (changed(dark={min(DARK)}, dark_state=r.CameraState.BUSY), "warning", "1 of 2 cameras busy"),
    (switched_off, "warning", "failover is off"),
    (no_documents, "warning", "settings not cached yet"),
    (no_standby, "warning", "no failover server free"),
]


@pytest.mark.parametrize(("build", "health", "condition"), CONDITIONS, ids=[words for _, _, words in CONDITIONS])
def test_the_condition_of_a_server_in_a_few_words(build: Callable[[], Site], health: str, condition: str) -> None:
    shown = row(build(), "A")
    assert (shown.health, shown.condition) == (health, condition)


def test_a_recorder_in_no_group_says_so() -> None:
    site = Site()
    site.add("A", group=None)
    site.run(1_000)
    assert row(site, "A").condition == "in no failover group"


def test_failover_servers_say_what_they_do() -> None:
    site = small_site()
    assert (row(site, "F").condition, row(site, "F").health) == ("standby", "good")
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    assert row(site, "F").condition == "reserved for A"
    assert (row(site, "F").failover, row(site, "A").failover, row(site, "B").failover) == ("F00001", "F00001", None)
    site = small_site()
    site.fail_over("A")
    site.run(1_000)
    assert row(site, "F").condition == "acting for A"


def test_the_countdown_is_shown_while_it_counts() -> None:
    site = small_site()
    assert row(site, "A").countdown_ms is None
    site.server("A").up = False
    site.run(4_000)
    shown = row(site, "A")
    assert (shown.countdown_ms, shown.countdown_cause, shown.silence_ms) == (6_000, "connection lost", 4_000)
    assert (shown.cameras_recording, [camera.state for camera in shown.cameras]) == (0, [None] * 3)
    site.ask(c.HoldFailover(recorder=rid("A")))
    shown = row(site, "A")
    assert shown.countdown_ms is None
    assert shown.hold is not None
    assert (shown.hold.cause, shown.hold.actor.name) == (c.HoldCause.PERSON, "anna")


def test_a_row_has_what_the_server_reports() -> None:
    site = small_site(cameras=(*cameras_of("A", 1), analogue("A")), clock_offset_ms=150, vca_channels=4, plugins=("plates",))
    shown = row(site, "A")
    assert (shown.clock_offset_ms, shown.vca_channels, shown.plugins, shown.version) == (150, 4, ("plates",), "1.4.2")
    assert [camera.kind for camera in shown.cameras] == ["ip", "analogue"]
    assert shown.cameras_recording == 2
    assert shown.disks == (c.DiskRow(path="D:", writable=True, free_mb=950_000, total_mb=1_000_000),)
    assert shown.edit == edit("A")


def test_the_clock_is_compared_with_the_moment_of_the_beat_and_not_of_its_watchdog() -> None:
    site = small_site(service=r.ServiceState.RUNNING)
    site.mono_ms += 700
    server = site.server("A")
    site.core.take(i.Heard(message=server.watchdog(site.now)), site.now)
    assert row(site, "A").clock_offset_ms == 0


def test_an_acting_server_shows_the_cameras_that_moved_and_one_that_waits_shows_none() -> None:
    site = small_site(cameras=(*cameras_of("A", 2), analogue("A")))
    site.fail_over("A")
    site.run(2_000)
    assert [camera.id for camera in row(site, "F").cameras] == ["A-c0", "A-c1"]
    assert [camera.id for camera in row(site, "A").cameras] == ["A-c0", "A-c1", "A-c90"]
    site.fail_back()
    site.run(3_000)
    assert row(site, "F").cameras == ()


def test_a_broken_server_shows_for_how_long_it_has_been_stable() -> None:
    site = small_site()
    site.server("A").up = False
    site.run(15_000)
    assert row(site, "A").stable_ms == 0
    site.server("A").up = True
    site.run(5_000)
    assert row(site, "A").stable_ms == 4_000
    site.server("A").disks = {"D:": False}
    site.run(1_000)
    assert row(site, "A").stable_ms == 0
    site.server("A").disks = {"D:": True}
    site.run(2_000)
    assert row(site, "A").stable_ms > 0
    site.server("A").service = r.ServiceState.FAILED
    site.run(1_000)
    assert row(site, "A").stable_ms == 0


def test_a_server_that_was_never_heard_shows_system_data() -> None:
    site = Site()
    site.add("A", up=False)
    shown = row(site, "A")
    assert (shown.version, shown.disks, shown.clock_offset_ms, shown.service, shown.vca_channels) == ("", (), None, None, 0)


# ---------------------------------------------------------------- the coordinator


def test_the_coordinator_in_one_sentence() -> None:
    site = small_site()
    shown = system(site, ready=4, limited=2, not_ready=1)
    assert (shown.state, shown.sentence, shown.health) == (c.CoordinatorState.WATCHING, "Watching 4 servers", "good")
    assert (shown.site, shown.practice, shown.lag_ms, shown.watched, shown.ready, shown.alarms) == ("Yard", True, 3, 4, 4, ())
    site = Site()
    assert system(site).health is c.Health.UNKNOWN
    site.add("A")
    assert system(site).sentence == "Watching 1 server"


def test_a_deaf_coordinator_says_that_nobody_is_blamed() -> None:
    site = small_site()
    site.canary = False
    site.run(2_000)
    assert (system(site).state, system(site).health) == (c.CoordinatorState.DEAF, "bad")


def test_a_reconcile_is_shown_with_its_findings_and_whom_it_waits_for() -> None:
    site = unreconciled()
    shown = system(site)
    assert shown.state is c.CoordinatorState.RECONCILE
    assert [found.recorder for found in shown.findings] == ["A"]
    assert shown.waiting_for == ("A",)
    assert alarms(site)["reconcile"] == "The journal lost its tail."


def test_servers_that_are_not_in_system_data_are_listed() -> None:
    site = small_site()
    beat = small_site().server("B").beat(site.now)
    fields = {name: getattr(beat, name) for name in beat.__struct_fields__}
    site.core.take(i.Heard(message=r.Beat(**{**fields, "recorder": "N"})), site.now)
    assert system(site).unknown == (c.UnknownServer(id=rid("N"), version="1.4.2", cameras=3, standby=False),)
    site.ask(c.AddRecorder(id=rid("N"), fields=edit("N")))
    assert system(site).unknown == ()


def test_alarms_say_what_to_do_and_since_when() -> None:
    site = refusing()
    assert alarms(site)["refused A"] == "A refuses what system data wants of it: disk full"
    site = small_site()
    site.server("A").clock_offset_ms = 5_000
    site.run(1_000)
    since_ms = site.now.wall_ms
    site.run(5_000)
    (alarm,) = system(site).alarms
    assert alarm.key == "clock A"
    assert alarm.since_wall_ms == since_ms, "it stays the same alarm"
    site.server("A").clock_offset_ms = 0
    site.run(1_000)
    assert alarms(site) == {}
    site.ask(c.HoldFailover(recorder=rid("A")))
    assert alarms(site)["hold A"] == "Automatic failover of A is held by a person; release it when that is over."


def test_cameras_in_quarantine_raise_one_alarm_for_their_server_and_say_why_in_their_lines() -> None:
    site = small_site(cameras=5)
    beat = site.server("A").beat(site.now)
    cameras = tuple(
        r.CameraBeat(camera.camera, r.CameraState.QUARANTINED, sentence=f"{camera.camera} made it crash.") for camera in beat.cameras
    )
    fields = {name: getattr(beat, name) for name in beat.__struct_fields__}
    site.core.take(i.Heard(message=r.Beat(**{**fields, "cameras": cameras})), site.now)
    names = [camera.name for camera in site.row("A").settings.cameras]
    assert alarms(site)["quarantine A"].startswith(f"A does not record {', '.join(names[:3])} and 2 more: its recording service crashed")
    assert row(site, "A").cameras[0].sentence == f"{cameras[0].camera} made it crash."
    site.core.seen.recorders[rid("Z")] = site.core.seen.recorders[rid("A")]
    site.core.seen.complaints.quarantined[rid("Z")] = site.core.seen.complaints.quarantined[rid("A")]
    assert "quarantine Z" not in alarms(site), "of a server that is not in system data"
    site.run(1_000)
    assert alarms(site) == {}


def test_a_failover_server_that_waits_and_fails_its_self_test_is_yellow_and_raises_an_alarm() -> None:
    site = small_site()
    site.server("F").self_test = SelfTestReport(wall_ms=1, problems=("The disk rots.",))
    site.run(1_000)
    assert (row(site, "F").condition, row(site, "F").health) == ("standby, self-test failed", "warning")
    assert row(site, "F").self_test == site.server("F").self_test
    assert alarms(site) == {"self-test F": "F waits and failed its self-test: The disk rots."}
    site.core.seen.complaints.failed[rid("Z")] = site.core.seen.complaints.failed[rid("F")]
    assert set(alarms(site)) == {"self-test F"}, "of a server that is not in system data"
    site.core.seen.complaints.forget(rid("Z"))
    site.server("F").self_test = SelfTestReport(wall_ms=2)
    site.run(1_000)
    assert alarms(site) == {}
    assert row(site, "F").condition == "standby"


def test_a_recording_service_that_is_not_running_is_not_said_to_refuse_orders() -> None:
    site = small_site()
    site.server("A").mode = r.Mode.STANDBY
    site.server("A").refusal = r.Refusal(reason=r.RefusalReason.SERVICE_DOWN, sentence="The recording service is not running.")
    site.run(1_000)
    assert rid("A") in site.core.seen.refused_orders
    assert row(site, "A").condition == "starting to record"
    assert alarms(site) == {}


def test_two_servers_with_one_id_raise_an_alarm() -> None:
    site = small_site()
    twin = site.server("A").beat(site.now)
    fields = {name: getattr(twin, name) for name in twin.__struct_fields__}
    site.core.take(i.Heard(message=r.Beat(**{**fields, "instance": "A-2"})), site.now)
    assert alarms(site)["rival A"].startswith("Two servers announce themselves as A")
    site.run(6_000)
    assert alarms(site) == {}


def test_servers_never_asked_about_raise_no_alarm() -> None:
    site = small_site()
    site.core.seen.recorders.clear()
    assert alarms(site) == {}
