"""Pieces of footage with numbered frames, as a recorder leaves them on its disks."""

from __future__ import annotations

from pathlib import Path

import av
from msgspec.structs import replace

from sysmanager.recorder.index import IndexLine, index_name
from sysmanager.recorder.muxers import muxer_for
from sysmanager.recorder.segments import Frame, SegmentName, StreamKind, container_for
from sysmanager.simulation.cameras.clip import Clip
from sysmanager.simulation.cameras.sei import read_sei
from tests.helpers.footage import H264, marked_frames

SILENCE = b"\xd5" * 320
"""40 ms of G.711, A-law."""


def put_piece(
    disk: Path,
    clip: Clip,
    count: int,
    *,
    first: int = 0,
    recorder: str = "REC-1",
    epoch: int = 1,
    camera: str = "cam-001",
    shift_us: int = 0,
    marked_as: str | None = None,
    indexed: bool = True,
    why: str = "",
    kind: StreamKind = H264,
) -> Path:
    """A complete piece with the frames `first` to `first + count`. shift_us: how far off the recorder's clock is.

    marked_as: the camera in the frames' marks, so that the bytes differ from those of another recording.
    kind: with sound, each picture is followed by some.
    """
    as_sent = marked_frames(clip, count, first=first, camera=marked_as or camera)
    frames = [replace(frame, pts_us=frame.pts_us + shift_us, dts_us=frame.dts_us + shift_us) for frame in as_sent]
    start_ms = frames[0].pts_us // 1000
    name = SegmentName(camera=camera, recorder=recorder, epoch=epoch, start_ms=start_ms, container=container_for(kind))
    muxer = muxer_for(kind, start_ms, frames[0])
    path = disk / name.relative
    path.parent.mkdir(parents=True, exist_ok=True)
    sounds = [Frame(SILENCE, False, frame.pts_us + 1000, frame.dts_us + 1000, sound=True) for frame in frames] if kind.audio else []
    both = sorted([*frames, *sounds], key=lambda frame: frame.dts_us)
    path.write_bytes(b"".join([*(muxer.add(frame).data for frame in both), muxer.close().data]))
    if indexed:
        line = IndexLine(
            file=path.name,
            size_bytes=path.stat().st_size,
            frames=count,
            first_frame_ms=frames[0].pts_us // 1000,
            last_frame_ms=frames[-1].pts_us // 1000,
            why=why,
        )
        with (path.parent / index_name(recorder)).open("ab") as file:
            file.write(line.encode())
    return path


def mp4_numbers(file: Path) -> list[int]:
    """The frame numbers in an MP4, in order; every picture of it can be decoded."""
    found = []
    with av.open(str(file)) as container:
        to_annexb = av.BitStreamFilterContext("h264_mp4toannexb", container.streams.video[0])
        for packet in container.demux(video=0):
            for filtered in to_annexb.filter(packet) if packet.size else ():
                mark = read_sei(bytes(filtered))
                assert mark is not None
                found.append(mark.frame)
    with av.open(str(file)) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(found)
    return found
