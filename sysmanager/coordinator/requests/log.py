"""Requests that write on entries of the failover log: comments, and the to-do list (SPEC 11)."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.requests.handling import Asking, Outcome, Rejected, entry_row
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import FailoverId
from sysmanager.domain.remarks import COMMENT_LIMIT, COMMENTS_PER_ENTRY
from sysmanager.protocol import clients as c


def comment_entry(asking: Asking, request: c.CommentEntry) -> Outcome:
    entry = _any_entry(asking, request.failover)
    text = request.text.strip()
    if not text or len(text) > COMMENT_LIMIT or not text.replace("\n", " ").isprintable():
        raise Rejected(f"A comment has 1 to {COMMENT_LIMIT} printable characters; correct the field text.")
    if len(entry.comments) >= COMMENTS_PER_ENTRY:
        raise Rejected(f"{entry.id} has {COMMENTS_PER_ENTRY} comments, and no room for more; write it elsewhere and name the entry there.")
    return (f.EntryCommented(failover=entry.id, text=text),), c.Done(sentence=f"The comment on {entry.id} was saved.", failover=entry.id)


def tick_to_do(asking: Asking, request: c.TickToDo) -> Outcome:
    entry = _any_entry(asking, request.failover)
    if not 0 <= request.item < len(entry.to_do):
        raise Rejected(f"The to-do list of {entry.id} has {len(entry.to_do)} lines; there is no line {request.item + 1} in it.")
    line = entry.to_do[request.item]
    if any(tick.item == request.item and tick.done for tick in entry.ticks) is request.done:
        raise Rejected(f"\u201c{line}\u201d is {'ticked off' if request.done else 'not ticked off'} already in {entry.id}.")
    said = "ticked off" if request.done else "put back on the list"
    fact = f.ToDoTicked(failover=entry.id, item=request.item, done=request.done)
    return (fact,), c.Done(sentence=f"\u201c{line}\u201d was {said} in {entry.id}.", failover=entry.id)


def _any_entry(asking: Asking, failover: FailoverId) -> Failover:
    """The entry, be it open or ended long ago: then the history told it with the request."""
    kept = asking.asked.entry
    if kept is not None and kept.id == failover and failover not in asking.view.failovers:
        return kept
    return entry_row(asking.view, failover)
