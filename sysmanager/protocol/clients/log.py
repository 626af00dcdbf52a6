"""The failover log and the audit log as clients ask for them: filters, order, pages (SPEC 11, 12)."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sysmanager.domain.failover import Failover, LogState, Reason, Severity, Trigger
from sysmanager.domain.ids import FailoverId, GroupId, RecorderId
from sysmanager.domain.rights import RoleName

PAGE_LIMIT = 200
"""So many entries one page has at most."""

SEARCH_LIMIT = 200
"""Longest text to search for, in characters."""


class LogColumn(StrEnum):
    """What the failover log can be sorted by. `started`: the order in which entries were opened, whatever the clock did; with a span
    of time, the moments of the clock."""

    STARTED = "started"
    SERVER = "server"
    FAILOVER_SERVER = "failover-server"
    TRIGGER = "trigger"
    STATE = "state"
    GAP = "gap"
    CAMERAS = "cameras"
    STARTED_BY = "started-by"
    REASON = "reason"


class FindEntries(msgspec.Struct, frozen=True, kw_only=True, tag="find-entries", forbid_unknown_fields=True):
    """One page of the failover log. Each filter that is given must hold; within one, any of its values.

    recorder: the server that broke, or whose cameras moved. server: the failover server. since_wall_ms, until_wall_ms: when it started,
    milliseconds since 1970, the second excluded; 0 for no bound. search: words that all occur in the entry, each as the beginning of a
    word. after: `EntriesFound.next` of the page before, with everything else as it was; empty for the first page.
    """

    states: tuple[LogState, ...] = ()
    severities: tuple[Severity, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    reasons: tuple[Reason, ...] = ()
    recorder: RecorderId | None = None
    server: RecorderId | None = None
    group: GroupId | None = None
    since_wall_ms: int = 0
    until_wall_ms: int = 0
    search: str = ""
    sort: LogColumn = LogColumn.STARTED
    descending: bool = True
    limit: int = 100
    after: str = ""


class EntriesFound(msgspec.Struct, frozen=True, kw_only=True, tag="entries-found"):
    """Answer to `FindEntries`. next: for the page after this one, empty if this is the last. total: how many match, None if not counted."""

    entries: tuple[Failover, ...] = ()
    next: str = ""
    total: int | None = None


class ShowEntry(msgspec.Struct, frozen=True, kw_only=True, tag="show-entry", forbid_unknown_fields=True):
    """One entry of the failover log by its id, however old. The answer is `EntriesFound`, or `Refused` if there is none."""

    failover: FailoverId


class AuditOutcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"


class FindAudit(msgspec.Struct, frozen=True, kw_only=True, tag="find-audit", forbid_unknown_fields=True):
    """One page of the audit log, newest first. search: as in `FindEntries`. actor: the name of who asked."""

    actor: str = ""
    outcome: AuditOutcome | None = None
    since_wall_ms: int = 0
    until_wall_ms: int = 0
    search: str = ""
    limit: int = 100
    after: str = ""


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what came of it (SPEC 12). Holds ids and sentences, never the content of a request: that may be a secret.

    number: of its record in the journal. at_ms: of the answer; first_ms: of the first where `times` equal ones were folded into one.
    request: its kind, as `start-failover`. about: the server, group or entry it was about.
    """

    number: int
    at_ms: int
    actor: str
    role: RoleName | None
    request: str
    about: str
    outcome: AuditOutcome
    sentence: str
    times: int = 1
    first_ms: int = 0


class AuditFound(msgspec.Struct, frozen=True, kw_only=True, tag="audit-found"):
    """Answer to `FindAudit`."""

    lines: tuple[AuditLine, ...] = ()
    next: str = ""
