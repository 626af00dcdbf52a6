"""What is to be done outside, as `outstanding` finds it in the state.

Each is safe to repeat, and is repeated until the state no longer asks for it.
"""

from __future__ import annotations

import msgspec

from sysmanager.domain.backup import BackupKind, RecoveryKey
from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.ids import FailoverId, RecorderId
from sysmanager.protocol.probes import Probe
from sysmanager.protocol.recorders import Order


class SendOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Send the order and bring back the answer as `OrderAnswered`, or `OrderUndelivered`."""

    recorder: RecorderId
    order: Order


class AskProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Ask a server about a recorder; answer `Probed`. An answer that does not come is none."""

    server: RecorderId
    probe: Probe


class FetchDocuments(msgspec.Struct, frozen=True, kw_only=True):
    """Fetch these documents from the recorder into the cache; answer `DocumentsFetched`."""

    recorder: RecorderId
    documents: DocumentSet


class CheckCache(msgspec.Struct, frozen=True, kw_only=True):
    """Look whether the documents are in the cache and sound; answer `DocumentsInCache`."""

    failover: FailoverId
    documents: DocumentSet


class Continue(msgspec.Struct, frozen=True, kw_only=True):
    """The next step needs nothing from outside: review the entry, now that the last one is durable."""

    failover: FailoverId


class MakeBackup(msgspec.Struct, frozen=True, kw_only=True):
    """Make a system backup of the journal as it is, and of the documents that it names; answer `BackupEnded`."""

    number: int
    kind: BackupKind
    recovery: RecoveryKey | None = None


Command = SendOrder | AskProbe | FetchDocuments | CheckCache | Continue | MakeBackup
