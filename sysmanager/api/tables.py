"""Entries of the failover log and lines of the audit log as plain tables, and these as CSV: for files that people open elsewhere."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import RecorderId
from sysmanager.protocol.clients import AuditLine

__all__ = ["AUDIT_HEADS", "ENTRY_HEADS", "audit_cells", "csv_line", "entry_cells"]

ENTRY_HEADS = (
    "Entry",
    "Started",
    "Ended",
    "Server",
    "Failover server",
    "Group",
    "Trigger",
    "State",
    "Severity",
    "Gap (worst, s)",
    "Cameras moved",
    "Cameras not moved",
    "Started by",
    "Reason",
    "What to do",
    "Note",
    "To do",
    "Failback by",
    "Failback ended",
    "Comments",
)
AUDIT_HEADS = ("Number", "Time", "Who", "Role", "Request", "About", "Outcome", "Sentence", "Times", "Since")

_RISKY = ("=", "+", "-", "@", "\t", "\r")


def entry_cells(entry: Failover, names: Mapping[RecorderId, str], zone: tzinfo | None = None) -> tuple[str, ...]:
    """One cell for each of `ENTRY_HEADS`. Times are local to `zone`, with their offset; None for the machine's own."""
    reason, failback = entry.shown_reason, entry.failback
    return (
        entry.id,
        _time(entry.started_ms, zone),
        _time(entry.ended_ms, zone),
        names.get(entry.recorder, entry.recorder),
        names.get(entry.server, entry.server) if entry.server is not None else "",
        entry.group,
        entry.trigger.value,
        entry.log_state.value,
        entry.log_state.severity.value,
        "" if entry.worst_gap_ms is None else f"{entry.worst_gap_ms / 1000:.3f}",
        str(len(entry.moved)),
        "; ".join(f"{camera.name or camera.camera}: {camera.sentence}" for camera in entry.not_moved),
        entry.actor.name,
        reason.value if reason is not None else "",
        reason.sentence if reason is not None else "",
        failback.note if failback is not None and failback.note else entry.note,
        "; ".join(entry.to_do_left),
        failback.actor.name if failback is not None else "",
        _time(failback.ended_ms, zone) if failback is not None else "",
        "; ".join(f"{comment.actor.name}: {comment.text}" for comment in entry.comments),
    )


def audit_cells(line: AuditLine, zone: tzinfo | None = None) -> tuple[str, ...]:
    """One cell for each of `AUDIT_HEADS`."""
    return (
        str(line.number),
        _time(line.at_ms, zone),
        line.actor,
        line.role.value if line.role is not None else "",
        line.request,
        line.about,
        line.outcome.value,
        line.sentence,
        str(line.times),
        _time(line.first_ms, zone),
    )


def csv_line(cells: Sequence[str]) -> str:
    """One line of CSV (RFC 4180). What a spreadsheet would take for a formula is kept from it by an apostrophe."""
    written = io.StringIO()
    csv.writer(written).writerow([f"'{cell}" if cell.startswith(_RISKY) else cell for cell in cells])
    return written.getvalue()


def _time(wall_ms: int, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(wall_ms / 1000, zone).astimezone(zone).isoformat(timespec="seconds") if wall_ms else ""
