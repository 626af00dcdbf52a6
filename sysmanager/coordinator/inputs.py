"""Everything that can make the coordinator decide. Each input is one frozen value; the moment comes beside it."""

from __future__ import annotations

import msgspec

from sysmanager.domain.backup import BackupFile, BackupKind
from sysmanager.domain.documents import DocumentKind, DocumentSet, SettingsSummary
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import FailoverId, JobId, RecorderId
from sysmanager.domain.rights import Actor
from sysmanager.protocol.clients import Request
from sysmanager.protocol.probes import Probe, ProbeAnswer
from sysmanager.protocol.recorders import FromRecorder, Leaving, Order, OrderAnswer


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The journal was read and the coordinator begins. damage: what was found wrong with the journal, one sentence."""

    damage: str | None = None


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A heartbeat arrived."""

    message: FromRecorder


class CanaryReturned(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinator heard its own beacon. sent_mono_ms, over_ms: when it had sent it, as of an `Instant`."""

    sent_mono_ms: int
    over_ms: int = 0


class Announced(msgspec.Struct, frozen=True, kw_only=True):
    """A recorder said that it is about to be shut down or restarted, and waits for a word (SPEC 4)."""

    message: Leaving


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """Look at a recorder again: a deadline of it was reached, or something it depends on changed."""

    recorder: RecorderId


class ReviewFailover(msgspec.Struct, frozen=True, kw_only=True):
    """Look at an open entry again."""

    failover: FailoverId


class ReviewSite(msgspec.Struct, frozen=True):
    """Look at what concerns the site as a whole: a deadline of it was reached."""


class ReviewJob(msgspec.Struct, frozen=True, kw_only=True):
    """Look at an open job again."""

    job: JobId


class LookAtDrills(msgspec.Struct, frozen=True):
    """Look whether a scheduled drill is due."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A client's request, from a session with a role.

    entry: what the history has of the entry that the request names, where that has left memory.
    """

    actor: Actor
    request: Request
    entry: Failover | None = None


class TurnedAway(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody asked for something that was refused before it could be decided, and was told so; for the audit log.

    request: its kind, empty where it could not be read.
    """

    actor: Actor
    request: str
    sentence: str


class RefusalsDue(msgspec.Struct, frozen=True, kw_only=True):
    """Refusals that were folded are to be written into the audit log."""


class OrderAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """A recorder answered an order."""

    recorder: RecorderId
    order: Order
    answer: OrderAnswer


class OrderUndelivered(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody answered an order in time. It is sent again as long as it is outstanding."""

    recorder: RecorderId
    order: Order


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """A server was asked about a recorder. answer: None if it did not answer."""

    server: RecorderId
    probe: Probe
    answer: ProbeAnswer | None


class DocumentsFetched(msgspec.Struct, frozen=True, kw_only=True):
    """The documents of a recorder were fetched, verified and synced into the cache."""

    recorder: RecorderId
    documents: DocumentSet
    settings: SettingsSummary


class DocumentsInCache(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a look into the cache for step 3 of a failover. missing: what is not there or damaged."""

    failover: FailoverId
    documents: DocumentSet
    missing: tuple[DocumentKind, ...] = ()


class ReviewBackup(msgspec.Struct, frozen=True, kw_only=True):
    """Look at the baseline again: a failover ended, or its time is over."""


class BackupEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A backup was made, or, without a file, could not be made. sentence: why."""

    number: int
    kind: BackupKind
    file: BackupFile | None = None
    sentence: str = ""


Input = (
    Started
    | Heard
    | CanaryReturned
    | Announced
    | Review
    | ReviewFailover
    | ReviewSite
    | ReviewJob
    | LookAtDrills
    | Asked
    | TurnedAway
    | RefusalsDue
    | OrderAnswered
    | OrderUndelivered
    | Probed
    | DocumentsFetched
    | DocumentsInCache
    | ReviewBackup
    | BackupEnded
)
