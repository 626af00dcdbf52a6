"""The process of the recording service: its entry, how it is started so that it outlives its Watchdog, and how it is found again."""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil

from sysmanager.documents.port import DocumentError
from sysmanager.durable import read_bounded, write_durably
from sysmanager.journal.lock import DataFolderError, DataFolderLock
from sysmanager.recorder import memory
from sysmanager.recorder.configuration import ConfigurationError, load_configuration
from sysmanager.recorder.crashes import TRACE_NAME
from sysmanager.recorder.ending import on_end_signals
from sysmanager.recorder.instance import StateUnusable
from sysmanager.recorder.pulse import Pulse

if TYPE_CHECKING:
    from sysmanager.recorder.service import RecordingService

IDENTITY_NAME = "service.json"
CREATED_TOLERANCE_S = 2.0
"""Clocks that are set move what a system says of the past; a process with the same id, begun so close to the same moment, is the same."""

STATUS_WRONG = 2
"""Exit status of what cannot be done as it was asked."""


class ServiceIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Which process is the recording service. created_s: seconds since 1970 as psutil tells; command: as it was started."""

    pid: int
    created_s: float
    command: tuple[str, ...]


def run_service(config_path: Path) -> int:
    """The recording service in this process, until it is told to end. Returns the exit status; 2 after one sentence on stderr."""
    pulse: Pulse | None = None
    try:
        configuration = load_configuration(config_path)
        # Not at the top: the Watchdog imports this module too, and needs none of FFmpeg, HTTP and cryptography. Before the first sign of
        # life: on a busy machine it takes longer than a Watchdog waits for the second.
        import asyncio

        from sysmanager.recorder.service import RecordingService

        with DataFolderLock(configuration.data_folder):
            pulse = Pulse(configuration.data_folder)
            pulse.begin(os.getpid())
            _sign(configuration.data_folder)
            _trace_crashes(configuration.data_folder)
            memory.begin()
            asyncio.run(_serve(RecordingService(configuration, pulse=pulse)))
    except (ConfigurationError, DataFolderError, StateUnusable, DocumentError) as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"The data folder of the recorder can't be used ({error.strerror or error}); check its disk and rights."
    else:
        return 0
    if sys.stderr is not None:
        sys.stderr.write(f"sysmanager: {sentence}\n")
    if pulse is not None:
        pulse.complain(sentence)
    return STATUS_WRONG


def _trace_crashes(folder: Path) -> None:
    """Have the thread of a crash written down for the Watchdog: it tells which stream was to blame."""
    # Of one thread alone the handler writes the stack without its number.
    faulthandler.enable((folder / TRACE_NAME).open("wb"), all_threads=True)


async def _serve(service: RecordingService) -> None:
    on_end_signals(service.end)
    await service.run()


def _sign(folder: Path) -> None:
    """Leave in the data folder which process this is."""
    process = psutil.Process()
    identity = ServiceIdentity(pid=process.pid, created_s=process.create_time(), command=tuple(process.cmdline()))
    write_durably(folder / IDENTITY_NAME, msgspec.json.encode(identity))


def running_service(folder: Path) -> psutil.Process | None:
    """The recording service that runs on this data folder, if one does."""
    try:
        identity = msgspec.json.decode(read_bounded(folder / IDENTITY_NAME, 64 * 1024), type=ServiceIdentity)
        process = psutil.Process(identity.pid)
        same_moment = abs(process.create_time() - identity.created_s) < CREATED_TOLERANCE_S
        if not is_alive(process) or not (same_moment or tuple(process.cmdline()) == identity.command):
            return None
    except (OSError, msgspec.DecodeError, psutil.Error, ValueError, OverflowError):
        return None
    return process


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def service_command(config_path: Path) -> tuple[str, ...]:
    """How the program starts its recording service."""
    return (sys.executable, "-X", "utf8", "-m", "sysmanager", "recorder", "--config", str(config_path), "--service-only")


def start_service(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start it so that neither the end of this process nor a Ctrl+C in its console reaches it. Raises OSError.

    It gets no pipes: it would stall or break on them when this process is gone.
    """
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=sys.platform != "win32",
        creationflags=flags,
    )
