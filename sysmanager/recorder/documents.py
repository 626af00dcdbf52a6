"""The documents that a recorder holds: read from its own store, fetched by hash from the coordinator, given to it, forgotten (SPEC 3)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from sysmanager.bus.port import BusError
from sysmanager.documents.port import DocumentDamaged, DocumentError, DocumentHashMismatch, DocumentMissing, DocumentStore, StoreName
from sysmanager.domain.documents import (
    DocumentKind,
    DocumentSet,
    MasksDocument,
    SchedulesDocument,
    SettingsDocument,
    summary_of,
)
from sysmanager.domain.ids import DocumentHash
from sysmanager.protocol.recorders import FetchDocument, RefusalReason
from sysmanager.recorder.first_settings import settings_problem, without_value
from sysmanager.recorder.machine import DocumentsFailed, DocumentsReady

log = structlog.get_logger(__name__)

STORES = {
    DocumentKind.SETTINGS: StoreName.SETTINGS,
    DocumentKind.MASKS: StoreName.MASKS,
    DocumentKind.SCHEDULES: StoreName.SCHEDULES,
}
_TYPES: dict[DocumentKind, type] = {
    DocumentKind.SETTINGS: SettingsDocument,
    DocumentKind.MASKS: MasksDocument,
    DocumentKind.SCHEDULES: SchedulesDocument,
}

_Document = SettingsDocument | MasksDocument | SchedulesDocument

Fetch = Callable[[FetchDocument], Awaitable[bytes]]
"""Gets the content of one document from the coordinator. Raises BusError; empty when the coordinator does not have it."""

Held = Callable[[], frozenset[DocumentHash]]
"""The documents that are needed at this moment."""


class RecorderDocuments:
    """A store, and how it is filled and emptied. `settings_of` and its neighbours give what was made ready, parsed."""

    def __init__(self, store: DocumentStore, fetch: Fetch) -> None:
        self._store = store
        self._fetch = fetch
        self._changing = asyncio.Lock()
        self._parsed: dict[DocumentHash, _Document] = {}

    def settings_of(self, document_hash: DocumentHash) -> SettingsDocument | None:
        found = self._parsed.get(document_hash)
        return found if isinstance(found, SettingsDocument) else None

    def schedules_of(self, document_hash: DocumentHash) -> SchedulesDocument | None:
        found = self._parsed.get(document_hash)
        return found if isinstance(found, SchedulesDocument) else None

    def masks_of(self, document_hash: DocumentHash) -> MasksDocument | None:
        found = self._parsed.get(document_hash)
        return found if isinstance(found, MasksDocument) else None

    async def make_ready(self, documents: DocumentSet) -> DocumentsReady | DocumentsFailed:
        """Have all three durable, sound and understood."""
        results = await asyncio.gather(*(self._have(kind, documents.hash_of(kind)) for kind in DocumentKind))
        parsed: dict[DocumentHash, _Document] = {}
        for kind, result in zip(DocumentKind, results, strict=True):
            if isinstance(result, _Problem):
                return DocumentsFailed(documents=documents, reason=result.reason, sentence=result.sentence)
            parsed[documents.hash_of(kind)] = result
        self._parsed.update(parsed)
        settings = next(each for each in parsed.values() if isinstance(each, SettingsDocument))
        return DocumentsReady(documents=documents, settings=summary_of(settings))

    async def content(self, wanted: FetchDocument) -> bytes:
        """For the coordinator: the bare content. Raises DocumentError."""
        return await self._store.get(STORES[wanted.kind], wanted.hash)

    async def forget_all_but(self, keep: frozenset[DocumentHash], held: Held) -> None:
        """Remove what is neither in `keep` nor, at that moment, held. Raises DocumentError."""
        async with self._changing:
            for store in StoreName:
                for found in await self._store.list(store):
                    document_hash = DocumentHash(found)
                    if document_hash not in keep and document_hash not in held():
                        await self._store.remove(store, document_hash)
        for document_hash in self._parsed.keys() - keep - held():
            del self._parsed[document_hash]

    async def _have(self, kind: DocumentKind, document_hash: DocumentHash) -> _Document | _Problem:
        """The parsed document."""
        try:
            async with self._changing:
                content = await self._store.get(STORES[kind], document_hash)
        except (DocumentMissing, DocumentDamaged) as error:
            if isinstance(error, DocumentDamaged):
                log.warning("a document of this recorder is damaged", why=str(error))
            fetched = await self._fetched(kind, document_hash)
            if isinstance(fetched, _Problem):
                return fetched
            content = fetched
        except DocumentError as error:
            return _Problem(reason=RefusalReason.CANNOT_SAVE, sentence=str(error))
        return _understood(kind, content)

    async def _fetched(self, kind: DocumentKind, document_hash: DocumentHash) -> bytes | _Problem:
        try:
            content = await self._fetch(FetchDocument(kind=kind, hash=document_hash))
            if not content:
                return _Problem(reason=RefusalReason.DOCUMENTS_MISSING, sentence=f"The coordinator has no such {kind.value} document.")
            async with self._changing:
                await self._store.put(STORES[kind], document_hash, content)
        except BusError as error:
            return _Problem(reason=RefusalReason.DOCUMENTS_MISSING, sentence=f"The {kind.value} document can't be fetched: {error}")
        except DocumentHashMismatch as error:
            return _Problem(reason=RefusalReason.DOCUMENTS_UNREADABLE, sentence=str(error))
        except DocumentError as error:
            return _Problem(reason=RefusalReason.CANNOT_SAVE, sentence=str(error))
        return content


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    reason: RefusalReason
    sentence: str


def _understood(kind: DocumentKind, content: bytes) -> _Document | _Problem:
    try:
        document: _Document = msgspec.json.decode(content, type=_TYPES[kind])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        sentence = f"The {kind.value} document is not understood: {without_value(error)}."
        return _Problem(reason=RefusalReason.DOCUMENTS_UNREADABLE, sentence=sentence)
    if isinstance(document, SettingsDocument) and (problem := settings_problem(document)):
        return _Problem(reason=RefusalReason.DOCUMENTS_UNREADABLE, sentence=f"The {kind.value} document is wrong: {problem}.")
    return document
