"""Detection (SPEC 4): never early, at most 100 ms late, fair to the recorders, whatever happens to the coordinator."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.beats import differs
from sysmanager.coordinator.detection import START_GRACE_MS, assess, why_not_automatic
from sysmanager.coordinator.heard import RIVAL_MS
from sysmanager.coordinator.listening import LISTEN_GAP_MS, Listening
from sysmanager.coordinator.seen import UNKNOWN_LIMIT, Seen
from sysmanager.domain.failover import Phase, Trigger
from sysmanager.domain.instant import Instant
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Site, edit, rid, small_site

# ---------------------------------------------------------------- listening


def at(mono_ms: int) -> Instant:
    return Instant(mono_ms=mono_ms, wall_ms=10**12 + mono_ms)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["canary", "hear", "pause"]), st.integers(1, 4_000)), max_size=40))
def test_proven_silence_is_never_longer_than_the_real_one(steps: list[tuple[str, int]]) -> None:
    """Whatever the order of canaries, messages and pauses: silence is not counted early (SPEC 4)."""
    mono_ms = 0
    listening = Listening(at(0))
    heard_ms, stamp = 0, (listening.stamp_ms(at(0)), listening.generation)
    for kind, duration_ms in steps:
        mono_ms += duration_ms
        if kind == "canary":
            listening.canary(mono_ms)
        elif kind == "hear":
            heard_ms, stamp = mono_ms, (listening.stamp_ms(at(mono_ms)), listening.generation)
        assert 0 <= listening.since_ms(*stamp) <= mono_ms - heard_ms


@given(st.lists(st.integers(1, LISTEN_GAP_MS), min_size=1, max_size=20))
def test_time_between_close_canaries_counts_in_full(stretches: list[int]) -> None:
    listening, mono_ms = Listening(at(0)), 0
    for stretch_ms in stretches:
        mono_ms += stretch_ms
        assert listening.canary(mono_ms)
    assert listening.since_ms(0, 0) == mono_ms


def test_a_long_gap_between_canaries_proves_nothing_and_an_old_canary_neither() -> None:
    listening = Listening(at(0))
    assert not listening.canary(LISTEN_GAP_MS + 1)
    assert listening.proven_ms == 0
    assert listening.canary(100)
    assert listening.proven_ms == 0
    assert listening.deaf(at(2 * LISTEN_GAP_MS + 2))
    assert not listening.deaf(at(LISTEN_GAP_MS + 2))


# ---------------------------------------------------------------- 4.1 connection lost


def started_ms(site: Site) -> int:
    return next(at_ms for at_ms, fact in site.times if isinstance(fact, f.FailoverStarted | f.FailoverWaiting | f.FailoverQueued))


@pytest.mark.parametrize("last_beat_ms", [5_000, 5_010, 5_130, 5_490, 5_500, 5_990])
def test_a_failover_starts_when_the_silence_reaches_the_timeout_and_at_most_100_ms_later(last_beat_ms: int) -> None:
    site = small_site()
    site.run(last_beat_ms - site.mono_ms)
    site.hear("A")
    site.server("A").up = False
    site.run(11_000)
    assert site.entry.trigger is Trigger.CONNECTION
    assert 0 <= started_ms(site) - last_beat_ms - 10_000 <= 100


def test_a_timeout_planned_in_the_middle_of_an_unproven_stretch_is_not_late() -> None:
    site = small_site()
    site.ask(c.HoldFailover(recorder=rid("A")))
    site.server("A").up = False
    site.run(8_490)
    site.ask(c.ReleaseHold(recorder=rid("A")))
    site.run(3_000)
    assert 0 <= started_ms(site) - 5_000 - 10_000 <= 100


def test_the_coordinators_own_silence_is_not_counted() -> None:
    """Cut off from the bus for a minute: no canary, no beat, nobody is blamed; then the timeout runs in proven time."""
    site = small_site()
    site.server("A").up = False
    site.run(3_000)
    site.canary = False
    for server in site.servers.values():
        server.up = False
    site.run(60_000)
    assert site.state.failovers == {}
    site.canary = True
    for name in "BFH":
        site.server(name).up = True
    site.run(6_000)
    assert site.state.failovers == {}
    site.run(3_000)
    assert site.entry.recorder == "A"


def test_a_paused_coordinator_blames_nobody_when_it_wakes() -> None:
    site = small_site()
    site.mono_ms += 3_600_000
    site.core.tick(site.now)
    site.settle()
    site.run(2_000)
    assert site.state.failovers == {}
    assert site.core.seen.connected(rid("A"))


def test_a_recorder_not_heard_since_the_start_has_the_grace() -> None:
    site = small_site()
    site.server("A").up = False
    site.restart()
    row = site.row("A")
    assert assess(site.state, site.core.seen, row).connection is c.Connection.NOT_SEEN
    site.run(START_GRACE_MS - 100)
    assert site.state.failovers == {}
    site.run(300)
    assert site.entry.recorder == "A"
    assert assess(site.state, site.core.seen, row).connection is c.Connection.LOST


def test_a_recorder_that_is_added_later_has_its_grace_from_then() -> None:
    site = small_site()
    site.run(START_GRACE_MS + 10_000)
    site.add("C", up=False)
    site.run(START_GRACE_MS - 1_000)
    assert site.state.failovers == {}
    site.run(2_000)
    assert (site.entry.recorder, site.entry.phase, site.entry.reason) == ("C", Phase.WAITING, "no recorder settings")


def test_a_longer_timeout_than_the_grace_holds_at_the_start_too() -> None:
    site = Site()
    site.add("A", detection_timeout_s=600, up=False)
    assert assess(site.state, site.core.seen, site.row("A")).timeout_ms == 600_000


def test_the_countdown_begins_when_three_beats_are_missing() -> None:
    site = small_site()
    row = site.row("A")
    judged = assess(site.state, site.core.seen, row)
    assert (judged.connection, judged.counting, judged.remaining_ms) == (c.Connection.CONNECTED, None, None)
    site.server("A").up = False
    site.run(3_000)
    judged = assess(site.state, site.core.seen, row)
    assert (judged.connection, judged.counting) == (c.Connection.SILENT, Trigger.CONNECTION)
    assert judged.remaining_ms == judged.timeout_ms - judged.silence_ms == 7_000


# ---------------------------------------------------------------- 4.2 material disks lost


def test_all_disks_lost_for_five_seconds() -> None:
    site = small_site()
    site.run(500)
    site.server("A").disks = {"D:": False, "E:": False}
    site.hear("A")
    site.run(4_900)
    assert site.state.failovers == {}
    site.run(200)
    assert site.entry.trigger is Trigger.DISKS
    assert 5_000 <= started_ms(site) - 5_500 <= 5_100


@pytest.mark.parametrize("disks", [{"D:": True, "E:": False}, {}], ids=["one of two", "none reported"])
def test_fewer_than_all_disks_lost_is_no_failure(disks: dict[str, bool]) -> None:
    site = small_site()
    site.server("A").disks = disks
    site.run(10_000)
    assert site.state.failovers == {}


def test_disks_that_come_back_within_five_seconds_are_forgiven() -> None:
    site = small_site()
    site.server("A").disks = {"D:": False}
    site.run(4_000)
    site.server("A").disks = {"D:": True}
    site.run(1_000)
    site.server("A").disks = {"D:": False}
    site.run(4_000)
    assert site.state.failovers == {}


def test_a_pause_of_the_coordinator_does_not_count_as_five_seconds_of_lost_disks() -> None:
    site = small_site()
    site.server("A").disks = {"D:": False}
    site.run(1_000)
    site.mono_ms += 20_000
    site.core.tick(site.now)
    site.settle()
    assert site.state.failovers == {}
    site.run(6_000)
    assert site.entry.trigger is Trigger.DISKS


def test_lost_disks_that_were_reported_before_the_coordinator_could_not_hear_are_to_be_reported_again() -> None:
    site = small_site()
    site.server("A").disks = {"D:": False}
    site.run(4_000)
    site.server("A").up = False
    site.mono_ms += 20_000
    site.run(2_900)
    assert site.state.failovers == {}, "whether they are still lost nobody knows"
    site.run(120_000, until=lambda: bool(site.state.failovers))
    assert site.entry.trigger is Trigger.CONNECTION


# ---------------------------------------------------------------- 4.3 recording service


def test_a_recording_service_that_cannot_start_fails_at_once() -> None:
    site = small_site()
    site.server("A").beats = False
    site.server("A").service = r.ServiceState.STARTING
    site.run(5_000)
    assert site.state.failovers == {}
    site.server("A").service = r.ServiceState.FAILED
    site.hear("A")
    site.settle()
    assert site.entry.trigger is Trigger.SERVICE


def test_an_old_word_of_a_watchdog_blames_nobody() -> None:
    """The Watchdog said so before it died; the service has been heard since, for longer than a Watchdog is silent."""
    site = small_site()
    site.ask(c.HoldFailover(recorder=rid("A")))
    site.server("A").service = r.ServiceState.FAILED
    site.run(1_000)
    site.server("A").service = None
    site.run(4_000)
    site.ask(c.ReleaseHold(recorder=rid("A")))
    site.run(1_000)
    assert site.state.failovers == {}


def test_a_watchdog_alone_keeps_the_connection_but_is_no_proof_of_frames() -> None:
    site = small_site()
    site.server("A").service = r.ServiceState.STARTING
    site.server("A").beats = False
    site.run(8_000)
    heard = site.core.seen.of(rid("A"))
    assert site.core.seen.connected(rid("A"))
    assert not heard.service_heard()
    assert not heard.reports_frames()


# ---------------------------------------------------------------- what keeps a failover from starting by itself


def test_why_a_trigger_does_not_start_a_failover() -> None:
    site = small_site()
    assert why_not_automatic(site.state, site.row("F")) == "not recording"
    assert why_not_automatic(site.state, site.row("A")) is None
    site.ask(c.HoldFailover(recorder=rid("A")))
    assert why_not_automatic(site.state, site.row("A")) == "failover is held"
    site.ask(c.EditRecorder(recorder=rid("B"), revision=1, fields=edit("B", failover_enabled=False)))
    assert why_not_automatic(site.state, site.row("B")) == "failover is off"
    site.ask(c.EditRecorder(recorder=rid("B"), revision=2, fields=edit("B", group=None)))
    assert why_not_automatic(site.state, site.row("B")) == "in no failover group"


@pytest.mark.parametrize("how", ["held", "off"])
def test_a_held_or_disabled_recorder_is_left_alone_until_released(how: str) -> None:
    site = small_site()
    if how == "held":
        site.ask(c.HoldFailover(recorder=rid("A")))
    else:
        site.ask(c.EditRecorder(recorder=rid("A"), revision=1, fields=edit("A", failover_enabled=False)))
    site.server("A").up = False
    site.run(30_000)
    assert site.state.failovers == {}
    if how == "held":
        site.ask(c.ReleaseHold(recorder=rid("A")))
    else:
        site.ask(c.EditRecorder(recorder=rid("A"), revision=2, fields=edit("A")))
    site.run(1_000)
    assert site.entry.recorder == "A"


def test_a_hold_by_a_person_stays_while_the_recorder_is_well() -> None:
    site = small_site()
    site.ask(c.HoldFailover(recorder=rid("A")))
    site.run(20_000)
    assert rid("A") in site.state.holds


# ---------------------------------------------------------------- two instances of one id


def test_a_second_instance_is_refused_while_the_first_is_alive() -> None:
    site = small_site()
    twin = site.server("A").beat(site.now)
    fields = {name: getattr(twin, name) for name in twin.__struct_fields__}
    twin = r.Beat(**{**fields, "instance": "A-2", "mode": r.Mode.STANDBY})
    for _ in range(3):
        site.core.take(i.Heard(message=twin), site.now)
        site.settle()
        site.run(1_000)
    heard = site.core.seen.of(rid("A"))
    assert (heard.instance, heard.rival) == ("A-1", "A-2")
    assert heard.beat is not None
    assert heard.beat.mode is r.Mode.RECORDING
    assert heard.rival_since_wall_ms == site.now.wall_ms - 3_000
    site.server("A").up = False
    for _ in range(RIVAL_MS // 1_000 + 1):
        site.run(1_000)
        site.core.take(i.Heard(message=twin), site.now)
    assert heard.instance == "A-1", "it spoke beside the first, so it is a copy"
    site.run(60_000, until=lambda: bool(site.state.failovers))
    assert site.entry.trigger is Trigger.CONNECTION, "the copy does not hide that the first fell silent"
    site.run(RIVAL_MS)
    site.core.take(i.Heard(message=twin), site.now)
    assert heard.instance == "A-2", "the first is lost for good"


def test_a_copy_that_was_taken_for_the_first_gives_way_to_whom_system_data_knows() -> None:
    site = small_site()
    site.server("A").up = False
    twin = msgspec.structs.replace(site.server("A").beat(site.now), instance="A-2", documents=None)
    site.run(RIVAL_MS + 1_000)
    site.core.take(i.Heard(message=twin), site.now)
    heard = site.core.seen.of(rid("A"))
    assert (heard.instance, heard.rival, site.row("A").instance) == ("A-2", None, "A-1")
    site.server("A").up = True
    site.run(1_000)
    assert heard.instance == "A-1"
    site.core.take(i.Heard(message=twin), site.now)
    assert (heard.instance, heard.rival, heard.beside) == ("A-1", "A-2", False)


def test_another_second_instance_is_no_copy_because_an_earlier_one_was() -> None:
    site = small_site()
    for name in ("A-2", "A-3"):
        site.core.take(i.Heard(message=msgspec.structs.replace(site.server("A").beat(site.now), instance=name)), site.now)
        site.run(1_000)
    assert site.core.seen.of(rid("A")).beside
    fourth = msgspec.structs.replace(site.server("A").beat(site.now), instance="A-4")
    site.server("A").up = False
    site.core.take(i.Heard(message=fourth), site.now)
    assert not site.core.seen.of(rid("A")).beside
    site.run(RIVAL_MS)
    site.core.take(i.Heard(message=fourth), site.now)
    assert site.core.seen.of(rid("A")).instance == "A-4", "a machine that was set up anew in place of the first"


# ---------------------------------------------------------------- what counts as news


def changed(beat: r.Beat, **changes: object) -> r.Beat:
    return r.Beat(**{**{name: getattr(beat, name) for name in beat.__struct_fields__}, **changes})


@pytest.mark.parametrize(
    ("changes", "news"),
    [
        ({"sequence": 99, "wall_ms": 5}, False),
        ({"disks": (r.DiskBeat("D:", True, 1, 1_000_000),)}, False),
        ({"cameras": (r.CameraBeat("c1", r.CameraState.RECORDING, 10, 99),)}, False),
        ({"mode": r.Mode.ASKING}, True),
        ({"epoch": 7}, True),
        ({"home": "B"}, True),
        ({"documents": None}, True),
        ({"without": ("c1",)}, True),
        ({"boot": 2}, True),
        ({"version": "2.0"}, True),
        ({"camera_limit": 1}, True),
        ({"bitrate_limit_kbps": 1}, True),
        ({"vca_channels": 1}, True),
        ({"plugins": ("plates",)}, True),
        ({"disks": ()}, True),
        ({"disks": (r.DiskBeat("D:", False, 900_000, 1_000_000),)}, True),
        ({"disks": (r.DiskBeat("E:", True, 900_000, 1_000_000),)}, True),
        ({"cameras": ()}, True),
        ({"cameras": (r.CameraBeat("c1", r.CameraState.STALLED, 10, 20),)}, True),
        ({"cameras": (r.CameraBeat("c2", r.CameraState.RECORDING, 10, 20),)}, True),
        ({"cameras": (r.CameraBeat("c1", r.CameraState.RECORDING, 11, 20),)}, True),
    ],
    ids=str,
)
def test_what_in_a_beat_a_decision_could_rest_on(changes: dict[str, object], news: bool) -> None:
    site = small_site()
    beat = changed(site.server("A").beat(site.now), cameras=(r.CameraBeat("c1", r.CameraState.RECORDING, 10, 20),))
    assert differs(beat, beat) is False
    assert differs(beat, changed(beat, **changes)) is news


def test_servers_that_are_not_in_system_data_are_listed_up_to_a_limit() -> None:
    site = Site()
    beat = small_site().server("A").beat(site.now)
    for number in range(UNKNOWN_LIMIT + 5):
        site.core.take(i.Heard(message=changed(beat, recorder=f"X{number}")), site.now)
    assert len(site.core.seen.unknown) == UNKNOWN_LIMIT
    watchdog = r.WatchdogBeat(recorder=rid("X1"), instance="i", wall_ms=0, service=r.ServiceState.RUNNING)
    site.core.take(i.Heard(message=watchdog), site.now)
    site.core.groups_changed = False
    site.core.take(i.Heard(message=changed(beat, recorder="X0")), site.now)
    assert site.core.idle
    assert not site.core.groups_changed


def test_who_was_unknown_is_not_after_it_was_added() -> None:
    site = Site()
    beat = small_site().server("A").beat(site.now)
    site.core.take(i.Heard(message=beat), site.now)
    assert rid("A") in site.core.seen.unknown
    site.add("A")
    site.run(1_000)
    assert site.core.seen.unknown == {}


@pytest.mark.parametrize("announced", [None, False, True], ids=["not heard yet", "real", "practice"])
def test_a_server_is_for_practice_only_if_it_says_so(announced: bool | None) -> None:
    site = small_site()
    if announced is not None:
        beat = msgspec.structs.replace(site.server("A").beat(site.now), recorder="N", instance="N-1", practice=announced)
        site.core.take(i.Heard(message=beat), site.now)
    site.ask(c.AddRecorder(id=rid("N"), fields=edit("N")))
    assert site.row("N").practice is (announced is True)


def test_nothing_is_kept_of_what_is_over() -> None:
    seen = Seen(at(0))
    seen.step_begins("F1", at(5))
    seen.resume("F1", at(6))
    seen.undelivered_ms["F1"] = 7
    seen.failed_attempt_ms["F1", "X"] = 8
    seen.failed_attempt_ms["F2", "X"] = 8
    assert (seen.step_ms("F1", at(9)), seen.waited_ms("F1", at(9)), seen.waited_ms("F9", at(9))) == (-1, 3, 0)
    seen.entry_ended("".join(["F", "1"]))  # as it comes out of a record: another object than the one that was kept
    assert (seen.step_began_ms, seen.resumed, seen.undelivered_ms) == ({}, set(), {})
    assert seen.failed_attempt_ms == {("F2", "X"): 8}
