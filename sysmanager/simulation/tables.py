"""Whether the tables of the coordinator are those that its journal gives."""

from __future__ import annotations

from collections.abc import Mapping

from sysmanager.coordinator.state import State

_LARGE = ("recorders", "failovers", "jobs")
_TABLES = (
    *("term", "next_epoch", "next_number", "groups", "holds", "shared", "gap_totals", "members", "reconcile"),
    *("failback_holds", "replaced_wall_ms", "retired", "kept", "backups", "uncovered"),
    *("maintenance", "settings", "settings_revision", "brake", "starts", "acknowledged"),
    *("next_job", "open_jobs", "jobs_with", "last_drills", "away", "releases"),
)


class SameTables:
    """Compares two states again and again. Rows never change: a pair that was found equal is not compared a second time."""

    def __init__(self) -> None:
        self._equal: dict[str, dict[str, tuple[object, object]]] = {name: {} for name in _LARGE}

    def difference(self, live: State, shadow: State) -> str | None:
        """The name of a table that differs; None if none does."""
        for name in _LARGE:
            if not self._same_rows(name, getattr(live, name), getattr(shadow, name)):
                return name
        for name in _TABLES:
            if getattr(live, name) != getattr(shadow, name):
                return name
        return "open" if list(live.open) != list(shadow.open) else None

    def _same_rows(self, name: str, live: Mapping[str, object], shadow: Mapping[str, object]) -> bool:
        if len(live) != len(shadow):
            return False
        known, pairs = self._equal[name], dict[str, tuple[object, object]]()
        for key, row in live.items():
            other, pair = shadow.get(key), known.get(key)
            if pair is None or pair[0] is not row or pair[1] is not other:
                if row != other:
                    return False
                pair = (row, other)
            pairs[key] = pair
        self._equal[name] = pairs
        return True
