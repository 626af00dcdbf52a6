"""Finding footage again: the index beside the segments, and the segments themselves where the index says nothing.

A line is appended to `<disk>/<camera>/<day>/<recorder>.idx` when a segment is complete. A killed recorder leaves its last segments
without one: they are read instead. A line counts only while the file has the size it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import av
import msgspec

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import PAUSE_MS, PAUSES_LIMIT, FootageSpan
from sysmanager.recorder.segments import SUFFIXES, Container, SegmentName, camera_folder

INDEX_SUFFIX: Final = ".idx"
INDEX_LIMIT_BYTES: Final = 16 << 20


class IndexLine(msgspec.Struct, frozen=True, kw_only=True):
    """One complete segment: file name, size, frames, wall-clock milliseconds of its first and last frame.

    sha256: of the file, 64 hexadecimal digits; empty where it was not known when the line was written.
    why: it was kept, "continuous" or "motion"; empty where that is not known, as after the index was rebuilt.
    """

    file: str
    size_bytes: int
    frames: int
    first_frame_ms: int
    last_frame_ms: int
    sha256: str = ""
    why: str = ""

    def encode(self) -> bytes:
        """As a line with line ends on both sides: a torn line before it then spoils only itself."""
        return b"\n" + msgspec.json.encode(self) + b"\n"


class StoredFrame(msgspec.Struct, frozen=True, gc=False):
    """A frame read back: shown at `at_us`, decoded at `dts_us`, microseconds since the epoch. `data`: one access unit, Annex B."""

    at_us: int
    key: bool
    data: bytes
    dts_us: int


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A segment on a disk and what is in it. why: see `IndexLine`."""

    path: Path
    name: SegmentName
    frames: int
    first_frame_ms: int
    last_frame_ms: int
    why: str = ""


def index_name(recorder: str) -> str:
    return recorder + INDEX_SUFFIX


def read_index(path: Path) -> dict[str, IndexLine]:
    """All sound lines of an index by file name; damaged ones are passed over. Empty when the index cannot be read."""
    lines: dict[str, IndexLine] = {}
    try:
        with path.open("rb") as file:
            content = file.read(INDEX_LIMIT_BYTES)
    except OSError:
        return lines
    for raw in content.splitlines():
        try:
            line = msgspec.json.decode(raw, type=IndexLine)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        lines[line.file] = line
    return lines


FORMATS: Final = {Container.TS: "mpegts", Container.NUT: "nut"}
"""FFmpeg's names."""


def read_frames(path: Path) -> Iterator[StoredFrame]:
    """The pictures of a segment in the order of decoding, as far as it can be read. ValueError when the name is no segment's."""
    name = SegmentName.parse(path)
    if name is None:
        raise ValueError(f"{path.name} is not the name of a segment")
    try:
        with av.open(str(path), format=FORMATS[name.container]) as container:
            if not container.streams.video:
                return
            for packet in container.demux(container.streams.video[0]):
                if packet.size and packet.pts is not None and packet.time_base is not None:
                    us_per_tick = 1_000_000 * packet.time_base
                    at_us = name.start_ms * 1000 + int(packet.pts * us_per_tick)
                    early_us = int((packet.pts - packet.dts) * us_per_tick) if packet.dts is not None else 0
                    yield StoredFrame(at_us, packet.is_keyframe, bytes(packet), at_us - early_us)
    except (av.FFmpegError, OSError):
        return  # cut in the middle, or gone: what came before counts


