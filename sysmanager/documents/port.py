"""The document stores: immutable documents, named by their hash (SPEC 3). The journal alone says which one is current.

They know bytes only. Every implementation passes tests/contract/test_documents_contract.py.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Protocol

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "DocumentDamaged",
    "DocumentError",
    "DocumentHashMismatch",
    "DocumentMissing",
    "DocumentStore",
    "DocumentStoreFailed",
    "SiteKeyUnusable",
    "StoreName",
    "Verify",
    "check_new_document",
    "is_document_hash",
]

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024

_HASH = re.compile(r"[0-9a-f]{64}")


class StoreName(Enum):
    """The value is the name of the folder (or bucket)."""

    SETTINGS = "RecorderSettingsStore"
    MASKS = "RecorderMasksStore"
    SCHEDULES = "RecorderSchedulesStore"


class DocumentError(Exception):
    """Base of what a document store raises; its text is one sentence for people."""


class DocumentMissing(DocumentError):
    """No such document, or its hash is none."""

    def __init__(self, store: StoreName, document_hash: str) -> None:
        super().__init__(f"The document {document_hash[:64]} is not in {store.value}; it must be fetched from its recorder.")
        self.store = store
        self.document_hash = document_hash


class DocumentDamaged(DocumentError):
    """It was there, but not sound; it has been set aside, so that it can be put again."""

    def __init__(self, store: StoreName, document_hash: str, kept: str) -> None:
        super().__init__(
            f"The document {document_hash} in {store.value} is damaged and was set aside{kept}; it must be fetched again from its recorder."
        )
        self.store = store
        self.document_hash = document_hash


class DocumentHashMismatch(DocumentError):
    """What was to be put is not the document of that hash. Nothing was stored."""

    def __init__(self, store: StoreName, document_hash: str) -> None:
        super().__init__(f"The content sent as document {document_hash[:64]} for {store.value} does not have that hash; it was not stored.")


class DocumentStoreFailed(DocumentError):
    """Reading or writing failed."""


Verify = Callable[[str, bytes], bool]
"""Hash and content: whether they belong together. Must return False, not raise, for any bytes. See `sealing.matches_hash`."""


class DocumentStore(Protocol):
    """All three stores. `document_hash`: 64 lower-case hexadecimal digits, of `sealing.canonical_hash`."""

    async def put(self, store: StoreName, document_hash: str, content: bytes) -> None:
        """Durable on return; harmless when it is there already. Content that was sealed anew replaces the old.

        Raises `DocumentHashMismatch`, `DocumentStoreFailed`.
        """

    async def get(self, store: StoreName, document_hash: str) -> bytes:
        """Raises `DocumentMissing`, `DocumentDamaged`, `DocumentStoreFailed`."""

    def get_blocking(self, store: StoreName, document_hash: str) -> bytes:
        """As `get`, for a worker's thread."""

    async def has(self, store: StoreName, document_hash: str) -> bool:
        """Whether it is there; only `get` tells whether it is sound. Raises `DocumentStoreFailed`."""

    async def list(self, store: StoreName) -> list[str]:
        """The hashes of all documents, sorted. Raises `DocumentStoreFailed`."""

    async def remove(self, store: StoreName, document_hash: str) -> None:
        """Forget a document that nothing names any more; harmless when it is not there. Raises `DocumentStoreFailed`."""


def is_document_hash(text: str) -> bool:
    """Names come from other machines and become names of files."""
    return _HASH.fullmatch(text) is not None


def check_new_document(store: StoreName, document_hash: str, content: bytes, verify: Verify) -> None:
    """Raises `DocumentHashMismatch`."""
    if not is_document_hash(document_hash) or len(content) > MAX_DOCUMENT_BYTES or not verify(document_hash, content):
        raise DocumentHashMismatch(store, document_hash)


class SiteKeyUnusable(Exception):
    """The key file can't be read or is not what it should be. The text is one sentence for people and holds no key.

    Here, and not with the key: who only says it in one sentence needs no cryptography.
    """
