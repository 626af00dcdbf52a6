"""The rotating log file of a program, and what nobody caught; of nothing but Python's own logging.

`app.logs` puts structlog on top of it. A Watchdog does without for as long as it has nothing to say (`sysmanager.plainlog`).
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from sysmanager.plainlog import FIELDS, plain_log
from sysmanager.recorder.redaction import redact

log = plain_log(__name__)

MAX_BYTES = 5_000_000
KEPT_FILES = 5


def rotating_file(file: Path) -> tuple[logging.Handler | None, str | None]:
    """What writes into it, or one sentence if it cannot be written; the program goes on without it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        rotating = logging.handlers.RotatingFileHandler(file, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True)
        with file.open("a", encoding="utf-8"):
            return rotating, None
    except OSError as error:
        return None, f"The log file {file} cannot be written ({error.strerror or error}); the program goes on without it."


def log_to(handlers: Iterable[logging.Handler], formatter: logging.Formatter) -> None:
    """Have all log lines go there and nowhere else."""
    logging.raiseExceptions = False  # a disk that fills later costs log lines, and must not print tracebacks
    root = logging.getLogger()
    earlier = tuple(root.handlers)
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.addHandler(logging.NullHandler())
    for old in earlier:
        root.removeHandler(old)
        old.close()
    root.setLevel(logging.INFO)


def set_up_plain_logging(file: Path) -> str | None:
    """Send the log to `file` (rotating). Returns one sentence if it cannot be written; the program goes on without it."""
    handler, trouble = rotating_file(file)
    log_to((handler,) if handler is not None else (), PlainFormatter())
    heed_uncaught()
    return trouble


def heed_uncaught() -> None:
    """Take what nobody caught into the log: a service has no terminal on which that could be said."""
    made = _Uncaught()
    if not isinstance(getattr(sys.excepthook, "__self__", None), _Uncaught):
        sys.excepthook = made.of_program
    if not isinstance(getattr(threading.excepthook, "__self__", None), _Uncaught):
        threading.excepthook = made.of_thread


class PlainFormatter(logging.Formatter):
    """A line of ``key=value``, with the moment in UTC, the level and what happened in front."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        fields: dict[str, object] = {
            "timestamp": moment,
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            fields["exception"] = redact(self.formatException(record.exc_info))
        return " ".join(f"{key}={value!r}" for key, value in fields.items())


class _Uncaught:
    """Hands on what nobody caught to the log, and then to whom it went before."""

    def __init__(self) -> None:
        self._program_before, self._thread_before = sys.excepthook, threading.excepthook

    def of_program(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, Exception):
            log.error("the program ends by an error that nobody caught", exc_info=(kind, error, trace))
        self._program_before(kind, error, trace)

    def of_thread(self, told: threading.ExceptHookArgs) -> None:
        if told.exc_value is not None and issubclass(told.exc_type, Exception):
            name = told.thread.name if told.thread is not None else ""
            log.error("a thread ended by an error that nobody caught", thread=name, exc_info=told.exc_value)
        self._thread_before(told)
