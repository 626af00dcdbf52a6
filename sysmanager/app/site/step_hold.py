"""Holding a coordinator for practice: it stands still once a step of the first failover is durable, until somebody lets it go on.

So a rehearsal can kill it, or a failover server, exactly between two steps, and not about then.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sysmanager.journal.sqlite import SqliteJournal

HOLD_LIMIT_S: Final = 10.0
"""So long at most, should nobody let it go on."""

_DONE_BY: Final = {
    1: "failover-started",
    2: "failover-started",
    3: "documents-checked",
    4: "settings-saved",
    5: "tasks-moved",
    6: "tasks-moved",
    7: "result-written",
    8: "clients-notified",
}
"""Which fact makes a step durable. Step 1 has none of its own: it is held before the record of step 2."""

STEPS = tuple(_DONE_BY)


class HoldAtStep:
    """What `--hold-at STEP:FILE` asks for: it makes FILE and stands still until FILE is gone. ValueError for another text."""

    def __init__(self, text: str) -> None:
        step, _, file = text.partition(":")
        if not step.isascii() or not step.isdigit() or int(step) not in _DONE_BY or not file:
            raise ValueError(f"{text!r} is no STEP:FILE; write for example 4:/tmp/held, with a step from 1 to 8")
        self.step = int(step)
        self.file = Path(file)


class HeldJournal(SqliteJournal):
    """The journal that holds its process once, in the append that makes the step durable."""

    def __init__(self, path: Path, hold: HoldAtStep, *, sync_delay_ms: int = 0) -> None:
        super().__init__(path, sync_delay_ms=sync_delay_ms)
        self._hold: HoldAtStep | None = hold
        self._tag = f'"{_DONE_BY[hold.step]}"'.encode()

    async def append(self, expected_last: int, bodies: Sequence[bytes]) -> int:
        hold = self._hold if any(self._tag in body for body in bodies) else None
        if hold is not None:
            self._hold = None
        if hold is not None and hold.step == 1:
            _stand_still(hold.file)
        last = await super().append(expected_last, bodies)
        if hold is not None and hold.step != 1:
            _stand_still(hold.file)
        return last


def _stand_still(file: Path) -> None:
    """Blocks the loop, and that is what it is for: nothing of the coordinator goes on meanwhile."""
    file.touch()
    until_s = time.monotonic() + HOLD_LIMIT_S
    while file.exists() and time.monotonic() < until_s:
        time.sleep(0.005)
