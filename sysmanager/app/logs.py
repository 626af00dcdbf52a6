"""Logging: structlog into a rotating file in the platform's log folder, and to stderr where a command asks for it.

With a file it also takes what nobody caught: a service has no terminal on which that could be said.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import structlog

from sysmanager.app.log_files import heed_uncaught, log_to, rotating_file
from sysmanager.plainlog import FIELDS
from sysmanager.recorder.redaction import redact

log = structlog.get_logger(__name__)


def set_up_logging(file: Path | None, *, to_stderr: bool = False) -> str | None:
    """Send the log to `file` (rotating) and, if asked, to stderr; with neither, nowhere.

    Returns one sentence if the file cannot be written; the program goes on without it.
    """
    handler, trouble = rotating_file(file) if file is not None else (None, None)
    handlers = [handler] if handler is not None else []
    if to_stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_plain_fields, *shared],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _without_secrets,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
        ],
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    log_to(handlers, formatter)
    if file is not None:
        heed_uncaught()
    return trouble


def _plain_fields(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The fields of a line of `sysmanager.plainlog`."""
    event.update(getattr(event["_record"], FIELDS, {}))
    return event


def _without_secrets(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The text of an error may hold a camera's address (SPEC 3)."""
    if isinstance(text := event.get("exception"), str):
        event["exception"] = redact(text)
    return event
