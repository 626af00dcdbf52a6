"""What differs between two versions of a recorder's documents, in words that people can read (SPEC 8). No secret is ever among them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from sysmanager.domain.documents import CameraSettings, MasksDocument, MotionMask, SchedulesDocument, SealedSecret, SettingsDocument
from sysmanager.domain.hours import DAYS
from sysmanager.domain.ids import CameraId

CHANGES_LIMIT = 500
"""So many changes are listed; what is beyond is only counted."""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """The three documents of a recorder, opened."""

    settings: SettingsDocument
    masks: MasksDocument
    schedules: SchedulesDocument


class ChangeKind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference. camera: None for what concerns the recorder as a whole; name: of the camera, empty there.

    field: what of it, in plain words; empty where the whole camera was added or removed. before, after: empty for what is not shown, such
    as a password, of which only is said that it was changed.
    """

    kind: ChangeKind
    camera: CameraId | None = None
    name: str = ""
    field: str = ""
    before: str = ""
    after: str = ""

    @property
    def sentence(self) -> str:
        """``Gate: expected bit rate 2000 kbit/s → 3000 kbit/s``, ``Gate: password changed``, ``Ramp: added``."""
        subject = self.name or self.camera or "Recorder"
        if not self.field:
            return f"{subject}: {self.kind}"
        if not self.before and not self.after:
            return f"{subject}: {self.field} {self.kind}"
        return f"{subject}: {self.field} {self.before or 'nothing'} → {self.after or 'nothing'}"


def compare(before: Contents, after: Contents) -> tuple[Change, ...]:
    """All that differs, the recorder as a whole first, then camera by camera in the order of the settings."""
    old = {camera.id: camera for camera in before.settings.cameras}
    found = [*_general(before.settings, after.settings)]
    for camera in after.settings.cameras:
        earlier = old.get(camera.id)
        if earlier is None:
            found.append(Change(kind=ChangeKind.ADDED, camera=camera.id, name=camera.name))
            continue
        found += _camera(earlier, camera)
        found += _schedule(camera, before.schedules.schedules.get(camera.id, ()), after.schedules.schedules.get(camera.id, ()))
        found += _mask(camera, before.masks.masks.get(camera.id), after.masks.masks.get(camera.id))
    kept = {camera.id for camera in after.settings.cameras}
    found += [Change(kind=ChangeKind.REMOVED, camera=camera.id, name=camera.name) for camera in old.values() if camera.id not in kept]
    return tuple(found)


# ---------------------------------------------------------------- settings

_GENERAL = {"name": "name", "retention_days": "retention", "disks": "material disks", "plugins": "added plug-ins"}
_CAMERA = {
    "name": "name",
    "url": "stream address",
    "user": "user name",
    "password": "password",
    "kind": "kind",
    "priority": "failover priority",
    "sessions": "sessions allowed",
    "vca": "video content analysis",
    "bitrate_kbps": "expected bit rate",
    "mode": "recording mode",
    "motion_before_s": "kept before a motion",
    "motion_after_s": "kept after a motion",
    "motion_per_s": "pictures looked at for motion",
}
_UNITS = {"retention_days": "days", "bitrate_kbps": "kbit/s", "motion_before_s": "s", "motion_after_s": "s", "motion_per_s": "a second"}
_HIDDEN = ("user", "password")
"""Credentials: that they were changed is all that is said."""


def _general(before: SettingsDocument, after: SettingsDocument) -> Iterator[Change]:
    for field in SettingsDocument.__struct_fields__:
        if field not in ("format", "cameras"):
            yield from _field(None, "", field, _GENERAL.get(field, _plain(field)), getattr(before, field), getattr(after, field))


def _camera(before: CameraSettings, after: CameraSettings) -> Iterator[Change]:
    for field in CameraSettings.__struct_fields__:
        if field != "id":
            title = _CAMERA.get(field, _plain(field))
            yield from _field(after.id, after.name, field, title, getattr(before, field), getattr(after, field))


def _field(camera: CameraId | None, name: str, field: str, title: str, before: object, after: object) -> Iterator[Change]:
    if _same(before, after):
        return
    old, new = _text(field, before), _text(field, after)
    if field in _HIDDEN or isinstance(before, SealedSecret) or isinstance(after, SealedSecret) or old == new:
        old = new = ""
    yield Change(kind=ChangeKind.CHANGED, camera=camera, name=name, field=title, before=old, after=new)


