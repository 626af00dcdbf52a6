"""What a source knows of the copies of its footage: hours that have a verified copy at their home may go first (SPEC 9)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import structlog

from sysmanager.domain.ids import CameraId, Epoch
from sysmanager.domain.jobs import HOUR_MS
from sysmanager.durable import read_bounded, write_durably

log = structlog.get_logger(__name__)

FILE_NAME: Final = "copied.json"
FILE_LIMIT_BYTES: Final = 64 << 20
KEPT_HOURS: Final = 200_000
"""So many hours are remembered; the oldest are forgotten first, and then go by age like any others."""


class CopiedHours:
    """Durable when `add` returns. `has` is for the thread that makes room; every method blocks, and may be called from any thread."""

    def __init__(self, data_folder: Path) -> None:
        self._path = data_folder / FILE_NAME
        self._hours: frozenset[tuple[str, int, int]] = frozenset(_read(self._path))

    @property
    def any(self) -> bool:
        return bool(self._hours)

    def add(self, camera: CameraId, epoch: Epoch, hours: tuple[int, ...]) -> None:
        """Raises OSError, and then knows what it knew before."""
        new = {*self._hours, *((camera, epoch, hour) for hour in hours)}
        if len(new) > KEPT_HOURS:
            new = set(sorted(new, key=lambda each: each[2])[-KEPT_HOURS:])
        if new != self._hours:
            write_durably(self._path, msgspec.json.encode(sorted(new)))
            self._hours = frozenset(new)

    def has(self, camera: str, epoch: int, first_ms: int) -> bool:
        """Whether the hour in which this piece begins has a verified copy."""
        return (camera, epoch, first_ms // HOUR_MS) in self._hours


def _read(path: Path) -> list[tuple[str, int, int]]:
    """Where nothing can be read nothing counts as copied: it only stays longer."""
    try:
        return msgspec.json.decode(read_bounded(path, FILE_LIMIT_BYTES), type=list[tuple[str, int, int]])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("which footage has a copy is not known any more; none counts as copied", file=str(path), why=str(error))
        return []
