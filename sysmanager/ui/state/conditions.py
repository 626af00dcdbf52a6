"""What a person may do now: for every action hidden, disabled with the reason, or enabled. Buttons, menus and tool tips share it.

The coordinator decides, whatever is shown here (SPEC 12); these conditions only spare people a refusal.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

import msgspec

from sysmanager.api import (
    RIGHT_FOR,
    AbortFailover,
    AcknowledgeAlarm,
    AddRecorder,
    AdoptServer,
    Alarm,
    BackUp,
    CameraState,
    CancelJob,
    ConfirmReconcile,
    Connection,
    CoordinatorState,
    EditRecorder,
    EndMaintenance,
    HoldFailback,
    HoldFailover,
    JobKind,
    JobPhase,
    PauseJob,
    RecorderRow,
    ReleaseCamera,
    ReleaseFailback,
    ReleaseHold,
    RemoveRecorder,
    ResumeJob,
    SaveGroup,
    StartCopy,
    StartDrill,
    StartFailback,
    StartFailover,
    StartMaintenance,
    SwitchOver,
)
from sysmanager.domain.failover import AttemptEnd, Failover, LogState, Phase
from sysmanager.domain.recorder import Acting, Broken, Reserved, Role, Standby
from sysmanager.domain.rights import Right, missing_right
from sysmanager.ui.state.forms import problem_with
from sysmanager.ui.state.log import name_of
from sysmanager.ui.state.model import Link, Place, UiState
from sysmanager.ui.state.tree import connected_standbys

CRASH_LOOP = "crash loop"
"""Key of the alarm that stays until somebody has seen it."""


class Action(StrEnum):
    """What can be done from the window. `…_ENTRY` acts on the selected entry of the failover log, the others on the selected server."""

    START_FAILOVER = "start failover"
    PREVIEW = "preview"
    FAILBACK = "failback"
    ABORT = "abort"
    SWITCH = "planned switch"
    DRILL = "drill"
    HOLD = "hold"
    RELEASE = "release"
    HOLD_FAILBACK = "hold failback"
    ACKNOWLEDGE = "acknowledge"
    MAINTENANCE = "maintenance"
    END_MAINTENANCE = "end maintenance"
    EDIT = "edit"
    SAVE = "save"
    REVERT = "revert"
    REMOVE_SERVER = "remove server"
    ADOPT = "adopt"
    ADD_SERVER = "add server"
    EDIT_GROUPS = "edit groups"
    CONFIRM_RECONCILE = "confirm reconcile"
    SYSTEM_SETTINGS = "system settings"
    ACKNOWLEDGE_ALARM = "acknowledge alarm"
    FAILBACK_ENTRY = "failback of entry"
    ABORT_ENTRY = "abort of entry"
    COPY_ENTRY = "copy material of entry"
    DETAILS = "details"
    PAUSE_JOB = "pause job"
    RESUME_JOB = "resume job"
    CANCEL_JOB = "cancel job"
    RELEASE_CAMERA = "release camera"
    BACK_UP = "back up"
    BREAK = "break"


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """`reason`: one sentence why a visible action is disabled; empty when it is enabled."""

    visible: bool = True
    reason: str = ""

    @property
    def enabled(self) -> bool:
        return self.visible and not self.reason


ENABLED = Condition()
HIDDEN = Condition(visible=False)


def disabled(reason: str) -> Condition:
    return Condition(reason=reason)


_RIGHTS: dict[Action, Right] = {
    Action.START_FAILOVER: RIGHT_FOR[StartFailover],
    Action.PREVIEW: Right.MONITOR,
    Action.FAILBACK: RIGHT_FOR[StartFailback],
    Action.ABORT: RIGHT_FOR[AbortFailover],
    Action.SWITCH: RIGHT_FOR[SwitchOver],
    Action.DRILL: RIGHT_FOR[StartDrill],
    Action.HOLD: RIGHT_FOR[HoldFailover],
    Action.RELEASE: RIGHT_FOR[ReleaseHold],
    Action.HOLD_FAILBACK: RIGHT_FOR[HoldFailback],
    Action.ACKNOWLEDGE: RIGHT_FOR[ReleaseFailback],
    Action.MAINTENANCE: RIGHT_FOR[StartMaintenance],
    Action.END_MAINTENANCE: RIGHT_FOR[EndMaintenance],
    Action.EDIT: RIGHT_FOR[EditRecorder],
    Action.SAVE: RIGHT_FOR[EditRecorder],
    Action.REVERT: RIGHT_FOR[EditRecorder],
    Action.REMOVE_SERVER: RIGHT_FOR[RemoveRecorder],
    Action.ADOPT: RIGHT_FOR[AdoptServer],
    Action.ADD_SERVER: RIGHT_FOR[AddRecorder],
    Action.EDIT_GROUPS: RIGHT_FOR[SaveGroup],
    Action.CONFIRM_RECONCILE: RIGHT_FOR[ConfirmReconcile],
    Action.SYSTEM_SETTINGS: Right.MONITOR,
    Action.ACKNOWLEDGE_ALARM: RIGHT_FOR[AcknowledgeAlarm],
    Action.FAILBACK_ENTRY: RIGHT_FOR[StartFailback],
    Action.ABORT_ENTRY: RIGHT_FOR[AbortFailover],
    Action.COPY_ENTRY: RIGHT_FOR[StartCopy],
    Action.DETAILS: Right.MONITOR,
    Action.PAUSE_JOB: RIGHT_FOR[PauseJob],
    Action.RESUME_JOB: RIGHT_FOR[ResumeJob],
    Action.CANCEL_JOB: RIGHT_FOR[CancelJob],
    Action.RELEASE_CAMERA: RIGHT_FOR[ReleaseCamera],
    Action.BACK_UP: RIGHT_FOR[BackUp],
    Action.BREAK: Right.MONITOR,
}

_LOCAL = frozenset({Action.REVERT, Action.DETAILS, Action.BREAK})
"""Actions that ask nothing of the coordinator."""

NO_LINK = "There is no connection to the coordinator; wait until it is back."
NO_SERVER = "No server is selected; select one in the tree."
NO_JOB = "No job is selected; select one in the list of jobs."
BACKUP_KEY = "backup"
NOT_RESTORED = "A restore is not finished; confirm what differs first."
NO_ENTRY = "No entry is selected; select one in the failover log."


def condition(action: Action, state: UiState) -> Condition:
    """Whether the action is shown and may be used now, and if not, why."""
    fits = _fits(action, state)
    if not fits.visible:
        return fits
    missing = missing_right(state.actor.role, _RIGHTS[action])
    if missing is not None:
        return disabled(missing)
    if state.link is not Link.CONNECTED and action not in _LOCAL:
        return disabled(NO_LINK)
    return fits


def _fits(action: Action, state: UiState) -> Condition:
    """The condition apart from rights and connection."""
    match action:
        case Action.ADD_SERVER | Action.EDIT_GROUPS:
            return ENABLED
        case Action.BACK_UP:
            return disabled(NOT_RESTORED) if _reconciling(state) else _busy(BACKUP_KEY, state)
        case Action.BREAK:
            return ENABLED if state.practice else HIDDEN
        case Action.SYSTEM_SETTINGS:
            return ENABLED if state.system is not None else HIDDEN
        case Action.ACKNOWLEDGE_ALARM:
            return _busy("alarm", state) if crash_loop_alarm(state) is not None else HIDDEN
        case Action.CONFIRM_RECONCILE:
            return _busy("reconcile", state) if _reconciling(state) else HIDDEN
        case Action.DETAILS:
            return ENABLED if state.entry is not None else disabled(NO_ENTRY)
        case Action.FAILBACK_ENTRY:
            return _failback(state.entry, state, NO_ENTRY)
        case Action.ABORT_ENTRY:
            return _abort(state.entry, state) if state.entry is not None else disabled(NO_ENTRY)
        case Action.COPY_ENTRY:
            return copy_condition(state.entry, state)
        case Action.PAUSE_JOB | Action.RESUME_JOB | Action.CANCEL_JOB:
            return job_condition(action, state)
        case _:
            row = state.row
            if row is None or state.place is not Place.SERVER:
                return disabled(NO_SERVER)
            return _fits_server(action, row, state)


def _fits_server(action: Action, row: RecorderRow, state: UiState) -> Condition:
    match action:
        case Action.START_FAILOVER:
            return _start_failover(row, state)
        case Action.SWITCH:
            return _switch(row, state)
        case Action.DRILL:
            return _drill(row, state)
        case Action.PREVIEW:
            return HIDDEN if isinstance(row.assignment, Standby | Reserved | Broken) else ENABLED
        case Action.FAILBACK:
            return _failback(_failover_of(row, state), state, "") if isinstance(row.assignment, Broken | Acting) else HIDDEN
        case Action.ABORT:
            running = _failover_of(row, state)
            return _abort(running, state) if running is not None and (running.phase.before_commit or running.phase.failing_back) else HIDDEN
        case Action.HOLD:
            return _hold(row, state)
        case Action.RELEASE:
            return _busy(f"hold:{row.id}", state) if row.hold is not None else HIDDEN
        case Action.HOLD_FAILBACK:
            return _hold_failback(row, state)
        case Action.ACKNOWLEDGE:
            return _busy(f"failback:{row.id}", state) if row.failback_hold is not None else HIDDEN
        case Action.MAINTENANCE:
            return _busy("maintenance", state)
        case Action.END_MAINTENANCE:
            return _busy("maintenance", state) if row.maintenance is not None else HIDDEN
        case Action.EDIT:
            return _editable(row)
        case Action.SAVE:
            return _save(row, state)
        case Action.REVERT:
            return ENABLED if state.draft is not None else disabled("Nothing was changed.")
        case Action.REMOVE_SERVER:
            return _remove(row, state)
        case Action.RELEASE_CAMERA:
            return _release_camera(row, state)
        case Action.ADOPT:
            return _adopt(row, state)
        case (
            Action.ADD_SERVER
            | Action.EDIT_GROUPS
            | Action.BACK_UP
            | Action.BREAK
            | Action.CONFIRM_RECONCILE
            | Action.SYSTEM_SETTINGS
            | Action.ACKNOWLEDGE_ALARM
            | Action.DETAILS
            | Action.FAILBACK_ENTRY
            | Action.ABORT_ENTRY
            | Action.COPY_ENTRY
            | Action.PAUSE_JOB
            | Action.RESUME_JOB
            | Action.CANCEL_JOB
        ):
            return disabled(NO_SERVER)
        case _:
            assert_never(action)


def _busy(key: str, state: UiState) -> Condition:
    """Disabled while the same command waits for its answer, so that a second press does not send it twice."""
    for running in state.running:
        if running.key == key:
            return disabled(f"{running.sentence} Wait for the answer of the coordinator.")
    return ENABLED


def crash_loop_alarm(state: UiState) -> Alarm | None:
    """The alarm that the coordinator starts again and again, while it waits for somebody to see it."""
    alarms = state.system.alarms if state.system is not None else ()
    return next((alarm for alarm in alarms if alarm.key == CRASH_LOOP), None)


def _reconciling(state: UiState) -> bool:
    return state.system is not None and state.system.state is CoordinatorState.RECONCILE


def _failover_of(row: RecorderRow, state: UiState) -> Failover | None:
    if row.failover is not None:
        return state.failovers.get(row.failover)
    if isinstance(row.assignment, Broken | Acting | Reserved):
        return state.failovers.get(row.assignment.failover)
    return None


def _start_failover(row: RecorderRow, state: UiState) -> Condition:
    """SPEC 4.5: a connected failover server of the same group, failover enabled, and the right; all else is a warning in the preview."""
    if isinstance(row.assignment, Standby | Reserved | Broken):
        return HIDDEN
    if _reconciling(state):
        return disabled("The coordinator does not yet know who records what; look at the findings above and confirm them first.")
    running = _failover_of(row, state)
    if running is not None and running.recorder == row.id and running.phase.before_commit and running.phase is not Phase.WAITING:
        return disabled(f"A failover of {row.name} is already {_state_words(running)}; watch it in the failover log.")
    if not row.failover_enabled:
        return disabled(f"Failover is switched off for {row.name}; tick “Fail over this server when it breaks down” and save.")
    group = row.group
    if isinstance(row.assignment, Acting):
        home = state.recorders.get(row.assignment.for_recorder)
        if home is not None:
            group = home.group
            if home.connection is Connection.CONNECTED and isinstance(home.assignment, Broken):
                return _busy(f"server:{row.id}", state)
    if group is None or group not in state.groups:
        return disabled(f"{row.name} is in no failover group; choose one and save.")
    if not connected_standbys(group, state.recorders.values()):
        name = state.groups[group].name
        return disabled(f"No failover server of the group {name} is free and connected; connect one, or add one to the group.")
    return _busy(f"server:{row.id}", state)


def _switch(row: RecorderRow, state: UiState) -> Condition:
    """A planned switch relieves a server that records; all else is as in a failover by hand."""
    fits = _start_failover(row, state)
    if fits.enabled and row.connection is not Connection.CONNECTED:
        return disabled(f"{row.name} is not connected; a planned switch relieves a server that records. Start a failover instead.")
    return fits


def _drill(row: RecorderRow, state: UiState) -> Condition:
    fits = _start_failover(row, state)
    running = next(
        (job for job in state.jobs.values() if not job.phase.ended and job.kind is JobKind.DRILL and job.recorder == row.id), None
    )
    if fits.enabled and running is not None:
        return disabled(f"The drill {running.id} of {row.name} is running; watch it in the list of jobs.")
    return fits


def copy_condition(failover: Failover | None, state: UiState) -> Condition:
    """Footage goes home once the failover is over (SPEC 9)."""
    if failover is None:
        return disabled(NO_ENTRY)
    if not failover.phase.ended:
        return disabled("Footage is copied to its recorder when the failover is over; fail back first.")
    if failover.copy is not None and failover.copy.phase is JobPhase.READY:
        return disabled("The footage of it is at home already.")
    if failover.copy is not None and not failover.copy.phase.ended:
        return disabled(f"The footage of it is on its way home; see {failover.copy.job} in the list of jobs.")
    if not any(attempt.end is not AttemptEnd.REFUSED for attempt in failover.attempts):
        return disabled("No failover server recorded anything in it.")
    return _busy(f"failover:{failover.id}", state)


def job_condition(action: Action, state: UiState) -> Condition:
    """What can be done with the selected job."""
    job = state.job
    if job is None:
        return disabled(NO_JOB) if action is not Action.RESUME_JOB else HIDDEN
    if (action is Action.RESUME_JOB) is not job.paused and action is not Action.CANCEL_JOB:
        return HIDDEN
    if job.phase.ended:
        return disabled(f"{job.id} has ended: {job.phase.value}.")
    if action is Action.PAUSE_JOB and job.kind is JobKind.DRILL:
        return disabled("A drill cannot be paused; it is over within a minute.")
    return _busy(f"job:{job.id}", state)


def _state_words(failover: Failover) -> str:
    return "waiting" if failover.phase in (Phase.WAITING, Phase.QUEUED) else "in progress"


def _failback(failover: Failover | None, state: UiState, nothing: str) -> Condition:
    """SPEC 8, conditions 1 to 5, as far as the rows show them."""
    if failover is None:
        return disabled(nothing or "Its entry is not in the failover log any more; take the server out of system data and add it again.")
    if failover.phase is Phase.FAILBACK_UNDOING:
        return disabled("A failback of it is being undone; start it again when the failover server has all cameras again.")
    if failover.phase.failing_back:
        return disabled("A failback of it is already in progress; watch it in the failover log.")
    if failover.log_state not in (LogState.FAILOVER_READY, LogState.FAILBACK_FAILED) or failover.phase is not Phase.READY:
        return disabled(f"Failback needs the state “{LogState.FAILOVER_READY.value}”; this one is: {failover.log_state.value}.")
    home = state.recorders.get(failover.home)
    name = name_of(failover.home, state)
    if home is None:
        return disabled(f"{name} is no longer in system data; add it again.")
    if not isinstance(home.assignment, Broken):
        return disabled(f"{name} is not broken any more; there is nothing to give back.")
    if home.connection is not Connection.CONNECTED:
        return disabled(f"{name} is not connected; switch it on and wait until it is.")
    if not home.failover_enabled:
        return disabled(f"Failover is switched off for {name}; tick “Fail over this server when it breaks down” and save.")
    if home.disks and not any(disk.writable for disk in home.disks):
        return disabled(f"{name} can write to none of its material disks; repair them first.")
    return _busy(f"failover:{failover.id}", state)


def _abort(failover: Failover | None, state: UiState) -> Condition:
    if failover is None:
        return disabled(NO_ENTRY)
    if failover.phase.before_commit or failover.phase.failback_before_commit:
        return _busy(f"failover:{failover.id}", state)
    if failover.phase.ended or failover.phase is Phase.READY:
        return disabled(f"There is nothing to abort; the entry is: {failover.log_state.value}.")
    if failover.phase is Phase.FAILBACK_UNDOING:
        return disabled("The failback is being undone already; the failover server gets its cameras back one by one.")
    if failover.phase.failing_back:
        return disabled("The failback is past its commit point; wait until it is done, then start a failover.")
    return disabled("The failover server has taken over already; use Failback to return.")


def _hold(row: RecorderRow, state: UiState) -> Condition:
    if row.hold is not None or isinstance(row.assignment, Standby | Reserved | Broken):
        return HIDDEN
    if not row.failover_enabled:
        return disabled(f"Failover is switched off for {row.name}; there is nothing to hold.")
    return _busy(f"hold:{row.id}", state)


def _hold_failback(row: RecorderRow, state: UiState) -> Condition:
    """Only while it counts: else there is nothing to stop, and the settings say whether it may happen at all."""
    if row.failback_hold is not None or row.failback_in_ms is None:
        return HIDDEN
    return _busy(f"failback:{row.id}", state)


def _editable(row: RecorderRow) -> Condition:
    if isinstance(row.assignment, Broken):
        return disabled(f"{row.name} is broken and replaced; its settings are locked until a failback.")
    return ENABLED


def _save(row: RecorderRow, state: UiState) -> Condition:
    editable = _editable(row)
    if not editable.enabled:
        return editable
    draft = state.draft
    if draft is None:
        return disabled("Nothing was changed.")
    problem = state.conflict or problem_with(draft.fields, state, own=row.id)
    return disabled(problem) if problem is not None else _busy(f"edit:{row.id}", state)


def _release_camera(row: RecorderRow, state: UiState) -> Condition:
    """Shown while the camera that is chosen in the list of the server is in quarantine there (SPEC 16)."""
    chosen = state.picture.camera if state.picture is not None and state.picture.recorder == row.id else None
    if all(camera.id != chosen or camera.state is not CameraState.QUARANTINED for camera in row.cameras):
        return HIDDEN
    return _busy(f"camera:{chosen}", state)


def _kept_by_another(row: RecorderRow, state: UiState) -> str:
    """Why the server that acts for a replaced one cannot keep its cameras now; empty if it can (SPEC 10)."""
    failover = _failover_of(row, state)
    if failover is None:
        return "Its entry is not in the failover log any more."
    if failover.phase is not Phase.READY:
        return f"The entry {failover.id} is “{failover.log_state.value}”; wait until it is “{LogState.FAILOVER_READY.value}”."
    return ""


def _adopt(row: RecorderRow, state: UiState) -> Condition:
    if not isinstance(row.assignment, Broken) or row.role is Role.FAILOVER:
        return HIDDEN
    reason = _kept_by_another(row, state)
    return disabled(reason) if reason else _busy(f"adopt:{row.id}", state)


def _remove(row: RecorderRow, state: UiState) -> Condition:
    match row.assignment:
        case Acting(for_recorder=home):
            return disabled(f"{row.name} records for {name_of(home, state)}; fail back first.")
        case Reserved(for_recorder=home):
            return disabled(f"{row.name} is about to take over from {name_of(home, state)}; wait until that is done.")
        case Broken() if row.role is Role.STANDARD:
            reason = _kept_by_another(row, state)
            return disabled(reason) if reason else _busy(f"remove:{row.id}", state)
        case _:
            running = _failover_of(row, state)
            if running is not None and running.log_state in (LogState.FAILOVER_RUNNING, LogState.FAILBACK_RUNNING):
                return disabled(f"A failover or failback of {row.name} is in progress; wait until it is done.")
            return _busy(f"remove:{row.id}", state)
