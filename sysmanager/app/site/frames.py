"""The frames in footage, read from the files alone: each says in its mark which camera it is of, its number, and when it was captured.

Meant to owe nothing to the recorder: it has its own reading of file names, and of times only what the marks say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import msgspec

from sysmanager.simulation.cameras.sei import read_sei

_NAME = re.compile(r"\d{6}\.\d{3}_(?P<camera>[^@]+)@(?P<recorder>[^@]+)_e(?P<epoch>\d+)(?:-\d+)?\.ts")


class MarkedFrame(msgspec.Struct, frozen=True, gc=False):
    """One frame. `number` counts from the camera's start; `captured_us`: microseconds since 1970 by the camera's clock."""

    camera: str
    number: int
    captured_us: int


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One file of footage. machine: the recorder in whose folder it lies; camera, recorder, epoch: as its name says.

    frames: in the order in which they lie in it. unmarked: how many frames more have no mark.
    """

    path: Path
    machine: str
    camera: str
    recorder: str
    epoch: int
    frames: tuple[MarkedFrame, ...]
    unmarked: int = 0


def read_footage(root: Path, machines: Sequence[str], since_us: int) -> list[Piece]:
    """All footage under the site's folder that was captured since then, by camera and time. Raises OSError for a folder gone."""
    pieces = [piece for machine in machines for path in _files(root / machine) if (piece := read_piece(path, machine)) is not None]
    recent = [piece for piece in pieces if not piece.frames or piece.frames[-1].captured_us >= since_us]
    return sorted(recent, key=lambda piece: (piece.camera, piece.frames[0].captured_us if piece.frames else 0, str(piece.path)))


def _files(folder: Path) -> Iterator[Path]:
    return folder.glob("disk-*/*/*/*.ts")


def read_piece(path: Path, machine: str) -> Piece | None:
    """One file of footage, which lies in the folder of that recorder.

    None for a file that has another name than footage, or no frame at all: a recorder killed before the first came.
    """
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    frames: list[MarkedFrame] = []
    unmarked = 0
    for data in _packets(path):
        mark = read_sei(data)
        if mark is None:
            unmarked += 1
        else:
            frames.append(MarkedFrame(mark.camera, mark.frame, mark.captured_us))
    if not frames and not unmarked:
        return None
    return Piece(
        path=path,
        machine=machine,
        camera=found["camera"],
        recorder=found["recorder"],
        epoch=int(found["epoch"]),
        frames=tuple(frames),
        unmarked=unmarked,
    )


def _packets(path: Path) -> Iterator[bytes]:
    try:
        with av.open(str(path), format="mpegts") as container:
            for packet in container.demux(video=0):
                if packet.size:
                    yield bytes(packet)
    except (av.FFmpegError, IndexError):
        return  # cut off by a kill before there was a stream: no frames
