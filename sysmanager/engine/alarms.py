"""Alarms that system data itself gives: what waits, and what is missing. Each stands once as long as it lasts, and ends by itself."""

from __future__ import annotations

from sysmanager.coordinator.state import View
from sysmanager.domain.backup import BaselineStage
from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import GroupId
from sysmanager.protocol import clients as c


def queue_alarms(view: View) -> list[c.Alarm]:
    """One for each entry that waits for a failover server, and one for the queue of each group (SPEC 5, 7)."""
    alarms: list[c.Alarm] = []
    queues: dict[GroupId, int] = {}
    for open_id in view.open:
        entry = view.failovers[open_id]
        if entry.phase is Phase.QUEUED:
            queues[entry.group] = min(entry.started_ms, queues.get(entry.group, entry.started_ms))
        elif entry.phase is Phase.WAITING:
            row = view.recorders.get(entry.recorder)
            name = row.name if row is not None else entry.recorder
            what = entry.reason.sentence if entry.reason is not None else ""
            sentence = f"{name} has failed, and its failover {entry.id} waits. {what}".rstrip()
            alarms.append(c.Alarm(key=f"waiting {entry.id}", sentence=sentence, since_wall_ms=entry.started_ms, health=c.Health.BAD))
    for group, since_ms in queues.items():
        known = view.groups.get(group)
        sentence = (
            f"Servers of the group {known.name if known is not None else group} wait in the failover queue, and are taken up in order."
        )
        alarms.append(c.Alarm(key=f"queue {group}", sentence=sentence, since_wall_ms=since_ms))
    return alarms


def baseline_alarms(view: View) -> list[c.Alarm]:
    """The system backup after the last failover is missing (SPEC 7)."""
    baseline = view.backups.baseline
    if baseline.stage not in (BaselineStage.LATE, BaselineStage.MISSING):
        return []
    sentence = f"The system backup after the last failover is missing; it is tried again. {baseline.sentence}".rstrip()
    return [c.Alarm(key="baseline", sentence=sentence, since_wall_ms=baseline.since_ms)]
