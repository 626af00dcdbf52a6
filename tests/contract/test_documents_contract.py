"""What every document store promises."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from sysmanager.documents.files import FileDocumentStore
from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.documents.port import MAX_DOCUMENT_BYTES, DocumentDamaged, DocumentHashMismatch, DocumentMissing, DocumentStore, StoreName
from sysmanager.documents.sealing import SiteKey, canonical_hash, seal

Damage = Callable[[StoreName, str], None]


@pytest.fixture(params=["memory", "files"])
def store_and_damage(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[DocumentStore, Damage]:
    if request.param == "memory":
        memory = MemoryDocumentStore()
        return memory, memory.damage

    def damage(store: StoreName, document_hash: str) -> None:
        path = tmp_path / store.value / document_hash
        path.write_bytes(path.read_bytes()[:-1])

    return FileDocumentStore(tmp_path), damage


@pytest.fixture
def store(store_and_damage: tuple[DocumentStore, Damage]) -> DocumentStore:
    return store_and_damage[0]


def document(name: str) -> tuple[str, bytes]:
    content = {"name": name, "cameras": [1, 2, 3]}
    return canonical_hash(content), msgspec.json.encode(content)


async def test_put_and_got(store: DocumentStore) -> None:
    document_hash, content = document("a")
    assert not await store.has(StoreName.SETTINGS, document_hash)
    await store.put(StoreName.SETTINGS, document_hash, content)
    await store.put(StoreName.SETTINGS, document_hash, content)
    assert await store.has(StoreName.SETTINGS, document_hash)
    assert await store.get(StoreName.SETTINGS, document_hash) == content


async def test_three_stores_are_apart(store: DocumentStore) -> None:
    document_hash, content = document("a")
    await store.put(StoreName.MASKS, document_hash, content)
    for other in (StoreName.SETTINGS, StoreName.SCHEDULES):
        assert not await store.has(other, document_hash)
        with pytest.raises(DocumentMissing, match=other.value):
            await store.get(other, document_hash)


async def test_list_is_sorted(store: DocumentStore) -> None:
    assert await store.list(StoreName.MASKS) == []
    hashes = []
    for name in "abcde":
        document_hash, content = document(name)
        await store.put(StoreName.MASKS, document_hash, content)
        hashes.append(document_hash)
    assert await store.list(StoreName.MASKS) == sorted(hashes)
    assert await store.list(StoreName.SCHEDULES) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b"\xff", b"[" * 100_000])
async def test_content_of_another_hash_is_refused(store: DocumentStore, content: bytes) -> None:
    document_hash, _ = document("a")
    with pytest.raises(DocumentHashMismatch, match=document_hash):
        await store.put(StoreName.SETTINGS, document_hash, content)
    assert await store.list(StoreName.SETTINGS) == []


async def test_too_large_a_document_is_refused(store: DocumentStore) -> None:
    content = {"a": "x" * MAX_DOCUMENT_BYTES}
    with pytest.raises(DocumentHashMismatch):
        await store.put(StoreName.SETTINGS, canonical_hash(content), msgspec.json.encode(content))


@pytest.mark.parametrize("name", ["", "a", "../" * 20 + "etc/passwd", "A" * 64, "set-aside", "a" * 65, "g" * 64, "0" * 63 + "\n"])
async def test_what_is_no_hash_is_missing(store: DocumentStore, name: str) -> None:
    assert not await store.has(StoreName.SETTINGS, name)
    with pytest.raises(DocumentMissing):
        await store.get(StoreName.SETTINGS, name)
    with pytest.raises(DocumentHashMismatch):
        await store.put(StoreName.SETTINGS, name, b"{}")


async def test_damaged_one_is_said_once_and_can_be_put_again(store_and_damage: tuple[DocumentStore, Damage]) -> None:
    store, damage = store_and_damage
    document_hash, content = document("a")
    await store.put(StoreName.SETTINGS, document_hash, content)
    damage(StoreName.SETTINGS, document_hash)
    with pytest.raises(DocumentDamaged, match="set aside"):
        await store.get(StoreName.SETTINGS, document_hash)
    assert not await store.has(StoreName.SETTINGS, document_hash)
    with pytest.raises(DocumentMissing):
        await store.get(StoreName.SETTINGS, document_hash)
    await store.put(StoreName.SETTINGS, document_hash, content)
    assert await store.get(StoreName.SETTINGS, document_hash) == content


async def test_damaged_one_can_be_put_without_being_got(store_and_damage: tuple[DocumentStore, Damage]) -> None:
    store, damage = store_and_damage
    document_hash, content = document("a")
    await store.put(StoreName.SETTINGS, document_hash, content)
    damage(StoreName.SETTINGS, document_hash)
    await store.put(StoreName.SETTINGS, document_hash, content)
    assert await store.get(StoreName.SETTINGS, document_hash) == content


async def test_document_sealed_anew_replaces_the_old(store: DocumentStore) -> None:
    site_key = SiteKey(bytes(32))
    versions = [{"password": {"hmac": sealed.hmac, "sealed": sealed.sealed}} for sealed in (seal("x", site_key), seal("x", site_key))]
    document_hash = canonical_hash(versions[0])
    for version in versions:
        await store.put(StoreName.SETTINGS, document_hash, msgspec.json.encode(version))
    assert await store.get(StoreName.SETTINGS, document_hash) == msgspec.json.encode(versions[1])
    assert await store.list(StoreName.SETTINGS) == [document_hash]


async def test_removed_and_put_again(store: DocumentStore) -> None:
    document_hash, content = document("a")
    await store.put(StoreName.SETTINGS, document_hash, content)
    for _ in range(2):
        await store.remove(StoreName.SETTINGS, document_hash)
    assert not await store.has(StoreName.SETTINGS, document_hash)
    await store.remove(StoreName.SETTINGS, "../nothing")
    await store.put(StoreName.SETTINGS, document_hash, content)
    assert await store.get(StoreName.SETTINGS, document_hash) == content


async def test_a_worker_gets_what_everybody_gets(store_and_damage: tuple[DocumentStore, Damage]) -> None:
    store, damage = store_and_damage
    document_hash, content = document("a")
    with pytest.raises(DocumentMissing):
        store.get_blocking(StoreName.MASKS, document_hash)
    await store.put(StoreName.MASKS, document_hash, content)
    assert store.get_blocking(StoreName.MASKS, document_hash) == content
    damage(StoreName.MASKS, document_hash)
    with pytest.raises(DocumentDamaged):
        store.get_blocking(StoreName.MASKS, document_hash)
