"""What the Watchdog makes of a service that ended: a crash or not, and whose stream was to blame (SPEC 16)."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.recorder.case_file import load_cases
from sysmanager.recorder.crashes import TRACE_NAME, begin_anew, blame, ending_of
from sysmanager.recorder.suspects import Notes


@pytest.mark.skipif(sys.platform == "win32", reason="names of signals that Windows does not have")
@pytest.mark.parametrize(
    ("status", "crashed", "words"),
    [
        (0, False, "ended with status 0"),
        (2, False, "ended with status 2"),
        (-signal.SIGSEGV, True, "was ended by SIGSEGV"),
        (-signal.SIGABRT, True, "was ended by SIGABRT"),
        (-signal.SIGKILL, False, "was ended by SIGKILL"),
        (-signal.SIGTERM, False, "was ended by SIGTERM"),
        (-125, True, "was ended by signal 125"),
        (None, True, "ended"),
    ],
)
def test_how_a_service_ended(status: int | None, crashed: bool, words: str) -> None:
    ending = ending_of(status, windows=False)
    assert (ending.crashed, ending.words) == (crashed, words)
    assert ending_of(status, hung=True, windows=False).crashed


@pytest.mark.parametrize(
    ("status", "crashed"), [(0, False), (1, False), (0xC0000005, True), (-1073741819, True), (0xC000013A, False), (15, False)]
)
def test_how_a_service_ended_on_windows(status: int, crashed: bool) -> None:
    assert ending_of(status, windows=True).crashed is crashed


def crash(folder: Path, *cameras: str, trace: str = "") -> str:
    begin_anew(folder)
    notes = Notes(folder)
    for camera in cameras:
        notes.open(CameraId(camera), "m")
    (folder / TRACE_NAME).write_text(trace, encoding="utf-8")
    return blame(folder)


def quarantined(folder: Path) -> list[str]:
    return [case.camera for case in load_cases(folder) if case.quarantined]


def test_two_crashes_with_one_stream_under_way_quarantine_its_camera(tmp_path: Path) -> None:
    assert "It was opening or decoding the streams of gate" in crash(tmp_path, "gate")
    assert quarantined(tmp_path) == []
    assert "The camera gate is quarantined" in crash(tmp_path, "gate")
    assert quarantined(tmp_path) == ["gate"]


def test_many_suspects_are_named_but_not_all(tmp_path: Path) -> None:
    cameras = [f"cam-{number:02}" for number in range(32)]
    sentence = crash(tmp_path, *cameras)
    assert "cam-00, cam-01, cam-02, cam-03, cam-04 and 27 more" in sentence
    assert quarantined(tmp_path) == []
    assert len(load_cases(tmp_path)) == 32


def test_the_thread_of_the_crash_names_the_camera(tmp_path: Path) -> None:
    trace = f"Fatal Python error: Segmentation fault\n\nCurrent thread 0x{threading.get_ident():016x} (most recent call first):\n  File"
    notes = Notes(tmp_path)
    noted, done = threading.Event(), threading.Event()

    def other() -> None:
        notes.open(CameraId("other"), "m")
        noted.set()
        done.wait()

    thread = threading.Thread(target=other)
    thread.start()
    noted.wait()
    notes.open(CameraId("gate"), "m")
    (tmp_path / TRACE_NAME).write_text(trace, encoding="utf-8")
    blame(tmp_path)
    assert [case.camera for case in load_cases(tmp_path)] == ["gate"]
    done.set()
    thread.join()


@pytest.mark.parametrize("trace", ["", "Current thread 0x0000000000000001 (most recent call first):", "\x00\xff garbage"])
def test_a_trace_that_names_no_camera_leaves_all_suspected(tmp_path: Path, trace: str) -> None:
    crash(tmp_path, "a", "b", trace=trace)
    assert [case.camera for case in load_cases(tmp_path)] == ["a", "b"]


def test_without_notes_nobody_is_to_blame(tmp_path: Path) -> None:
    assert blame(tmp_path) == ""
    assert crash(tmp_path) == ""
    assert load_cases(tmp_path) == ()


def test_notes_that_cannot_be_read_blame_nobody(tmp_path: Path) -> None:
    (tmp_path / "suspects").mkdir()
    assert blame(tmp_path) == ""
    begin_anew(tmp_path)
