"""The watch over all cameras of a recorder goes on whatever happens to one of them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.capture import CameraEvent, Capture, CaptureEvent
from sysmanager.recorder.disks import DiskSet
from sysmanager.recorder.session import RECORDING, CameraPlan, CameraSession
from tests.helpers.footage import WAIT_S

PLANS = [CameraPlan(id=CameraId(name), name=name, url=f"unknown://{name}") for name in ("bad", "good")]


def capture_of(folder: Path, told: Callable[[CaptureEvent], None] = lambda _event: None) -> Capture:
    return Capture("rec-1", DiskSet([folder]), told, chance=random.Random(1))


def test_a_camera_whose_watch_fails_keeps_it_from_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, twice = [0], threading.Event()

    def watch(session: CameraSession, passed_s: float) -> None:
        if session.plan.id == "bad":
            raise RuntimeError("can't start new thread")
        seen[0] += 1
        if seen[0] == 2:
            twice.set()

    monkeypatch.setattr(CameraSession, "watch", watch)
    capture = capture_of(tmp_path)
    capture.start(PLANS, 1)
    try:
        assert twice.wait(WAIT_S)
    finally:
        capture.stop()


def test_two_words_of_one_camera_that_overtake_each_other_leave_the_newest(tmp_path: Path) -> None:
    failed = threading.Event()

    def told(event: CaptureEvent) -> None:
        if isinstance(event, CameraEvent) and event.state is CameraState.FAILED:
            failed.set()

    capture = capture_of(tmp_path, told)
    capture.start(PLANS[:1], 1)
    try:
        assert failed.wait(WAIT_S)
        capture._state_changed(PLANS[0], RECORDING)  # an older word, told late
        assert capture.snapshot()[0].state is CameraState.FAILED
    finally:
        capture.stop()
