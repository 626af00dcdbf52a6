"""Motion recording of synthetic cameras over real sockets: what somebody who crosses a yard leaves on the disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sysmanager.domain.camera import RecordingMode
from sysmanager.domain.documents import MotionMask
from sysmanager.domain.ids import CameraId
from sysmanager.domain.schedule import week_of
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.camera_rules import CameraRules
from sysmanager.recorder.index import read_frames, segments
from sysmanager.recorder.motion_cut import CutSettings
from sysmanager.recorder.preroll import RingSettings
from sysmanager.recorder.session import CameraPlan
from sysmanager.recorder.timetable import Timetable
from sysmanager.simulation.cameras.clip import ClipShape
from sysmanager.simulation.cameras.config import CamerasConfig
from sysmanager.simulation.cameras.scenes import Scene, visits
from sysmanager.simulation.cameras.server import CameraServer
from tests.helpers.footage import numbers
from tests.helpers.recording import Recording

SHAPE = ClipShape(width=320, height=192, fps=20, gop_frames=10, groups=14, bit_rate_kbps=800, scene=Scene.VISITOR)
LOOP = SHAPE.gop_frames * SHAPE.groups
"""7 s, in the middle of which somebody crosses for 1.4 s."""

LONGEST = LOOP // 5 + 2 * SHAPE.fps + 3 * SHAPE.gop_frames
"""Frames that one visit leaves at most: its own, a second on both sides, and whole groups."""

PATIENCE_S = 30.0
"""A visit comes once in a loop; a busy machine takes its time beyond that."""

CUT = CutSettings(before_us=1_000_000, after_us=1_000_000)
AT_MOTION = Timetable(week_of(RecordingMode.MOTION, None), lambda _at_s: 0)
SEEN, MASKED = CameraId("cam-001"), CameraId("cam-002")


@pytest.fixture
async def recording(tmp_path: Path) -> AsyncIterator[Recording]:
    recording = Recording(tmp_path / "disk")
    yield recording
    await recording.close()


def rules(**changes: object) -> CameraRules:
    return CameraRules(hours=AT_MOTION, cut=CUT, **changes)  # type: ignore[arg-type]


def plans(server: CameraServer) -> list[CameraPlan]:
    return [CameraPlan(id=CameraId(name), name=name, url=server.url(name)) for name in server.cameras]


async def one_visit(recording: Recording, camera: CameraId) -> None:
    """From waiting to a motion, and until there is none any more."""
    for state in (CameraState.WAITING, CameraState.RECORDING, CameraState.WAITING):
        await recording.until_state(camera, state, PATIENCE_S)


@pytest.mark.parametrize("pictures_per_s", [0, 5], ids=["key frames", "five a second"])
async def test_who_crosses_is_recorded_with_the_time_around_and_nothing_else(
    recording: Recording, tmp_path: Path, pictures_per_s: int
) -> None:
    config = CamerasConfig(count=2, cache=tmp_path / "clips", port=0, clip=SHAPE)
    async with CameraServer(config) as server:
        offsets = {name: server.cameras[name].loop_position(0) for name in server.cameras}
        blind = MotionMask(blocked=tuple(range(16 * 9)))
        recording.capture.start(
            plans(server),
            1,
            {SEEN: rules(pictures_per_s=pictures_per_s), MASKED: rules(pictures_per_s=pictures_per_s, mask=blind)},
        )
        await one_visit(recording, SEEN)
        await one_visit(recording, SEEN)
        status = recording.status(MASKED)
        assert (status.state, status.frames) == (CameraState.WAITING, 0)
        assert 0 < status.first_frame_ms < status.last_frame_ms, "it is watched, and says so"
        await recording.close()
    assert segments([recording.disk], MASKED) == []
    pieces = segments([recording.disk], SEEN)
    assert {piece.why for piece in pieces} == {"motion"}
    for piece in pieces:
        first = next(iter(read_frames(piece.path)))
        assert first.key
    whole = [run for run in runs(numbers([recording.disk], SEEN, 1)) if (run[0] + offsets[SEEN]) % LOOP > SHAPE.fps]
    assert whole
    for run in whole[:1]:
        at = [(number + offsets[SEEN]) % LOOP for number in run]
        visit = [position for position in range(LOOP) if visits(position, LOOP)]
        assert set(visit) <= set(at), "all of the visit is there"
        rate = 1 if pictures_per_s else 2
        longest = len(visit) + 2 * SHAPE.fps + (1 + rate) * SHAPE.gop_frames
        assert len(run) <= longest, "and little beyond the second before and the one after"


def runs(found: list[int]) -> list[list[int]]:
    """Frame numbers that follow one another."""
    made: list[list[int]] = []
    for number in found:
        if made and number == made[-1][-1] + 1:
            made[-1].append(number)
        else:
            made.append([number])
    return made


async def test_what_a_standby_held_is_looked_at_when_it_takes_over(recording: Recording, tmp_path: Path) -> None:
    """The visit was over when it took over, and is recorded all the same."""
    async with CameraServer(CamerasConfig(count=1, cache=tmp_path / "clips", port=0, clip=SHAPE)) as server:
        camera = server.cameras[SEEN]
        recording.capture.hold([(plans(server)[0], RingSettings(keep_ms=20_000))])
        joined = camera.frame
        await recording.until(lambda: bool(recording.capture.held()[0].reaches_ms))
        over = LOOP * 6 // 10 + SHAPE.fps
        await recording.until(lambda: camera.frame - joined > LOOP * 7 // 10, PATIENCE_S)
        await recording.until(lambda: camera.loop_position(camera.frame) > over, PATIENCE_S)
        taken = camera.frame
        recording.capture.start(plans(server), 2, {SEEN: rules()})
        # More than one visit leaves: the next one has begun, and what was held comes before it.
        await recording.until(lambda: recording.status(SEEN).frames > LONGEST, PATIENCE_S)
        await recording.close()
        found = numbers([recording.disk], SEEN, 2)
        visit = [number for number in found if number < taken and visits(camera.loop_position(number), LOOP)]
        assert len(visit) >= LOOP // 5 - 1
