"""Rows for people: system data and what is seen, in words. Pure; made from the view, never kept apart from it."""

from __future__ import annotations

from collections.abc import Mapping

from sysmanager.coordinator.automatic_failback import NOT_WANTED, Outlook, outlook
from sysmanager.coordinator.brake import waiting_for_brake
from sysmanager.coordinator.crashes import CRASH_LOOP, crash_loop
from sysmanager.coordinator.detection import Assessment, assess, why_not_automatic
from sysmanager.coordinator.heard import RIVAL_MS, Heard
from sysmanager.coordinator.jobs.drilling import last_drill
from sysmanager.coordinator.maintenance import maintenance_of
from sysmanager.coordinator.reconcile import findings
from sysmanager.coordinator.seen import CLOCK_OFF_MS, RefusedOrder, Seen
from sysmanager.coordinator.state import FailbackHold, View, open_failover_of
from sysmanager.domain.camera import Camera
from sysmanager.domain.failover import Trigger
from sysmanager.domain.ids import CameraId, FailoverId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Acting, Broken, Recorder, Recording, Reserved, Role, Standby
from sysmanager.engine.alarms import baseline_alarms, complaint_alarms, queue_alarms, undone_alarms
from sysmanager.engine.copy_alarms import copy_alarms
from sysmanager.protocol import clients as c
from sysmanager.protocol.recorders import Beat, CameraBeat, CameraState, Mode, RefusalReason, ServiceState

CONNECTED_AGAIN = "connected again"


def recorder_row(view: View, seen: Seen, row: Recorder, now: Instant, readiness: c.Readiness | None = None) -> c.RecorderRow:
    """One server as people see it now. readiness: as the book of readiness shows it beside this row."""
    heard = seen.of(row.id)
    judged = assess(view, seen, row)
    counting = judged.counting if why_not_automatic(view, row) is None else None
    health, condition = _condition(view, seen, row, heard, judged)
    beat = heard.beat
    reported = beat is not None and judged.connection is c.Connection.CONNECTED and heard.service_heard()
    states = {camera.camera: camera for camera in beat.cameras} if beat is not None and reported else {}
    hold = view.holds.get(row.id)
    failback, failback_hold = _failback_of(view, seen, row, now), view.failback_holds.get(row.id)
    return c.RecorderRow(
        id=row.id,
        name=row.name,
        address=row.address,
        role=row.role,
        group=row.group,
        revision=row.revision,
        failover_enabled=row.failover_enabled,
        detection_timeout_s=row.detection_timeout_s,
        assignment=row.assignment,
        connection=judged.connection,
        health=health,
        condition=condition,
        silence_ms=judged.silence_ms if judged.connection is not c.Connection.CONNECTED else 0,
        countdown_ms=judged.remaining_ms if counting is not None else None,
        countdown_cause=counting.value if counting is not None else "",
        hold=c.HoldRow(cause=hold.cause, actor=hold.actor, since_wall_ms=hold.since_wall_ms) if hold is not None else None,
        stable_ms=_stable_ms(seen, row, heard, now),
        service=heard.service_state(),
        version=beat.version if beat is not None else row.version,
        documents=row.documents,
        retention_days=row.settings.retention_days,
        plugins=beat.plugins if beat is not None else row.settings.plugins,
        vca_channels=beat.vca_channels if beat is not None else 0,
        camera_limit=beat.camera_limit if beat is not None else 0,
        bitrate_limit_kbps=beat.bitrate_limit_kbps if beat is not None else 0,
        clock_offset_ms=beat.wall_ms - heard.beat_wall_ms if beat is not None and judged.connection is c.Connection.CONNECTED else None,
        cameras=_cameras(row, states),
        cameras_recording=sum(1 for camera in states.values() if camera.state is CameraState.RECORDING),
        disks=_disks(heard),
        failover=_entry_of(view, row),
        automatic_failback=row.automatic_failback,
        failback_after_s=row.failback_after_s,
        failback_hours=row.failback_hours,
        failback_in_ms=failback.due_in_ms,
        failback_note=f"waits for its hours, {row.failback_hours}" if failback.hours else failback.obstacle,
        failback_hold=_failback_hold_row(failback_hold) if failback_hold is not None else None,
        material_copy=row.material_copy,
        drill=row.drill,
        last_drill=last_drill(view, row.id),
        reconciled=view.reconcile is None or row.id not in view.reconcile.waiting,
        practice=beat.practice if beat is not None else row.practice,
        maintenance=maintenance_of(view, row),
        readiness=readiness,
        hardware=beat.hardware.words if beat is not None else "",
        leaving=heard.leaving is not None,
        self_test=beat.self_test if beat is not None and reported else None,
    )


