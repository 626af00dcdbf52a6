"""Which footage goes: by age, and the oldest first where space is short (SPEC 16). What decides is pure; the disk is read lazily.

New recording wins over old footage, but nothing younger than the minimum is ever deleted, nor what is locked as evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from sysmanager.recorder.evidence import EvidenceLock
from sysmanager.recorder.segments import SUFFIXES, SegmentName

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS

CATCH_UP: Final = 24

LENGTH_MS: Final = HOUR_MS
"""A piece of footage is never longer (the limit of `segment_seconds`). Its name tells when it begins; in doubt it reaches so far, and is
kept so much longer: that costs a little space, and a piece too many cannot be had back."""


class RetentionRules(msgspec.Struct, frozen=True, kw_only=True):
    """How long footage is kept. days: by camera; one that is not in it was never in any settings here, and goes for want of space only.

    minimum_ms: nothing younger goes, however short space is. minimum_free_bytes: what must stay free on each disk.
    quota_bytes: what footage may take of each disk; 0: all.
    """

    days: Mapping[str, int] = {}
    minimum_ms: int = DAY_MS
    minimum_free_bytes: int = 1 << 30
    quota_bytes: int = 0


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A segment on a disk, as its name and size tell."""

    path: Path
    name: SegmentName
    size_bytes: int

    @property
    def last_ms(self) -> int:
        """Not earlier than its last frame."""
        return self.name.start_ms + LENGTH_MS


def ageing_ms(before_ms: int, wall_ms: int, passed_ms: int) -> int:
    """The moment that footage ages by: the wall clock, which it follows forwards at `CATCH_UP` times the speed of time only.

    So a clock that is set a year ahead for an hour costs the oldest day of footage, and not all of it. before_ms: as it was `passed_ms`
    of the monotonic clock ago; 0 at the first start.
    """
    return wall_ms if before_ms == 0 else min(wall_ms, before_ms + CATCH_UP * max(0, passed_ms))


def expired(pieces: Iterable[Piece], rules: RetentionRules, locks: Iterable[EvidenceLock], now_ms: int) -> Iterator[Piece]:
    """What is older than the retention of its camera. `pieces`: in any order."""
    held = tuple(locks)
    for piece in pieces:
        days = rules.days.get(piece.name.camera)
        if days is not None and piece.last_ms + max(rules.minimum_ms, days * DAY_MS) < now_ms and not _is_held(piece, held):
            yield piece


def to_make_room(
    oldest_first: Iterable[Piece], wanted_bytes: int, rules: RetentionRules, locks: Iterable[EvidenceLock], now_ms: int
) -> Iterator[Piece]:
    """What has to go so that so many bytes become free, as far as the rules allow; reads no more of `oldest_first` than it must."""
    held = tuple(locks)
    for piece in oldest_first:
        if wanted_bytes <= 0 or piece.name.start_ms + rules.minimum_ms >= now_ms:
            return
        if not _is_held(piece, held):
            wanted_bytes -= piece.size_bytes
            yield piece


def _is_held(piece: Piece, locks: tuple[EvidenceLock, ...]) -> bool:
    return any(lock.covers(piece.name.camera, piece.name.start_ms, piece.last_ms) for lock in locks)


# ---------------------------------------------------------------- what lies on a disk


def oldest_first(disk: Path) -> Iterator[Piece]:
    """All footage on a disk, day by day, so that who needs the oldest reads only that. Folders that cannot be read raise OSError."""
    days: dict[str, list[Path]] = {}
    for camera in _folders(disk):
        for day in _folders(camera):
            days.setdefault(day.name, []).append(day)
    for _, folders in sorted(days.items()):
        found = [piece for folder in folders for piece in _pieces(folder)]
        yield from sorted(found, key=lambda piece: (piece.name.start_ms, str(piece.path)))


def _folders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []  # removed since it was listed


def _pieces(day: Path) -> Iterator[Piece]:
    try:
        paths = list(day.iterdir())
    except FileNotFoundError:
        return
    for path in paths:
        name = SegmentName.parse(path) if path.suffix in SUFFIXES else None
        if name is None:
            continue
        try:
            yield Piece(path=path, name=name, size_bytes=path.stat().st_size)
        except FileNotFoundError:
            continue
