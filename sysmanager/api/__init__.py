"""The public, versioned interface for other programs (SPEC 17).

    client = await connect(credentials_file)      # a coordinator elsewhere
    snapshot = await client.snapshot()
    async for changes in client.changes(): ...
    reply = await client.request(StartFailover(recorder=RecorderId("TA-REC-03")))

Within one major number of `API_VERSION` fields and requests are only added.
"""

from __future__ import annotations

from sysmanager.api.bus_client import BusClient, connect
from sysmanager.api.client import API_VERSION, Client, ClientError
from sysmanager.domain.failover import CameraGap, Failover, LogState, Phase, Reason, Severity, Trigger
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, FailoverId, GroupId, RecorderId
from sysmanager.domain.recorder import RecorderEdit, Role
from sysmanager.domain.rights import Actor, Right, RoleName
from sysmanager.protocol.clients import (
    RIGHT_FOR,
    AbortFailover,
    AddRecorder,
    Alarm,
    Answer,
    CameraRow,
    Changes,
    Check,
    ConfirmReconcile,
    Connection,
    CoordinatorState,
    DiskRow,
    Done,
    EditRecorder,
    Finding,
    Health,
    HoldCause,
    Holder,
    Holders,
    HoldFailover,
    HoldRow,
    Level,
    Preview,
    PreviewFailback,
    PreviewFailover,
    Question,
    RecorderRow,
    Refused,
    ReleaseHold,
    RemoveGroup,
    RemoveRecorder,
    Reply,
    Request,
    SaveGroup,
    Snapshot,
    StartFailback,
    StartFailover,
    SystemRow,
    UnknownServer,
    WhoRecords,
)
from sysmanager.protocol.practice import FAULT_SENTENCES, Fault, PracticeControls, PracticeServer
from sysmanager.protocol.recorders import CameraState, ServiceState

__all__ = [
    "API_VERSION",
    "FAULT_SENTENCES",
    "RIGHT_FOR",
    "AbortFailover",
    "Actor",
    "AddRecorder",
    "Alarm",
    "Answer",
    "BusClient",
    "CameraGap",
    "CameraId",
    "CameraRow",
    "CameraState",
    "Changes",
    "Check",
    "Client",
    "ClientError",
    "ConfirmReconcile",
    "Connection",
    "CoordinatorState",
    "DiskRow",
    "Done",
    "EditRecorder",
    "Failover",
    "FailoverId",
    "Fault",
    "Finding",
    "Group",
    "GroupId",
    "Health",
    "HoldCause",
    "HoldFailover",
    "HoldRow",
    "Holder",
    "Holders",
    "Level",
    "LogState",
    "Phase",
    "PracticeControls",
    "PracticeServer",
    "Preview",
    "PreviewFailback",
    "PreviewFailover",
    "Question",
    "Reason",
    "RecorderEdit",
    "RecorderId",
    "RecorderRow",
    "Refused",
    "ReleaseHold",
    "RemoveGroup",
    "RemoveRecorder",
    "Reply",
    "Request",
    "Right",
    "Role",
    "RoleName",
    "SaveGroup",
    "ServiceState",
    "Severity",
    "Snapshot",
    "StartFailback",
    "StartFailover",
    "SystemRow",
    "Trigger",
    "UnknownServer",
    "WhoRecords",
    "connect",
]
