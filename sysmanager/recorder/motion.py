"""Whether something moves in a picture, against what the camera usually sees (SPEC 16). Pure arithmetic on small grey pictures.

Each place of the picture has a mean and a spread of its own, which follow what is seen: noise, and leaves that move all the time, become
usual. What lies outside the spread counts as changed, after a change of light over the whole picture was taken out of it. Motion is where
enough changed places lie together, outside the mask.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sysmanager.domain.documents import MotionMask

Grey = NDArray[np.uint8]
_Plane = NDArray[np.float32]

WIDTH: Final = 160
"""Pictures are looked at so wide, in their own proportions: a person at the far end of a yard is still some places large."""

LEARN: Final = 0.12
"""Share of a picture that goes into what is usual; what stays for half a minute of key frames becomes usual."""

LEARN_CHANGED: Final = 0.04
FIRST_SPREAD: Final = 4.0
LEAST_SPREAD: Final = 1.5
"""Grey levels. Less noise than that has no camera for long."""

SPREADS: Final = 4.5
"""What lies so many spreads from the mean does not come from noise."""

NEIGHBOURS: Final = 4
"""Of a place and the eight around it, so many must have changed together: noise does not, things do."""

WHOLE: Final = 0.4
"""If more of the picture than this changed although the light was taken out, it is another picture: it counts, and is learnt anew."""

NOISE_LIMIT: Final = 10.0
"""What most of a picture differs by beyond that is no noise: it is another picture."""

WHITE: Final = 250.0
BLACK: Final = 5.0


class Sight(msgspec.Struct, frozen=True, gc=False):
    """What was seen in one picture. changed: share of the picture, outside the mask, that changed, from 0 to 1."""

    motion: bool
    changed: float


class MotionModel:
    """What one camera usually sees. Pictures of one size, in the order of time. Not thread safe."""

    def __init__(self, mask: MotionMask) -> None:
        self._mask = mask
        self._open: NDArray[np.bool_] | None = None
        self._mean: _Plane | None = None
        self._variance: _Plane | None = None
        self.limit = threshold(mask.sensitivity)
        self.area = least_area(mask.sensitivity)

    def look(self, picture: Grey) -> Sight:
        """Judge a picture, and learn from it. The first one, and the first of another size, is only learnt."""
        seen = picture.astype(np.float32)
        if self._mean is None or self._variance is None or self._mean.shape != seen.shape:
            self._begin(seen)
            return Sight(False, 0.0)
        assert self._open is not None, "made with the first picture"
        lit = _same_light(seen, self._mean, self._open)
        apart = np.abs(lit - self._mean)
        spread = np.maximum(np.sqrt(self._variance), _noise(apart, self._open))
        changed = apart > np.maximum(self.limit, SPREADS * spread)
        changed &= self._open
        # What is too bright or too dark for the camera cannot be compared on that side.
        changed &= ~((seen >= WHITE) & (self._mean >= lit)) & ~((seen <= BLACK) & (self._mean <= lit))
        together = _together(changed)
        share = float(np.count_nonzero(together)) / changed.size
        if share > WHOLE:
            self._begin(seen)
            return Sight(True, share)
        self._learn(lit, changed)
        return Sight(share >= self.area, share)

    def _begin(self, seen: _Plane) -> None:
        self._open = open_places(self._mask, seen.shape[1], seen.shape[0])
        self._mean = seen
        self._variance = np.full(seen.shape, FIRST_SPREAD**2, np.float32)

    def _learn(self, lit: _Plane, changed: NDArray[np.bool_]) -> None:
        assert self._mean is not None, "there is something to compare with"
        assert self._variance is not None, "there is something to compare with"
        rate = np.where(changed, np.float32(LEARN_CHANGED), np.float32(LEARN))
        apart = lit - self._mean
        self._mean += rate * apart
        # A thing that passes must not make its way insensitive for the next one.
        taken = np.minimum(apart * apart, np.float32(9.0) * self._variance)
        self._variance += rate * (taken - self._variance)
        np.maximum(self._variance, np.float32(LEAST_SPREAD**2), out=self._variance)


def threshold(sensitivity: int) -> float:
    """Grey levels of 256 that a place must change by, however little noise there is."""
    return 40.0 - 0.32 * _bounded(sensitivity)


def least_area(sensitivity: int) -> float:
    """Share of the picture that must change: 2 % at sensitivity 0, 0.2 % at 50, 0.02 % at 100."""
    return float(0.02 * 10 ** (-_bounded(sensitivity) / 50))


def _bounded(sensitivity: int) -> int:
    return max(0, min(100, sensitivity))


def open_places(mask: MotionMask, width: int, height: int) -> NDArray[np.bool_]:
    """Which places of a picture of this size lie in no blocked cell of the mask. Cells are numbered row by row, from 0."""
    columns, rows = max(1, mask.columns), max(1, mask.rows)
    cells = np.ones((rows, columns), np.bool_)
    for cell in mask.blocked:
        if 0 <= cell < rows * columns:
            cells[cell // columns, cell % columns] = False
    down = np.arange(height) * rows // height
    across = np.arange(width) * columns // width
    return cells[np.ix_(down, across)]


def _noise(apart: _Plane, looked_at: NDArray[np.bool_]) -> np.float32:
    """The spread of most of the picture at this moment: a camera that turns to night is noisy before that is usual."""
    found = apart[looked_at]
    return np.float32(min(NOISE_LIMIT, 1.48 * float(np.median(found)))) if found.size else np.float32(0.0)


def _same_light(seen: _Plane, mean: _Plane, looked_at: NDArray[np.bool_]) -> _Plane:
    """The picture with the contrast and the brightness that is usual, as most of it says: a lamp is no motion."""
    before, after = mean[looked_at], seen[looked_at]
    if not before.size:
        return seen
    keep = np.ones(before.shape, np.bool_)
    gain, lift = 1.0, 0.0
    for _ in range(2):
        one, other = after[keep], before[keep]
        spread = float(one.std())
        gain = max(0.4, min(2.5, float(other.std()) / spread)) if spread > 1.0 else 1.0
        lift = float(np.median(other - gain * one))
        off = np.abs(gain * after + lift - before)
        keep = off <= max(4.0, 2.0 * float(np.median(off)))
        if np.count_nonzero(keep) * 4 < keep.size:
            break
    return np.asarray(gain * seen + lift, np.float32)


def _together(changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Changed places with enough changed ones around them."""
    counted = np.zeros((changed.shape[0] + 2, changed.shape[1] + 2), np.uint8)
    inner = changed.view(np.uint8)
    for down in range(3):
        for across in range(3):
            counted[down : down + changed.shape[0], across : across + changed.shape[1]] += inner
    return changed & (counted[1:-1, 1:-1] >= NEIGHBOURS)
