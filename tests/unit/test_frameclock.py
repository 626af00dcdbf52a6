from __future__ import annotations

import random

from sysmanager.recorder.frameclock import FrameClock, SteadyClock

FRAME_US = 66_667
START_US = 1_790_000_000_000_000


class Clocks:
    """A wall clock that can be set, and a monotonic one."""

    def __init__(self) -> None:
        self.mono_s = 100.0
        self.set_us = START_US

    def wall_ns(self) -> int:
        return (self.set_us + round((self.mono_s - 100.0) * 1e6)) * 1000

    def steady(self) -> SteadyClock:
        return SteadyClock(self.wall_ns, lambda: self.mono_s)


def test_a_step_of_the_wall_clock_is_followed_only_when_it_holds() -> None:
    clocks = Clocks()
    steady = clocks.steady()
    clocks.set_us += 3_600_000_000
    for _ in range(9):
        clocks.mono_s += 1
        assert not steady.look()
    assert steady.now_us() == START_US + 9_000_000
    clocks.mono_s += 2
    assert steady.look()
    assert steady.now_us() == clocks.wall_ns() // 1000


def test_a_step_that_is_taken_back_changes_nothing() -> None:
    clocks = Clocks()
    steady = clocks.steady()
    for step_us in (5_000_000, -5_000_000):
        clocks.set_us += step_us
        for _ in range(6):
            clocks.mono_s += 1
            assert not steady.look()
    assert steady.now_us() == clocks.wall_ns() // 1000


def test_a_small_difference_is_slewed_away() -> None:
    clocks = Clocks()
    steady = clocks.steady()
    clocks.set_us += 10_000
    before = steady.now_us()
    for _ in range(6):
        clocks.mono_s += 1
        steady.look()
        assert 0 < steady.now_us() - before <= 1_002_000
        before = steady.now_us()
    assert abs(steady.now_us() - clocks.wall_ns() // 1000) < 1000


def feed(clock: FrameClock, count: int, *, jitter_us: int, camera_off_us: int | None = None, seed: int = 1) -> list[int]:
    """Let frames come as FFmpeg hands them out, one frame late; the error of each told capture time."""
    chance = random.Random(seed)
    errors: list[int] = []
    for number in range(count):
        captured_us = START_US + number * FRAME_US
        pts_us = number * FRAME_US
        clock.observe(pts_us, captured_us + FRAME_US + 2_000 + chance.randrange(jitter_us + 1))
        camera_us = None if camera_off_us is None else captured_us + camera_off_us
        told_us = clock.captured_us(pts_us, camera_us, FRAME_US)
        assert told_us is not None
        errors.append(told_us - captured_us)
    return errors


def test_the_time_of_arrival_is_good_despite_jitter() -> None:
    errors = feed(FrameClock(), 200, jitter_us=150_000)
    assert max(abs(error) for error in errors[30:]) < 15_000


def test_the_clock_of_the_camera_is_exact() -> None:
    assert set(feed(FrameClock(), 50, jitter_us=100_000, camera_off_us=0)) == {0}


def test_a_camera_whose_clock_is_wrong_is_not_believed() -> None:
    errors = feed(FrameClock(), 50, jitter_us=5_000, camera_off_us=3_600_000_000)
    assert max(abs(error) for error in errors) < 10_000


def test_time_stamps_that_begin_anew_are_followed() -> None:
    clock = FrameClock()
    feed(clock, 50, jitter_us=1000)
    later_us = START_US + 100_000_000
    for number in range(10):
        clock.observe(number * FRAME_US, later_us + (number + 1) * FRAME_US)
        told_us = clock.captured_us(number * FRAME_US, None, FRAME_US)
        if number > 1:
            assert told_us is not None
            assert abs(told_us - later_us - number * FRAME_US) < 5_000


def test_a_first_frame_without_a_time_stamp_waits_unless_the_camera_tells() -> None:
    clock = FrameClock()
    clock.observe(None, START_US + FRAME_US)
    assert clock.captured_us(None, None, FRAME_US) is None
    assert clock.captured_us(None, START_US, FRAME_US) == START_US
