"""How a server looks: picture, colour and the few words beside its name."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sysmanager.api import CameraRow, CameraState, Connection, DiskRow, Health, Ready, RecorderRow, ServiceState
from sysmanager.domain.recorder import Acting, Broken, Reserved, Standby, timeout_text
from sysmanager.ui.state.model import Tone
from sysmanager.ui.state.texts import countdown_text, elapsed_text


class Symbol(StrEnum):
    """A picture, by what it means; `ui.icons` knows how it is drawn."""

    SITE = "site"
    GROUP = "group"
    UNGROUPED = "ungrouped"
    FAILOVER_BRANCH = "failover branch"
    BROKEN_BRANCH = "broken branch"
    RECORDING = "recording"
    STANDBY = "standby"
    ACTING = "acting"
    RESERVED = "reserved"
    BROKEN = "broken"
    SILENT = "silent"
    NOT_SEEN = "not seen"
    DISK_TROUBLE = "disk trouble"
    SERVICE_TROUBLE = "service trouble"
    CAMERA_TROUBLE = "camera trouble"


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """symbol, tone: the picture. note, note_tone: the words at the right of the name. shorter: the same in fewer words, ever fewer."""

    symbol: Symbol
    tone: Tone
    note: str
    shorter: tuple[str, ...] = ()
    note_tone: Tone


HEALTH_TONES: dict[Health, Tone] = {
    Health.GOOD: Tone.GOOD,
    Health.WARNING: Tone.WARNING,
    Health.BAD: Tone.BAD,
    Health.UNKNOWN: Tone.MUTED,
}


def server_look(row: RecorderRow) -> Look:
    """Picture and note of a server in the tree (SPEC 17)."""
    tone = HEALTH_TONES[row.health]
    symbol = _symbol(row)
    if symbol is Symbol.STANDBY and tone is Tone.GOOD:
        tone = Tone.MUTED
    elif symbol in (Symbol.ACTING, Symbol.RESERVED) and row.health is not Health.BAD:
        tone = Tone.ACCENT
    elif symbol is Symbol.BROKEN:
        tone = Tone.BAD
    note = _note(row)
    return Look(symbol=symbol, tone=tone, note=note, shorter=_shorter(row, note), note_tone=_note_tone(row, symbol, tone))


def _symbol(row: RecorderRow) -> Symbol:
    if isinstance(row.assignment, Broken):
        return Symbol.BROKEN
    if row.connection in (Connection.SILENT, Connection.LOST):
        return Symbol.SILENT
    if row.connection is Connection.NOT_SEEN:
        return Symbol.NOT_SEEN
    if row.service is ServiceState.FAILED:
        return Symbol.SERVICE_TROUBLE
    if any(not disk.writable for disk in row.disks):
        return Symbol.DISK_TROUBLE
    match row.assignment:
        case Acting():
            return Symbol.ACTING
        case Reserved():
            return Symbol.RESERVED
        case Standby():
            return Symbol.STANDBY
        case _:
            return Symbol.CAMERA_TROUBLE if row.health is not Health.GOOD and _dark(row) else Symbol.RECORDING


def _dark(row: RecorderRow) -> bool:
    return any(camera.state not in (None, CameraState.RECORDING, CameraState.OFF, CameraState.WAITING) for camera in row.cameras)


def readiness_note(row: RecorderRow) -> str:
    """The condition in the tree; a server that is well otherwise says here that it is not fully prepared."""
    if row.readiness is None or row.condition not in ("ready", "standby") or row.readiness.level is Ready.READY:
        return row.condition
    return "not ready" if row.readiness.level is Ready.NOT_READY else f"{row.condition}, limited"


def _note(row: RecorderRow) -> str:
    condition = readiness_note(row)
    parts = [condition] if condition else []
    if row.countdown_ms is not None:
        parts.append(f"fails over in {countdown_text(row.countdown_ms)}")
    elif row.hold is not None and "held" not in row.condition:
        parts.append("failover held")
    parts += _failback_parts(row)
    return " · ".join(parts)


def _failback_parts(row: RecorderRow) -> list[str]:
    """How a server that was replaced comes to its cameras again: the countdown, what holds it, or how long it has been stable."""
    if not isinstance(row.assignment, Broken):
        return []
    if row.failback_in_ms is not None:
        return [f"fails back in {countdown_text(row.failback_in_ms)}"]
    if row.failback_hold is not None:
        return ["failback held"]
    return [f"stable {elapsed_text(row.stable_ms)}"] if row.stable_ms else []


def _shorter(row: RecorderRow, note: str) -> tuple[str, ...]:
    """What the note becomes where there is no room for it: the countdown stays longest, then what a person can act on."""
    condition = row.condition.replace("recording service", "service").replace("Watchdog heard, service not yet", "service not heard")
    forms: tuple[str, ...] = (condition,)
    if row.countdown_ms is not None:
        countdown = countdown_text(row.countdown_ms)
        forms = (f"fails over in {countdown}", f"in {countdown}", countdown)
    elif row.hold is not None:
        forms = ("failover held", "held")
    elif isinstance(row.assignment, Broken) and row.failback_in_ms is not None:
        forms = (f"back in {countdown_text(row.failback_in_ms)}", countdown_text(row.failback_in_ms))
    elif isinstance(row.assignment, Broken) and row.failback_hold is not None:
        forms = ("failback held", "held")
    elif isinstance(row.assignment, Broken) and row.stable_ms:
        forms = (f"stable {elapsed_text(row.stable_ms)}", elapsed_text(row.stable_ms))
    elif isinstance(row.assignment, Broken):
        forms = ("not connected",) if row.connection is not Connection.CONNECTED else ("connected",)
    elif isinstance(row.assignment, Acting) and condition.startswith("acting"):
        forms = ("acting",)
    elif isinstance(row.assignment, Reserved) and condition.startswith("reserved"):
        forms = ("reserved",)
    elif condition == "no failover server free":
        forms = ("no standby free", "no standby")
    elif condition.endswith(("cameras dark", "cameras busy")):
        forms = (condition.replace("cameras ", ""),)
    elif condition.startswith("opening "):
        forms = ("opening cameras", "opening")
    return tuple(form for form in forms if form and len(form) < len(note))


def _note_tone(row: RecorderRow, symbol: Symbol, tone: Tone) -> Tone:
    if row.countdown_ms is not None or row.hold is not None:
        return Tone.BAD
    if symbol is Symbol.BROKEN:
        return Tone.MUTED
    if row.readiness is not None and row.readiness.level is Ready.NOT_READY and tone is not Tone.BAD:
        return Tone.WARNING
    return Tone.MUTED if tone is Tone.GOOD else tone


def chip_text(row: RecorderRow) -> str:
    """The state in the heading of the settings: ``silent for 46 s of 1 min · fails over in 0:14``."""
    parts = []
    if row.countdown_ms is not None and row.connection is Connection.SILENT:
        parts.append(f"silent for {row.silence_ms // 1000} s of {timeout_text(row.detection_timeout_s)}")
    elif row.condition:
        parts.append(row.condition)
    if row.countdown_ms is not None:
        if row.connection is not Connection.SILENT and row.countdown_cause and row.countdown_cause != row.condition:
            parts.append(row.countdown_cause)
        parts.append(f"fails over in {countdown_text(row.countdown_ms)}")
    elif row.hold is not None:
        parts.append(f"failover {row.hold.cause.value}" if row.hold.cause.value not in row.condition else "")
    parts += _failback_parts(row)
    return " · ".join(part for part in parts if part)


def chip_tone(row: RecorderRow) -> Tone:
    if row.countdown_ms is not None or row.hold is not None:
        return Tone.BAD
    if isinstance(row.assignment, Broken):
        return Tone.WARNING if row.connection is Connection.CONNECTED else Tone.BAD
    if isinstance(row.assignment, Acting | Reserved) and row.health is Health.GOOD:
        return Tone.ACCENT
    return HEALTH_TONES[row.health]


def needs_attention(row: RecorderRow) -> bool:
    """Whether it is not ready: not well, not seen yet, or not fully prepared to be replaced or to replace."""
    return row.health is not Health.GOOD or (row.readiness is not None and row.readiness.level is not Ready.READY)


_CAMERA_SENTENCES: dict[CameraState, tuple[str, Tone]] = {
    CameraState.CONNECTING: ("connecting", Tone.WARNING),
    CameraState.RECORDING: ("recording", Tone.GOOD),
    CameraState.UNREACHABLE: ("unreachable", Tone.BAD),
    CameraState.REFUSED: ("refused the stream", Tone.BAD),
    CameraState.WRONG_PASSWORD: ("wrong password", Tone.BAD),
    CameraState.NOT_FOUND: ("no such stream", Tone.BAD),
    CameraState.STALLED: ("sends nothing", Tone.BAD),
    CameraState.BUSY: ("busy: another server has its session", Tone.WARNING),
    CameraState.FAILED: ("failed", Tone.BAD),
    CameraState.QUARANTINED: ("quarantined", Tone.BAD),
    CameraState.OFF: ("off by its schedule", Tone.MUTED),
    CameraState.WAITING: ("waiting for motion", Tone.GOOD),
}


def camera_look(camera: CameraRow) -> tuple[str, Tone]:
    """State of a camera in words and colour; nobody reports it: ``not reported``."""
    return _CAMERA_SENTENCES[camera.state] if camera.state is not None else ("not reported", Tone.MUTED)


def disk_look(disk: DiskRow) -> tuple[str, Tone]:
    """State of a material disk in words and colour."""
    if not disk.writable:
        return (disk.problem or "cannot be written", Tone.BAD)
    if disk.problem:
        return (disk.problem, Tone.WARNING)
    return ("writable", Tone.GOOD)
