"""Log lines with fields, as structlog makes them, from nothing but Python's own logging.

For the process that has to stay small for as long as nothing happens: a Watchdog (structlog brings asyncio with it, 8 MB). Where structlog
is set up it takes these lines as well; the file is the same to a reader.
"""

from __future__ import annotations

import logging
from typing import Any

FIELDS = "plain_fields"
"""The attribute of a log record that holds them."""


class PlainLog:
    """As much of structlog's logger as is used."""

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(name)

    def info(self, event: str, **fields: Any) -> None:
        self._log.info(event, extra={FIELDS: fields})

    def warning(self, event: str, **fields: Any) -> None:
        self._log.warning(event, extra={FIELDS: fields})

    def error(self, event: str, *, exc_info: Any = None, **fields: Any) -> None:
        self._log.error(event, exc_info=exc_info, extra={FIELDS: fields})


def plain_log(name: str) -> PlainLog:
    return PlainLog(name)
