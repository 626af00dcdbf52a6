"""What the Watchdog makes of a service that ended: a crash or not, and whose stream was to blame (SPEC 16)."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.recorder.case_file import load_cases
from sysmanager.recorder.crashes import TRACE_NAME, begin_anew, blame, ending_of, traced
from sysmanager.recorder.suspects import Deed, Notes


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
        (None, False, "ended"),
    ],
)
def test_how_a_service_ended(status: int | None, crashed: bool, words: str) -> None:
    ending = ending_of(status, windows=False)
    assert (ending.crashed, ending.words) == (crashed, words)
    assert ending_of(status, hung=True, windows=False).crashed


def test_an_end_that_nobody_saw_was_a_crash_where_python_wrote_so(tmp_path: Path) -> None:
    assert ending_of(None, traced=True).crashed
    assert not traced(tmp_path)
    (tmp_path / TRACE_NAME).write_text("", encoding="utf-8")
    assert not traced(tmp_path)
    (tmp_path / TRACE_NAME).write_text("Fatal Python error: Aborted\n\nCurrent thread 0x00007f00 (most recent\n", encoding="utf-8")
    assert traced(tmp_path)


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


def trace_of_this_thread() -> str:
    return f"Fatal Python error: Segmentation fault\n\nCurrent thread 0x{threading.get_ident():016x} (most recent call first):\n  File"


def test_a_stream_that_crashes_some_seconds_after_its_first_frame_is_found_by_its_thread(tmp_path: Path) -> None:
    for _ in range(2):
        notes = Notes(tmp_path)
        notes.runs(notes.open(CameraId("gate"), "m"))
        (tmp_path / TRACE_NAME).write_text(trace_of_this_thread(), encoding="utf-8")
        blame(tmp_path)
    assert quarantined(tmp_path) == ["gate"]


def test_a_stream_that_runs_already_is_not_blamed_for_a_crash_elsewhere(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    notes.runs(notes.open(CameraId("gate"), "m"))
    notes.runs(None)
    assert blame(tmp_path) == ""
    notes.open(CameraId("yard"), "m")
    assert "the streams of yard;" in blame(tmp_path)
    assert [case.camera for case in load_cases(tmp_path)] == ["yard"]


def test_a_picture_that_crashes_the_service_costs_no_recording(tmp_path: Path) -> None:
    for _ in range(3):
        Notes(tmp_path).open(CameraId("gate"), "m", Deed.DECODING)
        sentence = blame(tmp_path)
        assert sentence == "It was decoding a picture of gate, which is recorded as before; no picture of it is decoded for a while."
    (case,) = load_cases(tmp_path)
    assert (case.crashes, case.decodings, case.quarantined) == (0, 3, False)


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
