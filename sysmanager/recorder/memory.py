"""Keeping the memory of a recorder flat.

What a finished segment leaves are circles, with FFmpeg's buffers in them. Python looks for old circles only once many objects were made,
and a recorder makes few that stay: some hundred segments, of 70 to 100 KB each, would wait for it. And where the C library is glibc it
keeps what was freed, in an arena for every thread, as frames are made in one thread and freed in another, in all sizes. One arena for
all takes no more CPU than two, measured with 8 cameras: threads seldom meet there, as Python's lock keeps most of them apart already.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Final

ARENAS: Final = 1
_M_ARENA_MAX: Final = -8


def _library() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


_C: Final = _library()


def begin() -> None:
    """To be called once, when all modules are imported and before threads are started.

    What lives by now lives for good and is not looked through any more; what imports left is given back; all threads share one arena.
    """
    give_back()
    gc.freeze()
    if _C is not None and hasattr(_C, "mallopt"):
        _C.mallopt(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Free what nobody refers to, and give the system back what was freed; some milliseconds. From any thread."""
    gc.collect()
    if _C is not None and hasattr(_C, "malloc_trim"):
        _C.malloc_trim(0)
