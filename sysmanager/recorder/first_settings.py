"""The documents that a recorder begins with: its settings file, checked and with its passwords sealed, or empty ones (SPEC 3, 18)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sysmanager.documents.port import MAX_DOCUMENT_BYTES, DocumentStore, StoreName
from sysmanager.documents.sealing import SiteKey, canonical_hash, seal
from sysmanager.domain.documents import DocumentSet, SettingsDocument
from sysmanager.domain.ids import DocumentHash, is_identifier
from sysmanager.durable import read_bounded
from sysmanager.protocol.recorders import CAMERAS_LIMIT
from sysmanager.recorder.configuration import ConfigurationError, RecorderConfiguration
from sysmanager.recorder.first_hours import NO_HOURS, FirstHours

MOTION_LIMITS = {"motion_before_s": 60, "motion_after_s": 600, "motion_per_s": 30}
"""Most of each. What is kept before a motion waits in memory."""

_VALUE = re.compile(r"value '.*'", re.DOTALL)


def first_settings(configuration: RecorderConfiguration, key: SiteKey | None) -> SettingsDocument:
    """From the settings file of the configuration; without one, no cameras. Raises ConfigurationError."""
    if not configuration.settings:
        return SettingsDocument(name=configuration.name, disks=tuple(configuration.disks))
    if key is None:
        raise ConfigurationError(
            f"The settings file {configuration.settings} can't be taken in without the site key {configuration.site_key}; copy it there."
        )
    path = Path(configuration.settings)
    try:
        content = msgspec.json.decode(read_bounded(path, MAX_DOCUMENT_BYTES))
    except OSError as error:
        raise ConfigurationError(f"The settings file {path} can't be read ({error.strerror or error}).") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The settings file {path} is not valid JSON: {error}.") from None
    try:
        settings = msgspec.convert(_sealed(content, key), SettingsDocument, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"The settings file {path} is wrong: {without_value(error)}.") from None
    problem = settings_problem(settings)
    if problem:
        raise ConfigurationError(f"The settings file {path} is wrong: {problem}.")
    missing = [label for label in settings.disks if label not in configuration.disks]
    if missing:
        raise ConfigurationError(
            f"The settings file {path} is wrong: 'disks' names {missing[0]!r}, and the configuration has {', '.join(configuration.disks)}."
        )
    return settings


def without_value(error: msgspec.DecodeError | UnicodeDecodeError) -> str:
    """What a decoder says, without the value that it met: a password may stand in a wrong field."""
    return _VALUE.sub("value", str(error))


def settings_problem(settings: SettingsDocument) -> str:
    """What is wrong with a settings document that has the right fields and types; empty if nothing. Names the field."""
    if settings.format != 1:
        return f"'format' is {settings.format}, and this program knows 1"
    if settings.retention_days < 1:
        return "'retention_days' must be at least 1"
    if len(settings.cameras) > CAMERAS_LIMIT:
        return f"'cameras' has {len(settings.cameras)} entries, {CAMERAS_LIMIT} at most are possible"
    seen: set[str] = set()
    for number, camera in enumerate(settings.cameras):
        where = f"'cameras[{number}]"
        if not is_identifier(camera.id):
            return f"{where}.id' must be 1 to 64 letters, digits, '-' and '_'"
        if camera.id in seen:
            return f"{where}.id' is {camera.id!r} a second time"
        seen.add(camera.id)
        if camera.sessions < 1:
            return f"{where}.sessions' must be at least 1"
        if camera.retention_days is not None and camera.retention_days < 1:
            return f"{where}.retention_days' must be at least 1, or left out"
        if camera.bitrate_kbps < 1:
            return f"{where}.bitrate_kbps' must be at least 1"
        for field, limit in MOTION_LIMITS.items():
            if not 0 <= getattr(camera, field) <= limit:
                return f"{where}.{field}' must be 0 to {limit}"
        try:
            has_credentials = "@" in urlsplit(camera.url).netloc
        except ValueError:
            return f"{where}.url' is no address"
        if has_credentials:
            return f"{where}.url' must not hold user or password; they have fields of their own"
    return ""


def _sealed(content: Any, key: SiteKey) -> Any:
    """With each plain password sealed. Whatever else is wrong is left for the check that follows."""
    if not isinstance(content, dict) or not isinstance(content.get("cameras"), list):
        return content
    return {**content, "cameras": [_sealed_camera(camera, key) for camera in content["cameras"]]}


def _sealed_camera(camera: Any, key: SiteKey) -> Any:
    if not isinstance(camera, dict) or not isinstance(camera.get("password"), str):
        return camera
    return {**camera, "password": msgspec.to_builtins(seal(camera["password"], key)) if camera["password"] else None}


async def take_in_first(store: DocumentStore, settings: SettingsDocument, hours: FirstHours = NO_HOURS) -> DocumentSet:
    """Put all three documents into the store. Raises DocumentStoreFailed."""
    hashes: dict[StoreName, DocumentHash] = {}
    for name, document in (
        (StoreName.SETTINGS, settings),
        (StoreName.MASKS, hours.masks),
        (StoreName.SCHEDULES, hours.schedules),
    ):
        hashes[name] = DocumentHash(canonical_hash(msgspec.to_builtins(document)))
        await store.put(name, hashes[name], msgspec.json.encode(document))
    return DocumentSet(
        revision=1, settings=hashes[StoreName.SETTINGS], masks=hashes[StoreName.MASKS], schedules=hashes[StoreName.SCHEDULES]
    )
