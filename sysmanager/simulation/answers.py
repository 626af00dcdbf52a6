"""What the outside of a simulated server tells its machine: how documents came."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sysmanager.domain.documents import DocumentSet, SettingsDocument, summary_of
from sysmanager.domain.ids import DocumentHash
from sysmanager.protocol.recorders import RefusalReason
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
