"""What the recording service is opening or decoding at this moment, left where its Watchdog finds it after a crash.

A file that is mapped into memory, as the sign of life is: a note costs no call of the system, and outlives the process that made it. It
need not outlive the machine, because nobody asks after a power cut which stream was to blame.
"""

from __future__ import annotations

import mmap
import struct
import threading
from enum import IntEnum
from pathlib import Path
from typing import Final

import msgspec

from sysmanager.domain.ids import CameraId
from sysmanager.recorder.quarantine import Suspect

FILE_NAME: Final = "suspects"
SLOTS: Final = 2048
SLOT_BYTES: Final = 256
SIZE_BYTES: Final = SLOTS * SLOT_BYTES
_HEAD = struct.Struct("<BxHHxxQ")
"""What is under way, a `Deed`, 0 for nothing; bytes of the camera's id and of its mark; the thread."""

ID_LIMIT_BYTES: Final = 160
MARK_LIMIT_BYTES: Final = SLOT_BYTES - ID_LIMIT_BYTES - _HEAD.size


class Deed(IntEnum):
    OPENING = 1
    RUNNING = 2
    """It has given frames for long enough that the next suspect may be opened, not for so long that nothing is to be feared of it."""

    DECODING = 3


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One stream that was being opened or decoded, by which thread (as `threading.get_ident` names it)."""

    suspect: Suspect
    thread: int
    running: bool = False


_DEEDS = frozenset(Deed)


class Notes:
    """The service's side. Any thread may call. Raises OSError when the file can't be made or mapped."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / FILE_NAME).open("a+b") as file:
            if file.seek(0, 2) < SIZE_BYTES:
                file.truncate(SIZE_BYTES)
        with (folder / FILE_NAME).open("r+b", buffering=0) as file:
            # Not through the map, where each page that is touched counts as memory of this process; and not at once, as Linux would
            # keep together what is written together, and map all of it with the first note.
            for _ in range(SIZE_BYTES // mmap.PAGESIZE):
                file.write(bytes(mmap.PAGESIZE))
            self._map = mmap.mmap(file.fileno(), SIZE_BYTES)
        self._lock = threading.Lock()
        self._free = list(range(SLOTS - 1, -1, -1))

    def open(self, camera: CameraId, mark: str, deed: Deed = Deed.OPENING) -> int | None:
        """From now on this thread opens or decodes that stream. The number to `close`; None when too much is under way at once."""
        with self._lock:
            if not self._free:
                return None
            slot = self._free.pop()
        at, name, kind = slot * SLOT_BYTES, camera.encode()[:ID_LIMIT_BYTES], mark.encode()[:MARK_LIMIT_BYTES]
        body = at + _HEAD.size
        self._map[body : body + len(name)] = name
        self._map[body + len(name) : body + len(name) + len(kind)] = kind
        _HEAD.pack_into(self._map, at, 0, len(name), len(kind), threading.get_ident())
        self._map[at] = deed  # last: what is half written is not read
        return slot

    def runs(self, slot: int | None) -> None:
        """What was being opened gives frames."""
        if slot is not None:
            self._map[slot * SLOT_BYTES] = Deed.RUNNING

    def close(self, slot: int | None) -> None:
        if slot is not None:
            self._map[slot * SLOT_BYTES] = 0
            with self._lock:
                self._free.append(slot)


def read_notes(folder: Path) -> tuple[Note, ...]:
    """What was under way. Raises OSError, FileNotFoundError among them."""
    content = (folder / FILE_NAME).read_bytes()[:SIZE_BYTES]
    found: list[Note] = []
    for at in range(0, len(content) - SLOT_BYTES + 1, SLOT_BYTES):
        deed, name, mark, thread = _HEAD.unpack_from(content, at)
        if deed in _DEEDS and name <= ID_LIMIT_BYTES and mark <= MARK_LIMIT_BYTES:
            body = at + _HEAD.size
            camera = content[body : body + name].decode("utf-8", "ignore")
            kind = content[body + name : body + name + mark].decode("utf-8", "ignore")
            suspect = Suspect(camera=CameraId(camera), mark=kind, decoding=deed == Deed.DECODING)
            found.append(Note(suspect=suspect, thread=thread, running=deed == Deed.RUNNING))
    return tuple(found)


def forget_notes(folder: Path) -> None:
    """Before a start: what the last life left says nothing about the next. Raises OSError."""
    (folder / FILE_NAME).unlink(missing_ok=True)