def _stable_ms(seen: Seen, row: Recorder, heard: Heard, now: Instant) -> int:
    """How long a broken server has been connected again with its recording service and writable disks; 0 while it is not."""
    return seen.stable_ms(row.id) if isinstance(row.assignment, Broken) else 0


def _failback_of(view: View, seen: Seen, row: Recorder, now: Instant) -> Outlook:
    """Automatic failback of a recorder that was replaced."""
    if not isinstance(row.assignment, Broken) or not row.automatic_failback:
        return NOT_WANTED
    entry = view.failovers.get(row.assignment.failover)
    return outlook(view, seen, entry, now) if entry is not None and entry.home == row.id else NOT_WANTED


def _failback_hold_row(hold: FailbackHold) -> c.FailbackHoldRow:
    return c.FailbackHoldRow(cause=hold.cause, actor=hold.actor, since_wall_ms=hold.since_wall_ms)


def _cameras(row: Recorder, states: dict[CameraId, CameraBeat]) -> tuple[c.CameraRow, ...]:
    every = row.home == row.id or isinstance(row.assignment, Broken)
    return tuple([_camera(camera, states.get(camera.id)) for camera in row.settings.cameras if every or camera.moves])


def _camera(camera: Camera, reported: CameraBeat | None) -> c.CameraRow:
    # Of the enumerations the plain texts, read without the detour over `value`: three hundred thousand of these rows on a large site.
    return c.CameraRow(
        id=camera.id,
        name=camera.name,
        kind=camera.kind._value_,
        priority=camera.priority._value_,
        sessions=camera.sessions,
        vca=camera.vca,
        bitrate_kbps=camera.bitrate_kbps,
        mode=camera.mode._value_,
        state=reported.state if reported is not None else None,
        sentence=reported.sentence if reported is not None else "",
    )


def _disks(heard: Heard) -> tuple[c.DiskRow, ...]:
    if heard.beat is None:
        return ()
    return tuple(
        c.DiskRow(path=disk.path, writable=disk.writable, free_mb=disk.free_mb, total_mb=disk.total_mb, problem=disk.problem)
        for disk in heard.beat.disks
    )


def _entry_of(view: View, row: Recorder) -> FailoverId | None:
    match row.assignment:
        case Reserved(failover=failover) | Acting(failover=failover) | Broken(failover=failover):
            return failover
        case _:
            running = open_failover_of(view, row.id)
            return running.id if running is not None else None


def _condition(view: View, seen: Seen, row: Recorder, heard: Heard, judged: Assessment) -> tuple[c.Health, str]:
    """Colour and words of a server in the tree, the most urgent thing first."""
    if judged.connection is c.Connection.NOT_SEEN:
        return c.Health.UNKNOWN, "not seen yet"
    if isinstance(row.assignment, Broken):
        connected = judged.connection is c.Connection.CONNECTED
        entry = view.failovers.get(row.assignment.failover)
        if entry is not None and entry.trigger is Trigger.PLANNED:
            # It was well when it was relieved, and may be switched off on purpose.
            return c.Health.WARNING, "switched over" if connected else "switched over, not connected"
        return c.Health.BAD, _broken_condition(heard) if connected else "broken, not connected"
    if heard.leaving is not None and judged.connection in (c.Connection.SILENT, c.Connection.LOST):
        silent = judged.connection is c.Connection.SILENT
        return c.Health.WARNING if silent else c.Health.BAD, "shut down, as announced" if silent else "not connected since its shutdown"
    if judged.connection is c.Connection.LOST:
        return c.Health.BAD, "not connected"
    if judged.connection is c.Connection.SILENT:
        return c.Health.BAD, "silent"
    if heard.leaving is not None:
        return c.Health.WARNING, "is being shut down"
    if view.reconcile is not None and row.id in view.reconcile.waiting:
        return c.Health.WARNING, "not reconciled"
    if heard.reports_service_failed():
        return c.Health.BAD, "recording service cannot start"
    if heard.reports_all_disks_lost():
        return c.Health.BAD, "all disks lost"
    return _connected_condition(view, seen, row, heard)


def _broken_condition(heard: Heard) -> str:
    """What keeps a replaced recorder that is heard from its cameras; if nothing does, it is connected again (SPEC 10)."""
    if heard.reports_service_failed():
        return "recording service cannot start"
    if not heard.service_heard():
        return "connected, recording service not heard"
    return "all disks lost" if heard.reports_all_disks_lost() else CONNECTED_AGAIN


