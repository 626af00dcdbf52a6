"""The cache of recorder documents (SPEC 3): fetched from recorders, verified by hash, read for a failover."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import msgspec
import structlog

from sysmanager.bus.port import BusError
from sysmanager.coordinator.state import View
from sysmanager.documents.port import DocumentError, DocumentStore, StoreName
from sysmanager.domain.comparison import Contents
from sysmanager.domain.documents import (
    DocumentKind,
    DocumentSet,
    MasksDocument,
    SchedulesDocument,
    SettingsDocument,
    SettingsSummary,
    summary_of,
)
from sysmanager.domain.ids import DocumentHash, RecorderId

log = structlog.get_logger(__name__)

_STORES = {
    DocumentKind.SETTINGS: StoreName.SETTINGS,
    DocumentKind.MASKS: StoreName.MASKS,
    DocumentKind.SCHEDULES: StoreName.SCHEDULES,
}

Fetch = Callable[[RecorderId, DocumentKind, DocumentHash], Awaitable[bytes]]
"""Gets one document from a recorder. Raises BusError."""


FETCH_PAUSES_S = (0.0, 1.0, 2.0, 5.0)
"""Pauses before documents of a recorder are fetched again, beside the core's own; the last one is repeated."""

FETCHES_AT_ONCE = 32
"""Of so many recorders documents are fetched at a time: after a start all of them may have news, and heartbeats must be heard meanwhile."""

SUMMARY_LIMIT_BYTES = 256 * 1024
"""What the journal keeps of a recorder's settings; about a thousand cameras. More does not fit its records."""


def store_of(kind: DocumentKind) -> StoreName:
    return _STORES[kind]


def named_documents(view: View) -> frozenset[tuple[StoreName, str]]:
    """All documents that system data and the open entries name: what a backup holds beside the journal."""
    sets = [row.documents for row in view.recorders.values()]
    for failover in view.open:
        entry = view.failovers[failover]
        sets += [entry.documents, entry.failback.documents if entry.failback is not None else None]
    return frozenset((store_of(kind), named.hash_of(kind)) for named in sets if named is not None for kind in DocumentKind)


class DocumentCache:
    """The three stores, and how they are filled."""

    def __init__(self, store: DocumentStore, fetch: Fetch) -> None:
        self._store = store
        self._fetch = fetch

    async def take_in(self, recorder: RecorderId, documents: DocumentSet) -> SettingsSummary | None:
        """Have all three documents in the cache, synced; None if one could not be had or makes no sense."""
        settings: bytes | None = None
        for kind in DocumentKind:
            content = await self._have(recorder, kind, documents.hash_of(kind))
            if content is None:
                return None
            if kind is DocumentKind.SETTINGS:
                settings = content
        assert settings is not None, "settings are one of the kinds"
        try:
            summary = summary_of(msgspec.json.decode(settings, type=SettingsDocument))
        except msgspec.DecodeError as error:
            log.warning("settings document not understood", recorder=recorder, why=str(error))
            return None
        size_bytes = len(msgspec.json.encode(summary))
        if size_bytes > SUMMARY_LIMIT_BYTES:
            log.warning("settings document too large", recorder=recorder, bytes=size_bytes, limit=SUMMARY_LIMIT_BYTES)
            return None
        return summary

    async def opened(self, documents: DocumentSet) -> Contents | None:
        """The content of all three documents, as far as they are in the cache and sound; None if one is not."""
        found = {kind: await self._read(kind, documents.hash_of(kind)) for kind in DocumentKind}
        settings, masks, schedules = (found[kind] for kind in (DocumentKind.SETTINGS, DocumentKind.MASKS, DocumentKind.SCHEDULES))
        if settings is None or masks is None or schedules is None:
            return None
        try:
            return Contents(
                settings=msgspec.json.decode(settings, type=SettingsDocument),
                masks=msgspec.json.decode(masks, type=MasksDocument),
                schedules=msgspec.json.decode(schedules, type=SchedulesDocument),
            )
        except msgspec.DecodeError as error:
            log.warning("document not understood", why=str(error))
            return None

    async def all_opened(self, wanted: Iterable[DocumentSet]) -> dict[DocumentSet, Contents]:
        """Those of them that could be read."""
        found = {documents: await self.opened(documents) for documents in wanted}
        return {documents: contents for documents, contents in found.items() if contents is not None}

    async def missing(self, recorder: RecorderId | None, documents: DocumentSet) -> tuple[DocumentKind, ...]:
        """Which of the documents are not in the cache and sound; tries to fetch those from the recorder, if one is named."""
        absent = []
        for kind in DocumentKind:
            document_hash = documents.hash_of(kind)
            found = await self._read(kind, document_hash)
            if found is None and recorder is not None:
                found = await self._have(recorder, kind, document_hash)
            if found is None:
                absent.append(kind)
        return tuple(absent)

    async def _read(self, kind: DocumentKind, document_hash: DocumentHash) -> bytes | None:
        try:
            return await self._store.get(store_of(kind), document_hash)
        except DocumentError as error:
            log.info("document not in the cache", kind=kind.value, why=str(error))
            return None

    async def _have(self, recorder: RecorderId, kind: DocumentKind, document_hash: DocumentHash) -> bytes | None:
        try:
            if await self._store.has(store_of(kind), document_hash):
                found = await self._read(kind, document_hash)
                if found is not None:
                    return found
            content = await self._fetch(recorder, kind, document_hash)
            await self._store.put(store_of(kind), document_hash, content)
        except (BusError, DocumentError) as error:
            log.info("document not fetched", recorder=recorder, kind=kind.value, why=str(error))
            return None
        return content
