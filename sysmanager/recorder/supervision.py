"""When a Watchdog starts its recording service, when it kills it, and what it says of it (SPEC 4.3, 16).

Pure; the moment comes as an argument.
Milliseconds here are of time in which the Watchdog itself ran: a machine that slept does not blame its service.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from sysmanager.protocol.values import ServiceState
from sysmanager.recorder.pulse import Phase

HELD_MS = 5_000
"""A start has held when the service has been initialised for so long."""

FAILED_STARTS = 3
FAILED_MS = 30_000
HUNG_MS = 10_000
"""Without a sign of life for so long, a service is killed."""

BEGIN_MS = 30_000
"""How long a process may take to give its first sign of life."""

SILENT_MS = 2_000
"""After so long without a sign of life the Watchdog speaks beside a service that may hang: its heartbeats will be missed soon."""

PATIENCE_MS = 5_000
"""So long the first start of a service may take before the Watchdog speaks for it."""

WAITS_MS = (200, 1_000, 2_000, 5_000, 10_000, 30_000)
"""Before the next start, by the number of failed ones."""

replace = msgspec.structs.replace


class Action(Enum):
    NOTHING = "nothing"
    START = "start"
    KILL = "kill"


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What the Watchdog sees at a moment. sentence: what the service said, or how it ended."""

    alive: bool
    phase: Phase = Phase.NONE
    counter: int = 0
    sentence: str = ""


class Word(msgspec.Struct, frozen=True):
    """What a Watchdog says of its service. refuses: it also answers orders, in the name of a service that cannot."""

    service: ServiceState
    failed_starts: int = 0
    sentence: str = ""
    refuses: bool = False


class Supervision(msgspec.Struct, frozen=True, kw_only=True):
    """begun_ms: when the present process was started, None if there is none. running_ms: when it said that it is initialised.

    signs: its counter of life; sign_ms: when that changed last, None before the first. trouble_ms: since when no start has held.
    speaks: whether the Watchdog speaks on the bus, because the service can't for itself, or has only just begun to again.
    """

    begun_ms: int | None = None
    running_ms: int | None = None
    held: bool = False
    signs: int | None = None
    sign_ms: int | None = None
    trouble_ms: int | None = None
    next_start_ms: int = 0
    failed_starts: int = 0
    sentence: str = ""
    state: ServiceState = ServiceState.STARTING
    speaks: bool = False

    @property
    def word(self) -> Word:
        """What the Watchdog has to say now."""
        return Word(self.state, self.failed_starts, self.sentence, self.speaks_for_service)

    @property
    def speaks_for_service(self) -> bool:
        """Whether the Watchdog refuses orders in the name of a service that cannot."""
        return self.state is ServiceState.FAILED and self.running_ms is None


def adopted(now_ms: int) -> Supervision:
    """A service that an earlier Watchdog left running, after what it may have said last: that is taken back by a word of this one."""
    return Supervision(begun_ms=now_ms, trouble_ms=now_ms, speaks=True)


def supervise(before: Supervision, look: Look, now_ms: int) -> tuple[Supervision, Action]:
    """What to do now, and what is known afterwards. Called a few times a second."""
    if before.begun_ms is None:
        after, action = _without_process(before, now_ms)
    elif not look.alive:
        after, action = _ended(before, look, now_ms), Action.NOTHING
    else:
        after, action = _alive(before, before.begun_ms, look, now_ms)
    return _judged(after, now_ms), action


def start_failed(before: Supervision, sentence: str, now_ms: int) -> Supervision:
    """The process could not even be started."""
    return _judged(_ended(before, Look(alive=False, sentence=sentence), now_ms), now_ms)


def _judged(after: Supervision, now_ms: int) -> Supervision:
    return replace(after, state=_state(after, now_ms), speaks=_has_to_speak(after, now_ms) or (after.speaks and not after.held))


def _has_to_speak(after: Supervision, now_ms: int) -> bool:
    """Whether the service does not speak for itself, as far as its Watchdog can see."""
    if after.begun_ms is None or after.failed_starts >= FAILED_STARTS:
        return True
    if after.running_ms is None:
        return now_ms - after.begun_ms >= PATIENCE_MS
    return after.sign_ms is not None and now_ms - after.sign_ms >= SILENT_MS


def _without_process(before: Supervision, now_ms: int) -> tuple[Supervision, Action]:
    if now_ms < before.next_start_ms:
        return before, Action.NOTHING
    trouble_ms = now_ms if before.trouble_ms is None else before.trouble_ms
    started = replace(before, begun_ms=now_ms, running_ms=None, held=False, signs=None, sign_ms=None, trouble_ms=trouble_ms)
    return started, Action.START


def _ended(before: Supervision, look: Look, now_ms: int) -> Supervision:
    failed_starts = before.failed_starts + (0 if before.held else 1)
    return replace(
        before,
        begun_ms=None,
        running_ms=None,
        held=False,
        trouble_ms=now_ms if before.trouble_ms is None else before.trouble_ms,
        failed_starts=failed_starts,
        next_start_ms=now_ms + WAITS_MS[min(failed_starts, len(WAITS_MS) - 1)],
        sentence=look.sentence or before.sentence,
    )


def _alive(before: Supervision, begun_ms: int, look: Look, now_ms: int) -> tuple[Supervision, Action]:
    after = before
    if before.signs is None:
        after = replace(after, signs=look.counter)
    elif look.counter != before.signs:
        after = replace(after, signs=look.counter, sign_ms=now_ms)
    if look.phase is Phase.RUNNING and after.running_ms is None and after.sign_ms is not None:
        after = replace(after, running_ms=now_ms)
    if after.running_ms is not None and not after.held and now_ms - after.running_ms >= HELD_MS:
        after = replace(after, held=True, trouble_ms=None, failed_starts=0, sentence="")
    silent_ms = now_ms - (begun_ms if after.sign_ms is None else after.sign_ms)
    if silent_ms >= (BEGIN_MS if after.sign_ms is None else HUNG_MS):
        sentence = f"The recording service gave no sign of life for {silent_ms // 1000} s and was ended by its Watchdog."
        return replace(after, sentence=sentence), Action.KILL
    return after, Action.NOTHING


def _state(after: Supervision, now_ms: int) -> ServiceState:
    if after.failed_starts >= FAILED_STARTS:
        return ServiceState.FAILED
    if after.running_ms is not None:
        return ServiceState.RUNNING
    late = after.trouble_ms is not None and now_ms - after.trouble_ms >= FAILED_MS
    return ServiceState.FAILED if late else ServiceState.STARTING
