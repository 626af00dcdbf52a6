"""Inputs that mean nothing in a phase, each with its reason. Together with the rows of the tables they cover every input in every phase."""

from __future__ import annotations

from dataclasses import dataclass

from sysmanager.coordinator.table import On
from sysmanager.domain.failover import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """In these phases these inputs change nothing."""

    phases: tuple[Phase, ...]
    on: tuple[On, ...]
    sentence: str


_ENDED = tuple(phase for phase in Phase if phase.ended)
_OPEN = tuple(phase for phase in Phase if not phase.ended)

IGNORED: tuple[Ignored, ...] = (
    Ignored(phases=_ENDED, on=tuple(On), sentence="the entry has ended; there is no way out of an end"),
    Ignored(
        phases=tuple(phase for phase in _OPEN if phase is not Phase.RESERVED),
        on=(On.CACHE,),
        sentence="the documents were looked up for a step that is over; only step 3 asks for them",
    ),
    Ignored(
        phases=tuple(phase for phase in _OPEN if phase not in (Phase.FETCHED, Phase.FAILBACK_TAKEN)),
        on=(On.ANSWER,),
        sentence="the answer came late; only saving the settings waits for one",
    ),
    Ignored(
        phases=(Phase.COMMITTED, Phase.RECORDED, Phase.READY, Phase.FAILBACK_COMMITTED, Phase.FAILBACK_PERFORMED),
        on=(On.ABORT,),
        sentence="the commit point is passed: the request is refused",
    ),
    Ignored(phases=(Phase.FAILBACK_UNDOING,), on=(On.ABORT,), sentence="it is being undone already: the request is refused"),
    Ignored(
        phases=tuple(phase for phase in _OPEN if phase is not Phase.READY),
        on=(On.FAILBACK,),
        sentence="a failback starts from \u201cFailover ready\u201d only: the request is refused",
    ),
)
