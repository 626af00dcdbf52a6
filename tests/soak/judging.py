"""What a long run is judged by: the numbers of all frames, memory over time, and the room that footage takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

MEMORY_SHARE = 0.05
MEMORY_MB = 4.0
"""Memory may grow by so much of its mean over the whole run, and the line through it is not surer than so many MB."""
BUS_MB = 12.0
"""The bus is a Go program, which lets its small heap double before it collects."""
QUOTA_SLACK = 1.25
QUOTA_SLACK_BYTES = 5_000_000
"""Footage is looked at every 5 s, and pieces go whole."""


class Ledger:
    """The frame numbers of one camera, as spans from first to last. Pieces come in any order."""

    def __init__(self) -> None:
        self.frames = 0
        self.broken: list[str] = []
        self._spans: list[tuple[int, int]] = []

    def add(self, name: str, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        self.frames += len(numbers)
        if list(numbers) != list(range(numbers[0], numbers[0] + len(numbers))):
            self.broken.append(f"{name}: {numbers[-1] - numbers[0] + 1 - len(numbers)} frames are missing or doubled inside")
        self._spans.append((numbers[0], numbers[-1]))

    def findings(self) -> list[str]:
        """Holes and overlaps, a sentence each."""
        found = list(self.broken)
        spans = sorted(self._spans)
        for (_, last), (first, _) in pairwise(spans):
            if first != last + 1:
                what = f"{first - last - 1} frames are missing" if first > last else f"{last - first + 1} frames are doubled"
                found.append(f"between two pieces, after frame {last}: {what}")
        return found


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of one process over time: mean in MB, and the line that fits best, in MB per hour."""

    name: str
    mean_mb: float
    first_mb: float
    last_mb: float
    slope_mb_h: float
    growth_mb: float

    @property
    def flat(self) -> bool:
        return self.growth_mb <= max(BUS_MB if self.name == "bus" else MEMORY_MB, MEMORY_SHARE * self.mean_mb)


def memory(name: str, samples: Sequence[tuple[float, float]]) -> Memory:
    """samples: seconds and MB; at least two."""
    times = [at for at, _ in samples]
    values = [mb for _, mb in samples]
    slope = _slope(times, values)
    return Memory(
        name=name,
        mean_mb=sum(values) / len(values),
        first_mb=values[0],
        last_mb=values[-1],
        slope_mb_h=slope * 3600,
        growth_mb=slope * (times[-1] - times[0]),
    )


def _slope(times: Sequence[float], values: Sequence[float]) -> float:
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    width = sum((at - middle) ** 2 for at in times)
    return sum((at - middle) * (value - mean) for at, value in zip(times, values, strict=True)) / width if width else 0.0


def over_quota(disk: str, sizes: Iterable[int], quota_bytes: int) -> list[str]:
    """One sentence if footage took plainly more room than it may."""
    most = max(sizes, default=0)
    limit = quota_bytes * QUOTA_SLACK + QUOTA_SLACK_BYTES
    return [f"{disk}: footage took {most / 1e6:.1f} MB, and its quota is {quota_bytes / 1e6:.1f} MB"] if most > limit else []


def verdict(
    ledgers: dict[str, Ledger], memories: Sequence[Memory], rooms: Mapping[str, Sequence[int]], quota_bytes: int, deleted: int
) -> dict[str, Any]:
    """The report without the run's own figures. `findings` is empty when all is right."""
    findings = [f"{camera}: {finding}" for camera, ledger in sorted(ledgers.items()) for finding in ledger.findings()]
    findings += [f"{camera}: there is no footage" for camera, ledger in sorted(ledgers.items()) if not ledger.frames]
    findings += [
        f"{each.name}: memory grew by {each.growth_mb:.1f} MB ({each.slope_mb_h:.0f} MB an hour)" for each in memories if not each.flat
    ]
    for disk, sizes in sorted(rooms.items()):
        findings += over_quota(disk, sizes, quota_bytes)
    if not deleted:
        findings.append("no footage was deleted: the run was too short for its quota, or retention does not work")
    return {
        "frames": sum(ledger.frames for ledger in ledgers.values()),
        "deleted_pieces": deleted,
        "memory": [msgspec.to_builtins(each) for each in memories],
        "most_mb": {disk: max(sizes, default=0) / 1e6 for disk, sizes in sorted(rooms.items())},
        "findings": findings,
    }
