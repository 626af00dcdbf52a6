"""What servers said of one another lately: volatile, as all that is seen. Moments are stamps on the scale of proven time."""

from __future__ import annotations

import msgspec

from sysmanager.domain.ids import RecorderId
from sysmanager.protocol.probes import CamerasProbed, ProbeAnswer, RecorderProbed

FRESH_MS = 5_000
"""An older word says nothing about the present."""

REACHED_MS = 15_000
"""So long it counts that a server reached cameras: it is asked again every second, and other work may come between."""

Stamp = tuple[int, int]


class Word(msgspec.Struct, frozen=True):
    """One answer about a recorder. stamp: when it came."""

    stamp: Stamp
    reached: bool
    records: bool


class Opinions:
    """asked_ms: when servers were asked about a recorder last, by the monotonic clock. about: the last word of
    each server on each recorder. cameras: when a server reached cameras of the recorder last.
    """

    def __init__(self) -> None:
        self.asked_ms: dict[RecorderId, int] = {}
        self.about: dict[RecorderId, dict[RecorderId, Word]] = {}
        self.cameras: dict[RecorderId, dict[RecorderId, Stamp]] = {}

    def note(self, recorder: RecorderId, server: RecorderId, answer: ProbeAnswer, stamp: Stamp) -> None:
        """An answer came. One that could not be tried says nothing."""
        if isinstance(answer, RecorderProbed):
            self.about.setdefault(recorder, {})[server] = Word(stamp, answer.reached, answer.reached and answer.records)
        elif isinstance(answer, CamerasProbed):
            found = self.cameras.setdefault(recorder, {})
            found.pop(server, None)
            if answer.reached:
                found[server] = stamp

    def forget(self, recorder: RecorderId) -> None:
        """It left system data."""
        for table in (self.asked_ms, self.about, self.cameras):
            table.pop(recorder, None)
