"""What processes hand on to those that they start: whose end ends them, and where they log."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import psutil

from sysmanager.app import paths

OWNER = "SYSMANAGER_OWNER"
"""Process id of the one that all these processes belong to; also children of children look at it, whoever started them."""

LOGS = "SYSMANAGER_LOGS"
LOOK_S = 1.0


def handed_on(owner: int, logs: Path) -> dict[str, str]:
    """The environment for processes that end with `owner` and log into the folder `logs`."""
    return {**os.environ, OWNER: str(owner), LOGS: str(logs), "PYTHONUTF8": "1"}


def owner() -> int:
    """0 if this process belongs to nobody."""
    text = os.environ.get(OWNER, "")
    return int(text) if text.isdigit() else 0


def log_folder() -> Path:
    """That of the owner, else the platform's."""
    folder = os.environ.get(LOGS)
    return Path(folder) if folder else paths.log_folder()


def end_with_owner() -> None:
    """Tell this process to end, as by the signal, when its owner is gone. Does nothing where there is none."""
    number = owner()
    if number:
        threading.Thread(target=_look, args=(number,), name="owner", daemon=True).start()


def _look(number: int) -> None:
    try:
        process = psutil.Process(number)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(LOOK_S)
    except psutil.NoSuchProcess:
        pass
    signal.raise_signal(signal.SIGTERM)