def _connected_condition(view: View, seen: Seen, row: Recorder, heard: Heard) -> tuple[c.Health, str]:
    beat = heard.beat
    if heard.service_state() is ServiceState.STARTING:
        return c.Health.WARNING, "recording service starting"
    if beat is None or not heard.service_heard():
        return c.Health.WARNING, "Watchdog heard, recording service not yet" if beat is None else "recording service not heard"
    lost = sum(1 for disk in beat.disks if not disk.writable)
    if lost:
        return c.Health.WARNING, f"{lost} disk lost" if lost == 1 else f"{lost} disks lost"
    if _refusal(seen, row) is not None:
        return c.Health.WARNING, "refuses an order"
    match row.assignment:
        case Standby():
            failed = beat.self_test is not None and not beat.self_test.passed
            return (c.Health.WARNING, "standby, self-test failed") if failed else (c.Health.GOOD, "standby")
        case Reserved(for_recorder=recorder):
            return c.Health.WARNING, f"reserved for {name_of(view, recorder)}"
    if row.records and beat.mode is not Mode.RECORDING:
        return c.Health.WARNING, "starting to record"
    if not beat.cameras and any(camera.moves for camera in row.settings.cameras):
        return c.Health.WARNING, "opening its cameras"
    idle = _idle_cameras(beat)
    if idle is not None:
        return idle
    if isinstance(row.assignment, Acting):
        return c.Health.GOOD, f"acting for {name_of(view, row.assignment.for_recorder)}"
    objection = why_not_automatic(view, row)
    if objection is not None:
        return c.Health.WARNING, objection
    if row.documents is None:
        return c.Health.WARNING, "settings not cached yet"
    if isinstance(row.assignment, Recording) and not _standby_in(view, seen, row):
        return c.Health.WARNING, "no failover server free"
    return c.Health.GOOD, "ready"


def _refusal(seen: Seen, row: Recorder) -> RefusedOrder | None:
    """The order that it refuses to obey. That a service which does not run takes none is no news: the Watchdog says the one."""
    refused = seen.refused_orders.get(row.id)
    return refused if refused is not None and refused.reason is not RefusalReason.SERVICE_DOWN else None


def _idle_cameras(beat: Beat) -> tuple[c.Health, str] | None:
    """Cameras that are not recorded: what is only being opened, or has its one session elsewhere, is not dark yet (SPEC 13.2).

    One that is off by its schedule is none of them.
    """
    states = [camera.state for camera in beat.cameras if camera.state is not CameraState.OFF]
    opening, busy = states.count(CameraState.CONNECTING), states.count(CameraState.BUSY)
    idle = len(states) - states.count(CameraState.RECORDING) - states.count(CameraState.WAITING)
    dark = idle - opening - busy
    if dark:
        return c.Health.BAD if idle == len(states) else c.Health.WARNING, f"{idle} of {len(states)} cameras dark"
    if busy:
        return c.Health.WARNING, f"{busy} of {len(states)} cameras busy"
    return (c.Health.WARNING, f"opening {opening} of {len(states)} cameras") if opening else None


def _standby_in(view: View, seen: Seen, row: Recorder) -> bool:
    members = view.members.get(row.group, set()) if row.group is not None else set()
    servers = (view.recorders[member] for member in members)
    return any(server.role is Role.FAILOVER and isinstance(server.assignment, Standby) and seen.connected(server.id) for server in servers)


def name_of(view: View, recorder: RecorderId) -> str:
    row = view.recorders.get(recorder)
    return row.name if row is not None else recorder


# ---------------------------------------------------------------- the system


def system_row(
    view: View, seen: Seen, now: Instant, *, site: str, practice: bool, lag_ms: int, ready: Mapping[c.Ready, int]
) -> c.SystemRow:
    """The coordinator in plain words. ready: how many servers are how ready."""
    watched = len(view.recorders)
    found = findings(view, seen)
    if seen.listening.deaf(now):
        state, health = c.CoordinatorState.DEAF, c.Health.BAD
        sentence = "The coordinator cannot hear its own beacon: nobody is blamed for silence until it can"
    elif view.reconcile is not None and not view.reconcile.confirmed:
        state, health = c.CoordinatorState.RECONCILE, c.Health.BAD
        sentence = "Reconciling: automatic failover is held until what differs is confirmed"
    else:
        state, health = c.CoordinatorState.WATCHING, c.Health.GOOD if watched else c.Health.UNKNOWN
        sentence = f"Watching {watched} servers" if watched != 1 else "Watching 1 server"
    return c.SystemRow(
        site=site,
        state=state,
        sentence=sentence,
        health=health,
        practice=practice,
        watched=watched,
        ready=ready.get(c.Ready.READY, 0),
        limited=ready.get(c.Ready.LIMITED, 0),
        not_ready=ready.get(c.Ready.NOT_READY, 0),
        lag_ms=lag_ms,
        findings=found,
        waiting_for=tuple(sorted(view.reconcile.waiting)) if view.reconcile is not None else (),
        unknown=tuple(
            c.UnknownServer(id=beat.recorder, version=beat.version, cameras=len(beat.cameras), standby=beat.home is None)
            for beat in seen.unknown.values()
            if beat.recorder not in view.recorders
        ),
        alarms=_alarms(view, seen, now),
        settings=view.settings,
        settings_revision=view.settings_revision,
        maintenance=tuple(view.maintenance.values()),
        backup=view.backups.manual,
        baseline=view.backups.baseline.file,
        brake=_brake_row(view, seen, now),
    )


