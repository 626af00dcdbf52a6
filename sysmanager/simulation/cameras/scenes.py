"""What synthetic cameras see: pictures that are plain to tell apart, and yards in which something moves at known times."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]

VISIT: Final = (0.4, 0.6)
"""From when to when, as shares of the loop, a visitor crosses the yard."""

NOISE: Final = 2.0


class Scene(StrEnum):
    """bars: all of it moves, all the time. yard: nothing moves; there is noise. visitor: a yard that somebody crosses once in each loop."""

    BARS = "bars"
    YARD = "yard"
    VISITOR = "visitor"


def luma(scene: Scene, number: int, total: int, width: int, height: int) -> Luma:
    """The brightness of picture `number` of a loop of `total`."""
    if scene is Scene.BARS:
        return _bars(number, total, width, height)
    picture = yard(width, height)
    if scene is Scene.VISITOR and visits(number, total):
        begin, end = VISIT
        across = (number / total - begin) / (end - begin)
        tall, wide = height // 4, max(2, width // 12)
        left = round(across * (width - wide))
        picture[height // 2 : height // 2 + tall, left : left + wide] = 55.0
    return noisy(picture, number, NOISE)


def visits(number: int, total: int) -> bool:
    """Whether somebody is in the yard in that picture of the loop."""
    return VISIT[0] <= number / total < VISIT[1]


def yard(width: int, height: int) -> NDArray[np.float32]:
    """Walls, a path and some texture, without noise."""
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    picture = 85 + 60 * across / width + 25 * down / height
    picture += 12 * np.sin(across * 32 / width) * np.cos(down * 13 / height)
    picture[2 * height // 3 :] += 25
    return np.asarray(picture, np.float32)


def noisy(picture: NDArray[np.float32], seed: int, noise: float) -> Luma:
    """With noise of so many grey levels, the same for the same seed."""
    grain = np.random.default_rng(seed).normal(0.0, noise, picture.shape) if noise else 0.0
    return np.asarray(np.clip(picture + grain, 0, 255), np.uint8)


def _bars(number: int, total: int, width: int, height: int) -> Luma:
    """A slow gradient and a bar that crosses the picture once: cheap to encode, and plain to see that it moves."""
    ramp = np.add.outer(np.arange(height, dtype=np.int32), np.arange(width, dtype=np.int32)) // 2
    picture = np.asarray(ramp + 2 * number, np.uint32) % 256
    bar = number * (width - 16) // total
    picture[:, bar : bar + 16] = 235
    return np.asarray(picture, np.uint8)
