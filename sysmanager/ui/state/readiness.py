"""Readiness in words and colours: how a server's own reasons, and the site's numbers, are shown (SPEC 14.1, 17)."""

from __future__ import annotations

from sysmanager.api import Level, Readiness, Ready, RecorderRow, SystemRow
from sysmanager.domain.rights import Right, missing_right
from sysmanager.ui.state.model import Link, Tone, UiState

LEVEL_TONES: dict[Level, Tone] = {Level.GOOD: Tone.GOOD, Level.WARNING: Tone.WARNING, Level.STOP: Tone.BAD}
READY_TONES: dict[Ready, Tone] = {Ready.READY: Tone.GOOD, Ready.LIMITED: Tone.WARNING, Ready.NOT_READY: Tone.BAD}
_WORDS: dict[Ready, str] = {Ready.READY: "Ready", Ready.LIMITED: "Ready, with limits", Ready.NOT_READY: "Not ready"}


def readiness_words(readiness: Readiness | None) -> str:
    return _WORDS[readiness.level] if readiness is not None else "Not looked at yet"


def readiness_lines(readiness: Readiness | None) -> tuple[tuple[Tone, str], ...]:
    """The reasons, what is worst first."""
    if readiness is None:
        return ()
    order = (Level.STOP, Level.WARNING, Level.GOOD)
    ordered = sorted(readiness.reasons, key=lambda reason: order.index(reason.level))
    return tuple((LEVEL_TONES[reason.level], reason.sentence) for reason in ordered)


def readiness_tip(row: RecorderRow) -> str:
    """What is wrong with it, a line each; empty where it is ready or was not looked at."""
    if row.readiness is None or row.readiness.level is Ready.READY:
        return ""
    sentences = [sentence for tone, sentence in readiness_lines(row.readiness) if tone is not Tone.GOOD]
    return "\n".join((f"{readiness_words(row.readiness)}:", *sentences))


def ready_tip(system: SystemRow) -> str:
    """``9 ready, 3 with limits, 1 not ready``."""
    parts = [f"{system.ready} ready", f"{system.limited} with limits", f"{system.not_ready} not ready"]
    unknown = system.watched - system.ready - system.limited - system.not_ready
    return ", ".join(parts + ([f"{unknown} not looked at yet"] if unknown > 0 else []))


def shared_machine(row: RecorderRow) -> str:
    """What a person would accept, as a question; empty where there is nothing to accept."""
    found = row.readiness
    if found is None or not found.shares or not any(reason.level is Level.STOP and reason.topic == "machine" for reason in found.reasons):
        return ""
    return f"{row.name} shares its machine with {', '.join(found.shares)}. One breakdown takes both, and nobody would take over."


def why_not_accept(state: UiState) -> str:
    """Why the person may not accept a shared machine now; empty if it may be accepted."""
    if state.link is not Link.CONNECTED:
        return "There is no connection to the coordinator; wait until it is back."
    return missing_right(state.actor.role, Right.SETTINGS) or ""
