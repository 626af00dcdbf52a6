import stat
import sys
from pathlib import Path

import pytest

from sysmanager.bus.credentials import BusUser, CredentialsUnusable, generate_credentials, load_credentials, save_credentials


def test_written_and_read_again(tmp_path: Path) -> None:
    credentials = generate_credentials("127.0.0.1", 4333)
    save_credentials(tmp_path / "credentials.json", credentials)
    assert load_credentials(tmp_path / "credentials.json") == credentials
    assert (credentials.host, credentials.port) == ("127.0.0.1", 4333)
    assert len(set(credentials.users.values())) == 3
    assert generate_credentials("::1", 1).url == "nats://[::1]:1"


@pytest.mark.skipif(sys.platform == "win32", reason="access lists there")
def test_only_this_user_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    save_credentials(path, generate_credentials("127.0.0.1", 4333))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(CredentialsUnusable, match="can be read by other users"):
        load_credentials(path)


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    credentials = generate_credentials("127.0.0.1", 4333)
    for password in credentials.users.values():
        assert password not in repr(credentials)
        assert password not in str(credentials)


def test_part_for_one_user() -> None:
    credentials = generate_credentials("127.0.0.1", 4333)
    part = credentials.only(BusUser.RECORDER)
    assert part.password(BusUser.RECORDER) == credentials.password(BusUser.RECORDER)
    with pytest.raises(CredentialsUnusable, match="no password for client"):
        part.password(BusUser.CLIENT)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[]", "damaged"),
        (b'{"url": "nats://127.0.0.1:1"}', "damaged"),
        (b'{"url": "nats://127.0.0.1:1", "users": {}, "more": 1}', "damaged"),
        (b'{"url": 5, "users": {}}', "damaged"),
        (b'{"url": "http://127.0.0.1:1", "users": {}}', "must be nats://host:port"),
        (b'{"url": "nats://127.0.0.1:99999", "users": {}}', "must be nats://host:port"),
        (b'{"url": "nats://127.0.0.1", "users": {}}', "must be nats://host:port"),
        (b" " * 100_000, "can't be read"),
        (None, "There are no bus credentials"),
    ],
)
def test_unusable_file_is_one_sentence(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "credentials.json"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(CredentialsUnusable, match=sentence) as caught:
        load_credentials(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
