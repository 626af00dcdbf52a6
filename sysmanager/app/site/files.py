"""The files that a site begins with: written when it is set up, kept as they are afterwards."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from sysmanager.app.errors import CommandError
from sysmanager.app.site.layout import CAMERA_USER, CAMERAS_LIMIT, DISKS, RecorderPlace, SiteLayout, shares
from sysmanager.bus.credentials import BusUser, load_credentials, save_credentials
from sysmanager.domain.camera import FailoverPriority
from sysmanager.durable import read_bounded, write_durably
from sysmanager.simulation.cameras.config import CamerasConfig

FORMAT = 1
DEFAULT_CAMERAS = 8
SESSIONS = 3
"""Streams that each camera gives at once: two recorders while the tasks go back, and one to look at it."""

SEGMENT_S = 60
REHEARSAL_SEGMENT_S = 10
"""Short, so that the borders between segments are rehearsed too."""

_FILE_LIMIT_BYTES = 64 * 1024
_HOST = "127.0.0.1"
_PORT_TRIES = 50


class SiteFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a site was set up with. camera_port: of RTSP; the cameras' control port is the next one."""

    format: int = FORMAT
    cameras: int
    camera_port: int


def set_up(layout: SiteLayout, cameras: int | None, *, rehearsal: bool) -> SiteFile:
    """Write what is missing; return what the site was set up with. CommandError when the folder or the request does not fit.

    cameras: None for those that the folder has, or 8. The site file comes last: a set-up that was killed is done again.
    """
    try:
        found = _read(layout.site_file)
        if found is None:
            if cameras is not None and not 2 <= cameras <= CAMERAS_LIMIT:
                raise CommandError(f"A site has 2 to {CAMERAS_LIMIT} cameras and {cameras} were asked for; choose another number.")
            found = SiteFile(cameras=cameras or DEFAULT_CAMERAS, camera_port=_free_port_pair())
            _write(layout, found, REHEARSAL_SEGMENT_S if rehearsal else SEGMENT_S)
        elif cameras is not None and cameras != found.cameras:
            raise CommandError(
                f"The site in {layout.root} was set up with {found.cameras} cameras and {cameras} are asked for; "
                "leave out --cameras, or name another folder."
            )
    except OSError as error:
        raise CommandError(f"The site can't be set up in {layout.root} ({error.strerror or error}); name another folder.") from error
    return found


def give_bus_access(layout: SiteLayout, credentials_file: Path, ports: Mapping[str, int] = MappingProxyType({})) -> None:
    """Give each recorder the address of the bus and the one password that a recorder needs. BusError, CommandError.

    ports: of recorders that reach the bus through another port.
    """
    credentials = load_credentials(credentials_file).only(BusUser.RECORDER)
    for place in layout.recorders:
        try:
            port = ports.get(place.id, credentials.port)
            save_credentials(place.bus, msgspec.structs.replace(credentials, url=f"nats://{_HOST}:{port}"))
        except OSError as error:
            raise CommandError(f"The bus credentials can't be written to {place.bus} ({error.strerror or error}).") from error


def camera_ids(site: SiteFile) -> tuple[str, ...]:
    return CamerasConfig(count=site.cameras, cache=Path()).camera_ids()


def _read(path: Path) -> SiteFile | None:
    """None if the site was never set up. Raises OSError, CommandError."""
    try:
        content = read_bounded(path, _FILE_LIMIT_BYTES)
    except FileNotFoundError:
        return None
    try:
        found = msgspec.json.decode(content, type=SiteFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"The file {path} is not that of a site ({error}); name another folder.") from None
    if found.format != FORMAT or not 2 <= found.cameras <= CAMERAS_LIMIT or not 1 <= found.camera_port <= 65534:
        raise CommandError(f"The file {path} is damaged or of another version of this program; name another folder.")
    return found


def _write(layout: SiteLayout, site: SiteFile, segment_s: int) -> None:
    layout.logs.mkdir(parents=True, exist_ok=True)
    layout.cameras.mkdir(exist_ok=True)
    password = secrets.token_urlsafe(12)
    write_durably(layout.camera_password, password.encode() + b"\n", private=True)
    shared = shares(camera_ids(site))
    for place in layout.recorders:
        place.data.mkdir(parents=True, exist_ok=True)
        for disk in place.disks.values():
            disk.mkdir(exist_ok=True)
        write_durably(place.configuration, configuration_text(place, segment_s).encode())
        if place.id in shared:
            write_durably(place.settings, settings_json(place, shared[place.id], site.camera_port, password), private=True)
    write_durably(layout.site_file, msgspec.json.format(msgspec.json.encode(site)) + b"\n")


def configuration_text(place: RecorderPlace, segment_s: int) -> str:
    """The TOML configuration of a recorder. Paths are relative, so that the folder of the site can be moved."""
    lines = [
        f'id = "{place.id}"',
        f"standby = {'true' if place.standby else 'false'}",
        "practice = true",
        'data = "data"',
        'bus = "bus.json"',
        'site_key = "../keys/site.key"',
        *([] if place.standby else ['settings = "settings.json"']),
        f"segment_seconds = {segment_s}",
        "",
        "[disks]",
        *(f'"{label}" = "{folder}"' for label, folder in DISKS.items()),
    ]
    return "\n".join(lines) + "\n"


def settings_json(place: RecorderPlace, cameras: tuple[str, ...], camera_port: int, password: str) -> bytes:
    """The settings document that a recorder begins with. It takes the passwords in at its first start and seals them."""
    content = {
        "name": place.id,
        "disks": list(DISKS),
        "cameras": [
            {
                "id": camera,
                "name": camera.replace("cam-", "Camera "),
                "url": f"rtsp://{_HOST}:{camera_port}/{camera}",
                "user": CAMERA_USER,
                "password": password,
                "sessions": SESSIONS,
                "bitrate_kbps": 500,
                "priority": (FailoverPriority.HIGH if index == 0 else FailoverPriority.MEDIUM).value,
            }
            for index, camera in enumerate(cameras)
        ],
    }
    return msgspec.json.format(msgspec.json.encode(content)) + b"\n"


def _free_port_pair() -> int:
    """A port that is free together with the one after it."""
    for _ in range(_PORT_TRIES):
        with socket.socket() as first, socket.socket() as second:
            first.bind((_HOST, 0))
            port: int = first.getsockname()[1]
            if port > 65534:
                continue
            try:
                second.bind((_HOST, port + 1))
            except OSError:
                continue
            return port
    raise OSError("no two free ports were found")