def read_segment(path: Path) -> Segment | None:
    """What a segment holds, by reading it; None when there is no frame in it."""
    name = SegmentName.parse(path)
    if name is None:
        return None
    times = [frame.at_us // 1000 for frame in read_frames(path)]
    if not times:
        return None
    return Segment(path=path, name=name, frames=len(times), first_frame_ms=min(times), last_frame_ms=max(times))


def segments(disks: Iterable[Path], camera: str, epoch: int | None = None, recorder: str | None = None) -> list[Segment]:
    """The segments of a camera, by time; of one epoch and one recorder, if given. Disks that cannot be read are passed over."""
    found: list[Segment] = []
    for disk in disks:
        for day in _folders(disk / camera_folder(camera)):
            indexes: dict[str, dict[str, IndexLine]] = {}
            for path in segment_files(day):
                name = SegmentName.parse(path)
                if name is None or name.camera != camera:
                    continue
                if (epoch is not None and name.epoch != epoch) or (recorder is not None and name.recorder != recorder):
                    continue
                if name.recorder not in indexes:
                    indexes[name.recorder] = read_index(day / index_name(name.recorder))
                segment = _from_line(path, name, indexes[name.recorder].get(path.name)) or read_segment(path)
                if segment is not None:
                    found.append(segment)
    return sorted(found, key=lambda segment: (segment.first_frame_ms, str(segment.path)))


def spans(disks: Iterable[Path], camera: str, epoch: int, recorder: str | None = None) -> FootageSpan | None:
    """What of a camera was recorded under an epoch; None if nothing. Frames that lie on two disks count once (SPEC 6, 14.4)."""
    found = segments(disks, camera, epoch, recorder)
    if not found:
        return None
    return FootageSpan(
        camera=CameraId(camera),
        first_frame_ms=found[0].first_frame_ms,
        last_frame_ms=max(segment.last_frame_ms for segment in found),
        frames=_count(found),
        segments=len(found),
        pauses=_pauses(found),
    )


def _pauses(found: Sequence[Segment]) -> tuple[tuple[int, int], ...]:
    """See `FootageSpan`. Before and after what was kept for motion no frame is missing."""
    pauses: list[tuple[int, int]] = []
    before = found[0]
    for segment in found[1:]:
        if segment.first_frame_ms - before.last_frame_ms > PAUSE_MS and "motion" not in (before.why, segment.why):
            pauses.append((before.last_frame_ms, segment.first_frame_ms))
        if segment.last_frame_ms > before.last_frame_ms:
            before = segment
    return tuple(pauses[-PAUSES_LIMIT:])


def rebuild(day: Path, recorder: str) -> int:
    """Add the missing lines of one recorder to the index of one camera-day, from its segments; the number of lines added.

    Not while that recorder writes there: an open segment would get the line of its present size. OSError when it cannot be written.
    """
    lines = read_index(day / index_name(recorder))
    added: list[bytes] = []
    for path in segment_files(day):
        name = SegmentName.parse(path)
        if name is None or name.recorder != recorder or _from_line(path, name, lines.get(path.name)):
            continue
        segment = read_segment(path)
        if segment is not None:
            line = IndexLine(
                file=path.name,
                size_bytes=path.stat().st_size,
                frames=segment.frames,
                first_frame_ms=segment.first_frame_ms,
                last_frame_ms=segment.last_frame_ms,
            )
            added.append(line.encode())
    if added:
        with (day / index_name(recorder)).open("ab") as file:
            file.write(b"".join(added))
    return len(added)


def _from_line(path: Path, name: SegmentName, line: IndexLine | None) -> Segment | None:
    try:
        if line is None or path.stat().st_size != line.size_bytes:
            return None
    except OSError:
        return None
    return Segment(
        path=path, name=name, frames=line.frames, first_frame_ms=line.first_frame_ms, last_frame_ms=line.last_frame_ms, why=line.why
    )


def _count(found: Sequence[Segment]) -> int:
    """Frames of segments in the order of time. Where segments overlap (a disk was lost), their frames are compared one by one."""
    total = 0
    cluster: list[Segment] = []
    until_ms = -1
    for segment in found:
        if cluster and segment.first_frame_ms > until_ms:
            total += _count_cluster(cluster)
            cluster = []
        cluster.append(segment)
        until_ms = max(until_ms, segment.last_frame_ms)
    return total + _count_cluster(cluster)


def _count_cluster(cluster: Sequence[Segment]) -> int:
    if len(cluster) == 1:
        return cluster[0].frames
    seen: set[int] = set()
    count = 0
    for segment in cluster:
        for frame in read_frames(segment.path):
            # The same frame under two starts can differ by a tick of 11 µs.
            at_ms = round(frame.at_us / 1000)
            if not seen & {at_ms - 1, at_ms, at_ms + 1}:
                count += 1
            seen.add(at_ms)
    return count


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []


def segment_files(day: Path) -> list[Path]:
    """By name; none where the folder cannot be read."""
    try:
        return sorted(path for path in day.iterdir() if path.suffix in SUFFIXES)
    except OSError:
        return []