def _brake_row(view: View, seen: Seen, now: Instant) -> c.BrakeRow | None:
    brake = view.brake
    if brake is None:
        return None
    limit_s, since_ms = view.settings.brake_limit_s, seen.brake_since_ms
    left_ms = max(0, limit_s * 1000 - (now.mono_ms - since_ms)) if limit_s is not None and since_ms is not None else None
    return c.BrakeRow(
        since_wall_ms=brake.since_wall_ms,
        lost=brake.lost,
        watched=brake.watched,
        waiting=len(waiting_for_brake(view, seen, now)),
        goes_on_in_ms=left_ms,
    )


def _safety_alarms(view: View, seen: Seen, now: Instant) -> list[c.Alarm]:
    alarms: list[c.Alarm] = []
    if view.brake is not None:
        sentence = (
            f"{view.brake.lost} of {view.brake.watched} recorders fell silent together: automatic failover is held by the mass-loss brake. "
            "Look at the network between the coordinator and the recorders."
        )
        alarms.append(c.Alarm(key="brake", sentence=sentence, since_wall_ms=view.brake.since_wall_ms, health=c.Health.BAD))
    if crash_loop(view, seen, now):
        sentence = "The coordinator started three times within 10 min; see its log file for why it ended, then acknowledge this."
        alarms.append(c.Alarm(key=CRASH_LOOP, sentence=sentence, since_wall_ms=view.starts[-1], health=c.Health.BAD))
    return alarms


def _alarms(view: View, seen: Seen, now: Instant) -> tuple[c.Alarm, ...]:
    alarms = _safety_alarms(view, seen, now)
    if view.reconcile is not None:
        alarms.append(c.Alarm(key="reconcile", sentence=view.reconcile.sentence, since_wall_ms=seen.started.wall_ms, health=c.Health.BAD))
    # Looked at four times a second: only those of which there may be something to say.
    for recorder in sorted({*seen.odd, *seen.refused_orders}):
        row, heard = view.recorders.get(recorder), seen.recorders.get(recorder)
        if row is None or heard is None:
            continue
        if heard.rival is not None and now.mono_ms - heard.rival_ms < RIVAL_MS:
            sentence = f"Two servers announce themselves as {row.id}; the newer one is refused: give it an id of its own."
            alarms.append(c.Alarm(key=f"rival {row.id}", sentence=sentence, since_wall_ms=heard.rival_since_wall_ms, health=c.Health.BAD))
        refused = _refusal(seen, row)
        if refused is not None:
            sentence = f"{row.name} refuses what system data wants of it: {refused.sentence}"
            alarms.append(c.Alarm(key=f"refused {row.id}", sentence=sentence, since_wall_ms=refused.since_wall_ms))
        if heard.clock_off_wall_ms and seen.connected(row.id):
            sentence = f"The clock of {row.name} is more than {CLOCK_OFF_MS // 1000} s off; set it, so that gaps can be measured."
            alarms.append(c.Alarm(key=f"clock {row.id}", sentence=sentence, since_wall_ms=heard.clock_off_wall_ms))
    alarms += [_hold_alarm(view, recorder) for recorder in view.holds]
    alarms += [_failback_alarm(view, recorder) for recorder in view.failback_holds]
    alarms += complaint_alarms(view, seen)
    alarms += queue_alarms(view)
    alarms += undone_alarms(view)
    alarms += baseline_alarms(view)
    alarms += copy_alarms(view, seen, now)
    return tuple(alarms)


def _hold_alarm(view: View, recorder: RecorderId) -> c.Alarm:
    hold = view.holds[recorder]
    sentence = f"Automatic failover of {name_of(view, recorder)} is {hold.cause}; release it when that is over."
    return c.Alarm(key=f"hold {recorder}", sentence=sentence, since_wall_ms=hold.since_wall_ms)


def _failback_alarm(view: View, recorder: RecorderId) -> c.Alarm:
    hold = view.failback_holds[recorder]
    sentence = f"Automatic failback of {name_of(view, recorder)} is {hold.cause}; acknowledge it when you have seen why."
    return c.Alarm(key=f"failback {recorder}", sentence=sentence, since_wall_ms=hold.since_wall_ms)
