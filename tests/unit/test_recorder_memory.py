"""What the recorder does so that its memory stays flat, tried in a process of its own."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.recorder.capture import Capture
from sysmanager.recorder.disks import DiskSet
from sysmanager.recorder.session import CameraPlan
from sysmanager.recorder.suspects import FILE_NAME, SIZE_BYTES, Notes, read_notes
from tests.helpers.footage import WAIT_S

PROGRAM = """
import psutil
from sysmanager.recorder.memory import begin, give_back
begin()
blocks = [bytes(2_000) for _ in range(20_000)]
blocks.append(blocks)
last = bytes(2_000)
del blocks
before = psutil.Process().memory_info().rss
give_back()
print((before - psutil.Process().memory_info().rss) >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the C library gives memory back by itself")
def test_what_was_freed_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) >= 20


def test_memory_is_given_back_soon_after_cameras_were_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = threading.Event()
    monkeypatch.setattr("sysmanager.recorder.capture.GIVE_BACK_EVERY_S", 10 * WAIT_S)
    monkeypatch.setattr("sysmanager.recorder.capture.GIVE_BACK_OPENED_S", 0.0)
    monkeypatch.setattr("sysmanager.recorder.capture.give_back", given.set)
    capture = Capture("rec-1", DiskSet([tmp_path]), lambda _event: None, chance=random.Random(1))
    try:
        capture.start((CameraPlan(id=CameraId("cam-001"), name="Gate", url="http://127.0.0.1/"),), 1)
        assert given.wait(WAIT_S)
    finally:
        capture.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process is told what is in its memory")
def test_notes_of_suspects_take_memory_only_where_there_are_some(tmp_path: Path) -> None:
    """Thousands fit in, and each page that is touched counts."""
    notes = Notes(tmp_path)
    notes.open(CameraId("cam-001"), "mark")
    _, _, of_map = Path("/proc/self/smaps").read_text("utf-8").partition(str(tmp_path / FILE_NAME))
    in_memory_kb = int(of_map.partition("Rss:")[2].split()[0])
    assert in_memory_kb * 1024 < SIZE_BYTES // 4
    assert [note.suspect.camera for note in read_notes(tmp_path)] == ["cam-001"]
