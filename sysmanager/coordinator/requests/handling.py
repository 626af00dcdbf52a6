"""What the handlers of requests share: what they may look at, how they refuse, and the look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.inputs import Asked
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, was_entry
from sysmanager.domain.failover import Failover, Reason
from sysmanager.domain.ids import FailoverId, RecorderId, shown
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol import clients as c

TEXT_LIMIT = 120
"""Longest name or address."""


DESCRIPTION_LIMIT = 1000


Outcome = tuple[tuple[f.AnyFact, ...], c.Done]
"""The facts that a request leads to, and the reply that is given when they are durable."""


@dataclass(frozen=True, slots=True)
class Asking:
    """All that a handler may look at: one frozen value with one `now` in it."""

    view: View
    seen: Seen
    asked: Asked
    now: Instant


class Rejected(Exception):
    """A request is refused; raised by a handler, and turned into the reply by `decide_request`.

    facts: what is to be found again of it in the failover log.
    """

    def __init__(self, sentence: str, reason: Reason | None = None, facts: tuple[f.AnyFact, ...] = ()) -> None:
        super().__init__(sentence)
        self.refused = c.Refused(sentence=sentence, reason=reason)
        self.facts = facts


def recorder_row(view: View, recorder: RecorderId) -> Recorder:
    row = view.recorders.get(recorder)
    if row is None:
        raise Rejected(f"There is no server {shown(recorder)}; {_known(sorted(view.recorders))}.", Reason.NO_RECORDER)
    return row


def entry_row(view: View, failover: FailoverId) -> Failover:
    entry = view.failovers.get(failover)
    if entry is None and was_entry(view, failover):
        raise Rejected(f"{failover} ended long ago; only an entry that is open can be moved on.", Reason.INVALID_LOG_STATE)
    if entry is None:
        raise Rejected(f"There is no entry {shown(failover)} in the failover log; see the list of entries.", Reason.INVALID_LOG_STATE)
    return entry


def _known(ids: Sequence[str]) -> str:
    if not ids:
        return "there are no servers yet"
    more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
    return f"known are {', '.join(ids[:5])}{more}"


def is_text(text: str, limit: int) -> bool:
    return bool(text.strip()) and len(text) <= limit and text.isprintable()


def in_open_entry(view: View, recorder: RecorderId) -> bool:
    return bool(view.open_with.get(recorder))
