"""Whether something moves: known scenes with noise, changes of light, masks and sensitivities."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysmanager.domain.documents import MotionMask
from sysmanager.recorder.motion import Grey, MotionModel, least_area, open_places, threshold

HEIGHT, WIDTH = 90, 160
Scene = Callable[[int], Grey]


def ground() -> np.ndarray:
    """A yard with walls, a path and texture."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    picture = 90 + 0.4 * across + 0.3 * down + 12 * np.sin(across / 5) * np.cos(down / 7)
    picture[60:, :] += 30
    return picture


def steady(number: int) -> float:
    return 1.0


def scene(*, noise: float = 2.0, seed: int = 1, light: Callable[[int], float] = steady, mover: tuple[int, int] | None = None) -> Scene:
    """mover: width and height of a thing that crosses the picture from number 20 on, 6 places a picture, at row 50."""
    base = ground()

    def picture(number: int) -> Grey:
        found = base.copy()
        if mover is not None and number >= 20:
            left = (number - 20) * 6
            found[50 : 50 + mover[1], left : left + mover[0]] = 60
        found = found * light(number) + np.random.default_rng((seed, number)).normal(0, noise, found.shape)
        return np.clip(found, 0, 255).astype(np.uint8)

    return picture


def seen(made: Scene, count: int, mask: MotionMask | None = None, first: int = 0) -> list[int]:
    """Numbers of pictures in which motion is seen."""
    model = MotionModel(mask or MotionMask())
    return [number for number in range(first, first + count) if model.look(made(number)).motion]


@pytest.mark.parametrize("noise", [0.0, 2.0, 6.0, 12.0])
def test_noise_is_no_motion(noise: float) -> None:
    assert seen(scene(noise=noise), 120) == []


@pytest.mark.parametrize("noise", [0.0, 2.0, 6.0])
def test_a_thing_that_crosses_is_motion_from_its_first_picture_on(noise: float) -> None:
    found = seen(scene(noise=noise, mover=(12, 20)), 40)
    assert found[0] == 20
    assert set(range(20, 40)) <= set(found)


@pytest.mark.parametrize(
    "light",
    [
        lambda number: 1.0 if number < 20 else 1.4,  # a lamp
        lambda number: 1.0 if number < 20 else 0.6,
        lambda number: 1.0 + 0.2 * np.sin(number / 8),  # clouds
        lambda number: 1.0 + number / 100,  # dawn
    ],
    ids=["lamp on", "lamp off", "clouds", "dawn"],
)
def test_light_is_no_motion(light: Callable[[int], float]) -> None:
    assert seen(scene(light=light), 60) == []


def test_a_thing_is_seen_while_the_light_changes() -> None:
    assert seen(scene(light=lambda number: 1.0 + 0.1 * np.sin(number / 4), mover=(12, 20)), 30)[:3] == [20, 21, 22]


def test_another_picture_counts_and_is_learnt() -> None:
    """Somebody turned the camera, or put something before it."""
    first, other = scene(), scene()
    model = MotionModel(MotionMask())
    for number in range(10):
        model.look(first(number))
    turned = [model.look(other(number)[::-1, ::-1]).motion for number in range(10, 20)]
    assert turned[0]
    assert not any(turned[3:])


def test_what_stays_becomes_usual() -> None:
    parked = scene(mover=None)

    def picture(number: int) -> Grey:
        found = parked(number).copy()
        if number >= 20:
            found[50:70, 60:90] = 40
        return found

    found = seen(picture, 200)
    assert found[0] == 20
    assert found[-1] < 140


LEFT = MotionMask(blocked=tuple(range(0, 144, 16)) + tuple(cell for column in range(1, 8) for cell in range(column, 144, 16)))
"""The left half."""


def test_motion_under_the_mask_is_not_seen_and_beside_it_is() -> None:
    found = seen(scene(mover=(12, 20)), 46, LEFT)
    crosses = 20 + (80 - 12) // 6 + 1
    assert not [number for number in found if number < crosses - 1]
    assert set(range(crosses + 1, 46)) <= set(found)


def test_a_mask_over_everything_sees_nothing() -> None:
    assert seen(scene(mover=(12, 20)), 40, MotionMask(blocked=tuple(range(144)))) == []


def test_small_things_are_seen_by_high_sensitivity_only() -> None:
    small = scene(mover=(4, 5))
    assert seen(small, 40, MotionMask(sensitivity=10)) == []
    assert 20 in seen(small, 40, MotionMask(sensitivity=95))
    assert 20 in seen(scene(mover=(40, 38)), 40, MotionMask(sensitivity=0))


def test_a_picture_of_another_size_is_learnt_anew() -> None:
    model = MotionModel(MotionMask())
    for number in range(5):
        model.look(scene()(number))
    assert not model.look(np.zeros((120, 160), np.uint8)).motion
    assert not model.look(np.zeros((120, 160), np.uint8)).motion


@given(sensitivity=st.integers(-10, 110))
def test_more_sensitive_needs_less(sensitivity: int) -> None:
    assert threshold(sensitivity + 1) <= threshold(sensitivity)
    assert least_area(sensitivity + 1) <= least_area(sensitivity)
    assert threshold(sensitivity) > 0
    assert least_area(sensitivity) > 0


def cells() -> Iterator[tuple[int, int]]:
    yield from ((columns, rows) for columns in (1, 3, 16, 128) for rows in (1, 9, 100))


@pytest.mark.parametrize(("columns", "rows"), list(cells()))
def test_each_cell_of_a_mask_covers_its_place(columns: int, rows: int) -> None:
    for cell in {0, columns - 1, columns * rows - 1, columns * rows // 2}:
        found = open_places(MotionMask(columns=columns, rows=rows, blocked=(cell,)), WIDTH, HEIGHT)
        down, across = np.nonzero(~found)
        if len(down):
            assert {int(each) * rows // HEIGHT for each in down} == {cell // columns}
            assert {int(each) * columns // WIDTH for each in across} == {cell % columns}
    wrong = MotionMask(columns=columns, rows=rows, blocked=(-1, columns * rows))
    assert open_places(wrong, WIDTH, HEIGHT).all()


@given(st.binary(min_size=64, max_size=64), st.binary(min_size=64, max_size=64))
def test_any_pictures_give_an_answer(one: bytes, other: bytes) -> None:
    model = MotionModel(MotionMask(sensitivity=100))
    for data in (one, other, one):
        sight = model.look(np.frombuffer(data, np.uint8).reshape(8, 8))
        assert 0.0 <= sight.changed <= 1.0
