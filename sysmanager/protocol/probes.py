"""What servers ask of one another for the coordinator: whether they reach a recorder, or its cameras (SPEC 4.4, 13.3, 13.4).

The coordinator asks a failover server (`Probe`); that asks the recorder over the bus (`PeerQuestion`), or the cameras themselves.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.protocol.values import CAMERAS_LIMIT

PROBE_MS = 2_500
"""How long the coordinator waits for the answer to a probe."""

PEER_MS = 800
"""How long a server waits for another one."""

REACH_MS = 1_800
"""How long a server tries to reach cameras, all of them at once."""

Cameras = Annotated[tuple[CameraId, ...], msgspec.Meta(max_length=CAMERAS_LIMIT)]


class ProbeRecorder(msgspec.Struct, frozen=True, kw_only=True, tag="probe-recorder"):
    """Do you reach this recorder, and does it say that it records?"""

    recorder: RecorderId


class ProbeCameras(msgspec.Struct, frozen=True, kw_only=True, tag="probe-cameras"):
    """Which of these cameras do you reach? Their addresses are in the settings of `documents`. No picture is taken."""

    recorder: RecorderId
    documents: DocumentSet
    cameras: Cameras


Probe = ProbeRecorder | ProbeCameras


class RecorderProbed(msgspec.Struct, frozen=True, kw_only=True, tag="recorder-probed"):
    """Answer: whether the recorder answered, and whether it said that cameras give it frames."""

    reached: bool
    records: bool = False


class CamerasProbed(msgspec.Struct, frozen=True, kw_only=True, tag="cameras-probed"):
    """Answer: the cameras that were reached."""

    reached: Cameras = ()


class ProbeFailed(msgspec.Struct, frozen=True, kw_only=True, tag="probe-failed"):
    """Answer: it could not be tried, which says nothing about the other side."""

    sentence: str


ProbeAnswer = RecorderProbed | CamerasProbed | ProbeFailed


class PeerQuestion(msgspec.Struct, frozen=True, kw_only=True, tag="peer-question"):
    """From server to server: are you there, and do you record?"""

    asker: RecorderId


class PeerAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="peer-answer"):
    recorder: RecorderId
    records: bool
