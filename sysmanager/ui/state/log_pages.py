"""What of the long logs is shown: the question that is asked, and the pages that have come (SPEC 11, 12)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sysmanager.api import AuditFound, AuditLine, EntriesFound, Failover, FailoverId, FindAudit, FindEntries, LogColumn, Severity

DAY_MS = 86_400_000
KEPT_LIVE = 1_000
"""So many entries that ended since the program was started are kept as they were told; older ones come in pages again."""

_change = msgspec.structs.replace


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants to see of the failover log. days: only entries of so many last days; 0 for all."""

    search: str = ""
    severity: Severity | None = None
    days: int = 0
    sort: LogColumn = LogColumn.STARTED
    descending: bool = True

    @property
    def narrow(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.search.strip() or self.severity is not None or self.days)

    def question(self, now_wall_ms: int, after: str = "", limit: int = 100) -> FindEntries:
        return FindEntries(
            search=self.search.strip()[:200],
            severities=(self.severity,) if self.severity is not None else (),
            since_wall_ms=now_wall_ms - self.days * DAY_MS if self.days else 0,
            sort=self.sort,
            descending=self.descending,
            after=after,
            limit=limit,
        )

    def holds(self, entry: Failover, searched: str, now_wall_ms: int) -> bool:
        """Whether an entry that was told live belongs to it. searched: its words, without regard to case."""
        return (
            (self.severity is None or entry.log_state.severity is self.severity)
            and (not self.days or entry.started_ms >= now_wall_ms - self.days * DAY_MS)
            and all(word in searched for word in self.search.casefold().split())
        )


class LogPages(msgspec.Struct, frozen=True, kw_only=True):
    """Pages of the failover log that have come. next: where the next begins, None before the first, empty when all have come.

    total: how many entries there are, None if nobody counted. trouble: why a page did not come.
    """

    query: LogQuery = LogQuery()
    entries: Mapping[FailoverId, Failover] = MappingProxyType({})
    next: str | None = None
    total: int | None = None
    trouble: str = ""

    @property
    def more(self) -> bool:
        return self.next != ""


class AuditPages(msgspec.Struct, frozen=True, kw_only=True):
    """Pages of the audit log that have come, newest first. next: as in `LogPages`."""

    search: str = ""
    lines: tuple[AuditLine, ...] = ()
    next: str | None = None
    trouble: str = ""

    @property
    def more(self) -> bool:
        return self.next != ""

    def question(self, after: str = "", limit: int = 100) -> FindAudit:
        return FindAudit(search=self.search.strip()[:200], after=after, limit=limit)


def asked_anew(pages: LogPages, query: LogQuery) -> LogPages:
    """Another question: what came for the one before is no answer to it."""
    return pages if query == pages.query else LogPages(query=query)


def page_arrived(pages: LogPages, query: LogQuery, after: str, found: EntriesFound | str) -> LogPages:
    """A page for `query`, or a sentence why there is none. One that comes late, for another question or twice, is passed over."""
    if query != pages.query or after != (pages.next or ""):
        return pages
    if isinstance(found, str):
        return _change(pages, trouble=found)
    entries = {**pages.entries, **{entry.id: entry for entry in found.entries}}
    total = found.total if found.total is not None else pages.total
    return _change(pages, entries=entries, next=found.next, total=total, trouble="")


def told_live(pages: LogPages, entries: tuple[Failover, ...]) -> LogPages:
    """Entries changed: those that came in a page are not what they were."""
    stale = {entry.id: entry for entry in entries if entry.id in pages.entries}
    return _change(pages, entries={**pages.entries, **stale}) if stale else pages


def audit_asked_anew(pages: AuditPages, search: str) -> AuditPages:
    return pages if search == pages.search else AuditPages(search=search)


def audit_arrived(pages: AuditPages, search: str, after: str, found: AuditFound | str) -> AuditPages:
    """The page after `after`; the first one may come again and again, and brings what is new."""
    if search != pages.search or after not in ("", pages.next):
        return pages
    if isinstance(found, str):
        return _change(pages, trouble=found)
    known = {line.number for line in pages.lines}
    fresh = tuple(line for line in found.lines if line.number not in known)
    if after or pages.next is None:
        return _change(pages, lines=(*pages.lines, *fresh), next=found.next, trouble="")
    if fresh and len(fresh) == len(found.lines) and found.next:
        # More is new than one page holds: what lies between would be missing.
        return AuditPages(search=search, lines=fresh, next=found.next)
    return _change(pages, lines=(*fresh, *pages.lines), trouble="")


def live_ones(failovers: Mapping[FailoverId, Failover]) -> Mapping[FailoverId, Failover]:
    """Without the oldest that ended, when there are too many."""
    if len(failovers) <= KEPT_LIVE:
        return failovers
    newest = sorted(failovers.values(), key=lambda entry: (not entry.phase.ended, entry.number))[-KEPT_LIVE // 2 :]
    return {entry.id: entry for entry in newest}
