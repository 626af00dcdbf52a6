"""Deletes old footage: one thread a material disk, so that a disk that hangs holds up nobody else (SPEC 16).

A pass can be cut short anywhere: what is deleted is deleted, and the next pass finds the rest.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from sysmanager.durable import read_bounded, write_durably
from sysmanager.recorder.evidence import EvidenceLock, EvidenceUnusable, load_locks
from sysmanager.recorder.index import INDEX_SUFFIX
from sysmanager.recorder.retention import HOUR_MS, LENGTH_MS, Piece, RetentionRules, ageing_ms, expired, oldest_first, to_make_room
from sysmanager.recorder.transfer.copied import CopiedHours

log = structlog.get_logger(__name__)

LOOK_S: Final = 5.0
"""How often the free space of a disk is looked at."""

AGE_EVERY_S: Final = 600.0
QUOTA_SHARE: Final = 20
"""Adding up a quota may take this part of the time at most: one in twenty."""

FILE_NAME: Final = "retention.json"
FILE_LIMIT_BYTES: Final = 4 << 20


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be found again after a restart: the days of each camera that was ever recorded, and how far footage has aged."""

    days: dict[str, int] = {}
    ageing_ms: int = 0


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass over a disk did. missing_bytes: what should be free and is not, because the rules allow no more to go."""

    pieces: int = 0
    bytes: int = 0
    youngest_start_ms: int = 0
    missing_bytes: int = 0


def sweep(
    disk: Path,
    rules: RetentionRules,
    locks: Sequence[EvidenceLock],
    now_ms: int,
    *,
    free_bytes: Callable[[Path], int],
    ageing_ms: int | None = None,
    copied: Callable[[Piece], bool] | None = None,
) -> Swept:
    """One pass over a disk: what is too old, then what stands in the way of new recording. Raises OSError of the disk.

    ageing_ms: the moment that footage ages by; None to look at the space only. copied: what has a verified copy at its home, and goes
    first, also if it is younger than the minimum (SPEC 9).
    """
    gone = _delete(expired(oldest_first(disk), rules, locks, ageing_ms)) if ageing_ms is not None else Swept()
    wanted = rules.minimum_free_bytes - free_bytes(disk)
    if rules.quota_bytes:
        wanted = max(wanted, sum(piece.size_bytes for piece in oldest_first(disk)) - rules.quota_bytes)
    if wanted <= 0:
        return gone
    spare = Swept()
    if copied is not None:
        any_age = msgspec.structs.replace(rules, minimum_ms=-LENGTH_MS)
        spare = _delete(to_make_room(filter(copied, oldest_first(disk)), wanted, any_age, locks, now_ms))
    room = _delete(to_make_room(oldest_first(disk), wanted - spare.bytes, rules, locks, now_ms))
    return Swept(
        pieces=gone.pieces + spare.pieces + room.pieces,
        bytes=gone.bytes + spare.bytes + room.bytes,
        youngest_start_ms=room.youngest_start_ms,
        missing_bytes=max(0, wanted - spare.bytes - room.bytes),
    )


def _delete(pieces: Iterable[Piece]) -> Swept:
    """Raises the OSError of the disk; PermissionError only if nothing could be deleted."""
    count = size = youngest = 0
    refused: PermissionError | None = None
    for piece in pieces:
        try:
            piece.path.unlink(missing_ok=True)
        except PermissionError as error:  # Windows removes no file that somebody reads: a later pass does, and the others go now
            refused = refused or error
            continue
        count, size, youngest = count + 1, size + piece.size_bytes, piece.name.start_ms
        _remove_if_empty(piece.path.parent)
    if refused is not None and not count:
        raise refused
    return Swept(pieces=count, bytes=size, youngest_start_ms=youngest)


def _remove_if_empty(day: Path) -> None:
    """A day whose footage is gone goes with its indexes; a camera without days too."""
    with contextlib.suppress(OSError):  # somebody writes there again: it stays
        left = list(day.iterdir())
        if all(path.suffix == INDEX_SUFFIX for path in left):
            for path in left:
                path.unlink(missing_ok=True)
            day.rmdir()
            day.parent.rmdir()


class Janitor:
    """Keeps the retention of all material disks. `start`, then `keep_days` whenever settings are applied; `stop` ends the threads.

    copied: which hours of others' footage have a verified copy at home. data_folder: where the evidence locks and the retention of each
    camera lie: a server that stood down keeps footage by the retention of the recorder that it acted for, also after a restart.
    Every method may be called from any thread.
    """

    def __init__(
        self,
        disks: Sequence[Path],
        data_folder: Path,
        rules: RetentionRules,
        *,
        copied: CopiedHours | None = None,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
        free_bytes: Callable[[Path], int] = lambda disk: shutil.disk_usage(disk).free,
        look_s: float = LOOK_S,
    ) -> None:
        self._folder = data_folder
        self._copied = copied
        self._kept = _read(data_folder)
        self._rules = msgspec.structs.replace(rules, days=self._kept.days)
        self._wall_ms = wall_ms
        self._mono_ms = mono_ms
        self._aged_mono_ms = mono_ms()
        self._free_bytes = free_bytes
        self._look_s = look_s
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(disk,), name=f"retention {disk}", daemon=True) for disk in dict.fromkeys(disks)
        ]
        self._said: dict[Path, str] = {}

    @property
    def rules(self) -> RetentionRules:
        return self._rules

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """A thread that a hanging disk holds is left to end by itself."""
        self._ending.set()
        until_s = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until_s - time.monotonic()))

    def keep_days(self, days: Mapping[str, int]) -> None:
        """The days that each camera is kept which is recorded from now on; remembered for when it is not any more. Blocks."""
        with self._lock:
            known = {**self._kept.days, **days}
            if known != self._kept.days:
                self._kept = msgspec.structs.replace(self._kept, days=known)
                self._rules = msgspec.structs.replace(self._rules, days=known)
                self._save()

    def _age(self) -> int:
        with self._lock:
            mono_ms = self._mono_ms()
            aged_ms = ageing_ms(self._kept.ageing_ms, self._wall_ms(), mono_ms - self._aged_mono_ms)
            self._aged_mono_ms = mono_ms
            self._kept = msgspec.structs.replace(self._kept, ageing_ms=aged_ms)
            self._save()
            return aged_ms

    def _save(self) -> None:
        try:
            write_durably(self._folder / FILE_NAME, msgspec.json.encode(self._kept))
        except OSError as error:
            log.warning("the retention of cameras can't be saved", why=error.strerror or str(error))

    # -- threads

    def _run(self, disk: Path) -> None:
        age_due_s = quota_due_s = 0.0
        aged_by: Mapping[str, int] | None = None
        while True:
            now_s = time.monotonic()
            by_age = now_s >= age_due_s or aged_by is not self._rules.days
            if by_age:
                aged_by = self._rules.days
                age_due_s = now_s + AGE_EVERY_S
            if by_age or now_s >= quota_due_s:
                self._sweep(disk, by_age)
                if self._rules.quota_bytes:
                    quota_due_s = now_s + QUOTA_SHARE * (time.monotonic() - now_s)
            if self._ending.wait(self._look_s):
                return

    def _sweep(self, disk: Path, by_age: bool) -> None:
        try:
            locks = load_locks(self._folder)
        except EvidenceUnusable as error:
            self._say(disk, f"{error} Until then nothing is deleted.")
            return
        try:
            aged_ms = self._age() if by_age else None
            swept = sweep(
                disk, self._rules, locks, self._wall_ms(), free_bytes=self._free_bytes, ageing_ms=aged_ms, copied=self._has_copy()
            )
        except OSError as error:
            self._say(disk, f"Old footage on {disk} can't be deleted ({error.strerror or error}).")
            return
        if swept.pieces:
            kept_hours = (self._wall_ms() - swept.youngest_start_ms) // HOUR_MS if swept.youngest_start_ms else 0
            log.info("old footage deleted", disk=str(disk), pieces=swept.pieces, mb=swept.bytes >> 20, kept_hours=kept_hours)
        if swept.missing_bytes:
            hours = self._rules.minimum_ms // HOUR_MS
            self._say(
                disk,
                f"{disk} is short of {max(1, swept.missing_bytes >> 20)} MB, and all that is left on it is younger than {hours} h or "
                "locked as evidence. Give the recorder another disk, or record less.",
            )
        else:
            self._said.pop(disk, None)

    def _has_copy(self) -> Callable[[Piece], bool] | None:
        copied = self._copied
        if copied is None or not copied.any:
            return None
        return lambda piece: copied.has(piece.name.camera, piece.name.epoch, piece.name.start_ms)

    def _say(self, disk: Path, sentence: str) -> None:
        """Once, until something else is to be said."""
        if self._said.get(disk) != sentence:
            self._said[disk] = sentence
            log.warning("retention", disk=str(disk), why=sentence)


def _read(folder: Path) -> Kept:
    """What was kept by before; where nothing can be read, cameras are kept for as long as there is space until settings say more."""
    try:
        return msgspec.json.decode(read_bounded(folder / FILE_NAME, FILE_LIMIT_BYTES), type=Kept)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Kept()
