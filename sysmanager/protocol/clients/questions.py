"""What a client may ask to know: previews and look-ups, which change nothing, and their answers."""

from __future__ import annotations

import msgspec

from sysmanager.domain.comparison import Change
from sysmanager.domain.failover import NotMoved, Verdict
from sysmanager.domain.ids import CameraId, FailoverId, GroupId, RecorderId
from sysmanager.domain.rights import Actor
from sysmanager.protocol.clients.backup import BackupPart, ReadBackup
from sysmanager.protocol.clients.gaps import GapTotals, MeasuredGaps
from sysmanager.protocol.clients.level import Level
from sysmanager.protocol.clients.log import AuditFound, EntriesFound, FindAudit, FindEntries, ShowEntry
from sysmanager.protocol.clients.readiness import Landings, WhoLandsWhere
from sysmanager.protocol.clients.requests import Done, Refused, Request
from sysmanager.protocol.pictures import Picture


class PreviewFailover(msgspec.Struct, frozen=True, kw_only=True, tag="preview-failover", forbid_unknown_fields=True):
    """What would happen if the failover of this recorder were started by hand now (SPEC 14.2)? Changes nothing."""

    recorder: RecorderId


class PreviewFailback(msgspec.Struct, frozen=True, kw_only=True, tag="preview-failback", forbid_unknown_fields=True):
    failover: FailoverId


class PreviewAdoption(msgspec.Struct, frozen=True, kw_only=True, tag="preview-adoption", forbid_unknown_fields=True):
    """What would happen if this recorder, which was replaced, were taken in as a failover server of the group now?"""

    recorder: RecorderId
    group: GroupId


class PreviewSwitch(msgspec.Struct, frozen=True, kw_only=True, tag="preview-switch", forbid_unknown_fields=True):
    """What would a planned switch of this recorder do now?"""

    recorder: RecorderId


class WhoRecords(msgspec.Struct, frozen=True, kw_only=True, tag="who-records", forbid_unknown_fields=True):
    """Which recorder holds the footage of a camera at a moment (SPEC 17)? `at_wall_ms`: milliseconds since 1970."""

    camera: CameraId
    at_wall_ms: int


class ShowPicture(msgspec.Struct, frozen=True, kw_only=True, tag="show-picture", forbid_unknown_fields=True):
    """The last picture of a camera that is listed with this server; whoever records it now is asked."""

    recorder: RecorderId
    camera: CameraId


ViewQuestion = PreviewFailover | PreviewFailback | PreviewAdoption | PreviewSwitch | WhoRecords | WhoLandsWhere | MeasuredGaps
"""Answered from what the coordinator has in memory."""

LogQuestion = FindEntries | ShowEntry | FindAudit
"""Answered from the history."""

Question = ViewQuestion | LogQuestion | ReadBackup | ShowPicture


class Check(msgspec.Struct, frozen=True, kw_only=True):
    level: Level
    sentence: str


class ExpectedGap(msgspec.Struct, frozen=True, kw_only=True):
    """How long a camera that allows one session will be dark while it changes hands."""

    camera: CameraId
    gap_ms: int


class MovingCamera(msgspec.Struct, frozen=True, kw_only=True):
    """A camera that would change hands. sentence: what it would be like, in a few words."""

    camera: CameraId
    sentence: str


class Preview(msgspec.Struct, frozen=True, kw_only=True, tag="preview"):
    """The same decision that would be taken, computed without taking it.

    allowed: whether the request would be accepted. target: who would record afterwards. moves: cameras that change hands.
    moving: the same with a word on each (failover and planned switch).
    vca_off: of those, cameras whose video content analysis stays off. preroll_s: seconds before the failover that the target holds.
    handed_over_singly: cameras that allow one session only. expected_gaps: of these, the gap to expect while
    they change hands. changes: made on the failover server meanwhile; they travel back (failback).
    """

    allowed: bool
    checks: tuple[Check, ...]
    target: RecorderId | None = None
    verdicts: tuple[Verdict, ...] = ()
    moves: tuple[CameraId, ...] = ()
    stays: tuple[NotMoved, ...] = ()
    to_do: tuple[str, ...] = ()
    moving: tuple[MovingCamera, ...] = ()
    vca_off: tuple[CameraId, ...] = ()
    preroll_s: int = 0
    handed_over_singly: tuple[CameraId, ...] = ()
    expected_gaps: tuple[ExpectedGap, ...] = ()
    changes: tuple[Change, ...] = ()


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A recorder that held a camera in a span of time; `until_wall_ms` 0 while it still does."""

    recorder: RecorderId
    from_wall_ms: int
    until_wall_ms: int = 0


class Holders(msgspec.Struct, frozen=True, kw_only=True, tag="holders"):
    """Answer to `WhoRecords`; more than one where two recorded at once, none where nobody did."""

    holders: tuple[Holder, ...] = ()


Answer = Preview | Holders | EntriesFound | AuditFound | BackupPart | Landings | GapTotals | Picture | Refused


class Call(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request or question on its way to a coordinator elsewhere. actor: the session; what it may do the coordinator decides."""

    actor: Actor
    body: Request | Question


Returned = Done | Refused | Preview | Holders | EntriesFound | AuditFound | BackupPart | Landings | GapTotals | Picture
"""What comes back for a `Call`."""
