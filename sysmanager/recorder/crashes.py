"""What the Watchdog finds after its recording service ended: whether it crashed, and which camera's stream is to blame (SPEC 16)."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from sysmanager.plainlog import plain_log
from sysmanager.recorder.case_file import load_cases, save_cases
from sysmanager.recorder.quarantine import after_crash
from sysmanager.recorder.suspects import Note, forget_notes, read_notes

log = plain_log(__name__)

TRACE_NAME: Final = "crash.txt"
"""Where Python writes, at the moment of a crash, in which thread it was."""

TRACE_LIMIT_BYTES: Final = 1 << 20
TRACE_SHOWN: Final = 2000
SHOWN: Final = 5
_THREAD = re.compile(r"Current thread 0x([0-9a-fA-F]+)")

FROM_OUTSIDE: Final = frozenset({"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"})
"""Signals that no stream makes a process end by: a person sent them, or the system for want of memory."""

WINDOWS_CRASH: Final = 0xC0000000
WINDOWS_CTRL_C: Final = 0xC000013A


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a service ended. crashed: by what it did itself. words: for a sentence, "was ended by SIGSEGV"."""

    crashed: bool
    words: str


def ending_of(status: int | None, *, hung: bool = False, traced: bool = False, windows: bool = sys.platform == "win32") -> Ending:
    """status: as `subprocess` gives it; None of a service that an earlier Watchdog had started. hung: the Watchdog itself ended it.

    traced: it wrote where it crashed, which tells of an unknown end whether it was one; who is killed from outside writes nothing.
    """
    if hung:
        return Ending(crashed=True, words="gave no sign of life")
    if status is None:
        return Ending(crashed=traced, words="crashed" if traced else "ended")
    if windows:
        code = status & 0xFFFFFFFF
        crashed = code >= WINDOWS_CRASH and code != WINDOWS_CTRL_C
        return Ending(crashed=crashed, words=f"crashed with {code:#x}" if crashed else f"ended with status {status}")
    if status >= 0:
        return Ending(crashed=False, words=f"ended with status {status}")
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return Ending(crashed=name not in FROM_OUTSIDE, words=f"was ended by {name}")


def blame(folder: Path) -> str:
    """After a crash: hold it against the cameras whose streams were being opened or decoded. A sentence about them, empty if there is none.

    Where the system says in which thread the crash was, and that one had a stream, only its camera is to blame. Blocks; never raises.
    """
    trace = _trace(folder)
    found = _THREAD.search(trace)
    if found is not None:
        log.warning("the recording service crashed", trace=trace[found.start() :].partition("\n\n")[0][:TRACE_SHOWN])
    try:
        notes = read_notes(folder)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            log.warning("notes of the recording service can't be read", why=error.strerror or str(error))
        return ""
    thread = int(found[1], 16) if found is not None else None
    notes = tuple(note for note in notes if note.thread == thread) or tuple(note for note in notes if not note.running)
    if not notes:
        return ""
    before = {case.camera: case for case in load_cases(folder)}
    after = after_crash(before, (note.suspect for note in notes))
    try:
        save_cases(folder, after.values())
    except OSError as error:
        log.warning("quarantine not saved", why=error.strerror or str(error))
    convicted = [camera for camera, case in after.items() if case.terms > (before[camera].terms if camera in before else 0)]
    log.warning("streams under way at the crash", cameras=_names(notes), quarantined=convicted)
    if convicted:
        return f"The camera {convicted[0]} is quarantined: its stream was being opened or decoded in this crash and in an earlier one."
    if all(note.suspect.decoding for note in notes):
        return f"It was decoding a picture of {_names(notes)}, which is recorded as before; no picture of it is decoded for a while."
    return f"It was opening or decoding the streams of {_names(notes)}; they are opened a few at a time now."


def traced(folder: Path) -> bool:
    """Whether the service wrote where it crashed. Blocks; never raises."""
    return _THREAD.search(_trace(folder)) is not None


def begin_anew(folder: Path) -> None:
    """Before a start: notes and trace of the last life go. Blocks; never raises."""
    try:
        forget_notes(folder)
        (folder / TRACE_NAME).unlink(missing_ok=True)
    except OSError as error:
        log.warning("notes of the last start can't be removed", why=error.strerror or str(error))


def _trace(folder: Path) -> str:
    """Where in the program it crashed, as far as Python could write that down; names of files and functions only."""
    try:
        with (folder / TRACE_NAME).open("rb") as file:
            return file.read(TRACE_LIMIT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _names(notes: Iterable[Note]) -> str:
    names = sorted({str(note.suspect.camera) for note in notes})
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
