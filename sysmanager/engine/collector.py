"""Python's garbage collector while the tables are read."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Nothing that is read from the journal is garbage, and looking through it again and again takes as long as reading it.

    Afterwards the collector leaves the tables alone for good: going through them would hold up the loop (DESIGN).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
