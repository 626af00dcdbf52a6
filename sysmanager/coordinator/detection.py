"""Whether a recorder has failed, and how long until it counts as failed (SPEC 4)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sysmanager.coordinator.frames import expected_cameras
from sysmanager.coordinator.heard import Heard
from sysmanager.coordinator.maintenance import maintenance_of
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, governing, open_failover_of
from sysmanager.coordinator.witnesses import cameras_reached
from sysmanager.domain.failover import Trigger
from sysmanager.domain.ids import GroupId
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol.clients import Connection
from sysmanager.protocol.recorders import BEAT_INTERVAL_MS

DISKS_LOST_MS = 5_000
"""How long a recorder has to report that it can write to none of its disks (SPEC 4.2)."""

FRAMES_LOST_MS = 10_000
"""The least time without a frame of any camera that counts as a failure, however short the detection timeout (SPEC 4.4)."""

START_GRACE_MS = 300_000
"""What a recorder gets that was not heard yet since the coordinator's start (SPEC 4)."""

__all__ = [
    "DISKS_LOST_MS",
    "FRAMES_LOST_MS",
    "IN_MAINTENANCE",
    "START_GRACE_MS",
    "Assessment",
    "assess",
    "dark_limit_ms",
    "group_of",
    "why_not_automatic",
]


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """How a recorder stands now.

    trigger: what has been reached and would start a failover. counting: what is on its way; remaining_ms until it is reached.
    due_in_ms: in how much proven time to look again; None if only news can change something.
    """

    connection: Connection
    silence_ms: int
    timeout_ms: int
    trigger: Trigger | None = None
    counting: Trigger | None = None
    remaining_ms: int | None = None
    due_in_ms: int | None = None


def assess(view: View, seen: Seen, row: Recorder) -> Assessment:
    """Judge one recorder. Every duration is proven time; nothing here depends on whether failover is enabled or held."""
    heard = seen.of(row.id)
    silence_ms = heard.silence_ms(seen.listening)
    timeout_ms = governing(view, row).detection_timeout_s * 1000
    if heard.leaving is not None and view.settings.announced_timeout_s is not None:
        timeout_ms = max(timeout_ms, view.settings.announced_timeout_s * 1000)
    if not heard.ever:
        timeout_ms = max(timeout_ms, START_GRACE_MS)
    connection = _connection(heard.ever, silence_ms, timeout_ms)
    remaining_ms, nearest = max(0, timeout_ms - silence_ms), Trigger.CONNECTION
    if connection is Connection.CONNECTED:
        for wait_ms, trigger in _troubles(view, seen, row, heard):
            if wait_ms < remaining_ms:
                remaining_ms, nearest = wait_ms, trigger
    counts = nearest is not Trigger.CONNECTION or connection is not Connection.CONNECTED
    return Assessment(
        connection=connection,
        silence_ms=silence_ms,
        timeout_ms=timeout_ms,
        trigger=nearest if remaining_ms <= 0 else None,
        counting=nearest if counts else None,
        remaining_ms=remaining_ms if counts else None,
        due_in_ms=None if remaining_ms <= 0 else remaining_ms,
    )


def _troubles(view: View, seen: Seen, row: Recorder, heard: Heard) -> Iterator[tuple[int, Trigger]]:
    """What a recorder that is heard reports of itself and would start a failover, each with how long it still has to last.

    Nothing while it was not heard again since the coordinator could not hear: what it said before is no report of the present.
    """
    if heard.generation != seen.listening.generation:
        return
    if heard.reports_service_failed():
        yield 0, Trigger.SERVICE
    if heard.disks_lost is not None:
        yield max(0, DISKS_LOST_MS - seen.listening.since_ms(*heard.disks_lost)), Trigger.DISKS
    # What system data says since its last heartbeat may be another task: then its darkness has not been looked at.
    same = heard.row is row or not set(heard.expected).isdisjoint(expected_cameras(row))
    dark_ms = seen.dark_ms(row.id) if same else 0
    if dark_ms >= 3 * BEAT_INTERVAL_MS and cameras_reached(view, seen, row):
        yield max(0, dark_limit_ms(view, row) - dark_ms), Trigger.NOT_RECORDING


def dark_limit_ms(view: View, row: Recorder) -> int:
    """How long no camera of a recorder may give a frame (SPEC 4.4)."""
    return max(governing(view, row).detection_timeout_s * 1000, FRAMES_LOST_MS)


def _connection(ever: bool, silence_ms: int, timeout_ms: int) -> Connection:
    if not ever:
        return Connection.NOT_SEEN if silence_ms < timeout_ms else Connection.LOST
    if silence_ms < 3 * BEAT_INTERVAL_MS:
        return Connection.CONNECTED
    return Connection.SILENT if silence_ms < timeout_ms else Connection.LOST


IN_MAINTENANCE = "in maintenance"


def why_not_automatic(view: View, row: Recorder) -> str | None:
    """None if a trigger of this recorder starts a failover by itself; else why it does not, in a few words for the tree."""
    governor = governing(view, row)
    if not row.records:
        return "not recording"
    if governor.group is None or governor.group not in view.groups:
        return "in no failover group"
    if not governor.failover_enabled:
        return "failover is off"
    if row.id in view.holds:
        return "failover is held"
    if view.reconcile is not None and not view.reconcile.confirmed:
        return "failover is held until the reconcile is confirmed"
    if open_failover_of(view, row.id) is not None:
        return "failover is running"
    if maintenance_of(view, row) is not None:
        return IN_MAINTENANCE  # last, so that it is given only where nothing else keeps the failover from starting
    return None


def group_of(view: View, row: Recorder) -> GroupId | None:
    """The group whose failover servers may replace it (SPEC 4: of the recorder it acts for, if it acts)."""
    group = governing(view, row).group
    return group if group in view.groups else None
