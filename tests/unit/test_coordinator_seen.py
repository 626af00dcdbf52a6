"""What is heard: the short way for heartbeats that repeat the last one leaves everything as the long way does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sysmanager.coordinator.decide import absorb, absorb_heard
from sysmanager.coordinator.heard import Heard
from sysmanager.coordinator.inputs import Heard as HeardInput
from sysmanager.coordinator.seen import STAYS_MS, Seen
from sysmanager.coordinator.state import State
from sysmanager.domain.ids import CameraId, Epoch, InstanceId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.protocol.recorders import (
    Beat,
    CameraBeat,
    CameraState,
    DiskBeat,
    Footage,
    FromRecorder,
    Leaving,
    Mode,
    ServiceState,
    WatchdogBeat,
)

A = RecorderId("A")
WALL_MS = 1_000_000


def beat(instance: str, mode: Mode, camera: CameraState, writable: bool, wall_ms: int) -> Beat:
    return Beat(
        recorder=A,
        instance=InstanceId(instance),
        boot=1,
        sequence=1,
        wall_ms=wall_ms,
        version="1.0.0",
        mode=mode,
        epoch=Epoch(1),
        home=A,
        documents=None,
        disks=(DiskBeat("D:", writable, 1, 2),),
        cameras=(CameraBeat(CameraId("A-c1"), camera, 1, wall_ms),),
    )


def watchdog(instance: str, service: ServiceState, wall_ms: int) -> WatchdogBeat:
    return WatchdogBeat(recorder=A, instance=InstanceId(instance), wall_ms=wall_ms, service=service)


# Mostly the same again, so that the short way is taken often and left at every kind of news.
INSTANCES = st.sampled_from(("one", "one", "one", "one", "two"))
OFFSETS = st.sampled_from((0, 0, 0, 0, 3_000))
BEATS = st.tuples(
    INSTANCES,
    st.sampled_from((Mode.RECORDING, Mode.RECORDING, Mode.RECORDING, Mode.STANDBY)),
    st.sampled_from((CameraState.RECORDING, CameraState.RECORDING, CameraState.RECORDING, CameraState.UNREACHABLE)),
    st.sampled_from((True, True, True, False)),
    OFFSETS,
)
WORDS = st.tuples(
    INSTANCES, st.sampled_from((ServiceState.RUNNING, ServiceState.RUNNING, ServiceState.FAILED, ServiceState.STARTING)), OFFSETS
)
PAUSES_MS = st.sampled_from((1_000, 1_000, 1_000, 200, 2_500, 4_000))
STEPS = st.lists(st.tuples(PAUSES_MS, st.sampled_from((True, True, True, False)), st.one_of(BEATS, BEATS, WORDS)), max_size=40)


def test_what_was_said_of_footage_is_forgotten_only_when_a_disk_returns() -> None:
    seen, said = Seen(Instant(mono_ms=0, wall_ms=WALL_MS)), Footage(epoch=Epoch(1))
    seen.footage[A, Epoch(1)] = seen.footage[RecorderId("B"), Epoch(1)] = said
    words = [
        (Mode.RECORDING, CameraState.RECORDING, True),
        (Mode.RECORDING, CameraState.UNREACHABLE, True),
        (Mode.STANDBY, CameraState.RECORDING, False),
        (Mode.STANDBY, CameraState.RECORDING, True),
    ]
    kept = []
    for number, (mode, camera, writable) in enumerate(words, 1):
        now = Instant(mono_ms=1_000 * number, wall_ms=WALL_MS + 1_000 * number)
        seen.listening.canary(now.mono_ms)
        seen.observe(beat("one", mode, camera, writable, now.wall_ms), now)
        kept.append((A, Epoch(1)) in seen.footage)
    assert kept == [True, True, True, False]
    assert seen.footage == {(RecorderId("B"), Epoch(1)): said}


@pytest.mark.parametrize(("silent_ms", "kept"), [(1_900, True), (2_900, True), (3_000, False), (3_500, False)])
def test_a_recorder_is_stable_from_anew_when_it_was_not_connected(silent_ms: int, kept: bool) -> None:
    seen = Seen(Instant(mono_ms=0, wall_ms=WALL_MS))

    def says(mono_ms: int) -> None:
        seen.listening.canary(mono_ms)
        now = Instant(mono_ms=mono_ms, wall_ms=WALL_MS + mono_ms)
        seen.observe(beat("one", Mode.RECORDING, CameraState.RECORDING, True, now.wall_ms), now)

    for mono_ms in (0, 1_000):
        says(mono_ms)
    seen.of(A).sound = sound = (123, 0)
    for mono_ms in range(1_100, 1_000 + silent_ms, 100):
        seen.listening.canary(mono_ms)
    says(1_000 + silent_ms)
    assert (seen.of(A).sound == sound) is kept


def known(heard: Heard) -> dict[str, object]:
    return {name: getattr(heard, name) for name in Heard.__slots__ if name != "steady"}


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_the_short_way_leaves_what_the_long_way_leaves(steps: list[tuple[int, bool, tuple[object, ...]]]) -> None:
    start = Instant(mono_ms=0, wall_ms=WALL_MS)
    short, long = Seen(start), Seen(start)
    mono_ms = 0
    for pause_ms, canary, said in steps:
        mono_ms += pause_ms
        now = Instant(mono_ms=mono_ms, wall_ms=WALL_MS + mono_ms)
        *words, offset_ms = said
        make = beat if len(words) == 4 else watchdog
        message: FromRecorder = make(*words, now.wall_ms + offset_ms)  # type: ignore[arg-type, operator]  # as the strategies give them
        for seen in (short, long):
            if canary:
                seen.listening.canary(mono_ms)
        long.of(A).steady = False
        assert short.observe(message, now) == long.observe(message, now)
        assert known(short.of(A)) == known(long.of(A))
        assert short.refused_orders == long.refused_orders
        assert list(short.speaking) == list(long.speaking) == ([A] if short.of(A).ever else [])
        assert (short.ahead, short.odd) == (long.ahead, long.odd)


def test_a_beat_that_repeats_the_last_one_takes_the_short_way() -> None:
    seen = Seen(Instant(mono_ms=0, wall_ms=WALL_MS))
    for second in range(4):
        now = Instant(mono_ms=second * 1_000, wall_ms=WALL_MS + second * 1_000)
        seen.listening.canary(now.mono_ms)
        news = seen.observe(beat("one", Mode.RECORDING, CameraState.RECORDING, True, now.wall_ms), now)
        assert news is (second == 0)
        assert seen.of(A).steady


def test_a_watchdog_that_is_heard_again_has_not_left_even_if_it_says_what_it_said_before() -> None:
    seen = Seen(Instant(mono_ms=0, wall_ms=WALL_MS))
    now = Instant(mono_ms=1_000, wall_ms=WALL_MS)
    seen.listening.canary(1_000)
    here, well = beat("one", Mode.RECORDING, CameraState.RECORDING, True, WALL_MS), watchdog("one", ServiceState.RUNNING, WALL_MS)
    news = [seen.observe(message, now) for message in (here, well, Leaving(recorder=A, instance=InstanceId("one"), wall_ms=WALL_MS), here)]
    assert news == [True, False, True, False]
    assert seen.of(A).leaving is not None, "its recording service may say something while both end"
    assert seen.observe(well, now) is True
    assert seen.of(A).leaving is None


@pytest.mark.parametrize(("state", "rows"), [(ServiceState.STARTING, "starting"), (ServiceState.FAILED, "failed")])
def test_the_last_word_of_a_watchdog_is_over_once_the_service_has_spoken_for_itself(state: ServiceState, rows: str) -> None:
    seen = Seen(Instant(mono_ms=0, wall_ms=WALL_MS))
    assert seen.of(A).service_state() is None
    said: list[str | None] = []
    for second in range(1, 8):
        now = Instant(mono_ms=second * 1_000, wall_ms=WALL_MS + second * 1_000)
        seen.listening.canary(now.mono_ms)
        if second < 3:
            seen.observe(watchdog("one", state, now.wall_ms), now)
        else:
            seen.observe(beat("one", Mode.RECORDING, CameraState.RECORDING, True, now.wall_ms), now)
        said.append(seen.of(A).service_state())
        assert seen.of(A).reports_service_failed() is (rows == "failed" and second < 5)
        assert seen.of(A).steady is (second >= 5)
    assert said == [rows] * 4 + ["running"] * 3


def test_a_server_that_speaks_long_after_it_announced_its_shutdown_stays() -> None:
    seen = Seen(Instant(mono_ms=0, wall_ms=WALL_MS))
    for second in range(STAYS_MS // 1_000 + 3):
        now = Instant(mono_ms=second * 1_000, wall_ms=WALL_MS + second * 1_000)
        seen.listening.canary(now.mono_ms)
        news = seen.observe(beat("one", Mode.RECORDING, CameraState.RECORDING, True, now.wall_ms), now)
        if second == 1:
            seen.observe(Leaving(recorder=A, instance=InstanceId("one"), wall_ms=now.wall_ms), now)
        else:
            assert news is (second in (0, 1 + STAYS_MS // 1_000))
        assert (seen.of(A).leaving is not None) is (1 <= second <= STAYS_MS // 1_000)


def test_who_falls_silent_is_found_when_that_is_proven() -> None:
    seen = Seen(Instant(mono_ms=0, wall_ms=WALL_MS))
    for mono_ms in range(0, 6_000, 500):
        now = Instant(mono_ms=mono_ms, wall_ms=WALL_MS + mono_ms)
        seen.listening.canary(mono_ms)
        # B goes on; A was heard before it and says nothing more.
        for name in ("A", "B") if mono_ms == 0 else ("B",):
            seen.observe(replace(beat("one", Mode.RECORDING, CameraState.RECORDING, True, now.wall_ms), recorder=RecorderId(name)), now)
        assert seen.fallen_silent() == ([A] if mono_ms == 3_000 else [])
    seen.forget(RecorderId("B"))
    for mono_ms in range(6_000, 12_000, 500):
        seen.listening.canary(mono_ms)
    assert seen.fallen_silent() == []


def test_a_heartbeat_is_absorbed_by_either_way_in() -> None:
    now = Instant(mono_ms=0, wall_ms=WALL_MS)
    state, said = State(), beat("one", Mode.RECORDING, CameraState.RECORDING, True, WALL_MS)
    one, other = Seen(now), Seen(now)
    assert absorb(state, one, HeardInput(message=said), now) is absorb_heard(state, other, said, now) is True
    assert one.unknown == other.unknown == {A: said}
