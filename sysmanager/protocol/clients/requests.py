"""What a client may ask to be done, the right that each request needs, and the replies (SPEC 12)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.failover import Reason
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, FailoverId, GroupId, JobId, RecorderId
from sysmanager.domain.recorder import RecorderEdit
from sysmanager.domain.rights import Right
from sysmanager.protocol.clients.backup import BackUp
from sysmanager.protocol.clients.readiness import AcceptSharedMachine
from sysmanager.protocol.clients.rows import Finding
from sysmanager.protocol.clients.safety import AcknowledgeAlarm, EditSystem, EndMaintenance, SafetyRequest, StartMaintenance


class StartFailover(msgspec.Struct, frozen=True, kw_only=True, tag="start-failover", forbid_unknown_fields=True):
    """Start a failover of the recorder by hand (SPEC 4.5).

    maintenance: whether the recorder is in maintenance from then on, so that it does not come back by itself (SPEC 13.6).
    """

    recorder: RecorderId
    maintenance: bool = True


class AbortFailover(msgspec.Struct, frozen=True, kw_only=True, tag="abort-failover", forbid_unknown_fields=True):
    """End a failover before its commit point; automatic failover of the recorder is then held (SPEC 6)."""

    failover: FailoverId


class HoldFailover(msgspec.Struct, frozen=True, kw_only=True, tag="hold-failover", forbid_unknown_fields=True):
    """Stop the countdown of the recorder until it is released (SPEC 4)."""

    recorder: RecorderId


class ReleaseHold(msgspec.Struct, frozen=True, kw_only=True, tag="release-hold", forbid_unknown_fields=True):
    """End a hold, whether a person set it or an abort or a failure did."""

    recorder: RecorderId


class StartFailback(msgspec.Struct, frozen=True, kw_only=True, tag="start-failback", forbid_unknown_fields=True):
    """Give the tasks back to the recorder that was replaced (SPEC 8).

    leave_dark: go on although up to 10 % of the cameras give the recorder no frame. Else it is undone, as the failover server records them.
    """

    failover: FailoverId
    leave_dark: bool = False


class SwitchOver(msgspec.Struct, frozen=True, kw_only=True, tag="switch-over", forbid_unknown_fields=True):
    """Relieve a healthy recorder: a failover server records its cameras first, then it stops (planned switch, SPEC 14.3)."""

    recorder: RecorderId


class AdoptServer(msgspec.Struct, frozen=True, kw_only=True, tag="adopt-server", forbid_unknown_fields=True):
    """Take a recorder that was replaced in as a failover server of the group; who acts for it keeps its cameras for good (SPEC 10)."""

    recorder: RecorderId
    group: GroupId


class HoldFailback(msgspec.Struct, frozen=True, kw_only=True, tag="hold-failback", forbid_unknown_fields=True):
    """Stop automatic failback of the recorder until it is released. A failback by hand goes on to be possible."""

    recorder: RecorderId


class ReleaseFailback(msgspec.Struct, frozen=True, kw_only=True, tag="release-failback", forbid_unknown_fields=True):
    """Acknowledge why automatic failback of the recorder is held, and let it run again (SPEC 13.5)."""

    recorder: RecorderId


class StartCopy(msgspec.Struct, frozen=True, kw_only=True, tag="start-copy", forbid_unknown_fields=True):
    """Copy the footage of an entry of the failover log to where its cameras live (SPEC 9)."""

    failover: FailoverId


class StartDrill(msgspec.Struct, frozen=True, kw_only=True, tag="start-drill", forbid_unknown_fields=True):
    """Let the failover server that would take over from this recorder try it, while the recorder goes on (SPEC 14.3)."""

    recorder: RecorderId


class PauseJob(msgspec.Struct, frozen=True, kw_only=True, tag="pause-job", forbid_unknown_fields=True):
    """Let a material copy rest until it is resumed."""

    job: JobId


class ResumeJob(msgspec.Struct, frozen=True, kw_only=True, tag="resume-job", forbid_unknown_fields=True):
    job: JobId


class CancelJob(msgspec.Struct, frozen=True, kw_only=True, tag="cancel-job", forbid_unknown_fields=True):
    """End a material copy or a drill for good. What was copied stays."""

    job: JobId


class AddRecorder(msgspec.Struct, frozen=True, kw_only=True, tag="add-recorder", forbid_unknown_fields=True):
    """Take a server into system data. `id` is the one under which it announces itself."""

    id: RecorderId
    fields: RecorderEdit


class EditRecorder(msgspec.Struct, frozen=True, kw_only=True, tag="edit-recorder", forbid_unknown_fields=True):
    """Change general settings. Refused when `revision` is not the row's present one, so that no edit overwrites another unseen."""

    recorder: RecorderId
    revision: int
    fields: RecorderEdit


