"""What keeps the coordinator from acting by itself, in words: maintenance and the mass-loss brake (SPEC 13)."""

from __future__ import annotations

from datetime import tzinfo

from sysmanager.api import RecorderRow, Scope
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.texts import counted, when_text


def maintenance_text(row: RecorderRow, state: UiState, now_wall_ms: int, zone: tzinfo | None = None) -> str:
    """What is in maintenance, until when, why and by whom; empty if nothing that covers the server is."""
    found = row.maintenance
    if found is None:
        return ""
    if found.target.scope is Scope.RECORDER:
        what = f"{row.name} is"
    elif found.target.scope is Scope.GROUP:
        group = next((group.name for group in state.groups.values() if group.id == found.target.id), found.target.id)
        what = f"The group {group} is"
    else:
        what = "The whole system is"
    until = when_text(found.until_wall_ms, now_wall_ms, zone)
    return f"{what} in maintenance until {until}: {found.reason} ({found.actor.name}). Nothing fails over by itself."


def brake_text(state: UiState) -> str:
    """What the mass-loss brake holds, and when it goes on; empty while it does not hold."""
    brake = state.system.brake if state.system is not None else None
    if brake is None:
        return ""
    fell = f"{brake.lost} of {counted(brake.watched, 'recorder')} fell silent together."
    waits = f" {counted(brake.waiting, 'failover waits', 'failovers wait')} until a failover server confirms it."
    if brake.goes_on_in_ms is None:
        goes_on = " It does not go on by itself: look at the network, or start failovers by hand."
    else:
        goes_on = f" It goes on in {counted(-(-brake.goes_on_in_ms // 1000), 'second')}."
    return fell + waits + goes_on
