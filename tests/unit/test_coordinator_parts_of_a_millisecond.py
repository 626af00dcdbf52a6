"""What must last at least so long does, also where it begins late in a millisecond and is looked at early in one (SPEC 4, 8, 13)."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.automatic_failback import held_after_commit
from sysmanager.coordinator.detection import DISKS_LOST_MS, FRAMES_LOST_MS, START_GRACE_MS
from sysmanager.coordinator.listening import LISTEN_GAP_MS, Listening
from sysmanager.domain.failover import Phase, Trigger
from sysmanager.domain.instant import Instant
from sysmanager.engine.clock import instant_of
from tests.helpers.coordination import Site, rid, small_site

PARTS = [(999, 1), (999, 0), (999, 999), (1, 1), (1, 0), (0, 0), (0, 999), (500, 499), (1, 999)]
"""How far past a whole millisecond (µs) something begins, and the coordinator looks."""

TIMEOUT_MS = 10_000
AFTER_S = 30
LATE_LIMIT_MS = 1_100
"""Stability and the brake wait for the canaries that are sent anyway, and are looked at every half second and every second."""


def moved(site: Site, kind: type[f.AnyFact]) -> int | None:
    return next((at_ms for at_ms, fact in site.times if isinstance(fact, kind)), None)


def begins(site: Site, begun_us: int) -> int:
    """Let everything be heard at so many µs past a whole millisecond, which brings new frames; the moment in µs."""
    site.mono_ms += 10
    site.part_us = begun_us
    site.hear()
    site.settle()
    return site.mono_ms * 1000 + begun_us


def lasted_us(site: Site, since_us: int, look_us: int, kind: type[f.AnyFact], least_ms: int) -> int:
    """Look every millisecond, so many µs past it, until there is a fact of that kind: how long that took. Shortly before, every 10 ms."""
    site.part_us = look_us
    if least_ms > 100:
        site.run(least_ms - 50)
        assert moved(site, kind) is None, "early by far"
    site.step_ms = 1
    site.run(LATE_LIMIT_MS, until=lambda: moved(site, kind) is not None)
    at_ms = moved(site, kind)
    assert at_ms is not None, "late by far"
    return at_ms * 1000 + look_us - since_us


@pytest.mark.parametrize(("begun_us", "look_us"), PARTS)
def test_silence_is_never_early_and_at_most_two_milliseconds_late(begun_us: int, look_us: int) -> None:
    site = small_site()
    since_us = begins(site, begun_us)
    site.server("A").up = False
    took_us = lasted_us(site, since_us, look_us, f.FailoverStarted, TIMEOUT_MS)
    assert site.entry.trigger is Trigger.CONNECTION
    assert 0 <= took_us - TIMEOUT_MS * 1000 < 2_000


@pytest.mark.parametrize(("begun_us", "look_us"), PARTS)
def test_disks_are_lost_for_their_full_time(begun_us: int, look_us: int) -> None:
    site = small_site()
    site.server("A").disks = {"D:": False}
    since_us = begins(site, begun_us)
    took_us = lasted_us(site, since_us, look_us, f.FailoverStarted, DISKS_LOST_MS)
    assert site.entry.trigger is Trigger.DISKS
    assert 0 <= took_us - DISKS_LOST_MS * 1000 < 2_000


@pytest.mark.parametrize(("begun_us", "look_us"), PARTS)
def test_cameras_are_dark_for_their_full_time(begun_us: int, look_us: int) -> None:
    site = small_site()
    since_us = begins(site, begun_us)
    site.server("A").dark = {camera.id for camera in site.server("A").settings.cameras}
    took_us = lasted_us(site, since_us, look_us, f.FailoverStarted, FRAMES_LOST_MS)
    assert site.entry.trigger is Trigger.NOT_RECORDING
    assert 0 <= took_us - FRAMES_LOST_MS * 1000 < 2_000


@pytest.mark.parametrize(("begun_us", "look_us"), PARTS)
def test_who_was_not_heard_yet_gets_all_of_its_grace(begun_us: int, look_us: int) -> None:
    site = small_site()
    site.server("A").up = False
    site.part_us = begun_us
    site.restart()
    since_us = site.mono_ms * 1000 + begun_us
    took_us = lasted_us(site, since_us, look_us, f.FailoverStarted, START_GRACE_MS)
    assert 0 <= took_us - START_GRACE_MS * 1000 < 2_000


@pytest.mark.parametrize(("begun_us", "look_us"), PARTS)
def test_a_recorder_is_stable_for_its_full_time(begun_us: int, look_us: int) -> None:
    site = small_site(automatic_failback=True, failback_after_s=AFTER_S)
    site.server("A").up = False
    site.run(30_000, until=lambda: bool(site.facts) and site.state.failovers != {} and site.entry.phase is Phase.READY)
    site.run(AFTER_S * 1000)
    site.server("A").up = True
    since_us = begins(site, begun_us)
    took_us = lasted_us(site, since_us, look_us, f.FailbackStarted, AFTER_S * 1000)
    assert took_us >= AFTER_S * 1_000_000


@pytest.mark.parametrize(("begun_us", "look_us"), PARTS)
def test_the_brake_holds_for_its_full_time(begun_us: int, look_us: int) -> None:
    site = Site()
    for number in range(6):
        site.add(f"R{number}")
    site.add("S", failover=True)
    site.run(5_000)
    for number in range(4):
        site.server(f"R{number}").up, site.server(f"R{number}").reached_by_peers = False, True
    site.part_us = begun_us
    site.run(30_000, until=lambda: moved(site, f.BrakeApplied) is not None)
    since_us = site.mono_ms * 1000 + begun_us
    limit_s = site.state.settings.brake_limit_s
    assert limit_s is not None
    took_us = lasted_us(site, since_us, look_us, f.FailoverStarted, limit_s * 1000)
    assert took_us >= limit_s * 1_000_000


@pytest.mark.parametrize(("part_us", "held"), [(999, True), (1, True), (0, False)])
def test_two_failovers_are_apart_when_the_whole_window_lies_between(part_us: int, held: bool) -> None:
    """The second commit is looked at as many whole milliseconds later as the window has, and the first came late in its millisecond."""
    site = small_site(automatic_failback=True)
    site.part_us = part_us
    site.fail_over()
    first_ms = site.core.seen.replaced_ms[rid("A")] - (1 if part_us else 0)
    window_ms = site.state.settings.flap_window_min * 60_000
    later = Instant(mono_ms=first_ms + window_ms, wall_ms=site.now.wall_ms + 2 * window_ms)
    assert bool(held_after_commit(site.state, site.core.seen, site.entry, later)) is held


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["send", "return", "hear"]), st.integers(1, 1_600_000)), max_size=40))
def test_proven_silence_is_never_longer_than_the_real_one_with_canaries_on_their_way(steps: list[tuple[str, int]]) -> None:
    """Whatever the order of canaries that are sent and return later, and messages, in µs."""

    def at(us: int) -> Instant:
        return instant_of(us * 1000, 0)

    now_us = 0
    listening = Listening(at(0))
    under_way: deque[Instant] = deque()
    heard_us, stamp = 0, (listening.stamp_ms(at(0)), listening.generation)
    for kind, duration_us in steps:
        now_us += duration_us
        if kind == "send":
            under_way.append(at(now_us))
        elif kind == "return" and under_way:
            sent = under_way.popleft()
            listening.canary(sent.mono_ms, sent.over_ms)
        elif kind == "hear":
            heard_us, stamp = now_us, (listening.stamp_ms(at(now_us)), listening.generation)
        assert listening.since_ms(*stamp) * 1000 <= now_us - heard_us


def test_heard_while_a_canary_is_late_counts_from_when_it_was_heard() -> None:
    """Sent after 1.4 s and back after 2.4 s, it proves all of the 1.4 s; what was heard at 2.3 s was not heard at 1.5 s."""
    listening = Listening(Instant(mono_ms=0, wall_ms=0))
    stamp = (listening.stamp_ms(Instant(mono_ms=2_300, wall_ms=0)), listening.generation)
    for sent_ms in (1_400, 2_400, 3_300):
        assert listening.canary(sent_ms)
    assert listening.since_ms(*stamp) == 1_000


def test_heard_after_the_canary_was_sent_that_ends_a_deaf_stretch_counts_from_when_it_was_heard() -> None:
    listening = Listening(Instant(mono_ms=0, wall_ms=0))
    before = (listening.stamp_ms(Instant(mono_ms=1_900, wall_ms=0)), listening.generation)
    behind = (listening.stamp_ms(Instant(mono_ms=2_300, wall_ms=0)), listening.generation)
    assert not listening.canary(2_000)
    assert listening.canary(3_000)
    assert (listening.since_ms(*before), listening.since_ms(*behind)) == (1_000, 700)
    assert not listening.canary(6_000)
    assert listening.canary(6_500)
    assert (listening.since_ms(*before), listening.since_ms(*behind)) == (1_500, 1_200)


@given(st.integers(0, 10**13), st.integers(0, 3 * LISTEN_GAP_MS * 1_000_000))
def test_a_beginning_is_rounded_up_and_an_end_cut_off(mono_ns: int, later_ns: int) -> None:
    begun, ended = instant_of(mono_ns, 0), instant_of(mono_ns + later_ns, 0)
    assert 0 <= begun.start_ms * 1_000_000 - mono_ns < 1_000_000
    assert -2_000_000 < (ended.mono_ms - begun.start_ms) * 1_000_000 - later_ns <= 0
    listening = Listening(begun)
    assert listening.provable_ms(ended) * 1_000_000 <= later_ns
    assert listening.provable_ms(ended) <= LISTEN_GAP_MS
