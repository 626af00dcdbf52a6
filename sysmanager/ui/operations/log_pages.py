"""Brings the pages of the long logs that a person looks at, and writes the failover log into a file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from sysmanager.api import AuditFound, Client, ClientError, EntriesFound, FindAudit, FindEntries, Refused
from sysmanager.api.export import entry_pages, write_csv
from sysmanager.api.tables import ENTRY_HEADS, entry_cells
from sysmanager.ui.operations.commands import Outcome
from sysmanager.ui.state.events import AuditArrived, LogPageArrived, NoticeShown, OperationEnded, OperationSlow, OperationStarted
from sysmanager.ui.state.model import Link, Running, Tone, UiState
from sysmanager.ui.state.store import Store

PAUSE_S = 0.25
"""A person who types is not asked after every letter."""

AGAIN_S = 5.0
"""How often an audit log that is looked at is brought up to date, and a page asked for again that did not come."""

EXPORT_LIMIT = 10_000_000


class LogPager:
    """Asks for the next page of the failover log, or of the audit log, when somebody looks for it. `run` until cancelled."""

    def __init__(
        self,
        client: Callable[[], Client],
        store: Store,
        now_wall_ms: Callable[[], int],
        audit_seen: Callable[[], bool],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._store = store
        self._now_wall_ms = now_wall_ms
        self._audit_seen = audit_seen
        self._sleep = sleep
        self._wanted = asyncio.Event()
        self._entries_wanted = self._lines_wanted = False

    def more_entries(self) -> None:
        """The end of the table of entries is in sight."""
        self._entries_wanted = True
        self._wanted.set()

    def more_lines(self) -> None:
        """The audit log, or its end, is in sight."""
        self._lines_wanted = True
        self._wanted.set()

    async def run(self) -> None:
        refreshing = asyncio.ensure_future(self._refresh())
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                entries, self._entries_wanted = self._entries_wanted, False
                lines, self._lines_wanted = self._lines_wanted, False
                if self._store.state.link is not Link.CONNECTED:
                    continue
                if entries and self._store.state.log.more:
                    await self._page_of_entries()
                if lines and self._audit_seen():
                    await self._page_of_lines()
        finally:
            refreshing.cancel()

    async def _refresh(self) -> None:
        while True:
            await self._sleep(AGAIN_S)
            state = self._store.state
            if self._audit_seen() and state.link is Link.CONNECTED:
                await self._bring_lines(state, "")
            if state.log.trouble:
                self.more_entries()

    async def _page_of_entries(self) -> None:
        log = self._store.state.log
        if log.next is None and log.query.search:
            await self._sleep(PAUSE_S)
            if self._store.state.log.query != log.query:
                self.more_entries()
                return
        after = log.next or ""
        found = await self._find(log.query.question(self._now_wall_ms(), after))
        self._store.dispatch(LogPageArrived(log.query, after, found))

    async def _page_of_lines(self) -> None:
        audit = self._store.state.audit
        if audit.next is None and audit.search:
            await self._sleep(PAUSE_S)
            if self._store.state.audit.search != audit.search:
                self.more_lines()
                return
        if audit.more:
            await self._bring_lines(self._store.state, audit.next or "")

    async def _bring_lines(self, state: UiState, after: str) -> None:
        found = await self._find_lines(state.audit.question(after))
        self._store.dispatch(AuditArrived(state.audit.search, after, found))

    async def _find(self, question: FindEntries) -> EntriesFound | str:
        try:
            answer = await self._client().ask(question)
        except ClientError as error:
            return str(error)
        if isinstance(answer, EntriesFound):
            return answer
        return answer.sentence if isinstance(answer, Refused) else "The coordinator gave no entries; ask again."

    async def _find_lines(self, question: FindAudit) -> AuditFound | str:
        try:
            answer = await self._client().ask(question)
        except ClientError as error:
            return str(error)
        if isinstance(answer, AuditFound):
            return answer
        return answer.sentence if isinstance(answer, Refused) else "The coordinator gave no audit log; ask again."


async def export_log(client: Client, store: Store, file: Path, now_wall_ms: int) -> Outcome:
    """Write every entry that the query leaves into a table for other programs; says how it ended."""
    state = store.state
    names = {row.id: row.name for row in state.recorders.values()}
    key = f"export:{file}"
    store.dispatch(OperationStarted(Running(key=key, sentence=f"Writing the failover log to {file.name}.")))
    store.dispatch(OperationSlow(key))
    try:
        pages = entry_pages(client, state.log.query.question(now_wall_ms), EXPORT_LIMIT)
        count, _ = await write_csv(file, pages, ENTRY_HEADS, lambda entry: entry_cells(entry, names))
        outcome = Outcome(done=True, sentence=f"{count} entries were written to {file}.")
    except ClientError as error:
        outcome = Outcome(done=False, sentence=str(error))
    except OSError as error:
        outcome = Outcome(done=False, sentence=f"The file {file} cannot be written ({error.strerror or error}); choose another one.")
    finally:
        store.dispatch(OperationEnded(key))
    store.dispatch(NoticeShown(Tone.GOOD if outcome.done else Tone.BAD, outcome.sentence))
    return outcome
