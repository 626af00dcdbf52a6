"""The schedules and masks that a recorder begins with: the files of its configuration, checked, or empty ones (SPEC 3, 18)."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from sysmanager.documents.port import MAX_DOCUMENT_BYTES
from sysmanager.domain.documents import MasksDocument, MotionMask, SchedulesDocument
from sysmanager.domain.schedule import schedule_problem
from sysmanager.durable import read_bounded
from sysmanager.recorder.configuration import ConfigurationError, RecorderConfiguration
from sysmanager.recorder.timetable import this_time_zone

CELLS_LIMIT = 128
"""Most columns, or rows, of a mask: its cells are not smaller than what motion is looked for in."""

Document = TypeVar("Document", MasksDocument, SchedulesDocument)


class FirstHours(msgspec.Struct, frozen=True, kw_only=True):
    """The documents that say when and where to look: those of the recorder's first start."""

    masks: MasksDocument
    schedules: SchedulesDocument


NO_HOURS = FirstHours(masks=MasksDocument(), schedules=SchedulesDocument())


def first_hours(configuration: RecorderConfiguration) -> FirstHours:
    """Raises ConfigurationError. Schedules get the time zone of this machine where they name none, so that it travels with them."""
    masks, schedules = MasksDocument(), SchedulesDocument()
    if configuration.masks:
        masks = _read("masks", Path(configuration.masks), MasksDocument)
        _refuse("masks", configuration.masks, masks_problem(masks))
    if configuration.schedules:
        schedules = _read("schedules", Path(configuration.schedules), SchedulesDocument)
        _refuse("schedules", configuration.schedules, schedules_problem(schedules))
    if not schedules.time_zone:
        schedules = msgspec.structs.replace(schedules, time_zone=this_time_zone())
    return FirstHours(masks=masks, schedules=schedules)


def _read(what: str, path: Path, kind: type[Document]) -> Document:
    try:
        content = read_bounded(path, MAX_DOCUMENT_BYTES)
    except OSError as error:
        raise ConfigurationError(f"The {what} file {path} can't be read ({error.strerror or error}).") from None
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The {what} file {path} is wrong: {error}.") from None


def _refuse(what: str, path: str, problem: str) -> None:
    if problem:
        raise ConfigurationError(f"The {what} file {path} is wrong: {problem}.")


def schedules_problem(document: SchedulesDocument) -> str:
    """What is wrong with a schedules document that has the right fields and types; empty if nothing. Names the field."""
    if document.format != 1:
        return f"'format' is {document.format}, and this program knows 1"
    if document.time_zone:
        try:
            ZoneInfo(document.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return f"'time_zone' is {document.time_zone!r}, which is not known; write it as Europe/Helsinki, or leave it empty"
    for camera, days in document.schedules.items():
        problem = schedule_problem(days)
        if problem:
            return f"'schedules.{camera}' {problem}"
    return ""


def masks_problem(document: MasksDocument) -> str:
    """The same of a masks document."""
    if document.format != 1:
        return f"'format' is {document.format}, and this program knows 1"
    for camera, mask in document.masks.items():
        problem = _mask_problem(mask)
        if problem:
            return f"'masks.{camera}.{problem}"
    return ""


def _mask_problem(mask: MotionMask) -> str:
    if not 1 <= mask.columns <= CELLS_LIMIT:
        return f"columns' must be 1 to {CELLS_LIMIT}"
    if not 1 <= mask.rows <= CELLS_LIMIT:
        return f"rows' must be 1 to {CELLS_LIMIT}"
    if any(not 0 <= cell < mask.columns * mask.rows for cell in mask.blocked):
        return f"blocked' must hold numbers of cells, 0 to {mask.columns * mask.rows - 1}"
    if not 0 <= mask.sensitivity <= 100:
        return "sensitivity' must be 0 to 100"
    return ""
