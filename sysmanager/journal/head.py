"""The head file: sequence and hash of the journal's last record, kept apart from the database.

A database whose tail was cut is sound in itself; only something outside can tell. The head is written after each commit, so it is
never ahead of an undamaged journal; a kill between the two leaves it behind, which is harmless. Writing is one small write into the
file system's cache (a killed process loses nothing); it is synced by the journal's thread when idle, so that an append does not
wait for a second sync. After a power cut the head may be a second or so behind, and a tail cut in that second would go unnoticed.
"""

import os
import struct
import zlib
from pathlib import Path
from typing import IO, NamedTuple

from sysmanager.durable import create_durably
from sysmanager.journal.port import GENESIS_HASH

__all__ = ["Head", "HeadFile"]

_SLOT = struct.Struct(">8sQQ32s")  # magic, generation, sequence, hash; then CRC-32 of these
_CHECK = struct.Struct(">I")
_MAGIC = b"SMHEAD1\n"
_SLOT_BYTES = _SLOT.size + _CHECK.size
_SLOT_OFFSETS = (0, 4096)  # in different sectors: a torn write damages one slot, never both


class Head(NamedTuple):
    sequence: int
    hash: bytes


class HeadFile:
    """Two slots written in turn; the newest sound one counts. Blocking; `OSError` as from any file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unsynced = False
        self._file: IO[bytes] | None = None
        self._generation = 0

    def open(self) -> Head | None:
        """The head as stored; None when it is missing or damaged. The file exists afterwards, and is left as it was."""
        if not self.path.exists():
            return None
        self._file = self.path.open("r+b", buffering=0)
        self._generation = 0
        newest: Head | None = None
        for offset in _SLOT_OFFSETS:
            self._file.seek(offset)
            slot = self._file.read(_SLOT_BYTES)
            if len(slot) != _SLOT_BYTES or _CHECK.unpack(slot[_SLOT.size :])[0] != zlib.crc32(slot[: _SLOT.size]):
                continue
            magic, generation, sequence, record_hash = _SLOT.unpack(slot[: _SLOT.size])
            if magic == _MAGIC and generation >= self._generation:
                self._generation = generation
                newest = Head(sequence, record_hash)
        return newest

    def create(self) -> None:
        """A new file that says: no record yet."""
        slot = _slot(0, Head(0, GENESIS_HASH))
        create_durably(self.path, slot)
        self._file = self.path.open("r+b", buffering=0)
        self._generation = 0

    def write(self, head: Head) -> None:
        """Store in the slot whose turn it is; not synced (see `sync`)."""
        if self._file is None:
            raise OSError(f"{self.path} is not open")
        self._generation += 1
        self._file.seek(_SLOT_OFFSETS[self._generation % 2])
        self._file.write(_slot(self._generation, head))
        self.unsynced = True

    def sync(self) -> None:
        if self._file is not None and self.unsynced:
            os.fsync(self._file.fileno())
            self.unsynced = False

    def close(self) -> None:
        if self._file is not None:
            try:
                self.sync()
            finally:
                self._file.close()
                self._file = None


def _slot(generation: int, head: Head) -> bytes:
    packed = _SLOT.pack(_MAGIC, generation, *head)
    return packed + _CHECK.pack(zlib.crc32(packed))
