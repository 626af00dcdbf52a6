"""Words: what of an entry is searched, and how people's search text becomes a question for the full-text index."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

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

_JOINED = re.compile(r"[\W_]+", re.UNICODE)
_NUMBER = re.compile(r"\d+")
_PLAIN = re.compile(r"[^\W_]", re.UNICODE)


def sort_key(name: str) -> str:
    """Sorts “REC-2” before “REC-10”, without regard to case."""
    return _NUMBER.sub(lambda found: found.group().zfill(9), name.casefold())


def plain(text: str) -> str:
    """Without regard to case and accents, as the full-text index sees it; the words apart by single blanks, one at the beginning."""
    if not text.isascii():
        text = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return f" {_JOINED.sub(' ', text.casefold())}"


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
    return plain(" ".join(dict.fromkeys(part for part in parts if part))[:TEXT_LIMIT])


def audit_words(line: AuditLine) -> str:
    return plain(f"{line.actor} {line.request} {line.about} {line.outcome} {line.sentence}")


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
    for word, servers in _choices(search, names):
        clauses.append(f"({' OR '.join([f'{_quoted(word)}*', *map(_quoted, servers)])})")
    return " AND ".join(clauses)


def holds_of(search: str, names: NameMatches | None = None) -> Callable[[str], bool]:
    """The same question for the words of one entry, as `words_of` made them."""
    wanted = [(word, *(f"{server} " for server in servers)) for word, servers in _choices(search, names)]

    def holds(words: str) -> bool:
        return all(any(choice in f"{words} " for choice in choices) for choices in wanted)

    return holds


def _choices(search: str, names: NameMatches | None) -> list[tuple[str, list[str]]]:
    """Each word, and the ids of servers that stand for it; all of them plain."""
    servers = {word: (names or {}).get(word, ())[:NAMES_PER_WORD] for word in split(search)}
    return [(plain(word).rstrip(), [plain(server).rstrip() for server in found]) for word, found in servers.items()]


def _quoted(text: str) -> str:
    """A phrase for the index; what is plain has no quotation marks."""
    return f'"{text.strip()}"'
