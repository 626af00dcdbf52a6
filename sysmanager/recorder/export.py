"""Footage of one camera as MP4, without re-encoding, across pieces, epochs and recorders (SPEC 16).

Where two recorders recorded at once, the same frame is taken once: two sessions of one encoder carry equal bytes. Where they do not, the
first is left at a key frame of the second, and the seam is told. Time in the file runs as it ran on the wall: a hole stays a hole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import msgspec
from av.container import InputContainer

from sysmanager.recorder.index import FORMATS, Segment, StoredFrame, read_frames
from sysmanager.recorder.library import JOINED_MS
from sysmanager.recorder.segments import CLOCK_HZ

MP4_CODECS: Final = frozenset({"h264", "hevc", "mpeg4"})
_BASE: Final = Fraction(1, CLOCK_HZ)


class ExportFailed(Exception):
    """Nothing was exported. One sentence."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Frames that one recorder wrote under one epoch, one after the other, as they stand in the export; wall-clock milliseconds.

    seam: how it follows the run before: "start", "same frames" (no frame is lost or doubled), "key frame" (one of two recordings ends
    where the other has a key frame), or "hole".
    """

    recorder: str
    epoch: int
    first_frame_ms: int
    last_frame_ms: int
    frames: int
    seam: str


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """One file that was written. sha256: of the file, 64 hexadecimal digits."""

    file: Path
    camera: str
    runs: tuple[Run, ...]
    sha256: str

    @property
    def frames(self) -> int:
        return sum(run.frames for run in self.runs)


class _Taken(msgspec.Struct, frozen=True):
    piece: Segment
    frames: list[StoredFrame]
    seam: str


def joined(found: Sequence[Segment]) -> Iterator[tuple[Segment, list[StoredFrame], str]]:
    """The frames to take of each piece, and the seam before them. `found`: of one camera, in the order of time."""
    held: _Taken | None = None
    known: set[bytes] = set()
    for piece in _recordings_first(found):
        frames = _from_key(list(read_frames(piece.path)))
        if not frames:
            continue
        if held is None:
            held, known = _Taken(piece, frames, "start"), _marks(frames)
            continue
        last_us = held.frames[-1].at_us
        if frames[0].at_us > last_us:
            seam = "hole" if frames[0].at_us - last_us > JOINED_MS * 1000 else _plain_seam(held.piece, piece)
            yield held.piece, held.frames, held.seam
            held, known = _Taken(piece, frames, seam), _marks(frames)
            continue
        marks = [_mark(frame) for frame in frames]
        common = [at for at, mark in enumerate(marks) if mark in known]
        if common:
            rest = frames[common[-1] + 1 :]
            if rest:
                yield held.piece, held.frames, held.seam
                held, known = _Taken(piece, rest, "same frames"), known | set(marks)
        elif frames[-1].at_us > last_us:
            before = [frame for frame in held.frames if frame.at_us < frames[0].at_us]
            if before:
                yield held.piece, before, held.seam
            seam = held.seam if held.seam != "same frames" and not before else "key frame"
            held, known = _Taken(piece, frames, seam), set(marks)
    if held is not None:
        yield held.piece, held.frames, held.seam


def _recordings_first(found: Sequence[Segment]) -> list[Segment]:
    """Where two recorders begin a piece at one key frame, the one that has recorded until there comes first: their clocks differ a little.

    The other order would leave the recording that goes on, and what both hold of the same frames could not be seen.
    """
    ordered = list(found)
    for at in range(2, len(ordered)):
        before, other, going_on = ordered[at - 2 : at + 1]
        together = going_on.first_frame_ms - other.first_frame_ms <= JOINED_MS
        if together and _one_recording(before, going_on) and not _one_recording(before, other):
            ordered[at - 1 : at + 1] = going_on, other
    return ordered


def _one_recording(one: Segment, other: Segment) -> bool:
    return (one.name.recorder, one.name.epoch) == (other.name.recorder, other.name.epoch)


def _plain_seam(before: Segment, after: Segment) -> str:
    return "same frames" if _one_recording(before, after) else "key frame"


def _from_key(frames: list[StoredFrame]) -> list[StoredFrame]:
    first = next((at for at, frame in enumerate(frames) if frame.key), len(frames))
    return frames[first:]


def _mark(frame: StoredFrame) -> bytes:
    return hashlib.blake2b(frame.data, digest_size=16).digest()


def _marks(frames: Iterable[StoredFrame]) -> set[bytes]:
    return {_mark(frame) for frame in frames}


def export(found: Sequence[Segment], target: Path, from_ms: int, until_ms: int) -> list[Exported]:
    """Write the frames from the key frame at or before `from_ms` to `until_ms`; one file, and `-2`, `-3`, … where the picture changes.

    found: pieces of one camera in the order of time. Blocks. Raises ExportFailed, OSError; files that are there are not written over.
    """
    writer: _Writer | None = None
    done: list[Exported] = []
    try:
        for piece, frames, seam in joined(found):
            chosen = _within(frames, from_ms * 1000, until_ms * 1000 + 999)
            if not chosen:
                continue
            shape = _shape(piece)
            if writer is not None and writer.shape != shape:
                done.append(writer.close())
                writer = None
                chosen = _from_key(chosen)
                if not chosen:
                    continue
            if writer is None:
                number = len(done) + 1
                file = target if number == 1 else target.with_name(f"{target.stem}-{number}{target.suffix}")
                writer = _Writer(file, piece, shape)
            writer.add(piece, chosen, seam)
        if writer is not None:
            done.append(writer.close())
            writer = None
    finally:
        if writer is not None:
            writer.give_up()
    if not done:
        raise ExportFailed("There is no footage of this camera in this time; see what there is with: sysmanager material list.")
    return done


def _within(frames: list[StoredFrame], from_us: int, until_us: int) -> list[StoredFrame]:
    """From the key frame that the first wanted frame needs, to the end of the span."""
    start = next((at for at, frame in enumerate(frames) if frame.at_us >= from_us), len(frames))
    while start < len(frames) and start > 0 and not frames[start].key:
        start -= 1
    return [frame for frame in frames[start:] if frame.at_us <= until_us]


_Shape = tuple[str, int, int, bytes]


def _opened(piece: Segment) -> InputContainer:
    return av.open(str(piece.path), format=FORMATS[piece.name.container])


def _shape(piece: Segment) -> _Shape:
    """What must be equal within one MP4: codec, width, height, parameter sets."""
    with _opened(piece) as container:
        context = container.streams.video[0].codec_context
        return context.codec.canonical_name, context.width, context.height, bytes(context.extradata or b"")


class _Writer:
    """One MP4 in the making, under another name until it is whole."""

    def __init__(self, file: Path, piece: Segment, shape: _Shape) -> None:
        if shape[0] not in MP4_CODECS:
            raise ExportFailed(f"{piece.path.name} holds {shape[0]}, which MP4 does not carry; play the piece itself.")
        if file.exists():
            raise ExportFailed(f"{file} is there already; name another file.")
        self.shape = shape
        self._file = file
        self._unfinished = file.with_name(f".unfinished-{file.name}")
        self._unfinished.unlink(missing_ok=True)
        self._camera = piece.name.camera
        self._runs: list[Run] = []
        self._start_us: int | None = None
        self._last_dts = -1
        self._container = av.open(str(self._unfinished), "w", format="mp4", options={"movflags": "+faststart"})
        with _opened(piece) as source:
            self._stream = self._container.add_stream_from_template(source.streams.video[0], opaque=True)
        self._stream.time_base = _BASE

    def add(self, piece: Segment, frames: list[StoredFrame], seam: str) -> None:
        if self._start_us is None:
            self._start_us = frames[0].dts_us
            seam = "start"
        for frame in frames:
            packet = av.Packet(frame.data)
            packet.stream = self._stream
            packet.time_base = _BASE
            packet.is_keyframe = frame.key
            self._last_dts = packet.dts = max(self._ticks(frame.dts_us), self._last_dts + 1)
            packet.pts = max(self._ticks(frame.at_us), self._last_dts)
            self._container.mux_one(packet)
        self._note(piece, frames, seam)

    def _note(self, piece: Segment, frames: list[StoredFrame], seam: str) -> None:
        last_ms = max(frame.at_us for frame in frames) // 1000
        before = self._runs[-1] if self._runs else None
        if before is not None and (before.recorder, before.epoch) == (piece.name.recorder, piece.name.epoch) and seam == "same frames":
            self._runs[-1] = msgspec.structs.replace(before, last_frame_ms=last_ms, frames=before.frames + len(frames))
            return
        first_ms = min(frame.at_us for frame in frames) // 1000
        self._runs.append(
            Run(
                recorder=piece.name.recorder,
                epoch=piece.name.epoch,
                first_frame_ms=first_ms,
                last_frame_ms=last_ms,
                frames=len(frames),
                seam=seam,
            )
        )

    def _ticks(self, at_us: int) -> int:
        assert self._start_us is not None, "set with the first frames"
        return (at_us - self._start_us) * 9 // 100

    def close(self) -> Exported:
        self._container.close()
        digest = hashlib.sha256()
        with self._unfinished.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        self._unfinished.rename(self._file)
        return Exported(file=self._file, camera=self._camera, runs=tuple(self._runs), sha256=digest.hexdigest())

    def give_up(self) -> None:
        self._container.close()
        self._unfinished.unlink(missing_ok=True)
