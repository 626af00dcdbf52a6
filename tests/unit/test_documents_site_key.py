import pickle
import stat
import sys
from pathlib import Path

import pytest

from sysmanager.documents.site_key import SiteKey, SiteKeyUnusable


def test_created_once_and_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "site.key"
    created = SiteKey.load_or_create(path)
    assert SiteKey.load_or_create(path) == created
    assert SiteKey.load(path).key_id == created.key_id
    assert created != SiteKey.load_or_create(tmp_path / "other.key")
    with pytest.raises(FileExistsError):
        created.save_new(path)


@pytest.mark.skipif(sys.platform == "win32", reason="access lists there")
def test_only_this_user_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "site.key"
    SiteKey.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(SiteKeyUnusable, match="can be read by other users"):
        SiteKey.load_or_create(path)


def test_any_flipped_byte_is_noticed_and_the_file_kept(tmp_path: Path) -> None:
    path = tmp_path / "site.key"
    SiteKey.load_or_create(path)
    content = path.read_bytes()
    for offset in range(len(content)):
        damaged = bytearray(content)
        damaged[offset] ^= 0x01
        path.write_bytes(damaged)
        with pytest.raises(SiteKeyUnusable, match="damaged or belongs to another user"):
            SiteKey.load_or_create(path)
        assert path.read_bytes() == damaged


@pytest.mark.parametrize("content", [b"", b"x" * 10_000, b"\n\n\n"])
def test_what_is_no_key_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "site.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SiteKeyUnusable) as caught:
        SiteKey.load(path)
    assert str(path) in str(caught.value)


def test_missing_or_unwritable_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SiteKeyUnusable, match="can't be read"):
        SiteKey.load(tmp_path / "site.key")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SiteKeyUnusable, match="can't be written"):
        SiteKey.load_or_create(tmp_path / "file" / "site.key")


def test_key_does_not_leave_by_accident() -> None:
    key = SiteKey(b"k" * 32)
    assert "kkk" not in repr(key) + str(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(ValueError, match="32 bytes"):
        SiteKey(b"short")
    assert len({key.mac_key, key.seal_key, b"k" * 32}) == 3
