"""What a site is set up with, and that a second start finds it again."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from sysmanager.app.errors import CommandError
from sysmanager.app.site.files import SiteFile, camera_ids, give_bus_access, set_up
from sysmanager.app.site.layout import FAILOVER, RECORDERS, STANDARD, SiteLayout, shares
from sysmanager.bus.credentials import BusUser, generate_credentials, load_credentials, save_credentials
from sysmanager.documents.site_key import SiteKey
from sysmanager.domain.documents import SealedSecret
from sysmanager.domain.recorder import Role
from sysmanager.recorder.configuration import load_configuration
from sysmanager.recorder.first_settings import first_settings


@pytest.fixture
def layout(tmp_path: Path) -> SiteLayout:
    return SiteLayout(tmp_path / "site")


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_recorder_gets_a_configuration_that_it_can_use(layout: SiteLayout) -> None:
    site = set_up(layout, 5, rehearsal=False)
    key = SiteKey.load_or_create(layout.site_key)
    password = layout.camera_password.read_text(encoding="utf-8").strip()
    found = {}
    for place in layout.recorders:
        configuration = load_configuration(place.configuration)
        assert configuration.id == place.id
        assert configuration.practice
        assert configuration.standby is (place.id == FAILOVER)
        assert Path(configuration.site_key).resolve() == layout.site_key
        assert configuration.bus.endswith("bus.json")
        assert set(configuration.disk_paths) == {"D:", "E:"}
        assert all(path.is_dir() and path.parent == place.folder for path in configuration.disk_paths.values())
        settings = first_settings(configuration, key)
        assert settings.disks == ("D:", "E:")
        found[place.id] = [camera.id for camera in settings.cameras]
        for camera in settings.cameras:
            assert camera.url == f"rtsp://127.0.0.1:{site.camera_port}/{camera.id}"
            assert camera.user
            assert isinstance(camera.password, SealedSecret)
            assert password not in camera.password.sealed
            assert camera.sessions >= 2
    assert found == {"REC-1": ["cam-001", "cam-003", "cam-005"], "REC-2": ["cam-002", "cam-004"], "FO-1": []}


def test_the_default_is_eight_cameras_shared_by_two(layout: SiteLayout) -> None:
    site = set_up(layout, None, rehearsal=False)
    shared = shares(camera_ids(site))
    assert site.cameras == 8
    assert [len(cameras) for cameras in shared.values()] == [4, 4]
    assert set(shared) == set(STANDARD)


def test_a_second_start_changes_nothing(layout: SiteLayout) -> None:
    site = set_up(layout, 6, rehearsal=True)
    before = content_of(layout.root)
    assert set_up(layout, None, rehearsal=False) == site
    assert set_up(layout, 6, rehearsal=True) == site
    assert content_of(layout.root) == before


def test_a_set_up_that_was_killed_is_done_again(layout: SiteLayout) -> None:
    set_up(layout, 6, rehearsal=True)
    layout.site_file.unlink()
    layout.recorder(STANDARD[1]).settings.unlink()
    assert set_up(layout, 4, rehearsal=True).cameras == 4
    assert len(json.loads(layout.recorder(STANDARD[1]).settings.read_bytes())["cameras"]) == 2


def test_a_rehearsal_has_short_segments(layout: SiteLayout, tmp_path: Path) -> None:
    set_up(layout, None, rehearsal=True)
    other = SiteLayout(tmp_path / "other")
    set_up(other, None, rehearsal=False)
    lengths = [load_configuration(each.recorder(FAILOVER).configuration).segment_seconds for each in (layout, other)]
    assert lengths == [10, 60]


@pytest.mark.skipif(sys.platform == "win32", reason="rights are access lists there")
def test_secrets_are_for_this_user_only(layout: SiteLayout) -> None:
    set_up(layout, None, rehearsal=False)
    for path in (layout.camera_password, *(layout.recorder(recorder).settings for recorder in STANDARD)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_other_cameras_than_those_of_the_folder_are_refused(layout: SiteLayout) -> None:
    set_up(layout, 6, rehearsal=False)
    with pytest.raises(CommandError, match="was set up with 6 cameras and 8 are asked for"):
        set_up(layout, 8, rehearsal=False)


@pytest.mark.parametrize("cameras", [-1, 0, 1, 65])
def test_too_few_or_too_many_cameras(layout: SiteLayout, cameras: int) -> None:
    with pytest.raises(CommandError, match=f"2 to 64 cameras and {cameras} were asked for"):
        set_up(layout, cameras, rehearsal=False)
    assert not layout.site_file.exists()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"cameras": 8}', b'{"cameras": "8", "camera_port": 1}', b'{"cameras": 8, "camera_port": 1, "x": 1}']
)
def test_a_folder_with_something_else_in_it_is_refused(layout: SiteLayout, content: bytes) -> None:
    layout.root.mkdir()
    layout.site_file.write_bytes(content)
    with pytest.raises(CommandError, match=r"site\.json is not that of a site"):
        set_up(layout, None, rehearsal=False)
    assert content_of(layout.root) == {"site.json": content}


@pytest.mark.parametrize("content", [{"format": 2}, {"cameras": 1}, {"camera_port": 65535}])
def test_a_site_file_of_another_version_or_with_wrong_values(layout: SiteLayout, content: dict[str, int]) -> None:
    layout.root.mkdir()
    layout.site_file.write_text(json.dumps({"format": 1, "cameras": 8, "camera_port": 8554, **content}), encoding="utf-8")
    with pytest.raises(CommandError, match="damaged or of another version"):
        set_up(layout, None, rehearsal=False)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "site").write_bytes(b"a file")
    with pytest.raises(CommandError, match="can't be set up in"):
        set_up(SiteLayout(tmp_path / "site"), None, rehearsal=False)


def test_recorders_get_the_password_of_recorders_only(layout: SiteLayout, tmp_path: Path) -> None:
    set_up(layout, None, rehearsal=False)
    credentials = generate_credentials("127.0.0.1", 4222)
    save_credentials(tmp_path / "all.json", credentials)
    give_bus_access(layout, tmp_path / "all.json")
    for recorder in RECORDERS:
        given = load_credentials(layout.recorder(recorder).bus)
        assert given.url == credentials.url
        assert given.users == {"recorder": credentials.password(BusUser.RECORDER)}


def test_how_servers_are_added(layout: SiteLayout) -> None:
    edits = {place.id: place.edit for place in layout.recorders}
    assert {recorder: edit.role for recorder, edit in edits.items()} == {
        "REC-1": Role.STANDARD,
        "REC-2": Role.STANDARD,
        "FO-1": Role.FAILOVER,
    }
    assert all(edit.detection_timeout_s == 10 and edit.failover_enabled and edit.group == "SITE" for edit in edits.values())


def test_site_file_round_trip(layout: SiteLayout) -> None:
    site = set_up(layout, 3, rehearsal=False)
    assert json.loads(layout.site_file.read_bytes()) == {"format": 1, "cameras": 3, "camera_port": site.camera_port}
    assert SiteFile(cameras=3, camera_port=site.camera_port) == site
