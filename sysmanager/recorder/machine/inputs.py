"""Everything that can make the machine of a recording service move. The moment comes beside the input."""

from __future__ import annotations

import msgspec

from sysmanager.domain.documents import DocumentSet, SettingsSummary
from sysmanager.protocol.recorders import Beacon, CameraBeat, DiskBeat, Order, RefusalReason, Standing
from sysmanager.recorder.machine.state import Persisted


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The service begins with what was found on the disk, its boot count already grown.

    doubtful: the state file was lost or damaged, so that even a standby asks before it believes what it found.
    """

    persisted: Persisted
    doubtful: bool = False


class Tick(msgspec.Struct, frozen=True):
    """Time went by. Wanted at `deadline_ms`, harmless at any other moment."""


class OrderReceived(msgspec.Struct, frozen=True, kw_only=True):
    """An order, or a question for footage. ticket: names the request that waits; the answer carries it."""

    ticket: int
    order: Order


class DocumentsReady(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to `FetchDocuments`: all three lie in the recorder's own store, synced and sound. settings: as read from them."""

    documents: DocumentSet
    settings: SettingsSummary


class DocumentsFailed(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to `FetchDocuments`. reason: DOCUMENTS_MISSING, DOCUMENTS_UNREADABLE or CANNOT_SAVE."""

    documents: DocumentSet
    reason: RefusalReason
    sentence: str


class Saved(msgspec.Struct, frozen=True):
    """Answer to `Persist`: it is durable."""


class SaveFailed(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to `Persist`: it is not."""

    sentence: str


class AskAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to `SendAsk`."""

    answer: Standing


class AskFailed(msgspec.Struct, frozen=True):
    """Answer to `SendAsk`: nobody answered."""


class BeaconHeard(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinator is there."""

    beacon: Beacon


class DisksChanged(msgspec.Struct, frozen=True, kw_only=True):
    """State of all material disks of the machine, in its order."""

    disks: tuple[DiskBeat, ...]


class CaptureReported(msgspec.Struct, frozen=True, kw_only=True):
    """State of all cameras that the service shall record."""

    cameras: tuple[CameraBeat, ...]


class ServiceStopped(msgspec.Struct, frozen=True, kw_only=True):
    """The recording service ends, or broke down. sentence: why; it is in the refusals from now on."""

    sentence: str


class RefuseByHand(msgspec.Struct, frozen=True, kw_only=True):
    """Simulation only: from now on refuse (or no longer refuse) settings that it is told to apply."""

    present: bool


Input = (
    Started
    | Tick
    | OrderReceived
    | DocumentsReady
    | DocumentsFailed
    | Saved
    | SaveFailed
    | AskAnswered
    | AskFailed
    | BeaconHeard
    | DisksChanged
    | CaptureReported
    | ServiceStopped
    | RefuseByHand
)