def _same(before: object, after: object) -> bool:
    """Sealing a secret anew changes nothing (SPEC 3)."""
    if isinstance(before, SealedSecret) and isinstance(after, SealedSecret):
        return before.hmac == after.hmac
    return before == after


def _text(field: str, value: object) -> str:
    match value:
        case None | "" | ():
            return ""
        case bool():
            return "on" if value else "off"
        case int():
            return f"{value} {_UNITS[field]}" if field in _UNITS else str(value)
        case tuple():
            return ", ".join(str(one) for one in value)
        case _:
            return without_secrets(str(value))


def _plain(field: str) -> str:
    """A field that this list does not know yet, by its own name."""
    return field.replace("_", " ")


_USER_INFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#]*@")
_USER_INFO_WITH_SLASH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s:/@]*:\S*@")
_QUERY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s?#]*)[?#]\S*")


def without_secrets(text: str) -> str:
    """An address without what people put into it against all advice: credentials, and parameters, which may hold them as well."""
    text = _USER_INFO_WITH_SLASH.sub(r"\1…@", text)
    text = _USER_INFO.sub(r"\1…@", text)
    return _QUERY.sub(r"\1?…", text)


# ---------------------------------------------------------------- schedules and masks

_CELLS = {"o": "off", "m": "motion", "c": "continuous"}
_DAY_MINUTES = 1_440


def _schedule(camera: CameraSettings, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[Change]:
    """Days that changed in the same way are one change."""
    alike: dict[tuple[str, str], list[int]] = {}
    for day in range(max(len(before), len(after))):
        old, new = _day(before, day), _day(after, day)
        if old != new:
            alike.setdefault((old, new), []).append(day)
    for (old, new), days in alike.items():
        yield _changed(camera, f"schedule {_days(days)}", _runs(old), _runs(new))


def _changed(camera: CameraSettings, field: str, before: str, after: str) -> Change:
    return Change(kind=ChangeKind.CHANGED, camera=camera.id, name=camera.name, field=field, before=before, after=after)


def _day(days: tuple[str, ...], day: int) -> str:
    return days[day] if day < len(days) else ""


def _days(days: list[int]) -> str:
    """``Mon-Fri``, ``Mon, Wed``; a schedule with more days than the week has names them by number."""
    names = [DAYS[day] if day < len(DAYS) else f"day {day + 1}" for day in days]
    together = len(days) > 2 and days[-1] - days[0] == len(days) - 1
    return f"{names[0]}-{names[-1]}" if together else ", ".join(names)


def _runs(cells: str) -> str:
    """``continuous``, or ``off 00:00-08:00, motion 08:00-24:00``."""
    runs: list[tuple[str, int, int]] = []
    for place, cell in enumerate(cells):
        if runs and runs[-1][0] == cell:
            runs[-1] = (cell, runs[-1][1], place + 1)
        else:
            runs.append((cell, place, place + 1))
    if len(runs) == 1:
        return _CELLS.get(runs[0][0], runs[0][0])
    return ", ".join(f"{_CELLS.get(cell, cell)} {_clock(begin, cells)}-{_clock(end, cells)}" for cell, begin, end in runs)


def _clock(place: int, cells: str) -> str:
    minute = place * _DAY_MINUTES // len(cells)
    return f"{minute // 60:02}:{minute % 60:02}"


def _mask(camera: CameraSettings, before: MotionMask | None, after: MotionMask | None) -> Iterator[Change]:
    old, new = before or MotionMask(), after or MotionMask()
    if (old.columns, old.rows, set(old.blocked)) != (new.columns, new.rows, set(new.blocked)):
        was, becomes = _blocked(old), _blocked(new)
        yield _changed(camera, "motion mask", was, f"{becomes}, others than before" if was == becomes else becomes)
    if old.sensitivity != new.sensitivity:
        yield _changed(camera, "sensitivity", str(old.sensitivity), str(new.sensitivity))


def _blocked(mask: MotionMask) -> str:
    return f"{len(set(mask.blocked))} of {mask.columns * mask.rows} cells blocked"


def sentences(changes: Iterable[Change]) -> tuple[str, ...]:
    return tuple(change.sentence for change in changes)
