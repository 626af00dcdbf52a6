"""Keeping the memory of a recorder flat, where the C library keeps what was freed (glibc).

Frames are made in one thread and freed in another, in all sizes, around FFmpeg's buffers. With an arena for every thread, which is the
default, each of them keeps a little more with each segment, for days. Elsewhere nothing here does anything.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

ARENAS: Final = 2
_M_ARENA_MAX: Final = -8


def _library() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


_C: Final = _library()


def share_arenas() -> None:
    """All threads that are started from now on share a few arenas. To be called once, first of all."""
    if _C is not None and hasattr(_C, "mallopt"):
        _C.mallopt(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Give the system back what was freed; some milliseconds. From any thread; others run meanwhile."""
    if _C is not None and hasattr(_C, "malloc_trim"):
        _C.malloc_trim(0)
