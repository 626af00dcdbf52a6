"""The document stores in memory: for the demo, simulation and tests."""

from sysmanager.documents.port import DocumentDamaged, DocumentMissing, StoreName, Verify, check_new_document
from sysmanager.documents.sealing import matches_hash

__all__ = ["MemoryDocumentStore"]


class MemoryDocumentStore:
    """Implements `DocumentStore`."""

    def __init__(self, verify: Verify = matches_hash) -> None:
        self._verify = verify
        self._documents: dict[tuple[StoreName, str], bytes] = {}
        self._damaged: set[tuple[StoreName, str]] = set()

    async def put(self, store: StoreName, document_hash: str, content: bytes) -> None:
        check_new_document(store, document_hash, content, self._verify)
        self._documents[store, document_hash] = content
        self._damaged.discard((store, document_hash))

    async def get(self, store: StoreName, document_hash: str) -> bytes:
        return self.get_blocking(store, document_hash)

    def get_blocking(self, store: StoreName, document_hash: str) -> bytes:
        key = (store, document_hash)
        if key not in self._documents:
            raise DocumentMissing(store, document_hash)
        if key in self._damaged:
            self._damaged.remove(key)
            del self._documents[key]
            raise DocumentDamaged(store, document_hash, "")
        return self._documents[key]

    async def has(self, store: StoreName, document_hash: str) -> bool:
        return (store, document_hash) in self._documents

    async def list(self, store: StoreName) -> list[str]:
        return sorted(document_hash for name, document_hash in self._documents if name is store)

    async def remove(self, store: StoreName, document_hash: str) -> None:
        self._documents.pop((store, document_hash), None)
        self._damaged.discard((store, document_hash))

    def damage(self, store: StoreName, document_hash: str) -> None:
        """As a damaged disk would: the next `get` finds it so."""
        if (store, document_hash) in self._documents:
            self._damaged.add((store, document_hash))
