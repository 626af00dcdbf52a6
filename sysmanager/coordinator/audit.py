"""The audit log: a line for every request and what came of it (SPEC 12). Refusals that repeat are folded, so that a flood fills no journal.

What was done stands in the first of its facts, in the same record. A refusal is a line at once when it is new; equal ones within
`FOLD_MS` become one more line with their number. More than `LINES_PER_SPAN` different refusals within `SPAN_MS` are counted together.
The first of each kind is durable before its answer; of those that are folded a kill loses the number, at most a minute of it.
"""

from __future__ import annotations

from collections import deque

import msgspec

from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.domain.ids import shown
from sysmanager.domain.instant import Instant
from sysmanager.domain.rights import COORDINATOR, Actor
from sysmanager.protocol import clients as c

FOLD_MS = 60_000
"""Equal refusals within this time become one line."""

LINES_PER_SPAN = 100
SPAN_MS = 600_000
"""So many lines about refusals within so long; what is beyond is counted, not told apart."""

SENTENCE_LIMIT = 400
"""A sentence is kept up to here: what somebody sent may be quoted in it."""

_ABOUT = ("recorder", "failover", "group", "id", "server", "camera", "target", "job", "key")


class _Key(msgspec.Struct, frozen=True):
    """What makes two refusals equal."""

    actor: Actor
    request: str
    about: str
    sentence: str


class _Held(msgspec.Struct):
    times: int
    first_ms: int


class Refusals:
    """What of refusals is not in the journal yet. Volatile, and bounded by `LINES_PER_SPAN` keys."""

    def __init__(self) -> None:
        self._written_ms: dict[_Key, int] = {}
        self._held: dict[_Key, _Held] = {}
        self._others: _Held | None = None
        self._others_ms = 0
        self._lines: deque[int] = deque(maxlen=LINES_PER_SPAN)

    @property
    def due_ms(self) -> int | None:
        """When folded refusals are to be written, by the monotonic clock; None if there are none."""
        dues = [self._written_ms[key] + FOLD_MS for key in self._held]
        return min(dues + ([self._others_ms + FOLD_MS] if self._others is not None else []), default=None)

    def refused(self, actor: Actor, request: str, about: str, sentence: str, now: Instant) -> f.RequestRefused | None:
        """The line to write now; None if this one is folded."""
        key = _Key(actor, request, about, sentence[:SENTENCE_LIMIT])
        if key in self._written_ms and now.mono_ms - self._written_ms[key] < FOLD_MS:
            held = self._held.setdefault(key, _Held(0, now.wall_ms))
            held.times += 1
            return None
        if not self._may_write(now):
            self._count_other(1, now.wall_ms, now)
            return None
        return self._line(key, 1, now.wall_ms, now)

    def fold(self, now: Instant) -> tuple[f.RequestRefused, ...]:
        """Lines for what was folded and is due."""
        lines: list[f.RequestRefused] = []
        for key, written_ms in tuple(self._written_ms.items()):
            if now.mono_ms - written_ms < FOLD_MS:
                continue
            self._written_ms.pop(key, None)  # A line written by this loop may have dropped it.
            held = self._held.pop(key, None)
            if held is None:
                continue
            if self._may_write(now):
                lines.append(self._line(key, held.times, held.first_ms, now))
            else:
                self._count_other(held.times, held.first_ms, now)
        others = self._others
        if others is not None and now.mono_ms - self._others_ms >= FOLD_MS:
            sentence = f"{others.times} more requests were refused, too many to keep each; see the log file of the coordinator."
            lines.append(
                f.RequestRefused(actor=COORDINATOR, request="", about="", sentence=sentence, times=others.times, first_ms=others.first_ms)
            )
            self._others = None
        return tuple(lines)

    def _may_write(self, now: Instant) -> bool:
        return len(self._lines) < LINES_PER_SPAN or now.mono_ms - self._lines[0] >= SPAN_MS

    def _count_other(self, times: int, first_ms: int, now: Instant) -> None:
        if self._others is None:
            self._others, self._others_ms = _Held(0, first_ms), now.mono_ms
        self._others.times += times

    def _line(self, key: _Key, times: int, first_ms: int, now: Instant) -> f.RequestRefused:
        fresh = {one: at_ms for one, at_ms in self._written_ms.items() if one in self._held or now.mono_ms - at_ms < FOLD_MS}
        self._written_ms = {**fresh, key: now.mono_ms}
        self._lines.append(now.mono_ms)
        return f.RequestRefused(
            actor=key.actor, request=key.request, about=key.about, sentence=key.sentence, times=times, first_ms=first_ms
        )


def audited(refusals: Refusals, taken: i.Input, reply: c.Reply | None, now: Instant) -> tuple[f.RequestRefused, ...]:
    """The lines about refusals that an input and the reply to it lead to. Notes in `refusals` what was written and what is held."""
    match taken, reply:
        case i.Asked(actor=actor, request=request), c.Refused(sentence=sentence):
            refused = refusals.refused(actor, kind_of(request), about(request), sentence, now)
        case i.TurnedAway(actor=actor, request=kind, sentence=sentence), _:
            refused = refusals.refused(actor, kind, "", sentence, now)
        case i.RefusalsDue(), _:
            return refusals.fold(now)
        case _:
            return ()
    return (refused,) if refused is not None else ()


def answered(taken: i.Input, reply: c.Reply | None) -> f.Answered | None:
    """What the first fact of a request that is done carries for the audit log; None for everything else."""
    match taken, reply:
        case i.Asked(request=request), c.Done(sentence=sentence):
            return f.Answered(request=kind_of(request), about=about(request), sentence=sentence[:SENTENCE_LIMIT])
        case _:
            return None


def kind_of(request: msgspec.Struct) -> str:
    """The name of a request or question in every encoding, as `start-failover`."""
    return str(request.__struct_config__.tag)


def about(request: msgspec.Struct) -> str:
    """Which server, group, entry, camera, job or alarm it is about, fit to be shown; empty if none."""
    for name in _ABOUT:
        value = getattr(request, name, None)
        value = getattr(value, "id", value)
        if isinstance(value, str):
            return shown(value)
    return ""
