"""Who is to blame for crashes of the recording service: one suspect or many, twice or once, and how it ends (SPEC 16)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysmanager.domain.ids import CameraId
from sysmanager.recorder.quarantine import (
    BLIND_MS,
    MINUTE_MS,
    TERMS_MS,
    WELL_MS,
    Case,
    Suspect,
    after_crash,
    alone,
    quarantine_sentence,
    room,
    time_passed,
    without,
)


def suspects(*cameras: str, mark: str = "m") -> list[Suspect]:
    return [Suspect(camera=CameraId(camera), mark=mark) for camera in cameras]


def crashes(*each: str) -> dict[CameraId, Case]:
    """After crashes, each with the cameras that were under way in it, as words."""
    cases: dict[CameraId, Case] = {}
    for under_way in each:
        cases = after_crash(cases, suspects(*under_way.split()))
    return cases


@pytest.mark.parametrize(
    ("under_way", "quarantined", "careful"),
    [
        ((), "", ""),
        (("",), "", ""),
        (("a",), "", "a"),
        (("a", "a"), "a", ""),
        (("a b c",), "", "a b c"),
        (("a b c", "b"), "b", "a c"),
        (("a b c", "b new"), "b", "a c new"),
        (("a b c", "a b"), "", "a b c"),
        (("a b c", "a b c"), "", "a b c"),
        (("a b", "a b", "b"), "b", "a"),
        (("a b", "c"), "", "a b c"),
        (("a b", "b", "a"), "a b", ""),
        (("a", "b"), "", "a b"),
    ],
)
def test_who_alone_was_in_an_earlier_crash_too_is_quarantined(under_way: tuple[str, ...], quarantined: str, careful: str) -> None:
    cases = crashes(*under_way)
    assert {camera for camera, case in cases.items() if case.quarantined} == set(quarantined.split())
    assert {camera for camera, case in cases.items() if not case.quarantined} == set(careful.split())


@given(st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=2), max_size=6))
def test_no_crowd_is_ever_quarantined(under_way: list[set[str]]) -> None:
    cases: dict[CameraId, Case] = {}
    for crowd in under_way:
        before = {camera for camera, case in cases.items() if case.quarantined}
        cases = after_crash(cases, suspects(*sorted(crowd)))
        assert len({camera for camera, case in cases.items() if case.quarantined} - before) <= 1


@given(st.sets(st.sampled_from("abcdefghijklmnop"), min_size=1), st.sampled_from("abcdefghijklmnop"))
def test_one_poisonous_camera_among_many_is_found_by_the_second_crash_and_nobody_else(crowd: set[str], poisonous: str) -> None:
    """All are opened at once first, then one by one, as the door does it."""
    cases = after_crash({}, suspects(*sorted(crowd | {poisonous})))
    cases = after_crash(cases, suspects(poisonous))
    assert [camera for camera, case in cases.items() if case.quarantined] == [poisonous]


def test_a_picture_being_decoded_says_nothing_against_the_recording() -> None:
    camera, picture = CameraId("a"), [Suspect(camera=CameraId("a"), mark="m", decoding=True)]
    cases: dict[CameraId, Case] = {}
    blind_ms = []
    for _ in range(len(BLIND_MS) + 1):
        cases = after_crash(cases, picture)
        blind_ms.append(cases[camera].blind_ms)
        assert (cases[camera].crashes, cases[camera].quarantined) == (0, False)
    assert blind_ms == [*BLIND_MS, BLIND_MS[-1]]
    assert room(cases) == 1
    assert not alone(cases[camera])
    assert not after_crash(cases, suspects("a"))[camera].quarantined, "it was in no crash at its opening yet"
    assert after_crash(after_crash(cases, suspects("a")), suspects("a"))[camera].quarantined
    both = after_crash({}, [*suspects("a"), *picture])
    assert (both[camera].crashes, both[camera].decodings) == (1, 0)


def test_after_a_crash_at_a_picture_pictures_must_go_well_until_it_is_forgotten() -> None:
    camera = CameraId("a")
    cases = after_crash({}, [Suspect(camera=camera, mark="m", decoding=True)])
    cases = time_passed(cases, BLIND_MS[0] - 1, (camera,))
    assert cases[camera].blind_ms == 1
    cases = time_passed(cases, 1, (camera,))
    assert (cases[camera].blind_ms, cases[camera].well_ms) == (0, 0)
    cases = time_passed(cases, WELL_MS - 1, (camera,))
    assert camera in cases
    assert not time_passed(cases, 1, (camera,))


def test_other_settings_begin_with_nothing_held_against_them() -> None:
    cases = after_crash(crashes("a"), suspects("a", mark="other"))
    assert cases == {CameraId("a"): Case(camera=CameraId("a"), mark="other")}


def test_each_quarantine_is_longer_than_the_one_before_up_to_a_limit() -> None:
    cases = crashes("a")
    terms = []
    for _ in range(len(TERMS_MS) + 2):
        cases = after_crash(cases, suspects("a"))
        terms.append(cases[CameraId("a")].left_ms)
        cases = time_passed(cases, terms[-1], ())
        assert not cases[CameraId("a")].quarantined, "its time is over"
    assert terms == [*TERMS_MS, TERMS_MS[-1], TERMS_MS[-1]]


def test_a_quarantine_runs_down_with_the_time_of_the_service_only() -> None:
    cases = time_passed(crashes("a", "a"), TERMS_MS[0] - 1, ("a",))  # type: ignore[arg-type]  # ids are text
    assert cases[CameraId("a")].left_ms == 1
    assert cases[CameraId("a")].quarantined


@pytest.mark.parametrize(
    ("history", "out_ms", "needs_ms"),
    [(("a b",), 0, WELL_MS), (("a", "a"), TERMS_MS[0], WELL_MS), (("a", "a", "a", "a"), TERMS_MS[2], TERMS_MS[2])],
)
def test_a_suspect_that_runs_well_long_enough_is_cleared(history: tuple[str, ...], out_ms: int, needs_ms: int) -> None:
    camera = CameraId("a")
    cases = time_passed(crashes(*history), out_ms, ()) if out_ms else crashes(*history)
    cases = time_passed(cases, needs_ms - 1, (camera,))
    assert camera in cases
    assert camera in time_passed(cases, MINUTE_MS, ()), "time in which it does not run well clears nobody"
    assert camera not in time_passed(cases, 1, (camera,))


def test_another_crash_takes_back_what_it_had_run_well() -> None:
    camera = CameraId("a")
    cases = time_passed(crashes("a b"), WELL_MS - 1, (camera,))
    cases = after_crash(cases, suspects("a", "b"))
    assert cases[camera].well_ms == 0


@pytest.mark.parametrize(("history", "places"), [((), 1), (("a",), 1), (("a b c d e f",), 1), (("a b c d e f g",), 2), (("a b", "a b"), 1)])
def test_suspects_of_one_crash_are_opened_in_six_groups_at_most(history: tuple[str, ...], places: int) -> None:
    assert room(crashes(*history)) == places


def test_who_was_in_two_crashes_is_opened_alone() -> None:
    cases = crashes("a b c", "a b")
    assert {camera: alone(case) for camera, case in cases.items()} == {"a": True, "b": True, "c": False}


def test_a_camera_is_released_alone() -> None:
    assert set(without(crashes("a b", "a"), CameraId("a"))) == {"b"}
    assert set(without(crashes("a b"), CameraId("c"))) == {"a", "b"}


def test_the_sentence_says_how_often_how_long_and_what_to_do() -> None:
    camera = CameraId("gate-1")
    twice = quarantine_sentence(crashes("gate-1", "gate-1")[camera], "Gate")
    assert twice.startswith("Gate is quarantined for 2 min: the recording service crashed twice while it opened or decoded the stream")
    assert "sysmanager recorder release gate-1" in twice
    later = quarantine_sentence(crashes("gate-1", "gate-1", "gate-1", "gate-1")[camera], "Gate")
    assert "for 1 h: the recording service crashed 4 times" in later
