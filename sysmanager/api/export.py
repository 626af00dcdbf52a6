"""Whole lists of the long logs, page by page, and into a file: for programs and people who want them elsewhere."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from sysmanager.api.client import Client, ClientError
from sysmanager.api.tables import csv_line
from sysmanager.domain.failover import Failover
from sysmanager.protocol.clients import PAGE_LIMIT, AuditFound, AuditLine, EntriesFound, FindAudit, FindEntries, Refused

__all__ = ["audit_pages", "entry_pages", "write_csv"]

T = TypeVar("T")


async def entry_pages(client: Client, question: FindEntries, limit: int) -> AsyncIterator[tuple[tuple[Failover, ...], str]]:
    """Pages of entries until there are `limit`, each with the cursor of what is after it. Raises ClientError."""
    async for answer in _answers(client, question, limit, EntriesFound):
        yield answer.entries, answer.next


async def audit_pages(client: Client, question: FindAudit, limit: int) -> AsyncIterator[tuple[tuple[AuditLine, ...], str]]:
    """The same for the audit log."""
    async for answer in _answers(client, question, limit, AuditFound):
        yield answer.lines, answer.next


async def _answers(client: Client, question: Any, limit: int, kind: type[T]) -> AsyncIterator[T]:
    left = limit
    while left > 0:
        question = replace(question, limit=min(left, PAGE_LIMIT))
        answer: Any = await client.ask(question)
        if isinstance(answer, Refused):
            raise ClientError(answer.sentence)
        if not isinstance(answer, kind):
            raise ClientError("The coordinator answered something else than was asked; use the same version of the program on both sides.")
        yield answer
        left -= question.limit
        question = replace(question, after=getattr(answer, "next", ""))
        if not question.after:
            return


async def write_csv(
    file: Path, pages: AsyncIterator[tuple[Sequence[T], str]], heads: tuple[str, ...], cells: Callable[[T], tuple[str, ...]]
) -> tuple[int, str]:
    """How many lines, and the cursor of what is left. The file is whole or as it was. Raises OSError, ClientError."""
    count, cursor = 0, ""
    if await asyncio.to_thread(file.is_dir):  # and a root has no name to put something beside
        raise IsADirectoryError(errno.EISDIR, "Is a directory", str(file))
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("w", encoding="utf-8-sig", newline="") as written:
            written.write(csv_line(heads))
            async for page, after in pages:
                written.writelines(csv_line(cells(each)) for each in page)
                count, cursor = count + len(page), after
        part.replace(file)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return count, cursor
