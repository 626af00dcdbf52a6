"""What the outside of a simulated server tells its machine: how documents came, and how its disks are."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from sysmanager.domain.documents import DocumentSet, SettingsDocument, summary_of
from sysmanager.domain.ids import DocumentHash
from sysmanager.protocol.recorders import DiskBeat, RefusalReason
from sysmanager.recorder import machine as m


def documents_came(documents: DocumentSet, contents: Mapping[DocumentHash, bytes] | None) -> m.DocumentsReady | m.DocumentsFailed:
    """The end of a fetch; None: they did not come in time."""
    reason, sentence = RefusalReason.DOCUMENTS_MISSING, "The coordinator did not give the documents in time."
    if contents is not None:
        try:
            settings = summary_of(msgspec.json.decode(contents[documents.settings], type=SettingsDocument))
            return m.DocumentsReady(documents=documents, settings=settings)
        except msgspec.DecodeError:
            reason, sentence = RefusalReason.DOCUMENTS_UNREADABLE, "The settings document cannot be read."
    return m.DocumentsFailed(documents=documents, reason=reason, sentence=sentence)


def disk_beats(labels: tuple[str, ...], lost: Collection[str], total_mb: int) -> tuple[DiskBeat, ...]:
    """A quarter of each is full."""
    return tuple(
        DiskBeat(label, label not in lost, total_mb * 3 // 4, total_mb, "cannot be written" if label in lost else "") for label in labels
    )
