"""Logging: structlog into a rotating file in the platform's log folder, and to stderr where a command asks for it.

With a file it also takes what nobody caught: a service has no terminal on which that could be said.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

from sysmanager.recorder.redaction import redact

log = structlog.get_logger(__name__)

MAX_BYTES = 5_000_000
KEPT_FILES = 5


def set_up_logging(file: Path | None, *, to_stderr: bool = False) -> str | None:
    """Send the log to `file` (rotating) and, if asked, to stderr; with neither, nowhere.

    Returns one sentence if the file cannot be written; the program goes on without it.
    """
    logging.raiseExceptions = False  # a disk that fills later costs log lines, and must not print tracebacks
    handlers: list[logging.Handler] = []
    trouble = None
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            rotating = logging.handlers.RotatingFileHandler(file, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True)
            with file.open("a", encoding="utf-8"):
                handlers.append(rotating)
        except OSError as error:
            trouble = f"The log file {file} cannot be written ({error.strerror or error}); the program goes on without it."
    if to_stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
        old.close()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _without_secrets,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
        ],
    )
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.addHandler(logging.NullHandler())
    root.setLevel(logging.INFO)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    if file is not None:
        _Uncaught.heed()
    return trouble


def _without_secrets(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The text of an error may hold a camera's address (SPEC 3)."""
    if isinstance(text := event.get("exception"), str):
        event["exception"] = redact(text)
    return event


class _Uncaught:
    """Hands on what nobody caught to the log, and then to whom it went before."""

    def __init__(self) -> None:
        self._program_before, self._thread_before = sys.excepthook, threading.excepthook

    @classmethod
    def heed(cls) -> None:
        made = cls()
        if not isinstance(getattr(sys.excepthook, "__self__", None), cls):
            sys.excepthook = made.of_program
        if not isinstance(getattr(threading.excepthook, "__self__", None), cls):
            threading.excepthook = made.of_thread

    def of_program(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, Exception):
            log.error("the program ends by an error that nobody caught", exc_info=(kind, error, trace))
        self._program_before(kind, error, trace)

    def of_thread(self, told: threading.ExceptHookArgs) -> None:
        if told.exc_value is not None and issubclass(told.exc_type, Exception):
            name = told.thread.name if told.thread is not None else ""
            log.error("a thread ended by an error that nobody caught", thread=name, exc_info=told.exc_value)
        self._thread_before(told)
