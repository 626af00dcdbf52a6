"""The state of the interface: one frozen value, from which everything on the screen follows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from sysmanager.api import JobRow, Preview, RecorderRow, SystemRow
from sysmanager.domain.failover import Failover
from sysmanager.domain.group import Group
from sysmanager.domain.ids import FailoverId, GroupId, JobId, RecorderId
from sysmanager.domain.recorder import RecorderEdit
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.ui.state.log_pages import AuditPages, LogPages
from sysmanager.ui.state.pictures import ShownPicture

NOTICE_LIMIT = 3
"""So many notices are shown at once; the oldest goes first."""


class Tone(StrEnum):
    """What a text or picture wants to say by its colour. The theme knows the colours."""

    INK = "ink"
    MUTED = "muted"
    ACCENT = "accent"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


class Link(StrEnum):
    """Whether this program hears its coordinator."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"


class Place(StrEnum):
    """What is selected in the server tree."""

    NOTHING = "nothing"
    SITE = "site"
    SERVER = "server"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence about something that just happened. `tone` good, warning or bad."""

    number: int
    tone: Tone
    sentence: str


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a server that were changed on the screen and not saved yet.

    base: the fields, and revision: the row's revision, from which the editing began.
    """

    recorder: RecorderId
    revision: int
    base: RecorderEdit
    fields: RecorderEdit


def tidied(fields: RecorderEdit) -> RecorderEdit:
    """Without blanks around what was typed."""
    texts = {field: getattr(fields, field).strip() for field in ("name", "address", "failback_hours")}
    return msgspec.structs.replace(fields, **texts)


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen if `recorder` failed now; `preview` None where the coordinator only said a sentence."""

    recorder: RecorderId
    preview: Preview | None
    sentence: str = ""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's command that waits for its answer. `slow`: for longer than 100 ms, so that progress is shown."""

    key: str
    sentence: str
    slow: bool = False


class UiState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the interface shows.

    recorders, groups, failovers: the coordinator's rows by id; of the failover log those told live.
    log, audit: pages of the long logs. place, selected: what is chosen in the tree.
    picture: of the camera that is chosen in the list of a server.
    offered: roles between which the session may switch, empty where it may not. practice: whether the demo's levers are there.
    """

    actor: Actor
    link: Link = Link.CONNECTING
    link_sentence: str = ""
    system: SystemRow | None = None
    groups: Mapping[GroupId, Group] = MappingProxyType({})
    recorders: Mapping[RecorderId, RecorderRow] = MappingProxyType({})
    failovers: Mapping[FailoverId, Failover] = MappingProxyType({})
    jobs: Mapping[JobId, JobRow] = MappingProxyType({})
    selected_job: JobId | None = None
    picture: ShownPicture | None = None
    place: Place = Place.NOTHING
    selected: RecorderId | None = None
    selected_failover: FailoverId | None = None
    log: LogPages = LogPages()
    audit: AuditPages = AuditPages()
    drafts: Mapping[RecorderId, Draft] = MappingProxyType({})
    forecast: Forecast | None = None
    running: tuple[Running, ...] = ()
    notices: tuple[Notice, ...] = ()
    notices_shown: int = 0
    offered: tuple[RoleName, ...] = ()
    practice: bool = False

    @property
    def job(self) -> JobRow | None:
        """The selected job."""
        return self.jobs.get(self.selected_job) if self.selected_job is not None else None

    @property
    def row(self) -> RecorderRow | None:
        """The row of the selected server."""
        return self.recorders.get(self.selected) if self.selected is not None else None

    @property
    def entry(self) -> Failover | None:
        """The selected entry of the failover log."""
        return self.entry_of(self.selected_failover) if self.selected_failover is not None else None

    def entry_of(self, failover: FailoverId) -> Failover | None:
        """An entry of the failover log, told live or come in a page."""
        return self.failovers.get(failover) or self.log.entries.get(failover)

    @property
    def draft(self) -> Draft | None:
        """What was changed of the selected server on the screen and is not saved."""
        return self.drafts.get(self.selected) if self.selected is not None else None

    @property
    def loaded(self) -> bool:
        """Whether the coordinator has said anything yet."""
        return self.system is not None

    @property
    def fields(self) -> RecorderEdit | None:
        """The general settings as the form shows them: the draft, else the row."""
        row = self.row
        if row is None:
            return None
        return self.draft.fields if self.draft is not None else row.edit

    @property
    def conflict(self) -> str | None:
        """One sentence if somebody else changed the server while its settings were being edited here."""
        draft, row = self.draft, self.row
        # What is there already as it was entered is one's own change, announced before the answer to it.
        if draft is None or row is None or row.revision == draft.revision or row.edit == tidied(draft.fields):
            return None
        return "Somebody else changed these settings while you were editing them; press Revert to see them, then enter yours again."
