"""A small rehearsal in files: footage of two cameras around a failover and a failback, and the report of it, to be spoilt in tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from sysmanager.app.site.report import Machine, Moments, Report, Stint, camera_reports
from sysmanager.domain.failover import CameraGap, Failback, Failover, Phase, Timeline, Trigger
from sysmanager.domain.ids import CameraId, Epoch, FailoverId, GroupId, RecorderId
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.recorder.muxers import TsMuxer
from sysmanager.recorder.segments import Frame, SegmentName
from sysmanager.simulation.cameras.clip import Clip
from tests.helpers.footage import H264, START_US, marked_frames

MOVED = CameraId("cam-001")
STAYED = CameraId("cam-002")
REC_1, REC_2, FO_1 = RecorderId("REC-1"), RecorderId("REC-2"), RecorderId("FO-1")

BEFORE = range(0, 40)
ACTING = range(60, 100)
RETURNED = range(95, 130)
WHOLE = range(0, 130)
SEGMENT_FRAMES = 20


def at_ms(number: int) -> int:
    """When a frame was captured."""
    return (START_US + number * 1_000_000 // 15) // 1000


class Footage:
    """Footage under a folder, as the recorders of a site leave it, segments of 20 frames."""

    def __init__(self, root: Path, clip: Clip) -> None:
        self.root = root
        self._clip = clip

    def write(
        self,
        machine: str,
        camera: str,
        epoch: int,
        numbers: Sequence[int],
        *,
        recorder: str | None = None,
        marks_of: str | None = None,
        start_us: int = START_US,
    ) -> list[Path]:
        """One segment for each 20 numbers. recorder: as the name says; marks_of: the camera that the frames say they are of.

        start_us: when the camera started, which frame 0 was captured at.
        """
        paths = []
        for first in range(0, len(numbers), SEGMENT_FRAMES):
            part = numbers[first : first + SEGMENT_FRAMES]
            frames = [marked_frames(self._clip, 1, first=number, camera=marks_of or camera, start_us=start_us)[0] for number in part]
            name = SegmentName(camera=camera, recorder=recorder or machine, epoch=epoch, start_ms=frames[0].pts_us // 1000)
            path = self.root / machine / "disk-d" / name.relative
            path.parent.mkdir(parents=True, exist_ok=True)
            muxer = TsMuxer(H264, name.start_ms)
            # The muxer wants a key frame first and times that grow, whatever the marks say.
            content = b"".join(muxer.add(_as_nth(frame, index, frames[0])).data for index, frame in enumerate(frames))
            path.write_bytes(content + muxer.close().data)
            paths.append(path)
        return paths


def _as_nth(frame: Frame, index: int, first: Frame) -> Frame:
    at_us = first.pts_us + index * 1_000_000 // 15
    return replace(frame, key=frame.key or index == 0, pts_us=at_us, dts_us=at_us)


def write_sound(footage: Footage) -> None:
    """What a rehearsal without a fault leaves."""
    footage.write(REC_1, MOVED, 0, BEFORE)
    footage.write(FO_1, MOVED, 2, ACTING)
    footage.write(REC_1, MOVED, 3, RETURNED)
    footage.write(REC_2, STAYED, 0, WHOLE)


def stint(recorder: str, epoch: int, numbers: Sequence[int], segments: int | None = None) -> Stint:
    return Stint(
        recorder=RecorderId(recorder),
        epoch=Epoch(epoch),
        segments=segments if segments is not None else -(-len(numbers) // SEGMENT_FRAMES),
        frames=len(numbers),
        first_frame_ms=at_ms(numbers[0]),
        last_frame_ms=at_ms(numbers[-1]),
    )


def entry() -> Failover:
    """The log entry that fits `write_sound`."""
    last, first = at_ms(BEFORE[-1]), at_ms(ACTING[0])
    actor = Actor(name="Coordinator", role=RoleName.ADMINISTRATOR)
    return Failover(
        id=FailoverId("F00001"),
        number=1,
        recorder=REC_1,
        home=REC_1,
        group=GroupId("SITE"),
        trigger=Trigger.CONNECTION,
        actor=actor,
        phase=Phase.RETURNED,
        started_ms=last + 1000,
        server=FO_1,
        epoch=Epoch(2),
        previous_epoch=Epoch(0),
        moved=(MOVED,),
        gaps=(CameraGap(camera=MOVED, last_before_ms=last, first_after_ms=first, final=True),),
        timeline=Timeline(detected_ms=last + 1000, decided_ms=last + 1001, saved_ms=last + 1050),
        failback=Failback(actor=actor, started_ms=at_ms(90), epoch=Epoch(3)),
    )


def sound_report() -> Report:
    """The report that fits `write_sound`."""
    stints = {
        MOVED: (stint(REC_1, 0, BEFORE), stint(REC_1, 3, RETURNED), stint(FO_1, 2, ACTING)),
        STAYED: (stint(REC_2, 0, WHOLE),),
    }
    return Report(
        cameras=camera_reports({REC_1: (MOVED,), REC_2: (STAYED,)}, stints, entry()),
        entry=entry(),
        moments=Moments(started_ms=at_ms(0), recording_ms=at_ms(1), killed_ms=at_ms(BEFORE[-1]), stopping_ms=at_ms(WHOLE[-1])),
        machine=Machine(system="test", python="3", processors=1, memory_mb=1, load_percent=0.0),
    )
