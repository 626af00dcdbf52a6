"""The sign of life of a recording service, for its Watchdog: a few bytes of memory that both share through a file.

Shared memory and not a pipe, so that the service neither dies nor stalls when its Watchdog does; not a file that is written, so that a
disk that hangs does not make a sound service look hung; not a signal, which Windows does not have. The Watchdog asks for an orderly
end by the same way.
"""

from __future__ import annotations

import mmap
import struct
from enum import IntEnum
from pathlib import Path

FILE_NAME = "pulse"
SIZE_BYTES = 4096
SENTENCE_LIMIT_BYTES = 1000
_COUNTER = struct.Struct("<Q")
_LENGTH = struct.Struct("<H")
_HEAD_BYTES = 8
_AT_COUNTER, _AT_PHASE, _AT_STOP, _AT_PID, _AT_COMPLAINT, _AT_NOTICE = 0, 8, 9, 16, 24, 2048


class Phase(IntEnum):
    """Of the service. `RUNNING`: initialised; it records, asks or stands by."""

    NONE = 0
    STARTING = 1
    RUNNING = 2
    ENDING = 3


class Pulse:
    """One side's view of the shared bytes. Each field is written by one side only; a torn read only delays by one look.

    Raises OSError when the file can't be made or mapped.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / FILE_NAME
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.seek(0, 2) < SIZE_BYTES:
                file.truncate(SIZE_BYTES)
            self._map = mmap.mmap(file.fileno(), SIZE_BYTES)

    def close(self) -> None:
        self._map.close()

    # the service's side

    def begin(self, pid: int) -> None:
        """A new life: withdraws an old request to end."""
        self._map[_AT_STOP] = 0
        _COUNTER.pack_into(self._map, _AT_PID, pid)
        self.enter(Phase.STARTING)

    def complain(self, sentence: str) -> None:
        """Why it cannot start: the Watchdog passes it on."""
        self._write(_AT_COMPLAINT, sentence)

    def notice(self, sentence: str) -> None:
        """What a person should know while it runs: it has no terminal, its Watchdog may have one."""
        self._write(_AT_NOTICE, sentence)

    def enter(self, phase: Phase) -> None:
        self._map[_AT_PHASE] = phase
        self.beat()

    def beat(self) -> None:
        _COUNTER.pack_into(self._map, _AT_COUNTER, (self.counter + 1) & (2**64 - 1))

    @property
    def asked_to_stop(self) -> bool:
        return self._map[_AT_STOP] != 0

    # the Watchdog's side

    @property
    def counter(self) -> int:
        return int(_COUNTER.unpack_from(self._map, _AT_COUNTER)[0])

    @property
    def phase(self) -> Phase:
        value = self._map[_AT_PHASE]
        return Phase(value) if value in Phase._value2member_map_ else Phase.NONE

    @property
    def pid(self) -> int:
        return int(_COUNTER.unpack_from(self._map, _AT_PID)[0])

    @property
    def complaint(self) -> str:
        return self._read(_AT_COMPLAINT)

    @property
    def noticed(self) -> str:
        return self._read(_AT_NOTICE)

    def clear(self) -> None:
        """Before a start: what the last life left says nothing about the next."""
        self._map[_AT_STOP] = 0
        self._map[_AT_PHASE] = Phase.NONE
        _COUNTER.pack_into(self._map, _AT_PID, 0)
        self._write(_AT_COMPLAINT, "")
        self._write(_AT_NOTICE, "")

    def ask_to_stop(self) -> None:
        self._map[_AT_STOP] = 1

    # sentences: a length, and what it counts

    def _write(self, at: int, sentence: str) -> None:
        content = sentence.encode()[:SENTENCE_LIMIT_BYTES]
        begin = at + _HEAD_BYTES
        self._map[begin : begin + len(content)] = content
        _LENGTH.pack_into(self._map, at, len(content))

    def _read(self, at: int) -> str:
        length = min(SENTENCE_LIMIT_BYTES, int(_LENGTH.unpack_from(self._map, at)[0]))
        begin = at + _HEAD_BYTES
        return bytes(self._map[begin : begin + length]).decode("utf-8", "ignore")
