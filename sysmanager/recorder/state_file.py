"""What a recorder must find again after a kill: its state, in two files.

Each save replaces the older of the two, so that a damaged file leaves the state before it. A file is a line with the SHA-256 of what
follows, then JSON with a number that grows with every save.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import structlog

from sysmanager.domain.ids import Epoch, RecorderId
from sysmanager.durable import read_bounded, sync_folder, write_durably
from sysmanager.recorder.instance import StateUnusable
from sysmanager.recorder.machine import Persisted
from sysmanager.recorder.segments import SegmentName

log = structlog.get_logger(__name__)

FILE_NAMES = ("state-a", "state-b")
FILE_LIMIT_BYTES = 1 << 20
FORMAT = 1
DAYS_READ = 2
"""How many of the newest days of each camera are looked through for the highest epoch: epochs only grow."""


class _Content(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: int = FORMAT
    number: int
    state: Persisted


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is on the disk. persisted: None if there was never a state, or none of it is left.

    sentence: what was damaged and set aside, empty if nothing; the state may then be older than what was obeyed last.
    """

    persisted: Persisted | None
    sentence: str = ""


class StateFile:
    """The state of one recorder in its data folder. Blocks; one caller at a time."""

    def __init__(self, folder: Path, recorder: RecorderId) -> None:
        self._folder = folder
        self._recorder = recorder
        self._number = 0
        self._next = 0

    def load(self) -> Found:
        """Raises StateUnusable: the folder cannot be read, belongs to another recorder, or to a newer version of the program."""
        found: dict[int, _Content] = {}
        sentence = ""
        for index, name in enumerate(FILE_NAMES):
            path = self._folder / name
            try:
                content = _read(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StateUnusable(f"The state of the recorder in {path} can't be read ({error.strerror or error}).") from None
            if content is None:
                kept = self._set_aside(path)
                sentence = f"The state file {path} was damaged and set aside as {kept.name}; the recorder asks before it believes the rest."
            else:
                found[index] = content
        if not found:
            return Found(persisted=None, sentence=sentence)
        index, newest = max(found.items(), key=lambda item: item[1].number)
        if newest.format > FORMAT:
            raise StateUnusable(f"The data folder {self._folder} was used by a newer version of this program; install that version.")
        if newest.state.recorder != self._recorder:
            raise StateUnusable(
                f"The data folder {self._folder} belongs to the recorder {newest.state.recorder!r} and the configuration says "
                f"{self._recorder!r}; correct the field 'id' or 'data'."
            )
        self._number = newest.number
        self._next = 1 - index
        return Found(persisted=newest.state, sentence=sentence)

    def save(self, persisted: Persisted) -> None:
        """Durable on return. Raises OSError; then the state before it stands."""
        number = self._number + 1
        body = msgspec.json.encode(_Content(number=number, state=persisted))
        write_durably(self._folder / FILE_NAMES[self._next], hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        self._number = number
        self._next = 1 - self._next

    def _set_aside(self, path: Path) -> Path:
        number = 1
        while (target := path.with_name(f"{path.name}-damaged-{number}")).exists():
            number += 1
        try:
            path.rename(target)
            sync_folder(path.parent)
        except OSError as error:
            raise StateUnusable(f"The damaged state file {path} can't be set aside ({error.strerror or error}).") from None
        return target


def _read(path: Path) -> _Content | None:
    """None if it is damaged. Raises OSError."""
    digest, line_end, body = read_bounded(path, FILE_LIMIT_BYTES).partition(b"\n")
    if not line_end or hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    try:
        return msgspec.json.decode(body, type=_Content)
    except msgspec.DecodeError:
        raise StateUnusable(f"The state file {path} is of a version that this program does not know; install the newer one.") from None


def highest_epoch_in_material(disks: tuple[Path, ...], recorder: RecorderId) -> Epoch:
    """The highest epoch in the names of this recorder's newest segments; 0 if there are none. Disks that cannot be read are passed over."""
    highest = 0
    for disk in disks:
        for camera in _inside(disk):
            for day in _inside(camera)[-DAYS_READ:]:
                for path in _inside(day):
                    name = SegmentName.parse(path)
                    if name is not None and name.recorder == recorder:
                        highest = max(highest, name.epoch)
    return Epoch(highest)


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # a file, or a disk that is not there
        return []
