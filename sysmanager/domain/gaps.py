"""The parts of a measured gap, and what gaps come to over many failovers (SPEC 14.4)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec

from sysmanager.domain.failover import CameraGap, Failover, Timeline


class GapParts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time of one gap went, in milliseconds; the sum is the gap.

    detection: until the coordinator said that the recorder had failed. decision: until the failover server was chosen. saving: until it
    had saved the settings. first_frame: until the camera's first frame there. What came before the gap began, or after it ended, is 0:
    of pre-roll, or of a recorder that recorded on.
    """

    detection_ms: int
    decision_ms: int
    saving_ms: int
    first_frame_ms: int


def parts_of(gap: CameraGap, timeline: Timeline) -> GapParts | None:
    """None while an end of the gap is unknown. Moments that were not reached end with the one before."""
    length_ms = gap.gap_ms
    if length_ms is None:
        return None
    begin_ms = gap.last_before_ms - gap.before_offset_ms
    end_ms = begin_ms + length_ms
    cuts = [begin_ms]
    for moment_ms in (timeline.detected_ms, timeline.decided_ms, timeline.saved_ms):
        cuts.append(min(end_ms, max(cuts[-1], moment_ms)))
    cuts.append(end_ms)
    detection, decision, saving, first_frame = (later - earlier for earlier, later in pairwise(cuts))
    return GapParts(detection_ms=detection, decision_ms=decision, saving_ms=saving, first_frame_ms=first_frame)


class GapTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What the gaps of a recorder, a group or the system come to.

    failovers: in which cameras changed hands. gaps: cameras in them whose gap is known. unknown: those whose gap is not (yet).
    provisional: gaps whose beginning was not read from the material. worst_ms, sum_ms: of the known ones.
    camera_ms: how long cameras should have been recorded since they are in system data; 0 while nobody says.
    """

    failovers: int = 0
    gaps: int = 0
    unknown: int = 0
    provisional: int = 0
    worst_ms: int = 0
    sum_ms: int = 0
    camera_ms: int = 0

    @property
    def available_ppm(self) -> int | None:
        """Of a million parts of the time, how many have footage as far as failovers are concerned; None while there is no time yet."""
        if not self.camera_ms:
            return None
        return max(0, 1_000_000 - self.sum_ms * 1_000_000 // self.camera_ms)

    def plus(self, other: GapTotal) -> GapTotal:
        return GapTotal(
            failovers=self.failovers + other.failovers,
            gaps=self.gaps + other.gaps,
            unknown=self.unknown + other.unknown,
            provisional=self.provisional + other.provisional,
            worst_ms=max(self.worst_ms, other.worst_ms),
            sum_ms=self.sum_ms + other.sum_ms,
            camera_ms=self.camera_ms + other.camera_ms,
        )


def total_of(entry: Failover) -> GapTotal:
    """What one entry adds; nothing before its commit point."""
    if not entry.timeline.committed_ms:
        return GapTotal()
    moved = set(entry.moved)
    gaps = [gap for gap in entry.gaps if gap.camera in moved]
    known = [(gap, length_ms) for gap in gaps if (length_ms := gap.gap_ms) is not None]
    return GapTotal(
        failovers=1,
        gaps=len(known),
        unknown=len(gaps) - len(known),
        provisional=sum(1 for gap, _ in known if not gap.final),
        worst_ms=max((length_ms for _, length_ms in known), default=0),
        sum_ms=sum(length_ms for _, length_ms in known),
    )


def sum_of(totals: Iterable[GapTotal]) -> GapTotal:
    found = GapTotal()
    for total in totals:
        found = found.plus(total)
    return found
