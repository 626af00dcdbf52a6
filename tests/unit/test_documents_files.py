import asyncio
import stat
import sys
from pathlib import Path

import msgspec
import pytest

from sysmanager.documents import files
from sysmanager.documents.files import FileDocumentStore
from sysmanager.documents.port import DocumentDamaged, DocumentStoreFailed, StoreName
from sysmanager.documents.sealing import SiteKey, canonical_hash, seal

SEALED = seal("secret", SiteKey(bytes(32)))
DOCUMENT = {"name": "r1", "password": {"hmac": SEALED.hmac, "sealed": SEALED.sealed}}
CONTENT = msgspec.json.encode(DOCUMENT)
HASH = canonical_hash(DOCUMENT)
SIZE = len(CONTENT) + 87


@pytest.fixture
async def store(tmp_path: Path) -> FileDocumentStore:
    store = FileDocumentStore(tmp_path)
    await store.put(StoreName.SETTINGS, HASH, CONTENT)
    return store


async def test_layout_and_rights(store: FileDocumentStore, tmp_path: Path) -> None:
    path = tmp_path / "RecorderSettingsStore" / HASH
    assert path.stat().st_size == SIZE
    assert path.read_bytes().endswith(b"\n" + CONTENT)
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("offset", [*range(0, SIZE, 7), 86, 87, SIZE - 1])
async def test_any_flipped_byte_is_noticed(store: FileDocumentStore, tmp_path: Path, offset: int) -> None:
    """In the sealed text too, which the document's hash leaves out."""
    path = tmp_path / "RecorderSettingsStore" / HASH
    damaged = bytearray(path.read_bytes())
    damaged[offset] ^= 0x01
    path.write_bytes(damaged)
    with pytest.raises(DocumentDamaged) as caught:
        await store.get(StoreName.SETTINGS, HASH)
    kept = path.parent / "set-aside" / f"{HASH}-1"
    assert str(kept) in str(caught.value)
    assert kept.read_bytes() == damaged
    assert await store.list(StoreName.SETTINGS) == []


@pytest.mark.parametrize("size", [0, 10, 86, 87, 100, SIZE - 1])
async def test_truncated_file_is_noticed(store: FileDocumentStore, tmp_path: Path, size: int) -> None:
    path = tmp_path / "RecorderSettingsStore" / HASH
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DocumentDamaged):
        await store.get(StoreName.SETTINGS, HASH)


async def test_each_damaged_one_is_kept(store: FileDocumentStore, tmp_path: Path) -> None:
    path = tmp_path / "RecorderSettingsStore" / HASH
    for number in range(1, 4):
        path.write_bytes(b"%d" % number)
        await store.put(StoreName.SETTINGS, HASH, CONTENT)
        assert (path.parent / "set-aside" / f"{HASH}-{number}").read_bytes() == b"%d" % number


async def test_document_under_a_wrong_name_is_damaged(store: FileDocumentStore, tmp_path: Path) -> None:
    folder = tmp_path / "RecorderSettingsStore"
    (folder / HASH).rename(folder / ("0" * 64))
    with pytest.raises(DocumentDamaged):
        await store.get(StoreName.SETTINGS, "0" * 64)


async def test_unfinished_file_of_a_kill_is_removed_and_never_listed(tmp_path: Path) -> None:
    folder = tmp_path / "RecorderMasksStore"
    folder.mkdir()
    (folder / ".unfinished-0011").write_bytes(b"half")
    store = FileDocumentStore(tmp_path)
    assert await store.list(StoreName.MASKS) == []
    assert list(folder.iterdir()) == []


async def test_failed_write_leaves_the_old_document(store: FileDocumentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anew = msgspec.json.encode({**DOCUMENT, "password": {"hmac": SEALED.hmac, "sealed": "anew"}})

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("sysmanager.durable.os.fsync", fail)
        with pytest.raises(DocumentStoreFailed, match="No space left on device"):
            await store.put(StoreName.SETTINGS, HASH, anew)
    assert await store.get(StoreName.SETTINGS, HASH) == CONTENT
    assert [path.name for path in (tmp_path / "RecorderSettingsStore").iterdir()] == [HASH]


async def test_unusable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = FileDocumentStore(tmp_path / "file")
    with pytest.raises(DocumentStoreFailed, match=r"can't be used \(.*\); check disk and rights"):
        await store.put(StoreName.SETTINGS, HASH, CONTENT)


async def test_oversized_file_is_not_read(store: FileDocumentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_DOCUMENT_BYTES", 10)
    with pytest.raises(DocumentDamaged):
        await store.get(StoreName.SETTINGS, HASH)


async def test_calls_at_the_same_time(tmp_path: Path) -> None:
    store = FileDocumentStore(tmp_path)
    await asyncio.gather(*(store.put(StoreName.SETTINGS, HASH, CONTENT) for _ in range(20)))
    assert await asyncio.gather(*(store.get(StoreName.SETTINGS, HASH) for _ in range(20))) == [CONTENT] * 20
