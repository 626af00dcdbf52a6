"""What can change the state of the interface. Past tense: it has happened."""

from __future__ import annotations

import msgspec

from sysmanager.api import AuditFound, Changes, EntriesFound, Snapshot
from sysmanager.domain.ids import CameraId, FailoverId, JobId, RecorderId
from sysmanager.domain.recorder import RecorderEdit
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.ui.state.log_pages import LogQuery
from sysmanager.ui.state.model import Forecast, Link, Place, Running, Tone
from sysmanager.ui.state.pictures import ShownPicture


class SnapshotArrived(msgspec.Struct, frozen=True):
    snapshot: Snapshot


class ChangesArrived(msgspec.Struct, frozen=True):
    changes: Changes


class LinkChanged(msgspec.Struct, frozen=True):
    link: Link
    sentence: str = ""


class SessionChanged(msgspec.Struct, frozen=True):
    actor: Actor
    offered: tuple[RoleName, ...] = ()


class PracticeOffered(msgspec.Struct, frozen=True):
    """The levers of the demo are there."""


class PlaceSelected(msgspec.Struct, frozen=True):
    """Something was chosen in the tree; `recorder` is set where that is a server."""

    place: Place
    recorder: RecorderId | None = None


class FailoverSelected(msgspec.Struct, frozen=True):
    failover: FailoverId | None


class JobSelected(msgspec.Struct, frozen=True):
    job: JobId | None


class CameraSelected(msgspec.Struct, frozen=True):
    """A camera was chosen in the list of a server, or none."""

    recorder: RecorderId
    camera: CameraId | None


class PictureArrived(msgspec.Struct, frozen=True):
    """The picture of a camera came, or a sentence why not."""

    shown: ShownPicture


class LogFiltered(msgspec.Struct, frozen=True):
    """A person searches the failover log for words."""

    text: str


class LogAsked(msgspec.Struct, frozen=True):
    """A person filters or sorts the failover log."""

    query: LogQuery


class LogPageArrived(msgspec.Struct, frozen=True):
    """The page of the failover log after `after` came, or a sentence why not."""

    query: LogQuery
    after: str
    found: EntriesFound | str


class AuditAsked(msgspec.Struct, frozen=True):
    search: str


class AuditArrived(msgspec.Struct, frozen=True):
    search: str
    after: str
    found: AuditFound | str


class FieldsEdited(msgspec.Struct, frozen=True):
    """A field of the selected server's general settings was changed on the screen."""

    recorder: RecorderId
    fields: RecorderEdit


class DraftDropped(msgspec.Struct, frozen=True):
    """What was edited of a server is saved or given up."""

    recorder: RecorderId


class ForecastArrived(msgspec.Struct, frozen=True):
    forecast: Forecast


class OperationStarted(msgspec.Struct, frozen=True):
    running: Running


class OperationSlow(msgspec.Struct, frozen=True):
    key: str


class OperationEnded(msgspec.Struct, frozen=True):
    key: str


class NoticeShown(msgspec.Struct, frozen=True):
    tone: Tone
    sentence: str


class NoticeDismissed(msgspec.Struct, frozen=True):
    number: int


FromCoordinator = SnapshotArrived | ChangesArrived
"""Events that may come many times a second; the store merges what follows from them."""

Event = (
    FromCoordinator
    | LinkChanged
    | SessionChanged
    | PracticeOffered
    | PlaceSelected
    | FailoverSelected
    | JobSelected
    | CameraSelected
    | PictureArrived
    | LogFiltered
    | LogAsked
    | LogPageArrived
    | AuditAsked
    | AuditArrived
    | FieldsEdited
    | DraftDropped
    | ForecastArrived
    | OperationStarted
    | OperationSlow
    | OperationEnded
    | NoticeShown
    | NoticeDismissed
)
