"""When the Watchdog starts and kills its service, and when it says that it failed: three failed starts or 30 s (SPEC 4.3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sysmanager.protocol.recorders import ServiceState
from sysmanager.recorder.pulse import Phase, Pulse
from sysmanager.recorder.supervision import (
    HELD_MS,
    PATIENCE_MS,
    SILENT_MS,
    Action,
    Look,
    Supervision,
    Word,
    adopted,
    start_failed,
    supervise,
)

STEP_MS = 250


class Watched:
    """A service as a test tells it to be, looked at four times a second."""

    def __init__(self, supervision: Supervision | None = None) -> None:
        self.supervision = supervision or Supervision()
        self.now_ms = 0
        self.alive = False
        self.phase = Phase.NONE
        self.counter = 0
        self.hangs = False
        self.sentence = "It ended."
        self.actions: list[tuple[int, Action]] = []

    def look(self) -> Action:
        if self.alive and not self.hangs:
            self.counter += 1
        look = Look(alive=self.alive, phase=self.phase, counter=self.counter, sentence="" if self.alive else self.sentence)
        self.supervision, action = supervise(self.supervision, look, self.now_ms)
        if action is not Action.NOTHING:
            self.actions.append((self.now_ms, action))
        if action is Action.START:
            self.alive, self.phase = True, Phase.STARTING
        if action is Action.KILL:
            self.alive, self.phase = False, Phase.NONE
        self.now_ms += STEP_MS
        return action

    def run(self, duration_ms: int) -> None:
        for _ in range(duration_ms // STEP_MS):
            self.look()

    def die(self) -> None:
        self.alive, self.phase = False, Phase.NONE

    @property
    def state(self) -> ServiceState:
        return self.supervision.state

    @property
    def starts(self) -> list[int]:
        return [at_ms for at_ms, action in self.actions if action is Action.START]


def held() -> Watched:
    watched = Watched()
    watched.look()
    watched.phase = Phase.RUNNING
    watched.run(6_000)
    assert watched.supervision.held
    return watched


def test_it_starts_at_once_and_says_running_when_the_service_is_initialised() -> None:
    watched = Watched()
    assert watched.look() is Action.START
    assert watched.state is ServiceState.STARTING
    watched.run(1_000)
    watched.phase = Phase.RUNNING
    watched.look()
    assert watched.state is ServiceState.RUNNING


def test_a_service_that_held_is_started_again_at_once_and_does_not_count_as_failed() -> None:
    watched = held()
    watched.die()
    died_ms = watched.now_ms
    watched.run(1_000)
    assert 0 < watched.starts[-1] - died_ms <= 2 * STEP_MS
    assert (watched.supervision.failed_starts, watched.state) == (0, ServiceState.STARTING)


def test_three_failed_starts_are_failed_and_it_goes_on_with_growing_waits() -> None:
    watched = Watched()
    states: list[ServiceState] = []
    while len(watched.starts) < 8:
        if watched.look() is Action.START:
            watched.die()
            states.append(watched.state)
    assert states[:3] == [ServiceState.STARTING] * 3
    assert states[3:] == [ServiceState.FAILED] * 5
    waits = [later - earlier for earlier, later in zip(watched.starts, watched.starts[1:], strict=False)]
    assert waits == sorted(waits)
    assert watched.starts[3] < 10_000
    assert waits[-1] <= 31_000
    assert watched.supervision.sentence == "It ended."


def test_30_s_without_a_start_that_held_are_failed() -> None:
    watched = Watched()
    watched.run(29_750)
    assert watched.state is ServiceState.STARTING
    watched.run(750)
    assert watched.state is ServiceState.FAILED
    assert watched.supervision.speaks_for_service
    watched.phase = Phase.RUNNING
    watched.run(250)
    assert watched.state is ServiceState.RUNNING


def test_after_failed_starts_it_is_well_only_when_one_held() -> None:
    watched = Watched()
    while watched.state is not ServiceState.FAILED:
        watched.look()
        watched.die()
    while watched.look() is not Action.START:
        pass
    watched.phase = Phase.RUNNING
    watched.run(2_000)
    assert watched.state is ServiceState.FAILED
    assert not watched.supervision.speaks_for_service
    watched.run(4_000)
    assert watched.state is ServiceState.RUNNING
    assert (watched.supervision.failed_starts, watched.supervision.sentence) == (0, "")


def test_a_hung_service_is_killed_after_10_s_and_started_again() -> None:
    watched = held()
    watched.hangs = True
    since_ms = watched.now_ms
    watched.run(12_000)
    kills = [at_ms for at_ms, action in watched.actions if action is Action.KILL]
    assert len(kills) == 1
    assert 9_500 <= kills[0] - since_ms <= 10_250
    assert watched.starts[-1] > kills[0]


def test_a_process_that_never_gives_a_sign_is_killed_after_30_s() -> None:
    watched = Watched()
    watched.hangs = True
    watched.run(32_000)
    assert [action for _, action in watched.actions] == [Action.START, Action.KILL, Action.START]
    assert watched.supervision.failed_starts == 1
    assert watched.state is ServiceState.FAILED


def test_an_adopted_service_is_not_started_again() -> None:
    watched = Watched(adopted(0))
    watched.alive, watched.phase = True, Phase.RUNNING
    watched.run(8_000)
    assert watched.actions == []
    assert watched.state is ServiceState.RUNNING


def test_a_process_that_cannot_be_started_is_a_failed_start() -> None:
    watched = Watched()
    watched.look()
    after = start_failed(watched.supervision, "No such file.", watched.now_ms)
    assert (after.begun_ms, after.failed_starts, after.sentence) == (None, 1, "No such file.")


# ---------------------------------------------------------------- what it says


def speaking(watched: Watched, duration_ms: int) -> list[bool]:
    """At each look, whether it speaks."""
    said = []
    for _ in range(duration_ms // STEP_MS):
        watched.look()
        said.append(watched.supervision.speaks)
    return said


def test_it_says_nothing_while_its_service_starts_in_time_and_runs_well() -> None:
    watched = Watched()
    before = speaking(watched, 4_750)
    watched.phase = Phase.RUNNING
    assert not any(before + speaking(watched, 60_000))


def test_it_speaks_when_the_first_start_takes_long_and_until_it_has_held() -> None:
    watched = Watched()
    assert speaking(watched, 6_000).index(True) == PATIENCE_MS // STEP_MS
    watched.phase = Phase.RUNNING
    said = speaking(watched, 6_000)
    assert said.index(False) == HELD_MS // STEP_MS
    assert not any(said[said.index(False) :])
    assert watched.supervision.word == Word(ServiceState.RUNNING), "and that is its last word"


def test_it_speaks_from_the_moment_a_service_ended_until_the_next_one_has_held() -> None:
    watched = held()
    assert not watched.supervision.speaks
    watched.die()
    watched.look()
    assert watched.supervision.speaks
    assert watched.supervision.word == Word(ServiceState.STARTING, 0, "It ended.")
    watched.run(500)
    watched.phase = Phase.RUNNING
    said = speaking(watched, 8_000)
    assert said.count(True) * STEP_MS == HELD_MS


def test_it_speaks_beside_a_service_that_hangs_before_that_is_missed() -> None:
    watched = held()
    watched.hangs = True
    said = speaking(watched, 4_000)
    assert said.index(True) * STEP_MS == pytest.approx(SILENT_MS, abs=STEP_MS)
    assert watched.state is ServiceState.RUNNING
    watched.hangs = False
    assert not any(speaking(watched, 2_000))


def test_it_refuses_orders_only_in_the_name_of_a_service_that_cannot_start() -> None:
    watched = held()
    watched.die()
    words = []
    for _ in range(200):
        watched.look()
        watched.die()
        words.append(watched.supervision.word)
    assert {(word.service, word.refuses) for word in words} == {(ServiceState.STARTING, False), (ServiceState.FAILED, True)}
    assert all(watched.supervision.speaks for _ in words)


def test_an_adopted_service_gets_a_word_as_its_last_watchdog_may_have_announced_its_end() -> None:
    watched = Watched(adopted(0))
    watched.alive, watched.phase = True, Phase.RUNNING
    said = speaking(watched, 8_000)
    assert said[0]
    assert not said[-1]


# ---------------------------------------------------------------- the pulse


@pytest.fixture
def pulses(tmp_path: Path) -> Iterator[tuple[Pulse, Pulse]]:
    service, watchdog = Pulse(tmp_path), Pulse(tmp_path)
    yield service, watchdog
    service.close()
    watchdog.close()


def test_signs_of_life_reach_the_other_side(pulses: tuple[Pulse, Pulse]) -> None:
    service, watchdog = pulses
    assert watchdog.phase is Phase.NONE
    service.begin(4711)
    before = watchdog.counter
    service.beat()
    assert (watchdog.counter, watchdog.phase, watchdog.pid) == (before + 1, Phase.STARTING, 4711)
    service.enter(Phase.RUNNING)
    assert watchdog.phase is Phase.RUNNING


def test_a_request_to_end_reaches_the_service_and_is_withdrawn_by_the_next_start(pulses: tuple[Pulse, Pulse]) -> None:
    service, watchdog = pulses
    watchdog.ask_to_stop()
    assert service.asked_to_stop
    service.begin(1)
    assert not service.asked_to_stop


def test_a_notice_is_apart_from_a_complaint(pulses: tuple[Pulse, Pulse]) -> None:
    service, watchdog = pulses
    service.notice("ö" * 2000)
    service.complain("It cannot start.")
    assert (watchdog.noticed, watchdog.complaint) == ("ö" * 500, "It cannot start.")
    watchdog.clear()
    assert (watchdog.noticed, watchdog.complaint) == ("", "")


def test_a_complaint_is_bounded_and_cleared(pulses: tuple[Pulse, Pulse]) -> None:
    service, watchdog = pulses
    service.complain("ä" * 2000)
    assert watchdog.complaint == "ä" * 500
    watchdog.clear()
    assert (watchdog.complaint, watchdog.pid) == ("", 0)