class RemoveRecorder(msgspec.Struct, frozen=True, kw_only=True, tag="remove-recorder", forbid_unknown_fields=True):
    """Take a server out of system data. Of one that was replaced the acting server keeps the cameras for good (SPEC 10)."""

    recorder: RecorderId


class SaveGroup(msgspec.Struct, frozen=True, kw_only=True, tag="save-group", forbid_unknown_fields=True):
    """Add a group, or change the one with this id."""

    group: Group


class RemoveGroup(msgspec.Struct, frozen=True, kw_only=True, tag="remove-group", forbid_unknown_fields=True):
    group: GroupId


class ConfirmReconcile(msgspec.Struct, frozen=True, kw_only=True, tag="confirm-reconcile", forbid_unknown_fields=True):
    """Accept the findings that were shown and end the reconcile (SPEC 7). Refused when other findings have come since.

    findings: the `Finding`s that the person saw.
    """

    findings: tuple[Finding, ...]


class CommentEntry(msgspec.Struct, frozen=True, kw_only=True, tag="comment-entry", forbid_unknown_fields=True):
    """Write a comment on an entry of the failover log, open or ended (SPEC 11). Comments are never edited."""

    failover: FailoverId
    text: str


class TickToDo(msgspec.Struct, frozen=True, kw_only=True, tag="tick-to-do", forbid_unknown_fields=True):
    """Say that a line of the to-do list of an entry was done, or take that back. item: its place in the list, from 0."""

    failover: FailoverId
    item: int
    done: bool = True


class ReleaseCamera(msgspec.Struct, frozen=True, kw_only=True, tag="release-camera", forbid_unknown_fields=True):
    """Let a camera out of quarantine on this server, so that it is opened again before its time (SPEC 16)."""

    recorder: RecorderId
    camera: CameraId


Request = (
    StartFailover
    | AbortFailover
    | HoldFailover
    | ReleaseHold
    | StartFailback
    | SwitchOver
    | AdoptServer
    | HoldFailback
    | ReleaseFailback
    | StartCopy
    | StartDrill
    | PauseJob
    | ResumeJob
    | CancelJob
    | AddRecorder
    | EditRecorder
    | RemoveRecorder
    | SaveGroup
    | RemoveGroup
    | ConfirmReconcile
    | CommentEntry
    | TickToDo
    | SafetyRequest
    | BackUp
    | AcceptSharedMachine
    | ReleaseCamera
)


RIGHT_FOR: dict[type, Right] = {
    StartFailover: Right.FAILOVER,
    AbortFailover: Right.FAILOVER,
    HoldFailover: Right.FAILOVER,
    ReleaseHold: Right.FAILOVER,
    StartFailback: Right.FAILOVER,
    SwitchOver: Right.FAILOVER,
    AdoptServer: Right.SETTINGS,
    HoldFailback: Right.FAILOVER,
    ReleaseFailback: Right.FAILOVER,
    StartCopy: Right.FAILOVER,
    StartDrill: Right.FAILOVER,
    PauseJob: Right.FAILOVER,
    ResumeJob: Right.FAILOVER,
    CancelJob: Right.FAILOVER,
    AddRecorder: Right.SETTINGS,
    EditRecorder: Right.SETTINGS,
    RemoveRecorder: Right.SETTINGS,
    SaveGroup: Right.SETTINGS,
    RemoveGroup: Right.SETTINGS,
    ConfirmReconcile: Right.SETTINGS,
    CommentEntry: Right.FAILOVER,
    TickToDo: Right.FAILOVER,
    EditSystem: Right.SETTINGS,
    StartMaintenance: Right.FAILOVER,
    EndMaintenance: Right.FAILOVER,
    BackUp: Right.SETTINGS,
    AcceptSharedMachine: Right.SETTINGS,
    AcknowledgeAlarm: Right.FAILOVER,
    ReleaseCamera: Right.FAILOVER,
}
"""The right that each request needs (SPEC 12)."""


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The request is durable. `failover`, `job`: the entry or job that it started or changed; `sentence`: what happened.

    backup: number of the backup that is being made; 0 if that was not asked for.
    """

    sentence: str
    failover: FailoverId | None = None
    backup: int = 0
    job: JobId | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The request changed nothing. `sentence` says why and what to do; `reason` where the log has one for it."""

    sentence: str
    reason: Reason | None = None


Reply = Done | Refused
