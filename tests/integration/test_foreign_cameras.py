"""Cameras that are not ours record as well as ours: H.264, H.265, MJPEG, with AAC, G.711 or no sound, from GStreamer's RTSP server."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.index import read_frames, segments
from sysmanager.recorder.session import CameraPlan
from tests.helpers import foreign_cameras
from tests.helpers.recording import Recording

pytestmark = pytest.mark.process

PYTHON = "/usr/bin/python3"
BINDINGS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
SOUND = {"aac": "aac", "alaw": "pcm_alaw", "ulaw": "pcm_mulaw"}


def has_gstreamer() -> bool:
    """Whether the system's Python can serve them; `.ci/run` installs what it takes."""
    return Path(PYTHON).exists() and subprocess.run([PYTHON, "-c", BINDINGS], capture_output=True, check=False).returncode == 0


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = await asyncio.create_subprocess_exec(
        PYTHON, foreign_cameras.__file__, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        yield int(await server.stdout.readline())
    finally:
        server.stdin.close()
        await server.wait()


@pytest.mark.skipif(not has_gstreamer(), reason="the system has no gir1.2-gst-rtsp-server-1.0 and python3-gi")
async def test_every_kind_of_stream_is_recorded_and_can_be_played(tmp_path: Path, port: int) -> None:
    recording = Recording(tmp_path / "disk", segment_ms=1_000)
    cameras = {mount.strip("/"): f"rtsp://127.0.0.1:{port}{mount}" for mount in foreign_cameras.MOUNTS}
    try:
        recording.capture.start([CameraPlan(id=CameraId(camera), name=camera, url=url) for camera, url in cameras.items()], 4)
        for camera in cameras:
            await recording.until(lambda camera=camera: recording.status(camera).frames >= 50)
            assert recording.status(camera).state is CameraState.RECORDING
    finally:
        await recording.close()
    written = {status.camera: status.frames for status in recording.capture.snapshot()}
    for camera in cameras:
        found = segments([recording.disk], camera, 4)
        assert len(found) >= 2
        paths = [segment.path for segment in found]
        assert {path.suffix for path in paths} == {".nut" if camera.startswith("jpeg") or camera.endswith("law") else ".ts"}
        times = [frame.at_us for path in paths for frame in read_frames(path)]
        assert all(later > earlier for earlier, later in itertools.pairwise(times))
        assert len(times) == written[camera]
        # Twenty frames a second, and none missing at a border between two pieces.
        assert (times[-1] - times[0]) / (len(times) - 1) == pytest.approx(50_000, rel=0.2)
        check_plays(paths, SOUND.get(camera.rpartition("-")[2]) if "-" in camera else None)


def check_plays(paths: list[Path], sound: str | None) -> None:
    """Every picture and every piece of sound can be decoded; FFmpeg's own tool finds nothing to complain of."""
    decoded = {"video": 0, "audio": 0}
    for path in paths:
        with av.open(str(path)) as container:
            assert [stream.codec_context.codec.canonical_name for stream in container.streams.audio] == ([sound] if sound else [])
            for packet in container.demux():
                decoded[packet.stream.type] += len(packet.decode())
        probe = shutil.which("ffprobe")
        if probe is not None:
            said = subprocess.run([probe, "-v", "error", "-count_frames", str(path)], capture_output=True, check=True)
            assert said.stderr == b""
    assert decoded["video"] >= 50
    assert bool(decoded["audio"]) is (sound is not None)
