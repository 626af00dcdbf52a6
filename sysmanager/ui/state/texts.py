"""How numbers and moments are written for people."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from sysmanager.domain.failover import CameraGap, Failover, Phase, Timeline, Trigger
from sysmanager.domain.gaps import parts_of
from sysmanager.domain.recorder import Role

NOTHING = "—"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_TRIGGERS: dict[Trigger, str] = {
    Trigger.CONNECTION: "Connection lost",
    Trigger.DISKS: "Material disks lost",
    Trigger.SERVICE: "Recording service",
    Trigger.NOT_RECORDING: "Not recording",
    Trigger.MANUAL: "Manual",
    Trigger.PLANNED: "Planned switch",
}


def countdown_text(span_ms: int) -> str:
    """``0:14``, ``3:12``, ``1:02:03``: whole seconds, rounded up, so that 0:00 means now."""
    seconds = max(0, -(-span_ms // 1000))
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def elapsed_text(span_ms: int) -> str:
    """Like a countdown, rounded down."""
    return countdown_text(max(0, span_ms) // 1000 * 1000)


def duration_text(span_ms: int) -> str:
    """``3 ms``, ``0.42 s``, ``12.3 s``, ``4 min 05 s``, ``2 h 10 min``."""
    span_ms = max(0, span_ms)
    if span_ms < 100:
        return f"{span_ms} ms"
    if span_ms < 10_000:
        return f"{span_ms / 1000:.2f} s"
    if span_ms < 60_000:
        return f"{span_ms / 1000:.1f} s"
    seconds = span_ms // 1000
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"


def when_text(wall_ms: int, now_wall_ms: int, zone: tzinfo | None = None) -> str:
    """``Today 14:02:11``, ``Yesterday 23:17:55``, ``12 Nov 03:11:20``, ``12 Nov 2025 03:11:20``; `zone` None: the local one."""
    if not wall_ms:
        return NOTHING
    moment, now = _moment(wall_ms, zone), _moment(now_wall_ms, zone)
    clock = f"{moment:%H:%M:%S}"
    if moment.date() == now.date():
        return f"Today {clock}"
    if moment.date() == now.date() - timedelta(days=1):
        return f"Yesterday {clock}"
    day = f"{moment.day} {_MONTHS[moment.month - 1]}"
    return f"{day} {clock}" if moment.year == now.year else f"{day} {moment.year} {clock}"


def when_inside(wall_ms: int, now_wall_ms: int, zone: tzinfo | None = None) -> str:
    """The same in the middle of a sentence: ``today 14:02:11``."""
    text = when_text(wall_ms, now_wall_ms, zone)
    return text[:1].lower() + text[1:]


def exact_text(wall_ms: int, zone: tzinfo | None = None) -> str:
    """``2026-11-22 14:02:11.384``, for comparing frames."""
    return f"{_moment(wall_ms, zone):%Y-%m-%d %H:%M:%S}.{wall_ms % 1000:03}" if wall_ms else NOTHING


def clock_text(wall_ms: int, zone: tzinfo | None = None) -> str:
    """``14:02:11.384``."""
    return f"{_moment(wall_ms, zone):%H:%M:%S}.{wall_ms % 1000:03}" if wall_ms else NOTHING


def _moment(wall_ms: int, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(wall_ms / 1000, tz=zone).astimezone(zone)


def gap_text(gap_ms: int | None) -> str:
    """The hole in the footage: ``0.0 s``, ``1.1 s``, ``2 min 05 s``; a dash while it is not known."""
    if gap_ms is None:
        return NOTHING
    return f"{gap_ms / 1000:.1f} s" if gap_ms < 60_000 else duration_text(gap_ms)


def camera_gap_text(gap: CameraGap) -> str:
    if not gap.first_after_ms:
        return "no frame yet"
    if gap.gap_ms is None:
        return "last frame unknown"
    error = f" ± {gap.error_ms / 1000:.2f} s" if gap.error_ms >= 10 else ""
    return f"{gap.gap_ms / 1000:.2f} s{error}"


def gap_parts_texts(gap: CameraGap, timeline: Timeline) -> tuple[str, ...]:
    """``detection 60.0 s``, ``decision 13 ms``, ``saving settings 417 ms``, ``first frame 0.80 s``: they come to the gap."""
    parts = parts_of(gap, timeline)
    if parts is None:
        return ()
    named = (
        ("detection", parts.detection_ms),
        ("decision", parts.decision_ms),
        ("saving settings", parts.saving_ms),
        ("first frame", parts.first_frame_ms),
    )
    return tuple(f"{name} {duration_text(span_ms)}" for name, span_ms in named)


def size_text(size_mb: int) -> str:
    """``820 MB``, ``12.4 GB``, ``3.6 TB``."""
    if size_mb < 1000:
        return f"{size_mb} MB"
    if size_mb < 1_000_000:
        return f"{size_mb / 1000:.1f} GB"
    return f"{size_mb / 1_000_000:.1f} TB"


def rate_text(rate_kbps: int) -> str:
    """``800 kbit/s``, ``2.5 Mbit/s``, ``400 Mbit/s``."""
    if rate_kbps < 1000:
        return f"{rate_kbps} kbit/s"
    return f"{rate_kbps / 1000:.1f} Mbit/s" if rate_kbps < 100_000 else f"{rate_kbps / 1000:.0f} Mbit/s"


def counted(number: int, one: str, many: str = "") -> str:
    """``1 server``, ``3 servers``; `many` where an s is not enough."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def trigger_text(trigger: Trigger) -> str:
    return _TRIGGERS[trigger]


def role_text(role: Role) -> str:
    return "Standard" if role is Role.STANDARD else "Failover"


def cameras_text(failover: Failover) -> str:
    """``31 / 32``: cameras moved of all. None moves before the commit point."""
    total = len(failover.moved) + len(failover.not_moved)
    moved = 0 if failover.phase.before_commit or ended_early(failover) else len(failover.moved)
    return f"{moved} / {total}" if total else NOTHING


def ended_early(failover: Failover) -> bool:
    """Whether it ended before its commit point."""
    return failover.phase in (Phase.FAILED, Phase.CANCELLED)


_DIGITS = re.compile(r"(\d+)")


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts ``REC-2`` before ``REC-10``, without regard to case."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part.casefold()) for part in _DIGITS.split(text) if part)
