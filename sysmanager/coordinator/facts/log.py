"""Facts of the failover log that move nothing: what people write on entries, and what became of every request (SPEC 11, 12)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.ids import FailoverId
from sysmanager.domain.rights import Actor


class EntryCommented(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="entry-commented"):
    """A person wrote a comment on an entry."""

    failover: FailoverId
    text: str


class ToDoTicked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="to-do-ticked"):
    """A person ticked a line of the to-do list off, or took that back. item: its place in the list, from 0."""

    failover: FailoverId
    item: int
    done: bool


class RequestRefused(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="request-refused"):
    """The audit log: a request that was refused, and who asked (SPEC 12).

    request: its kind. about: the id that it was about. times: so many equal refusals since `first_ms` (wall clock) this one stands for.
    Nothing else of the request: it may hold a secret.
    """

    actor: Actor
    request: str
    about: str
    sentence: str
    times: int = 1
    first_ms: int = 0


RemarkFact = EntryCommented | ToDoTicked
LogFact = EntryCommented | ToDoTicked | RequestRefused
