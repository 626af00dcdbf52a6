"""What the machine wants done. Effects of one step are carried out in their order; a kill between any two of them is recovered from."""

from __future__ import annotations

import msgspec

from sysmanager.domain.camera import Camera
from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.ids import CameraId, DocumentHash, Epoch, RecorderId
from sysmanager.protocol.jobs import JobOrder
from sysmanager.protocol.preroll import KeepPreroll
from sysmanager.protocol.recorders import Ask, LetOut, OrderAnswer, ReportFootage
from sysmanager.recorder.machine.state import Persisted


class Persist(msgspec.Struct, frozen=True, kw_only=True):
    """Make this durable, then input `Saved` or `SaveFailed`."""

    persisted: Persisted


class FetchDocuments(msgspec.Struct, frozen=True, kw_only=True):
    """Have all three documents durable in the own store (from the coordinator if they are not there), verified by their hash.

    Then input `DocumentsReady` or `DocumentsFailed`. Bounded in time.
    """

    documents: DocumentSet


class ForgetDocuments(msgspec.Struct, frozen=True, kw_only=True):
    """Remove all documents but these from the own store. Footage stays."""

    keep: frozenset[DocumentHash]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to the request that carries `ticket`."""

    ticket: int
    answer: OrderAnswer


class ReadFootage(msgspec.Struct, frozen=True, kw_only=True):
    """Answer the request from the index of the material. goes_on: see `Footage`."""

    ticket: int
    question: ReportFootage
    goes_on: bool = False


class CarryOutJob(msgspec.Struct, frozen=True, kw_only=True):
    """An order of a job (material copy, drill), or to let a camera out of quarantine. It is taken or refused in the answer to the request
    that carries `ticket`.

    It touches neither the task nor what is durable of it.
    """

    ticket: int
    order: JobOrder | LetOut


class CapturePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to record. cameras: in the order in which to open them. disks: labels to write to, empty for all of the machine.

    home: whose cameras they are. epoch: stamped into the material. left: cameras of the settings that are not opened.
    """

    epoch: Epoch
    home: RecorderId
    documents: DocumentSet | None
    cameras: tuple[Camera, ...]
    left: tuple[CameraId, ...]
    disks: tuple[str, ...]
    retention_days: int


class StartCapture(msgspec.Struct, frozen=True, kw_only=True):
    """Open all cameras of the plan at once."""

    plan: CapturePlan


class ChangeCapture(msgspec.Struct, frozen=True, kw_only=True):
    """Go over to the plan; cameras that are in both plans unchanged are not interrupted."""

    plan: CapturePlan


class StopCapture(msgspec.Struct, frozen=True):
    """Close all cameras and segments. Footage stays."""


class FollowPreroll(msgspec.Struct, frozen=True, kw_only=True):
    """Keep the last seconds of these cameras, and of no others. `StartCapture` takes over what is kept of the cameras of its plan: it is
    written first; the rest is given up. The end of the service gives up all."""

    order: KeepPreroll


class SendAsk(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the coordinator, then input `AskAnswered` or `AskFailed`."""

    ask: Ask


class SendBeatNow(msgspec.Struct, frozen=True):
    """What a heartbeat shows has changed."""


class Say(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence for the log. warning: a person should look at it."""

    sentence: str
    warning: bool = False


Effect = (
    Persist
    | FetchDocuments
    | ForgetDocuments
    | Answer
    | ReadFootage
    | CarryOutJob
    | StartCapture
    | ChangeCapture
    | StopCapture
    | FollowPreroll
    | SendAsk
    | SendBeatNow
    | Say
)
Effects = tuple[Effect, ...]
