"""The sentences below a server's settings: what happens if it fails now, or who stands in for whom."""

from __future__ import annotations

from datetime import tzinfo

import msgspec

from sysmanager.api import Level, Preview, RecorderRow
from sysmanager.domain.failover import Failover
from sysmanager.domain.recorder import Acting, Broken, Recording, Reserved, Standby
from sysmanager.ui.state.log import capitalised, name_of, state_text
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.state.texts import countdown_text, counted, when_inside


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """heading, then a dot in `tone`, `text`, and what is less important in `detail`."""

    heading: str
    tone: Tone
    text: str
    detail: str = ""


def situation(state: UiState, now_wall_ms: int, zone: tzinfo | None = None) -> Situation | None:
    """For the selected server; None where none is selected."""
    row = state.row
    if row is None:
        return None
    match row.assignment:
        case Recording() | Acting():
            return _under_way(row, state) or _forecast(row, state)
        case Standby():
            return _standby(row, state)
        case Reserved(for_recorder=home):
            return Situation(heading="Reserved", tone=Tone.ACCENT, text=f"It is taking over from {name_of(home, state)}.")
        case Broken(failover=failover):
            return _broken(row, state.failovers.get(failover), state, now_wall_ms, zone)


def _under_way(row: RecorderRow, state: UiState) -> Situation | None:
    """While its own failover runs or waits, what would happen in one is no longer the question."""
    failover = state.failovers.get(row.failover) if row.failover is not None else None
    if failover is None or failover.recorder != row.id or not failover.phase.before_commit:
        return None
    words = state_text(failover)
    if failover.server is None:
        detail = failover.reason.sentence if failover.reason is not None else ""
        return Situation(heading="Failover", tone=Tone.WARNING, text=f"{words[:1].lower()}{words[1:]}.", detail=detail)
    taking = f"{name_of(failover.server, state)} is taking over its cameras."
    return Situation(heading="Failover", tone=Tone.ACCENT, text=taking, detail=f"{words}.")


def _forecast(row: RecorderRow, state: UiState) -> Situation:
    heading = "If it fails now"
    if not row.failover_enabled:
        return Situation(heading=heading, tone=Tone.WARNING, text="nobody takes over: failover is switched off for this server.")
    forecast = state.forecast
    if forecast is None or forecast.recorder != row.id:
        return Situation(heading=heading, tone=Tone.MUTED, text="asking the coordinator…")
    if forecast.preview is None:
        return Situation(heading=heading, tone=Tone.BAD, text=forecast.sentence)
    return _landing(heading, forecast.preview, row, state)


def _landing(heading: str, preview: Preview, row: RecorderRow, state: UiState) -> Situation:
    """What a preview of a failover by hand says about one by itself; its warnings about the hand are left to the dialog."""
    stops = [check.sentence for check in preview.checks if check.level is Level.STOP]
    reasons = {verdict.server: capitalised(verdict.sentence).rstrip(".") + "." for verdict in preview.verdicts}
    if preview.target is None or not preview.allowed:
        why = stops[0] if stops else "no failover server of the group fits."
        refused = [f"{name_of(server, state)}: {sentence}" for server, sentence in reasons.items()]
        return Situation(heading=heading, tone=Tone.BAD, text=f"nobody takes over: {_inside(why)}", detail=" ".join((*stops[1:], *refused)))
    total = len(preview.moves) + len(preview.stays)
    text = f"lands on {name_of(preview.target, state)}: {len(preview.moves)} of {counted(total, 'camera')}."
    if preview.stays:
        text += f" {counted(len(preview.stays), 'camera stays', 'cameras stay')} behind."
    cached = f"Settings cached, revision {row.documents.revision}." if row.documents is not None else "Its settings are not cached yet."
    incomplete = bool(preview.stays or preview.to_do or row.documents is None)
    return Situation(
        heading=heading,
        tone=Tone.WARNING if incomplete else Tone.GOOD,
        text=text,
        detail=" ".join(part for part in (reasons.get(preview.target, ""), *preview.to_do, cached) if part),
    )


def _inside(sentence: str) -> str:
    """A sentence after a colon: its first word is small, unless it is a name."""
    first = sentence.split(" ", 1)[0]
    return sentence[:1].lower() + sentence[1:] if first in {"The", "No", "It", "A", "This", "There"} else sentence


def _standby(row: RecorderRow, state: UiState) -> Situation:
    group = state.groups.get(row.group) if row.group is not None else None
    if group is None:
        return Situation(heading="On standby", tone=Tone.WARNING, text="it is in no failover group; choose one and save.")
    protected = sum(1 for other in state.recorders.values() if other.group == group.id and isinstance(other.assignment, Recording))
    place = f"{_ordinal(group.preference.index(row.id) + 1)} in the order of the group" if row.id in group.preference else ""
    return Situation(
        heading="On standby",
        tone=Tone.GOOD if protected else Tone.WARNING,
        text=f"for {counted(protected, 'server')} of the group {group.name}.",
        detail=f"It is {place}." if place else "",
    )


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def _broken(row: RecorderRow, failover: Failover | None, state: UiState, now_wall_ms: int, zone: tzinfo | None) -> Situation:
    heading = "Broken"
    if failover is None or failover.server is None:
        return Situation(heading=heading, tone=Tone.BAD, text="its entry is not in the failover log any more.")
    since = when_inside(failover.timeline.committed_ms or failover.started_ms, now_wall_ms, zone)
    text = f"{name_of(failover.server, state)} records {counted(len(failover.moved), 'camera')} of it since {since}."
    left = [f"{counted(len(failover.not_moved), 'camera')} did not move."] if failover.not_moved else []
    return Situation(heading=heading, tone=Tone.ACCENT, text=text, detail=" ".join((*_way_back(row), *left, *failover.to_do)))


def _way_back(row: RecorderRow) -> tuple[str, ...]:
    """Whether and when it gets its cameras back by itself."""
    if not row.automatic_failback:
        return ()
    if row.failback_in_ms is not None:
        waits = f": it {row.failback_note}" if row.failback_note else ""
        return (f"It fails back by itself in {countdown_text(row.failback_in_ms)}{waits}.",)
    return (f"It does not fail back by itself now: {row.failback_note}.",) if row.failback_note else ()
