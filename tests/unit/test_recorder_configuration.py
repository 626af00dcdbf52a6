"""The configuration and settings files of a recorder: what is wrong is said in one sentence with file, field and expectation (SPEC 18)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.documents.port import StoreName
from sysmanager.documents.sealing import SealedSecret, SiteKey, unseal
from sysmanager.domain.documents import SettingsDocument
from sysmanager.recorder.configuration import ConfigurationError, RecorderConfiguration, load_configuration
from sysmanager.recorder.first_settings import first_settings, take_in_first

MINIMAL = """
id = "gate-1"
data = "data"
bus = "bus.json"
site_key = "site.key"
[disks]
"D:" = "disk-d"
"""
KEY = SiteKey(bytes(32))


def write(folder: Path, text: str) -> Path:
    path = folder / "recorder.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_count_from_the_file_and_the_rest_has_defaults(tmp_path: Path) -> None:
    configuration = load_configuration(write(tmp_path, MINIMAL))
    assert configuration.name == "gate-1"
    assert configuration.data_folder == tmp_path / "data"
    assert configuration.disk_paths == {"D:": tmp_path / "disk-d"}
    assert configuration.bus_credentials == tmp_path / "bus.json"
    assert configuration.site_key_path == tmp_path / "site.key"
    assert configuration.settings == ""
    assert (configuration.standby, configuration.practice, configuration.segment_seconds) == (False, False, 60)
    assert configuration.identity().camera_limit == 64


@pytest.mark.parametrize(
    ("line", "field", "expected"),
    [
        ('colour = "red"', "colour", "not known; known are id, name"),
        ('camera_limit = "many"', "camera_limit", "must be a whole number from 1 to 1024"),
        ("camera_limit = 0", "camera_limit", "must be a whole number from 1 to 1024"),
        ("camera_limit = 1.5", "camera_limit", "must be a whole number"),
        ("bitrate_limit_kbps = -1", "bitrate_limit_kbps", "must be a whole number"),
        ("vca_channels = -1", "vca_channels", "must be a whole number from 0"),
        ('standby = "yes"', "standby", "must be true or false"),
        ('practice = "yes"', "practice", "must be true or false"),
        ("segment_seconds = 4", "segment_seconds", "must be a whole number from 5 to 3600"),
        ("minimum_free_mb = 63", "minimum_free_mb", "must be a whole number from 64"),
        ("material_port = 65536", "material_port", "must be 0 for any free one"),
        ('material_host = " "', "material_host", "must be an address of this machine"),
        ("preroll_memory_mb = -1", "preroll_memory_mb", "must be 0 for none"),
        ("preroll_limit_s = 0", "preroll_limit_s", "must be a whole number from 1 to 3600"),
        ("quota_mb = -1", "quota_mb", "must be 0 for none"),
        ("minimum_hours = 87601", "minimum_hours", "must be a whole number from 0 to 87600"),
        ('plugins = "one"', "plugins", "must be a list"),
        ("plugins = [1]", "plugins", "must be a list"),
        ('settings = " "', "settings", "must be the path of a settings document"),
        (f'name = "{"x" * 201}"', "name", "must be text of at most 200"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected(tmp_path: Path, line: str, field: str, expected: str) -> None:
    path = write(tmp_path, line + MINIMAL)
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert repr(field) in sentence
    assert expected in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('id = "gate-1"', 'id = "gate 1"', "id"),
        ('id = "gate-1"', "", "id"),
        ('data = "data"', 'data = ""', "data"),
        ('data = "data"', "", "data"),
        ('bus = "bus.json"', "", "bus"),
        ('site_key = "site.key"', "site_key = 3", "site_key"),
        ('"D:" = "disk-d"', "", "disks"),
        ('"D:" = "disk-d"', '"D:" = 1', "disks"),
        ('"D:" = "disk-d"', '"" = "disk-d"', "disks"),
        ('"D:" = "disk-d"', '"D:" = "x"\n"E:" = "x"', "disks"),
    ],
)
def test_a_wrong_or_missing_field_is_named(tmp_path: Path, old: str, new: str, field: str) -> None:
    with pytest.raises(ConfigurationError, match=f"field '{field}'"):
        load_configuration(write(tmp_path, MINIMAL.replace(old, new)))


def test_no_file_no_toml_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"There is no configuration file .*--config"):
        load_configuration(tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        load_configuration(write(tmp_path, "id = "))
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not valid TOML in UTF-8"):
        load_configuration(path)
    with pytest.raises(ConfigurationError, match="can't be read"):
        load_configuration(tmp_path)


# ---------------------------------------------------------------- settings

CAMERA = {"id": "c1", "name": "Gate", "url": "rtsp://127.0.0.1/c1", "user": "u", "password": "secret word"}


def with_settings(folder: Path, content: object) -> RecorderConfiguration:
    (folder / "settings.json").write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return load_configuration(write(folder, 'settings = "settings.json"' + MINIMAL))


def test_plain_passwords_are_sealed(tmp_path: Path) -> None:
    settings = first_settings(with_settings(tmp_path, {"name": "Gate", "disks": ["D:"], "cameras": [CAMERA]}), KEY)
    password = settings.cameras[0].password
    assert password is not None
    assert "secret word" not in repr(settings)
    assert unseal(SealedSecret(hmac=password.hmac, sealed=password.sealed), KEY) == "secret word"


async def test_without_a_settings_file_it_begins_with_no_cameras(tmp_path: Path) -> None:
    settings = first_settings(load_configuration(write(tmp_path, MINIMAL)), None)
    assert settings == SettingsDocument(name="gate-1", disks=("D:",))
    store = MemoryDocumentStore()
    documents = await take_in_first(store, settings)
    assert documents.revision == 1
    assert await store.has(StoreName.SETTINGS, documents.settings)
    assert await store.has(StoreName.MASKS, documents.masks)
    assert await store.has(StoreName.SCHEDULES, documents.schedules)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "not valid JSON"),
        ([1], "wrong"),
        ({}, "`name`"),
        ({"name": "x", "cameras": [{**CAMERA, "kolor": 1}]}, "`kolor`"),
        ({"name": "x", "cameras": [{**CAMERA, "priority": "secret"}]}, "priority"),
        ({"name": "x", "cameras": [CAMERA, CAMERA]}, "'cameras[1].id' is 'c1' a second time"),
        ({"name": "x", "cameras": [{**CAMERA, "id": "c 1"}]}, "'cameras[0].id' must be"),
        ({"name": "x", "cameras": [{**CAMERA, "sessions": 0}]}, "'cameras[0].sessions'"),
        ({"name": "x", "cameras": [{**CAMERA, "bitrate_kbps": 0}]}, "'cameras[0].bitrate_kbps'"),
        ({"name": "x", "cameras": [{**CAMERA, "url": "rtsp://u:secret@h/"}]}, "'cameras[0].url' must not hold"),
        ({"name": "x", "cameras": [{**CAMERA, "url": "rtsp://[::1"}]}, "'cameras[0].url' is no address"),
        ({"name": "x", "disks": ["E:"]}, "'disks' names 'E:', and the configuration has D:"),
        ({"name": "x", "format": 2}, "'format' is 2"),
        ({"name": "x", "retention_days": 0}, "'retention_days'"),
    ],
)
def test_wrong_settings_are_refused_with_the_field_and_without_secrets(tmp_path: Path, content: object, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        first_settings(with_settings(tmp_path, content), KEY)
    sentence = str(caught.value)
    assert expected in sentence
    assert "settings.json" in sentence
    assert "secret" not in sentence


def test_settings_that_are_not_there_or_need_a_key(tmp_path: Path) -> None:
    configuration = load_configuration(write(tmp_path, 'settings = "settings.json"' + MINIMAL))
    with pytest.raises(ConfigurationError, match="can't be read"):
        first_settings(configuration, KEY)
    with pytest.raises(ConfigurationError, match=r"site key .*site\.key"):
        first_settings(configuration, None)
