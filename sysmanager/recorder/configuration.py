"""The configuration file of a VMS server: TOML, read at each start (SPEC 18).

Everything in it belongs to the machine. What the recorder records is in its settings document, which travels in a failover.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sysmanager.domain.ids import RecorderId, is_identifier
from sysmanager.durable import read_bounded
from sysmanager.protocol.values import CAMERAS_LIMIT, DISKS_LIMIT

if TYPE_CHECKING:
    from sysmanager.recorder.machine import Identity

FILE_LIMIT_BYTES = 256 * 1024


class ConfigurationError(Exception):
    """The file, or a file that it names, cannot be used. One sentence: which file, which field, what was expected."""


class RecorderConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of the file, paths made absolute by `load_configuration`.

    id: as in system data. name: for people; the id if empty. standby: a failover server, which begins without a task of its own.
    data: folder for what the recorder must find again. disks: material disks, from the label that settings documents use ("D:")
    to the folder; on one machine several recorders have folders of their own under the same labels.
    bus: the file of bus credentials. site_key: the file of the key that secrets in documents are sealed with.
    settings: a settings document to begin with, which may hold plain passwords; taken in at the first start, not needed afterwards.
    schedules, masks: documents of those kinds to begin with, likewise. Hours are those of this machine, where `time_zone` names no other.
    segment_seconds: length of a piece of footage. practice: nothing real is recorded.
    minimum_free_mb: what stays free on each material disk; the oldest footage goes for it. quota_mb: what footage may take of each; 0: all.
    minimum_hours: no younger footage is ever deleted.
    material_host, material_port: where footage is served to other recorders of the site; port 0: any free one.
    preroll_memory_mb: for the last seconds of cameras that others record, while on standby; 0: none are kept. preroll_limit_s: of each.
    """

    id: str
    name: str = ""
    standby: bool = False
    data: str
    disks: dict[str, str]
    bus: str
    site_key: str
    settings: str = ""
    schedules: str = ""
    masks: str = ""
    camera_limit: int = 64
    bitrate_limit_kbps: int = 400_000
    vca_channels: int = 0
    plugins: tuple[str, ...] = ()
    segment_seconds: int = 60
    minimum_free_mb: int = 1024
    quota_mb: int = 0
    minimum_hours: int = 24
    material_host: str = "127.0.0.1"
    material_port: int = 0
    preroll_memory_mb: int = 1024
    preroll_limit_s: int = 120
    practice: bool = False

    @property
    def recorder(self) -> RecorderId:
        return RecorderId(self.id)

    @property
    def data_folder(self) -> Path:
        return Path(self.data)

    @property
    def bus_credentials(self) -> Path:
        return Path(self.bus)

    @property
    def site_key_path(self) -> Path:
        return Path(self.site_key)

    @property
    def disk_paths(self) -> dict[str, Path]:
        return {label: Path(folder) for label, folder in self.disks.items()}

    def identity(self) -> Identity:
        from sysmanager.recorder.machine import Identity  # not at the top: the Watchdog reads this file too, and has no machine

        return Identity(
            recorder=self.recorder,
            camera_limit=self.camera_limit,
            bitrate_limit_kbps=self.bitrate_limit_kbps,
            vca_channels=self.vca_channels,
            plugins=self.plugins,
            preroll_memory_mb=self.preroll_memory_mb,
            preroll_limit_s=self.preroll_limit_s,
            practice=self.practice,
        )


_EXPECTED = {
    "id": "1 to 64 letters, digits, '-' and '_', beginning with a letter or digit",
    "name": "text of at most 200 characters",
    "standby": "true or false",
    "data": "the path of a folder",
    "disks": "a table from the label of each material disk to its folder, each folder once",
    "bus": "the path of the bus credentials file",
    "site_key": "the path of the site key file",
    "settings": "the path of a settings document (JSON), or left out",
    "schedules": "the path of a schedules document (JSON), or left out",
    "masks": "the path of a masks document (JSON), or left out",
    "camera_limit": f"a whole number from 1 to {CAMERAS_LIMIT}",
    "bitrate_limit_kbps": "a whole number from 1 to 100000000",
    "vca_channels": "a whole number from 0 to 4096",
    "plugins": "a list of at most 100 names",
    "segment_seconds": "a whole number from 5 to 3600",
    "minimum_free_mb": "a whole number from 64 to 1000000000",
    "quota_mb": "0 for none, or a whole number from 1 to 1000000000",
    "minimum_hours": "a whole number from 0 to 87600",
    "material_host": "an address of this machine",
    "material_port": "0 for any free one, or a whole number of at most 65535",
    "preroll_memory_mb": "0 for none, or a whole number of at most 1000000",
    "preroll_limit_s": "a whole number from 1 to 3600",
    "practice": "true or false",
}
_FIELD = re.compile(r"`\$\.?([A-Za-z_]+)?")
_NAMED = re.compile(r"field `([^`]+)`")


