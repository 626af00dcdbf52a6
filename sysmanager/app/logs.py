"""Logging: structlog into a rotating file in the platform's log folder, and to stderr where a command asks for it."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path

import structlog

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
    return trouble
