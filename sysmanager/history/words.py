"""Words: what of an entry is searched, and how people's search text becomes a question for the full-text index."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import RecorderId
from sysmanager.history.port import NameMatches, WrongQuestion
from sysmanager.protocol.clients import SEARCH_LIMIT, AuditLine

WORDS_LIMIT = 12
"""So many words one search has at most."""

NAMES_PER_WORD = 50
"""Of so many servers whose present name holds a word the entries are found."""

TEXT_LIMIT = 20_000
"""Characters of one entry that are searched."""

_NUMBER = re.compile(r"\d+")
_PLAIN = re.compile(r"\w", re.UNICODE)


def sort_key(name: str) -> str:
    """Sorts “REC-2” before “REC-10”, without regard to case."""
    return _NUMBER.sub(lambda found: found.group().zfill(9), name.casefold())


def words_of(entry: Failover, names: Mapping[RecorderId, str]) -> str:
    """All that is searched of an entry."""
    failback = entry.failback
    parts = [
        entry.id,
        *(text for server in (entry.recorder, entry.home, entry.server) if server is not None for text in (server, names.get(server, ""))),
        entry.group,
        entry.trigger.value,
        entry.log_state.value,
        entry.shown_reason.value if entry.shown_reason is not None else "",
        entry.actor.name,
        entry.note,
        failback.note if failback is not None else "",
        failback.actor.name if failback is not None else "",
        *entry.to_do,
        *(f"{comment.actor.name} {comment.text}" for comment in entry.comments),
        *(camera.name for camera in entry.not_moved),
    ]
    return " ".join(dict.fromkeys(part for part in parts if part))[:TEXT_LIMIT]


def audit_words(line: AuditLine) -> str:
    return f"{line.actor} {line.request} {line.about} {line.outcome} {line.sentence}"


def split(search: str) -> tuple[str, ...]:
    """The words of a search. Raises WrongQuestion when there are too many."""
    if len(search) > SEARCH_LIMIT:
        raise WrongQuestion(f"A search has {SEARCH_LIMIT} characters at most; shorten the field search.")
    words = tuple(dict.fromkeys(word for word in search.split() if _PLAIN.search(word)))
    if len(words) > WORDS_LIMIT:
        raise WrongQuestion(f"A search has {WORDS_LIMIT} words at most; shorten the field search.")
    return words


def match_of(search: str, names: NameMatches | None = None) -> str:
    """The full-text expression: every word, as the beginning of a word or by a server whose present name holds it. Empty for no words."""
    clauses = []
    for word in split(search):
        choices = [f"{_quoted(word)}*", *(_quoted(server) for server in (names or {}).get(word, ())[:NAMES_PER_WORD])]
        clauses.append(f"({' OR '.join(choices)})")
    return " AND ".join(clauses)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
