"""The log file: it rotates, and what is wrong with it is one sentence, never a traceback."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from sysmanager.app import log_files, logs
from sysmanager.plainlog import plain_log


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Whatever the tests set up is taken back."""
    root = logging.getLogger()
    handlers, level, raising = tuple(root.handlers), root.level, logging.raiseExceptions
    hooks = sys.excepthook, threading.excepthook
    yield
    sys.excepthook, threading.excepthook = hooks
    for handler in tuple(root.handlers):
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    for handler in handlers:
        if handler not in root.handlers:
            root.addHandler(handler)
    root.setLevel(level)
    logging.raiseExceptions = raising
    structlog.reset_defaults()


def test_it_rotates_and_keeps_a_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "MAX_BYTES", 2_000)
    monkeypatch.setattr(log_files, "KEPT_FILES", 2)
    file = tmp_path / "logs" / "coordinator.log"
    assert logs.set_up_logging(file) is None
    log = structlog.get_logger("tests")
    for number in range(100):
        log.info("a line of the log", number=number, umlaut="ä→")
    files = sorted(path.name for path in file.parent.iterdir())
    assert files == ["coordinator.log", "coordinator.log.1", "coordinator.log.2"]
    assert all(path.stat().st_size <= 2_000 for path in file.parent.iterdir())
    assert "number=99 umlaut='ä→'" in file.read_text(encoding="utf-8")


def test_lines_of_libraries_go_to_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    assert logs.set_up_logging(file) is None
    logging.getLogger("a.library").warning("it says %s", "something")
    text = file.read_text(encoding="utf-8")
    assert "it says something" in text
    assert "level='warning'" in text


def test_an_error_is_logged_with_its_traceback_in_one_record(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    assert logs.set_up_logging(file) is None
    try:
        raise ValueError("broken")
    except ValueError as error:
        structlog.get_logger("tests").error("engine stopped", exc_info=error)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1
    assert "ValueError: broken" in lines[0]


PROGRAM = """
import sys, threading
from pathlib import Path
from sysmanager.app import log_files, logs
for set_up in sys.argv[2:]:
    exec(set_up)
def fail():
    raise ValueError("no good: rtsp://admin:secret@192.0.2.1/1")
thread = threading.Thread(target=fail, name="camera cam-001")
thread.start()
thread.join()
raise KeyError("at the end")
"""


FULL, PLAIN = "logs.set_up_logging(Path(sys.argv[1]))", "log_files.set_up_plain_logging(Path(sys.argv[1]))"


@pytest.mark.parametrize("set_ups", [(FULL, FULL), (PLAIN,), (PLAIN, FULL)])
def test_what_nobody_caught_is_in_the_log_once_and_without_secrets(tmp_path: Path, set_ups: tuple[str, ...]) -> None:
    """A recording service has no terminal, and its Watchdog says: see its log."""
    file = tmp_path / "x.log"
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(file), *set_ups], stderr=subprocess.DEVNULL, check=False, timeout=60)
    assert done.returncode == 1
    text = file.read_text(encoding="utf-8")
    assert text.count("ValueError: no good: rtsp://***@192.0.2.1/1") == 1
    assert "thread='camera cam-001'" in text
    assert text.count("KeyError: ") == 1
    assert "secret" not in text


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    trouble = logs.set_up_logging(tmp_path / "file" / "x.log")
    assert trouble is not None
    assert str(tmp_path / "file" / "x.log") in trouble
    assert trouble.endswith("goes on without it.")
    structlog.get_logger("tests").info("goes nowhere")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_later_is_no_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.log"
    assert logs.set_up_logging(file) is None
    rotating = next(handler for handler in logging.getLogger().handlers if isinstance(handler, logging.FileHandler))
    rotating.setStream(Path("/dev/full").open("w", encoding="utf-8", buffering=1))  # noqa: SIM115  # the handler closes it
    structlog.get_logger("tests").info("lost")
    assert "Traceback" not in capsys.readouterr().err
    stream = rotating.stream
    rotating.stream = None  # type: ignore[assignment]  # what a handler without an open file has
    with pytest.raises(OSError):
        stream.close()


def test_to_stderr_and_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert logs.set_up_logging(None, to_stderr=True) is None
    structlog.get_logger("tests").info("hello")
    sys.stderr.flush()
    assert "event='hello'" in capsys.readouterr().err


def test_a_plain_line_reads_as_one_of_structlog_does(tmp_path: Path) -> None:
    said = {"recorder": "REC-1", "pid": 7, "why": "it says 'no'"}
    lines = []
    for set_up in (log_files.set_up_plain_logging, logs.set_up_logging):
        file = tmp_path / f"{len(lines)}.log"
        assert set_up(file) is None
        plain_log("tests").warning("recording service ended", **said)
        lines.append(file.read_text(encoding="utf-8"))
    structlog.get_logger("tests").warning("recording service ended", **said)
    lines.append(file.read_text(encoding="utf-8").splitlines(keepends=True)[-1])
    form = r"timestamp='\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z' level='warning' event='recording service ended' (.*)\n"
    matches = [re.fullmatch(form, line) for line in lines]
    assert all(matches)
    assert {match[1] for match in matches if match} == {"recorder='REC-1' pid=7 why=\"it says 'no'\""}


def test_a_plain_log_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    trouble = log_files.set_up_plain_logging(tmp_path / "file" / "x.log")
    assert trouble is not None
    assert trouble.endswith("goes on without it.")
    plain_log("tests").info("goes nowhere")