def load_configuration(path: Path) -> RecorderConfiguration:
    """Raises ConfigurationError. Relative paths count from the folder of the file."""
    try:
        content = read_bounded(path, FILE_LIMIT_BYTES)
    except FileNotFoundError:
        raise ConfigurationError(f"There is no configuration file {path}; name an existing one with --config.") from None
    except OSError as error:
        raise ConfigurationError(f"The configuration file {path} can't be read ({error.strerror or error}).") from None
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The configuration file {path} is not valid TOML in UTF-8: {error}.") from None
    try:
        configuration = msgspec.convert(table, RecorderConfiguration, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigurationError(_sentence(path, str(error))) from None
    for field in _EXPECTED:
        if not _is_sound(field, getattr(configuration, field)):
            raise _wrong(path, field)
    return _absolute(configuration, path.resolve().parent)


def _sentence(path: Path, text: str) -> str:
    """One sentence from what the library says of a field."""
    named = _NAMED.search(text)
    if named is not None and "unknown" in text:
        return f"The configuration file {path} has the field {named[1]!r}, which is not known; known are {', '.join(_EXPECTED)}."
    if named is not None and "missing" in text:
        return f"The configuration file {path} lacks the field {named[1]!r}: {_EXPECTED[named[1]]}."
    found = _FIELD.search(text)
    field = found[1] if found is not None and found[1] else None
    return str(_wrong(path, field)) if field in _EXPECTED else f"The configuration file {path} is wrong: {text}."


def _wrong(path: Path, field: str | None) -> ConfigurationError:
    expected = _EXPECTED[field] if field is not None else "known"
    return ConfigurationError(f"In the configuration file {path} the field {field!r} must be {expected}.")


def _is_sound(field: str, value: Any) -> bool:
    match field:
        case "id":
            return is_identifier(value)
        case "name":
            return len(value) <= 200
        case "data" | "bus" | "site_key":
            return _is_path(value)
        case "settings" | "schedules" | "masks":
            return value == "" or _is_path(value)
        case "disks":
            return _are_disks(value)
        case "camera_limit":
            return bool(1 <= value <= CAMERAS_LIMIT)
        case "bitrate_limit_kbps":
            return bool(1 <= value <= 100_000_000)
        case "vca_channels":
            return bool(0 <= value <= 4096)
        case "plugins":
            return len(value) <= 100 and all(0 < len(name) <= 200 for name in value)
        case "segment_seconds":
            return bool(5 <= value <= 3600)
        case "minimum_free_mb":
            return bool(64 <= value <= 1_000_000_000)
        case "quota_mb":
            return bool(0 <= value <= 1_000_000_000)
        case "material_host":
            return 0 < len(value.strip()) <= 200
        case "material_port":
            return bool(0 <= value <= 65_535)
        case "preroll_memory_mb":
            return bool(0 <= value <= 1_000_000)
        case "preroll_limit_s":
            return bool(1 <= value <= 3600)
        case "minimum_hours":
            return bool(0 <= value <= 87_600)
        case _:
            return True


def _is_path(text: str) -> bool:
    return 0 < len(text.strip()) <= 4096 and "\0" not in text


def _are_disks(disks: dict[str, str]) -> bool:
    folders = {Path(folder) for folder in disks.values()}
    return (
        0 < len(disks) <= DISKS_LIMIT
        and len(folders) == len(disks)
        and all(0 < len(label.strip()) <= 200 for label in disks)
        and all(_is_path(folder) for folder in disks.values())
    )


def _absolute(configuration: RecorderConfiguration, folder: Path) -> RecorderConfiguration:
    def absolute(text: str) -> str:
        return str(folder / Path(text).expanduser())

    return msgspec.structs.replace(
        configuration,
        name=configuration.name or configuration.id,
        data=absolute(configuration.data),
        disks={label: absolute(each) for label, each in configuration.disks.items()},
        bus=absolute(configuration.bus),
        site_key=absolute(configuration.site_key),
        settings=absolute(configuration.settings) if configuration.settings else "",
        schedules=absolute(configuration.schedules) if configuration.schedules else "",
        masks=absolute(configuration.masks) if configuration.masks else "",
    )
