"""The file of what is held against cameras.

The Watchdog writes it while no service runs, the service while it runs; people leave requests beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from sysmanager.domain.ids import CameraId, is_identifier
from sysmanager.durable import read_bounded, write_durably
from sysmanager.plainlog import plain_log
from sysmanager.recorder.quarantine import Case

log = plain_log(__name__)

FILE_NAME: Final = "quarantine.json"
RELEASE_PREFIX: Final = "release-"
FILE_LIMIT_BYTES: Final = 4 << 20


def load_cases(folder: Path) -> tuple[Case, ...]:
    """What is held against whom; nothing if the file is missing or damaged, because a camera that is recorded is worth more."""
    path = folder / FILE_NAME
    try:
        return msgspec.json.decode(read_bounded(path, FILE_LIMIT_BYTES), type=tuple[Case, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError) as error:
        log.warning("quarantine can't be read; nobody is in quarantine", file=str(path), why=str(error))
        return ()


def save_cases(folder: Path, cases: Iterable[Case]) -> None:
    """Durable on return. Raises OSError."""
    write_durably(folder / FILE_NAME, msgspec.json.encode(sorted(cases, key=lambda case: case.camera)))


def ask_release(folder: Path, camera: CameraId) -> Path:
    """Leave a request to release the camera, which the recording service takes away when it has done so. Raises OSError."""
    path = folder / f"{RELEASE_PREFIX}{os.urandom(8).hex()}"
    write_durably(path, camera.encode())
    return path


def take_releases(folder: Path) -> tuple[CameraId, ...]:
    """The requests that lie there; they are taken away."""
    found: list[CameraId] = []
    try:
        for path in sorted(folder.glob(f"{RELEASE_PREFIX}*")):
            camera = read_bounded(path, 256).decode("utf-8", "replace").strip()
            path.unlink()
            if is_identifier(camera):
                found.append(CameraId(camera))
    except OSError as error:
        log.warning("requests to release cameras can't be read", why=error.strerror or str(error))
    return tuple(found)
