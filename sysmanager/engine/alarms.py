"""Alarms that system data itself gives: what waits, and what is missing. Each stands once as long as it lasts, and ends by itself."""

from __future__ import annotations

from sysmanager.coordinator.automatic_failback import TRIES
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.backup import BaselineStage
from sysmanager.domain.failover import Phase, Reason
from sysmanager.domain.ids import GroupId
from sysmanager.protocol import clients as c

SHOWN = 3
"""Cameras that an alarm names."""


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


def complaint_alarms(view: View, seen: Seen) -> list[c.Alarm]:
    """One for each server that has cameras in quarantine, or whose self-test fails (SPEC 16)."""
    alarms: list[c.Alarm] = []
    for recorder, complaint in seen.complaints.quarantined.items():
        row = view.recorders.get(recorder)
        if row is None:
            continue
        names = {str(camera.id): camera.name for camera in row.settings.cameras}
        cameras = ", ".join(names.get(camera, camera) for camera in complaint.words[:SHOWN])
        more = len(complaint.words) - SHOWN
        sentence = (
            f"{row.name} does not record {cameras}{f' and {more} more' if more > 0 else ''}: its recording service crashed while it opened "
            "or decoded the stream. What to do stands in the list of its cameras, where they can be released, too."
        )
        alarms.append(c.Alarm(key=f"quarantine {recorder}", sentence=sentence, since_wall_ms=complaint.since_wall_ms))
    for recorder, complaint in seen.complaints.failed.items():
        row = view.recorders.get(recorder)
        if row is not None:
            sentence = f"{row.name} waits and failed its self-test: {complaint.words[0]}"
            alarms.append(c.Alarm(key=f"self-test {recorder}", sentence=sentence, since_wall_ms=complaint.since_wall_ms))
    return alarms


def undone_alarms(view: View) -> list[c.Alarm]:
    """Automatic failbacks that were undone, and are tried again (SPEC 8). One that is held has the alarm of its hold."""
    alarms: list[c.Alarm] = []
    for open_id in view.open:
        entry = view.failovers[open_id]
        home, failback = view.recorders.get(entry.home), entry.failback
        if home is None or failback is None or entry.phase is not Phase.READY or not failback.automatic or home.id in view.failback_holds:
            continue
        if failback.reason in (None, Reason.CANCELLED):
            continue
        again = f"It is tried again after a longer wait, {TRIES} times in all." if home.automatic_failback else "Start it by hand."
        sentence = f"{home.name} did not get its cameras back by itself, and {entry.server} goes on. {failback.note} {again}"
        alarms.append(c.Alarm(key=f"undone {entry.id}", sentence=sentence, since_wall_ms=failback.ended_ms))
    return alarms


def baseline_alarms(view: View) -> list[c.Alarm]:
    """The system backup after the last failover is missing (SPEC 7)."""
    baseline = view.backups.baseline
    if baseline.stage not in (BaselineStage.LATE, BaselineStage.MISSING):
        return []
    sentence = f"The system backup after the last failover is missing; it is tried again. {baseline.sentence}".rstrip()
    return [c.Alarm(key="baseline", sentence=sentence, since_wall_ms=baseline.since_ms)]
