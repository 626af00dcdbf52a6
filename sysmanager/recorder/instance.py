"""The id of an installation, which Watchdog and recording service name alike; apart from the state, of which a Watchdog knows nothing."""

from __future__ import annotations

import os
from pathlib import Path

from sysmanager.domain.ids import InstanceId, is_identifier
from sysmanager.durable import create_durably, read_bounded

INSTANCE_NAME = "instance"


class StateUnusable(Exception):
    """The data folder cannot be used. One sentence."""


def instance_of(folder: Path) -> InstanceId:
    """The id of this installation, made at its first start. Watchdog and recording service name the same. Raises StateUnusable."""
    path = folder / INSTANCE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            try:
                text = read_bounded(path, 256).decode("ascii", "replace").strip()
            except FileNotFoundError:
                text = ""
            else:
                if is_identifier(text):
                    return InstanceId(text)
                path.unlink()  # made by nobody else; a new id only lets the coordinator see a new installation
            try:
                create_durably(path, os.urandom(8).hex().encode() + b"\n")
            except FileExistsError:
                continue
        return InstanceId(read_bounded(path, 256).decode("ascii", "replace").strip())
    except OSError as error:
        raise StateUnusable(f"The data folder {folder} can't be used ({error.strerror or error}); check the path and its rights.") from None
